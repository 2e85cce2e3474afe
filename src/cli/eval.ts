// hrnet eval: the figures of a model on a data set, with the conditions they were measured under.

import { Command, Option } from "commander";
import { OKS_NMS_THRESHOLD } from "../pose/oks-nms.ts";
import { INFERENCE_METHODS } from "../segmentation/inference-method.ts";
import { evaluateDetectionModel } from "./eval-detection.ts";
import type { EvalOptions } from "./eval-options.ts";
import { evaluatePose } from "./eval-pose.ts";
import { evaluateSegmentationModel } from "./eval-segmentation.ts";
import { interruptSignal } from "./interrupt.ts";
import { addLoadOptions } from "./load-options.ts";
import {
  addDeviceOptions,
  addSessionsOption,
  inputSize,
  numberFrom,
  numberList,
  wholeNumber,
} from "./options.ts";
import { addModelOption, estimatorOf, loadChosenModel } from "./pose-model.ts";

/** Measures whatever the model is for. */
async function evaluate(path: string, options: EvalOptions, signal: AbortSignal): Promise<string> {
  const model = await loadChosenModel(options, signal);
  if ("weights" in model) {
    const { task } = model.description;
    if (task === "segmentation") return evaluateSegmentationModel(path, options, model, signal);
    if (task === "detection") return evaluateDetectionModel(path, options, model, signal);
  }
  const detected = options.detections !== undefined || options.detector !== undefined;
  await using estimator = await estimatorOf(model, options, {
    batchSize: options.batchSize,
    oksThreshold: options.oksNms ?? (detected ? OKS_NMS_THRESHOLD : undefined),
    // Annotations are made on the stored pixels, as the official code reads them.
    decode: { orientation: "ignore" },
  });
  return await evaluatePose(path, options, estimator, signal); // before the estimator is disposed of
}

export function command(): Command {
  const verb = addModelOption(new Command("hrnet eval"))
    .description(
      "Measures a model on a labelled data set. Pose: COCO AP and AR (equal to pycocotools), or MPII PCKh; the source of the\n" +
        "boxes stands beside the AP, since annotated boxes give about 2 AP more than a detector's. Segmentation: mIoU, pixel and\n" +
        "mean accuracy, by class; scales, windows and flip test stand beside the figures. Detection: COCO AP and AR of boxes.",
    )
    .argument(
      "<data>",
      "pose: a folder in COCO or MPII layout, or a COCO file; segmentation: a folder of pictures and label maps; " +
        "detection: a folder in COCO or Pascal VOC layout, or a COCO file",
    )
    .option("--split <name>", "such as val2017 or val (default: the last val…)")
    .option("--detections <file>", "COCO detections to take the boxes from (default: annotated boxes)")
    .addOption(
      new Option(
        "--detector <name|file>",
        "a detector to take the boxes from: a file, or the name of a published one",
      ).conflicts("detections"),
    )
    .option("--min-score <n>", "leave out detections below", numberFrom(0))
    .option("--flip-test", "average with the mirrored crop or picture")
    .option(
      "--oks-nms <threshold>",
      "suppress persons more similar than this (default: 0.9 with --detections or --detector)",
      numberFrom(0),
    )
    .option(
      "--pck <part>",
      "also PCK: keypoints within this part of the torso (0.2 is usual)",
      numberFrom(0.001),
    )
    .option("--sigmas <json|file>", "σ per keypoint instead of the data set's")
    .option("--batch-size <n>", "crops per run of the network", wholeNumber(1))
    .option("--images <dir>", "folder of the pictures (default: where the layout has them)")
    .option("--pckh-truth <file>", "MPII: gt_valid.mat, or the same as JSON")
    .option("--save-results <file>", "also write the predictions as COCO results")
    .option("--labels <dir>", "segmentation: folder of the label maps, with --images")
    .option("--classes <name|file>", "segmentation: what the numbers in the label maps mean")
    .addOption(
      new Option("--method <name>", "segmentation: as the published figures of a data set").choices(
        Object.keys(INFERENCE_METHODS),
      ),
    )
    .addOption(
      new Option("--scales <list>", "segmentation: such as 0.5,0.75,1,1.25,1.5,1.75 (default: 1)").argParser(
        numberList,
      ),
    )
    .addOption(
      new Option("--window <size>", "segmentation: windows of the method, like 512x1024").argParser(
        inputSize,
      ),
    )
    .option("--confusion <file>", "segmentation: also draw the confusion matrix, as PNG")
    .option("--json", "figures as JSON on stdout");
  return addSessionsOption(addDeviceOptions(addLoadOptions(verb)))
    .addHelpText(
      "after",
      `
Examples:
  hrnet eval coco --model w32.onnx --flip-test
  hrnet eval coco --model w32.onnx --flip-test --detections COCO_val2017_detections_AP_H_56_person.json
  hrnet eval coco --model w32.onnx --flip-test --detector fcos-hrnetv2p-w32-coco
  hrnet eval coco --split val2017 --model hrnet-w32-udp-coco-256x192 --json
  hrnet eval mpii --model hrnet-w32-mpii-256x256 --flip-test
  hrnet eval cityscapes --model hrnet_ocr_cs_8162_torch11.pth
  hrnet eval cityscapes --model w48.safetensors --method cityscapes --scales 0.5,0.75,1,1.25,1.5,1.75 --flip-test
  hrnet eval cells --model runs/cells/best.safetensors --save-results found.json
  hrnet eval streets --model runs/streets/best.safetensors --confusion confusion.png`,
    )
    .action(async (path: string, options: EvalOptions) => {
      const { signal, release } = interruptSignal();
      try {
        process.stdout.write(`${await evaluate(path, options, signal)}\n`);
      } finally {
        release();
      }
    });
}
