// hrnet detect: boxes of objects in pictures, drawn and in JSON.

import { Command, InvalidArgumentError, Option } from "commander";
import { type DetectCommandOptions, detectTask } from "./detect-task.ts";
import { interruptSignal } from "./interrupt.ts";
import { addDeviceOptions, inputSize, numberFrom, wholeNumber } from "./options.ts";
import { addPictureOptions } from "./picture-options.ts";
import { runOnPictures } from "./picture-run.ts";

/** `cat,dog`. */
function names(text: string): string[] {
  const list = text.split(",").map((name) => name.trim());
  if (list.some((name) => name === ""))
    throw new InvalidArgumentError("Expected names with commas between them.");
  return list;
}

export function command(): Command {
  const verb = new Command("hrnet detect")
    .description("Finds objects: per picture one with boxes and names drawn, and a JSON file of them.")
    .requiredOption("--model <name|file>", ".pth, .safetensors, or the name of a published checkpoint")
    .option("--offline", "use downloaded checkpoints only")
    .addOption(
      new Option("--min-score <n>", "leave out objects below").argParser(numberFrom(0, 1)).default(0.3),
    )
    .addOption(
      new Option("--nms <iou>", "of boxes of a class that overlap more, the best stays")
        .argParser(numberFrom(0, 1))
        .default(0.5),
    )
    .addOption(
      new Option("--most <n>", "objects of a picture at most").argParser(wholeNumber(1)).default(100),
    )
    .addOption(new Option("--classes <names>", "only these, like person,dog").argParser(names))
    .addOption(
      new Option(
        "--sides <size>",
        "shorter and longer side that pictures are brought to, like 800x1333 (default: the model's)",
      ).argParser(inputSize),
    )
    .addOption(
      new Option(
        "--tile <size>",
        "also in overlapping tiles at full resolution where a picture is larger, like 1024x1024",
      ).argParser(inputSize),
    )
    .addOption(
      new Option("--format <name>", "coco: results as COCO evaluators read them")
        .choices(["json", "coco"])
        .default("json"),
    );
  return addDeviceOptions(addPictureOptions(verb))
    .addHelpText(
      "after",
      `
Results: photos/a.jpg becomes out/a.jpg (drawn) and out/a.jpg.json, with the folders below the ones given. A picture is done once
its JSON is there: an interrupted run continues when the same command is run again. --format coco adds coco-results.json and
coco-images.json (or, with --json, prints COCO results); category_id counts the model's classes from 1.

Examples:
  hrnet detect cells.jpg --model runs/cells/best.safetensors
  hrnet detect photos --model best.safetensors --classes person --min-score 0.5 --out people
  hrnet detect aerial.tif --model best.safetensors --tile 1024x1024
  hrnet detect "frames/*.png" --model best.safetensors --json --draw none > objects.json`,
    )
    .action(async (pictures: string[], options: DetectCommandOptions) => {
      const { signal, release } = interruptSignal();
      try {
        await runOnPictures(pictures, options, detectTask(options), signal);
      } finally {
        release();
      }
    });
}
