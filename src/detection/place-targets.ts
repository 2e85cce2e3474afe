// What an FCOS network's places are to find in a sample.

import { fcosLevels, fcosTargets, placesOf } from "./fcos-places.ts";
import type { TargetWriter } from "./target-writer.ts";

const NOTHING = -1;
const NOT_ASKED = -2;

/**
 * Targets of the P places of all levels. Fields: `classes` float32 P (the class, −1 where there is nothing, −2 where nothing is asked),
 * `distances` float32 P×4 in pixels, `centerness` float32 P, 0 … 1.
 */
export function createPlaceTargets(input: readonly [number, number]): TargetWriter {
  const levels = fcosLevels(...input);
  const places = placesOf(levels);
  return {
    fields: [
      { name: "classes", dtype: "float32", shape: [places] },
      { name: "distances", dtype: "float32", shape: [places, 4] },
      { name: "centerness", dtype: "float32", shape: [places] },
    ],
    write({ objects }, into) {
      const classes = into["classes"]!;
      const asked = objects.filter((object) => object.asked);
      const targets = fcosTargets(
        levels,
        Float64Array.from(asked.flatMap(({ corners }) => [...corners])),
        asked.map((object) => object.class),
      );
      into["distances"]!.set(targets.distances);
      into["centerness"]!.set(targets.centerness);
      classes.set(targets.classes);
      const others = objects.filter((object) => !object.asked).map(({ corners }) => corners);
      if (others.length === 0) return;
      let place = 0;
      for (const { height, width, stride } of levels) {
        const half = Math.floor(stride / 2);
        for (let i = 0; i < height * width; i++, place++) {
          if (classes[place] !== NOTHING) continue;
          const [px, py] = [half + (i % width) * stride, half + Math.floor(i / width) * stride];
          if (others.some(([x1, y1, x2, y2]) => px > x1 && px < x2 && py > y1 && py < y2))
            classes[place] = NOT_ASKED;
        }
      }
    },
  };
}
