// hrnet segment: a class for each pixel of pictures, drawn, as label maps, and as areas in JSON.

import { Command, Option } from "commander";
import { interruptSignal } from "./interrupt.ts";
import { addDeviceOptions, inputSize, numberFrom } from "./options.ts";
import { addPictureOptions } from "./picture-options.ts";
import { runOnPictures } from "./picture-run.ts";
import { type SegmentCommandOptions, segmentTask } from "./segment-task.ts";

export function command(): Command {
  const verb = new Command("hrnet segment")
    .description(
      "Tells the class of every pixel: per picture one with the classes drawn over it, an indexed PNG of the classes, and a\n" +
        "JSON file of their areas.",
    )
    .requiredOption("--model <name|file>", ".pth, .safetensors, or the name of a published checkpoint")
    .option("--arch <name>", "the network, instead of recognising it (`hrnet models` lists them)")
    .option("--offline", "use downloaded checkpoints only")
    .option("--flip-test", "also run the mirrored picture and average")
    .addOption(
      new Option(
        "--tile <size>",
        "largest part that goes through the network at once (default: 1024x2048)",
      ).argParser(inputSize),
    )
    .addOption(
      new Option("--opacity <x>", "how much of the picture the colours cover, 0 to 1")
        .argParser(numberFrom(0, 1))
        .default(0.5),
    )
    .option("--no-labels", "no label maps: drawn pictures and areas only");
  return addDeviceOptions(addPictureOptions(verb))
    .addHelpText(
      "after",
      `
Results: photos/a.jpg becomes out/a.jpg (drawn), out/a.jpg.labels.png (class numbers, in the classes' colours) and
out/a.jpg.json (areas), with the folders below the ones given. A picture is done once its JSON is there: an interrupted
run continues when the same command is run again. Pictures larger than a tile are done in overlapping tiles.

Examples:
  hrnet segment street.jpg --model runs/streets/best.safetensors
  hrnet segment photos --model hrnet_cs_8090_torch11.pth --out classes
  hrnet segment "frames/*.png" --model best.safetensors --json --draw none > areas.json`,
    )
    .action(async (pictures: string[], options: SegmentCommandOptions) => {
      const { signal, release } = interruptSignal();
      try {
        await runOnPictures(pictures, options, segmentTask(options), signal);
      } finally {
        release();
      }
    });
}
