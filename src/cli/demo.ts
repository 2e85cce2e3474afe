// hrnet demo: the main job with no fuss, on a picture given or on one drawn here.

import { join } from "node:path";
import { Command } from "commander";
import { decodeImage } from "../image/decode.ts";
import { DEFAULT_DRAW_MIN_SCORE } from "../pose/draw-pose.ts";
import type { Person } from "../pose/types.ts";
import { type SyntheticSceneOptions, syntheticScene } from "../synthetic/scene.ts";
import { interruptSignal } from "./interrupt.ts";
import { addLoadOptions } from "./load-options.ts";
import { addDeviceOptions } from "./options.ts";
import { DEFAULT_OUT } from "./picture-output.ts";
import { addModelOption, loadEstimator, type PoseModelCommandOptions } from "./pose-model.ts";
import { recordOf, writeResults } from "./pose-output.ts";
import { formatTable } from "./table.ts";

interface Options extends PoseModelCommandOptions {
  readonly out: string;
}

/** The picture that is drawn where none is given: people that every usable model finds. */
export const DEMO_SCENE: SyntheticSceneOptions = {
  width: 640,
  height: 480,
  people: 2,
  poses: ["standing", "walking"],
  yaw: [-30, 30],
  difficulty: 0,
  seed: 4,
};

/** The picture to show: the one given, or drawn people and their boxes. */
async function picture(path: string | undefined) {
  if (path !== undefined) return { source: path, image: await decodeImage(path), boxes: undefined };
  const { image, persons } = syntheticScene(DEMO_SCENE);
  return { source: "people drawn here", image, boxes: persons.map(({ box }) => box) };
}

function keypointTable({ keypoints }: Person): string {
  const rows = keypoints.map(({ name, x, y, score }) => [name, x.toFixed(1), y.toFixed(1), score.toFixed(2)]);
  return formatTable([["keypoint", "x", "y", "score"], ...rows]);
}

export function command(): Command {
  const verb = addModelOption(new Command("hrnet demo"))
    .description(
      "Finds the keypoints of the person in a picture given, or of people drawn here, and draws them into it.",
    )
    .argument("[picture]", "file or URL; taken whole, as one person")
    .option("--flip-test", "also run the mirrored picture and average")
    .option("--out <dir>", "where demo.jpg and demo.json go", DEFAULT_OUT);
  return addDeviceOptions(addLoadOptions(verb))
    .addHelpText(
      "after",
      `
Examples:
  hrnet demo --model lite-hrnet-18-coco-256x192
  hrnet demo photo.jpg --model lite-hrnet-18-coco-256x192`,
    )
    .action(async (path: string | undefined, options: Options) => {
      const { signal, release } = interruptSignal();
      try {
        const { source, image, boxes } = await picture(path);
        await using estimator = await loadEstimator(options, { signal });
        const persons = await estimator.estimate(image, { boxes, signal });
        const { name } = estimator.description;
        const paths = { drawn: join(options.out, "demo.jpg"), record: join(options.out, "demo.json") };
        const drawing = { format: "jpg", minScore: DEFAULT_DRAW_MIN_SCORE } as const;
        await writeResults(paths, recordOf(source, image, name, persons), image, estimator.skeleton, drawing);
        process.stdout.write(
          `${persons.map(keypointTable).join("\n\n")}\n\n${name} on ${source} (${image.width}×${image.height}): ` +
            `drawn in ${paths.drawn}, numbers in ${paths.record}\n`,
        );
      } finally {
        release();
      }
    });
}
