// How two-stage detectors are trained.

import { ANCHORS, anchorLevels } from "../detection/anchors.ts";
import { drawObjects } from "../detection/draw-detections.ts";
import { MASK_CELLS, SEMANTIC_STRIDE } from "../detection/region-targets.ts";
import { input as graphInput } from "../graph/value.ts";
import { regionLoss } from "../losses/region-loss.ts";
import type { HRNetConfig, HRNetHead } from "../models/hrnet-config.ts";
import { drawsNeeded } from "../models/region-training.ts";
import { buildRegionTraining } from "../models/region-training-network.ts";
import type { DetectionRecipe } from "../recipe/schema.ts";
import type { DetectorPlan } from "./detector-plan.ts";

/** The plan of a recipe for a two-stage detector. */
export function planRegions(
  base: HRNetConfig & { readonly head: HRNetHead<"rcnn"> },
  { input, regions }: DetectionRecipe,
): DetectorPlan {
  const { head } = base;
  const { extent, stages, neck } = head;
  const [height, width] = input;
  const counts = {
    proposals: regions.proposals,
    samples: regions.samples,
    positives: Math.max(1, Math.round(regions.samples * regions.samplePositives)),
  };
  const masks = head.masks !== "none";
  const semantic = head.semantic !== null;
  const anchors = anchorLevels(height, width, neck.levels).reduce(
    (sum, level) => sum + level.height * level.width * ANCHORS.ratios.length,
    0,
  );
  return {
    targets: () => ({
      kind: "regions",
      levels: neck.levels,
      extent,
      anchors: regions.anchors,
      anchorPositives: Math.max(1, Math.round(regions.anchors * regions.anchorPositives)),
      objects: regions.objects,
      draws: drawsNeeded(head, counts, regions.objects),
      masks,
      semantic,
    }),
    build(config, batch) {
      const built = buildRegionTraining(config as typeof base, input, batch, {
        ...counts,
        objects: regions.objects,
        maskCells: MASK_CELLS,
      });
      const targets = {
        anchorLabels: graphInput("anchorLabels", "float32", [batch, anchors]),
        anchorTargets: graphInput("anchorTargets", "float32", [batch, anchors, 4]),
        ...(semantic && {
          pixelClasses: graphInput("pixelClasses", "float32", [
            batch,
            Math.ceil(height / SEMANTIC_STRIDE),
            Math.ceil(width / SEMANTIC_STRIDE),
          ]),
        }),
      };
      return {
        network: built.network,
        feeds: { ...built.feeds, ...targets },
        loss: (outputs, feeds) => {
          const { parts, total } = regionLoss(
            outputs,
            {
              labels: feeds["anchorLabels"]!,
              targets: feeds["anchorTargets"]!,
              pixelClasses: feeds["pixelClasses"],
            },
            { stages, masks, semantic, boxes: stages === 1 && extent === "continuous" ? "l1" : "smooth-l1" },
          );
          return { loss: total, report: parts };
        },
      };
    },
    draw(image, { classes, colors }, part) {
      const [boxes, labels] = [part("objectBoxes"), part("objectClasses")];
      const shown = Array.from(labels, (label, i) => ({ label, i })).filter(({ label }) => label >= 0);
      drawObjects(
        image,
        shown.map(({ label, i }) => {
          const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [
            number,
            number,
            number,
            number,
          ];
          return { box: [x1, y1, x2 - x1, y2 - y1] as const, color: colors[label]!, text: classes[label] };
        }),
      );
      const positives = part("anchorLabels").reduce((sum, label) => sum + (label > 0.5 ? 1 : 0), 0);
      return `${shown.length} objects, ${positives} anchors that show one`;
    },
  };
}
