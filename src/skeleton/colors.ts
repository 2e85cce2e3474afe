// Default colours of a skeleton: by side and by limb, from the Okabe–Ito palette that colour-blind people can tell apart.

import { type Side, sideOfName } from "./sides.ts";
import type { IndexPair, Rgb, Skeleton } from "./skeleton.ts";

/**
 * Okabe & Ito, "Color Universal Design" (2008): blue tones for the person's left, orange tones for the right, the
 * darker of each for legs; green for the trunk and all that lies on the middle line.
 */
const PALETTE: Readonly<Record<Side, Readonly<Record<"upper" | "lower", Rgb>>>> = {
  left: { upper: [86, 180, 233], lower: [0, 114, 178] },
  right: { upper: [230, 159, 0], lower: [213, 94, 0] },
  center: { upper: [0, 158, 115], lower: [0, 158, 115] },
};

type Parts = Pick<Skeleton, "keypoints" | "edges" | "flipPairs" | "lowerBody">;

/** One colour per keypoint: its side's, darker in the lower body. */
export function defaultKeypointColors(parts: Parts): Rgb[] {
  const sides = sidesOf(parts);
  return sides.map((side, index) => PALETTE[side][parts.lowerBody.includes(index) ? "lower" : "upper"]);
}

/**
 * One colour per edge: that of its side, darker for the legs. What joins left with right, or the upper body with the
 * lower one, is trunk.
 */
export function defaultEdgeColors(parts: Parts): Rgb[] {
  const sides = sidesOf(parts);
  return parts.edges.map(([a, b]: IndexPair) => {
    const lower = [a, b].filter((index) => parts.lowerBody.includes(index)).length;
    if (lower === 1) return PALETTE.center.upper;
    return PALETTE[commonSide(sides[a]!, sides[b]!)][lower === 2 ? "lower" : "upper"];
  });
}

function commonSide(a: Side, b: Side): Side {
  if (a === b || b === "center") return a;
  return a === "center" ? b : "center";
}

/** The side of each keypoint by its name; where names say nothing, the first of a flip pair counts as left. */
function sidesOf({ keypoints, flipPairs }: Parts): Side[] {
  const sides = keypoints.map(sideOfName);
  for (const [a, b] of flipPairs) {
    if (sides[a] === "center" && sides[b] === "center") {
      sides[a] = "left";
      sides[b] = "right";
    }
  }
  return sides;
}
