// How CenterNet is trained.

import { input as graphInput } from "../graph/value.ts";
import { drawDisc } from "../image/draw.ts";
import { centernetLoss } from "../losses/centernet-loss.ts";
import { TRIPLET } from "../models/centernet-head.ts";
import { outputChannels } from "../models/find-variant.ts";
import { buildNetwork } from "../models/network.ts";
import type { DetectionRecipe } from "../recipe/schema.ts";
import type { DetectorPlan } from "./detector-plan.ts";

/** Pixels of a cell. */
const STRIDE = 4;

/** The plan of a CenterNet recipe. */
export function planTriplets({ input, regions }: DetectionRecipe): DetectorPlan {
  const { objects } = regions;
  const [height, width] = input.map((side) => Math.ceil(Math.ceil(side / 2) / 2)) as [number, number];
  return {
    targets: (classes) => ({ kind: "triplets", classes, objects }),
    build(config, batch) {
      const classes = outputChannels(config)!;
      return {
        network: buildNetwork(config, input, batch),
        feeds: {
          heatmaps: graphInput("heatmaps", "float32", [batch, 3, classes, height, width]),
          offsets: graphInput("offsets", "float32", [batch, 3, 2, height, width]),
          marks: graphInput("marks", "float32", [batch, 3, height, width]),
          asked: graphInput("asked", "float32", [batch, height, width]),
          corners: graphInput("corners", "float32", [batch, objects, 2]),
        },
        loss: (outputs, { heatmaps, offsets, marks, asked, corners }) => {
          const truth = {
            heatmaps: heatmaps!,
            offsets: offsets!,
            marks: marks!,
            asked: asked!,
            corners: corners!,
          };
          const { parts, total } = centernetLoss(outputs, TRIPLET, truth);
          return { loss: total, report: parts };
        },
      };
    },
    draw(image, { classes, colors }, part) {
      const [marks, heatmaps] = [part("marks"), part("heatmaps")];
      const area = height * width;
      let keypoints = 0;
      for (let i = 0; i < marks.length; i++) {
        if (marks[i]! < 0.5) continue;
        keypoints++;
        const [kind, at] = [Math.floor(i / area), i % area];
        const label = classes.findIndex((_, k) => heatmaps[(kind * classes.length + k) * area + at] === 1);
        const [x, y] = [((at % width) + 0.5) * STRIDE, (Math.floor(at / width) + 0.5) * STRIDE];
        drawDisc(image, x, y, kind === 2 ? 3 : 2, { color: colors[Math.max(0, label)]!, outlineWidth: 1 });
      }
      return `${keypoints} corners and centres`;
    },
  };
}
