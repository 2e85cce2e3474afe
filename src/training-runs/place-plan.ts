// How FCOS networks are trained.

import { type DrawnObject, drawObjects } from "../detection/draw-detections.ts";
import { fcosLevels, placesOf } from "../detection/fcos-places.ts";
import { input as graphInput, type Value } from "../graph/value.ts";
import { fcosLoss } from "../losses/fcos-loss.ts";
import { buildNetwork } from "../models/network.ts";
import type { DetectionRecipe } from "../recipe/schema.ts";
import type { DetectorPlan } from "./detector-plan.ts";

/** The plan of an FCOS recipe. */
export function planPlaces({ input }: DetectionRecipe): DetectorPlan {
  const levels = fcosLevels(...input);
  const places = placesOf(levels);
  return {
    targets: () => ({ kind: "places" }),
    build: (config, batch) => ({
      network: buildNetwork(config, input, batch),
      feeds: {
        classes: graphInput("classes", "float32", [batch, places]),
        distances: graphInput("distances", "float32", [batch, places, 4]),
        centerness: graphInput("centerness", "float32", [batch, places]),
      },
      loss: (outputs, { classes, distances, centerness }) => {
        const of = (kind: string): Value[] => levels.map((_, l) => outputs[`${kind}${l}`]!);
        const { total } = fcosLoss(
          { classes: of("classes"), distances: of("distances"), centerness: of("centerness") },
          { classes: classes!, distances: distances!, centerness: centerness! },
        );
        return { loss: total, report: {} };
      },
    }),
    draw(image, { classes, colors }, part) {
      const [labels, distances] = [part("classes"), part("distances")];
      const drawn = new Map<string, DrawnObject>();
      let place = 0;
      let positives = 0;
      for (const { height, width, stride } of levels) {
        const half = Math.floor(stride / 2);
        for (let i = 0; i < height * width; i++, place++) {
          const label = labels[place]!;
          if (label < 0) continue;
          positives++;
          const [l, t, r, b] = Array.from(distances.subarray(4 * place, 4 * place + 4)) as [
            number,
            number,
            number,
            number,
          ];
          const [x, y] = [half + (i % width) * stride - l, half + Math.floor(i / width) * stride - t];
          const box = [x, y, l + r, t + b] as const;
          drawn.set(box.map((value) => Math.round(value)).join(), {
            box,
            color: colors[label]!,
            text: classes[label],
          });
        }
      }
      drawObjects(image, [...drawn.values()]);
      return `${positives} places with an object`;
    },
  };
}
