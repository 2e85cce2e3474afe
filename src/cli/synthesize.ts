// hrnet synthesize: a data set of drawn people, for trying and testing without data.

import { Command, InvalidArgumentError, Option } from "commander";
import { availableCpus } from "../runtime/threads.ts";
import { writeSyntheticDataset } from "../synthetic/dataset.ts";
import { POSE_NAMES, type PoseName } from "../synthetic/poses.ts";
import { interruptSignal } from "./interrupt.ts";
import { inputSize, numberFrom, wholeNumber } from "./options.ts";
import { createProgress } from "./progress.ts";

interface Options {
  readonly train: number;
  readonly val: number;
  readonly size: readonly [height: number, width: number];
  readonly people: readonly [fewest: number, most: number];
  readonly poses?: readonly PoseName[];
  readonly turn: number;
  readonly difficulty: number;
  readonly seed: number;
  readonly threads?: number;
  readonly overwrite?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** `2` or `1-3`. */
function peopleRange(text: string): [number, number] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text.trim());
  if (!match) throw new InvalidArgumentError("Expected a number or a range, like 2 or 1-3.");
  return [Number(match[1]), Number(match[2] ?? match[1])];
}

export function command(): Command {
  return new Command("hrnet synthesize")
    .description(
      "Draws a data set of people in COCO's format: keypoints, boxes, masks and part labels, all exact.\n" +
        "For tutorials and tests; pictures of drawn people train networks for drawn people.",
    )
    .argument("<folder>", "where it goes")
    .option("--train <n>", "training pictures", wholeNumber(0), 2000)
    .option("--val <n>", "validation pictures", wholeNumber(0), 200)
    .addOption(
      new Option("--size <height x width>", "of every picture, in pixels")
        .argParser(inputSize)
        .default([256, 256], "256x256"),
    )
    .addOption(
      new Option("--people <n>", "persons per picture, or the fewest and the most")
        .argParser(peopleRange)
        .default([1, 3], "1-3"),
    )
    .addOption(new Option("--poses <name...>", "only these kinds of poses").choices(POSE_NAMES))
    .option(
      "--turn <degrees>",
      "how far people turn away from the viewer at most: 0 none; 180 any way, oftenest the front",
      numberFrom(0),
      180,
    )
    .option("--difficulty <x>", "clutter, things in front, cut persons: 0 none to 1", numberFrom(0), 1)
    .option("--seed <n>", "another seed, another data set", wholeNumber(0), 1)
    .option("--threads <n>", "threads that draw (default: all cores)", wholeNumber(1))
    .option("--overwrite", "write into a folder that holds something else")
    .option("--quiet", "no progress")
    .option("--json", "summary as JSON on stdout")
    .addHelpText(
      "after",
      `
Writes images/{train,val}/*.jpg, annotations/person_keypoints_{train,val}.json, labels/{train,val}/*.png (part classes,
named in classes.json) and synthetic.json. The same options give the same files; a stopped run is done by the same command.

Examples:
  hrnet synthesize people --train 2000 --val 200
  hrnet synthesize single --people 1 --size 256x192 --difficulty 0.3
  hrnet eval people --model lite-hrnet-18-coco-256x192`,
    )
    .action(async (folder: string, options: Options) => {
      const { size, turn, quiet, json, threads = availableCpus(), ...rest } = options;
      const { signal, release } = interruptSignal();
      const total = options.train + options.val;
      const progress = createProgress({ label: "synthesize", total, unit: "images", quiet: quiet === true });
      try {
        const [height, width] = size;
        const summary = await writeSyntheticDataset(
          folder,
          { width, height, ...rest, ...(turn < 180 && { yaw: [-turn, turn] }), threads, signal },
          (done) => progress.update(done),
        );
        progress.finish();
        const { images, persons } = summary;
        process.stdout.write(
          json
            ? `${JSON.stringify(summary)}\n`
            : `${folder}: ${images.train} training pictures with ${persons.train} persons, ` +
                `${images.val} validation pictures with ${persons.val}\n`,
        );
      } finally {
        release();
      }
    });
}
