// A drawn scene of people and everything that is known of it: keypoints, masks, boxes, parts.

import { HRNetError } from "../errors.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { hashSeed, type Random, uniformRandom } from "../random/random.ts";
import { COCO_17 } from "../skeleton/skeletons.ts";
import { drawBackground, drawShadow } from "./background.ts";
import { type Body, type Build, keypointsOf, poseBody, randomBuild } from "./body.ts";
import { photograph } from "./camera.ts";
import { between, chance, pick, whole } from "./choose.ts";
import { held, scatter, seat } from "./clutter.ts";
import { extent, figureSolids } from "./figure.ts";
import { type Mat3, multiply, normalize, rotationX, rotationY, rotationZ, type Vec3 } from "./linear.ts";
import { PART_ID, type PartName } from "./part-classes.ts";
import { type Pose, type PoseName, randomPose } from "./poses.ts";
import { isVisible, type Light, pixelOwners, sampleSolids, shadeSamples } from "./rasterize.ts";
import type { Solid } from "./solids.ts";
import { type Outfit, randomOutfit } from "./wardrobe.ts";

/** What to draw. */
export interface SyntheticSceneOptions {
  /** Pixels, at least 32. */
  readonly width: number;
  readonly height: number;
  /** The same seed (and the rest) gives the same scene. Any whole number; default 0. */
  readonly seed?: number;
  /** How many persons, or the fewest and the most; 0–20, default 1. One wholly hidden by others is left out. */
  readonly people?: number | readonly [fewest: number, most: number];
  /** Which kinds of poses; default all. */
  readonly poses?: readonly PoseName[];
  /** Where persons face, in degrees: 0 the viewer, 90 to the right of the picture. Default any way, oftenest the front. */
  readonly yaw?: readonly [lowest: number, highest: number];
  /** How much stands around, before persons too, and how often the picture's edge cuts persons: 0–1, default 1. */
  readonly difficulty?: number;
}

/** One person and the truth about it. */
export interface SyntheticPerson {
  /**
   * COCO's 17 keypoints in its order. `v` is 2 where the point can be seen, 1 where the person itself, another or a
   * thing hides it, and 0 outside the picture, where x and y are 0. Centres of pixels are whole numbers.
   */
  readonly keypoints: readonly (readonly [x: number, y: number, v: 0 | 1 | 2])[];
  /** Around the mask: `[x, y, width, height]`, its first column and row, and how many. */
  readonly box: readonly [x: number, y: number, width: number, height: number];
  /** Pixels of the mask. */
  readonly area: number;
  /** H×W: 1 where the person is seen, else 0. */
  readonly mask: Uint8Array;
}

/** A picture and the truth about it. */
export interface SyntheticScene {
  readonly image: RgbImage;
  /** From back to front. */
  readonly persons: readonly SyntheticPerson[];
  /** H×W: ids of {@link PART_CLASSES}. */
  readonly partLabels: Uint8Array;
}

const SMALLEST_SIDE = 32;
/** Up to where sizes are sensible: 16 Mi pixels, of four samples each. */
const MOST_PIXELS = 2 ** 24;
const MOST_PEOPLE = 20;

/**
 * Draws a scene.
 * @throws HRNetError `usage` for a size, a number of people or a difficulty out of range.
 */
export function syntheticScene(options: SyntheticSceneOptions): SyntheticScene {
  const { width, height, seed = 0, people = 1, poses, yaw, difficulty = 1 } = options;
  const [fewest, most] = typeof people === "number" ? [people, people] : people;
  checkOptions({ width, height, fewest, most, difficulty, seed });
  const stream = (part: number): Random => uniformRandom(hashSeed(seed, part));
  const random = stream(0);
  const count = whole(random, [fewest, most]);
  const image = drawBackground(width, height, stream(1), difficulty);
  const camera = multiply(
    rotationX((between(random, [-8, 22]) * Math.PI) / 180),
    rotationZ(between(random, [-0.07, 0.07])),
  );
  const cast = Array.from({ length: count }, () => ({
    pose: randomPose(random, poses),
    build: randomBuild(random),
    outfit: randomOutfit(random),
    heading: heading(random, yaw),
  }));
  const placed = place(cast, { width, height, camera, difficulty }, random);
  const solids = [
    ...things(stream(2), { width, height, difficulty, placed }),
    ...placed.flatMap(({ solids }) => solids),
  ];
  for (const { body, solids } of placed) standingShadow(image, body, solids);
  const samples = sampleSolids(width, height, solids);
  shadeSamples(samples, randomLight(random), image);
  photograph(image, stream(3));
  const owners = pixelOwners(samples);
  const persons = placed.flatMap(({ body }, index) => {
    const { mask, ...shape } = measure(owners.person, width, index);
    if (shape.area === 0) return [];
    const keypoints = keypointsOf(body).map(([x, y, z], k) => {
      const outside = x < 0 || y < 0 || x > width - 1 || y > height - 1;
      if (outside) return [0, 0, 0] as const;
      const { parts, cover } = KEYPOINT_SURFACE[k]!;
      const seen = isVisible(samples, owners, [x, y, z], index, { parts, cover: cover * body.size });
      return [x, y, seen ? 2 : 1] as const;
    });
    return [{ keypoints, mask, ...shape }];
  });
  return { image, persons, partLabels: owners.part };
}

function checkOptions(
  given: Record<"width" | "height" | "fewest" | "most" | "difficulty" | "seed", number>,
): void {
  const { width, height, fewest, most, difficulty, seed } = given;
  const fail = (message: string): never => {
    throw new HRNetError("usage", message);
  };
  const sides = [width, height].every((side) => Number.isInteger(side) && side >= SMALLEST_SIDE);
  if (!sides || width * height > MOST_PIXELS) {
    fail(`A scene has from 32×32 to 16 million pixels, not ${width}×${height}.`);
  }
  const counts = [fewest, most].every((n) => Number.isInteger(n) && n >= 0 && n <= MOST_PEOPLE);
  if (!counts || fewest > most) fail(`Expected 0 to ${MOST_PEOPLE} people, not ${fewest} to ${most}.`);
  if (!(difficulty >= 0 && difficulty <= 1)) fail(`Expected a difficulty from 0 to 1, not ${difficulty}.`);
  if (!Number.isSafeInteger(seed)) fail(`Expected a whole number as seed, not ${seed}.`);
}

/**
 * Where a keypoint shows: the parts that it lies in, and how deep below their surface at most, in body heights. Joints
 * lie about a limb's radius deep, the far hip or shoulder of a person seen from the side deeper.
 */
const KEYPOINT_SURFACE: readonly { readonly parts: readonly number[]; readonly cover: number }[] =
  COCO_17.keypoints.map((name) => {
    const [side, joint] = name.includes("_") ? (name.split("_") as [string, string]) : ["", name];
    const [parts, cover] = surfaceOf(side as "left" | "right" | "", joint);
    return { parts: parts.map((part) => PART_ID[part]), cover };
  });

function surfaceOf(side: string, joint: string): readonly [readonly PartName[], number] {
  const own = (...parts: readonly string[]): PartName[] => parts.map((part) => `${side}_${part}` as PartName);
  const table: Readonly<Record<string, readonly [readonly PartName[], number]>> = {
    nose: [["head"], 0.016],
    eye: [["head"], 0.013],
    ear: [["head"], 0.02],
    shoulder: [["torso", ...own("upper_arm")], 0.07],
    elbow: [own("upper_arm", "lower_arm"), 0.05],
    wrist: [own("lower_arm", "hand"), 0.04],
    hip: [["torso", ...own("upper_leg")], 0.105],
    knee: [own("upper_leg", "lower_leg"), 0.075],
    ankle: [own("lower_leg", "foot"), 0.06],
  };
  return table[joint]!;
}

/** Radians; half of all persons face the viewer more or less. */
function heading(random: Random, yaw: SyntheticSceneOptions["yaw"]): number {
  const degrees = yaw ?? (chance(random, 0.45) ? ([-60, 60] as const) : ([-180, 180] as const));
  return (between(random, degrees) * Math.PI) / 180;
}

interface Actor {
  readonly pose: Pose;
  readonly build: Build;
  readonly outfit: Outfit;
  readonly heading: number;
}

interface Placed {
  readonly body: Body;
  readonly solids: readonly Solid[];
}

interface Stage {
  readonly width: number;
  readonly height: number;
  readonly camera: Mat3;
  readonly difficulty: number;
}

/** How many places are tried for a person; the one with least cover of the persons behind is taken. */
const TRIES = 4;

/** Gives everyone a size and a place, from back to front: the larger, the nearer. */
function place(cast: readonly Actor[], stage: Stage, random: Random): Placed[] {
  const { width, height } = stage;
  const sizes = cast
    .map(() => between(random, cast.length === 1 ? [0.6, 0.96] : [0.4, 0.92]))
    .sort((a, b) => a - b);
  const taken: (readonly [number, number, number, number])[] = [];
  const deepest = 6 * Math.max(width, height);
  return cast.map((actor, index) => {
    const cut = chance(random, (0.25 * stage.difficulty) / Math.sqrt(cast.length));
    const fill = cut ? between(random, [1, 1.6]) : sizes[index]!;
    const view = multiply(stage.camera, rotationY(-actor.heading));
    const depth = deepest * (1 - index / cast.length);
    // Drawn once in unit size, to know how much room the pose needs.
    const [left, top, right, bottom] = extent(
      figureSolids(poseBody(actor.pose, actor.build, view, 100, [0, 0, 0]), actor.outfit, 0),
    );
    const zoom = Math.min((fill * width) / (right - left), (fill * height) / (bottom - top));
    const [w, h] = [(right - left) * zoom, (bottom - top) * zoom];
    const slot = (room: number): number =>
      room >= 0 ? room * random() : room * between(random, [0.15, 0.85]);
    const spots = Array.from({ length: TRIES }, () => {
      const [x, y] = [slot(width - w), cut ? slot(height - h) : (height - h) * between(random, [0.35, 1])];
      const overlap = taken.reduce(
        (sum, [a, b, c, d]) => sum + common(x, x + w, a, c) * common(y, y + h, b, d),
        0,
      );
      return { x, y, overlap };
    });
    const { x, y } = spots.reduce((best, spot) => (spot.overlap < best.overlap ? spot : best));
    taken.push([x, y, x + w, y + h]);
    const pelvis: Vec3 = [x - left * zoom, y - top * zoom, depth];
    const body = poseBody(actor.pose, actor.build, view, 100 * zoom, pelvis);
    const solids = figureSolids(body, actor.outfit, index);
    const props = [
      ...(actor.pose.name === "sitting" && chance(random, 0.8) ? seat(random, body, view) : []),
      ...(chance(random, 0.2 * stage.difficulty) ? held(random, body) : []),
    ];
    return { body, solids: [...solids, ...props] };
  });
}

const common = (a0: number, a1: number, b0: number, b1: number): number =>
  Math.max(0, Math.min(a1, b1) - Math.max(a0, b0));

/** Clutter behind everyone, and now and then something before them. */
function things(
  random: Random,
  {
    width,
    height,
    difficulty,
    placed,
  }: { width: number; height: number; difficulty: number; placed: readonly Placed[] },
): Solid[] {
  const far = 20 * Math.max(width, height);
  const unit = placed.length > 0 ? pick(random, placed).body.size : 0.7 * height;
  const behind = Math.round(difficulty * whole(random, [0, 7]));
  const before = chance(random, 0.4 * difficulty) ? whole(random, [1, 3]) : 0;
  return [
    ...scatter(random, behind, { width, height, depth: far, unit, size: [0.06, 0.35] }),
    ...scatter(random, before, { width, height, depth: -far, unit, size: [0.04, 0.16] }),
  ];
}

function standingShadow(image: RgbImage, { size, pelvis }: Body, solids: readonly Solid[]): void {
  const [left, , right, bottom] = extent(solids);
  drawShadow(
    image,
    (pelvis[0] + (left + right) / 2) / 2,
    bottom - 0.015 * size,
    Math.min(0.2 * size, (right - left) / 2),
  );
}

function randomLight(random: Random): Light {
  const direction = normalize([
    between(random, [-1, 1]),
    between(random, [-1.2, 0.1]),
    between(random, [-1.2, -0.15]),
  ]);
  const strength = between(random, [0.35, 0.85]);
  const around = between(random, [0.95, 1.15]) - 0.75 * strength;
  const tint = (spread: number): Vec3 => [
    1 + between(random, [-spread, spread]),
    1,
    1 + between(random, [-spread, spread]),
  ];
  const [sun, sky] = [tint(0.12), tint(0.1)];
  return {
    direction,
    diffuse: [sun[0] * strength, sun[1] * strength, sun[2] * strength],
    ambient: [sky[0] * around, sky[1] * around, sky[2] * around],
  };
}

/** Mask, area and bounding box of a person. */
function measure(
  owners: Int16Array,
  width: number,
  index: number,
): Pick<SyntheticPerson, "area" | "box" | "mask"> {
  const mask = new Uint8Array(owners.length);
  let [area, left, top, right, bottom] = [0, width, Number.POSITIVE_INFINITY, -1, -1];
  for (let start = 0, y = 0; start < owners.length; start += width, y++) {
    for (let x = 0; x < width; x++) {
      if (owners[start + x] !== index) continue;
      mask[start + x] = 1;
      area++;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return { mask, area, box: [left, top, right - left + 1, bottom - top + 1] };
}
