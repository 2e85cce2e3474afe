// Things: furniture, poles, balls, limb-like tubes, behind and before the persons, and what persons sit on and hold.

import type { Random } from "../random/random.ts";
import type { Body } from "./body.ts";
import { between, chance, pick, type Range, whole } from "./choose.ts";
import { add, apply, type Mat3, multiply, rotationX, rotationY, rotationZ, type Vec3 } from "./linear.ts";
import { type Material, randomCloth } from "./material.ts";
import { box, CLUTTER, capsule, ellipsoid, type Solid, type SolidTag } from "./solids.ts";

const UPRIGHT: Mat3 = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

function thing(random: Random, origin: Vec3, unit: number): SolidTag {
  const material: Material = { ...randomCloth(random), origin, axes: UPRIGHT, unit };
  return { person: CLUTTER, part: 0, material };
}

/** Any way round. */
function anyFrame(random: Random): Mat3 {
  const angle = (): number => between(random, [-0.5, 0.5]);
  return multiply(rotationX(angle()), rotationY(random() * 3), rotationZ(chance(random, 0.6) ? 0 : angle()));
}

/**
 * One thing around a point.
 * @param unit pixels that a body height has nearby; `size` how large the thing is against it
 */
function randomThing(random: Random, at: Vec3, unit: number, size: Range): Solid[] {
  const s = unit * between(random, size);
  const tag = thing(random, at, unit);
  const kinds = {
    block: () => [
      box(at, anyFrame(random), [s, s * between(random, [0.2, 1.6]), s * between(random, [0.3, 1])], tag),
    ],
    ball: () => [ellipsoid(at, UPRIGHT, [s * 0.7, s * between(random, [0.4, 0.9]), s * 0.7], tag)],
    tube: () => {
      const angle = random() * Math.PI;
      const to = add(at, [Math.cos(angle) * s * 2.5, Math.sin(angle) * s * 2.5, between(random, [-s, s])]);
      const radius = unit * between(random, [0.02, 0.06]);
      return [capsule({ from: at, to, radii: [radius, radius * between(random, [0.6, 1])] }, tag)];
    },
    pole: () => {
      const radius = unit * between(random, [0.01, 0.045]);
      const lean = between(random, [-0.1, 0.1]) * s;
      const down = add(at, [lean, s * 6, 0]);
      return [capsule({ from: add(at, [-lean, -s * 6, 0]), to: down, radii: [radius, radius] }, tag)];
    },
    plant: () =>
      Array.from({ length: 7 }, () => {
        const to = add(at, [
          between(random, [-1, 1]) * s,
          -between(random, [0.3, 1.5]) * s,
          between(random, [-1, 1]) * s,
        ]);
        return capsule({ from: at, to, radii: [0.06 * s, 0.16 * s], flatness: 0.4 }, tag);
      }),
  };
  return kinds[pick(random, ["block", "block", "ball", "tube", "tube", "pole", "plant"] as const)]();
}

/** Things all over the picture at one depth. */
export function scatter(
  random: Random,
  count: number,
  {
    width,
    height,
    depth,
    unit,
    size,
  }: { width: number; height: number; depth: number; unit: number; size: Range },
): Solid[] {
  return Array.from({ length: count }, (_, i) => {
    const at: Vec3 = [random() * width, (0.25 + 0.8 * random()) * height, depth + i * unit];
    return randomThing(random, at, unit, size);
  }).flat();
}

/** Something to sit on, below the pelvis: a box, or a seat on legs with a back. */
export function seat(random: Random, { pelvis, size, build }: Body, yaw: Mat3): Solid[] {
  const tag = thing(random, pelvis, size);
  const width = between(random, [0.11, 0.3]) * size;
  const top = (0.056 * build.girth + 0.012) * size;
  const place = (offset: Vec3): Vec3 => add(pelvis, apply(yaw, offset));
  if (chance(random, 0.5)) {
    const half = between(random, [0.08, 0.14]) * size;
    return [box(place([0, top + half, 0.01 * size]), yaw, [width, half, 0.11 * size], tag)];
  }
  const legs = [-1, 1].flatMap((x) =>
    [-1, 1].map((z) => {
      const from = place([x * 0.1 * size, top, z * 0.1 * size]);
      const to = place([x * 0.11 * size, top + 0.24 * size, z * 0.11 * size]);
      return capsule({ from, to, radii: [0.012 * size, 0.01 * size] }, tag);
    }),
  );
  const back = box(place([0, -0.13 * size, 0.13 * size]), yaw, [0.11 * size, 0.12 * size, 0.01 * size], tag);
  return [
    box(place([0, top + 0.012 * size, 0.01 * size]), yaw, [0.12 * size, 0.013 * size, 0.12 * size], tag),
    ...legs,
    ...(chance(random, 0.6) ? [back] : []),
  ];
}

/** Something in a hand: a ball, a stick, a box. */
export function held(random: Random, { arms, size }: Body): Solid[] {
  const { joints, frames } = arms[whole(random, [0, 1])]!;
  const [tip, frame] = [joints[3], frames[2]];
  const tag = thing(random, tip, size);
  const s = between(random, [0.025, 0.07]) * size;
  const kinds = {
    ball: () => ellipsoid(tip, frame, [s, s, s], tag),
    box: () => box(tip, frame, [s, s * 0.8, s * 0.3], tag),
    stick: () => {
      const along = apply(frame, [0, 0, -between(random, [3, 8]) * s]);
      const back: Vec3 = [-along[0] * 0.3, -along[1] * 0.3, -along[2] * 0.3];
      return capsule(
        { from: add(joints[2], back), to: add(joints[2], along), radii: [0.2 * s, 0.2 * s] },
        tag,
      );
    },
  };
  return [kinds[pick(random, ["ball", "box", "stick"] as const)]()];
}
