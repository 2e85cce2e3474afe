// hrnet pose: keypoints of every person in pictures, drawn and as JSON.

import { Command, Option } from "commander";
import { DEFAULT_DRAW_MIN_SCORE } from "../pose/draw-pose.ts";
import { interruptSignal } from "./interrupt.ts";
import { addLoadOptions } from "./load-options.ts";
import { addDeviceOptions, addSessionsOption, numberFrom, wholeNumber } from "./options.ts";
import { addPictureOptions } from "./picture-options.ts";
import { runOnPictures } from "./picture-run.ts";
import { addModelOption } from "./pose-model.ts";
import { type PoseCommandOptions, poseTask } from "./pose-task.ts";

export function command(): Command {
  const verb = addModelOption(new Command("hrnet pose"))
    .description(
      "Estimates the keypoints of every person: per picture a drawn picture and a JSON file. Without --boxes\n" +
        "and --detector the whole picture is taken as one person.",
    )
    .option("--boxes <file>", "person boxes: COCO detections or annotations, or { file: [[x, y, w, h], …] }")
    .addOption(
      new Option(
        "--detector <name|file>",
        "finds the persons: a detector's file, or the name of a published one (its class person, or its only class); none (default): the whole picture is one person",
      ).conflicts("boxes"),
    )
    .option("--flip-test", "also run the mirrored picture and average")
    .addOption(
      new Option("--format <name>", "coco: keypoint results as COCO evaluators read them")
        .choices(["json", "coco"])
        .default("json"),
    )
    .addOption(
      new Option("--min-score <s>", "keypoints below are not drawn; the JSON has all, with their scores")
        .argParser(numberFrom(0))
        .default(DEFAULT_DRAW_MIN_SCORE),
    )
    .option("--batch-size <n>", "persons per run of the network (default: 16)", wholeNumber(1));
  return addSessionsOption(addDeviceOptions(addLoadOptions(addPictureOptions(verb))))
    .addHelpText(
      "after",
      `
Results: photos/a.jpg becomes out/a.jpg (drawn) and out/a.jpg.json, with the folders below the ones given. A picture
is done once its JSON is there: an interrupted run continues when the same command is run again. --format coco adds
coco-results.json and coco-images.json (or, with --json, prints COCO results). With --boxes, pictures that the file does
not mention are left out. Keypoint scores are heights of heatmaps, about 1 for a certain keypoint, no probabilities.

Examples:
  hrnet pose photo.jpg --model lite-hrnet-18-coco-256x192
  hrnet pose portrait.jpg --model w32.onnx --detector none --flip-test
  hrnet pose group.jpg --model w32.onnx --detector fcos-hrnetv2p-w32-coco
  hrnet pose photos --model w32.onnx --boxes boxes.json --flip-test --out poses
  hrnet pose "frames/*.png" --model w32.onnx --json > poses.json`,
    )
    .action(async (pictures: string[], options: PoseCommandOptions) => {
      const { signal, release } = interruptSignal();
      try {
        await runOnPictures(pictures, options, await poseTask(options), signal);
      } finally {
        release();
      }
    });
}
