// Training augmentation of one person's geometry: half body, scale, rotation, shift, mirror, as the original code draws them.

import { z } from "zod";
import { normalRandom, type Random, truncatedNormalRandom } from "../random/random.ts";
import { type CenterScale, mirrorKeypoints, type Size } from "./transforms.ts";

const probability = z.number().min(0).max(1);

/** Crops of only the upper or the lower body. */
export const halfBodySchema = z.strictObject({
  probability: probability.describe("How often, among persons with enough keypoints: 0.3 for COCO."),
  minKeypoints: z
    .int()
    .min(2)
    .default(9)
    .describe('Persons with fewer labelled keypoints stay whole. 9: the original\'s "more than 8".'),
  padding: z.number().min(1).max(4).default(1.5).describe("Size of the crop / extent of the keypoints."),
  upperProbability: probability
    .optional()
    .describe(
      "How often the upper body is preferred. Left out: as the original draws it, a standard normal number below 0.5 " +
        "(69 %). mmpose 1.x: 0.7.",
    ),
});

/** Reads {@link AugmentationOptions} from untrusted data, such as a recipe. `{}` changes nothing. */
export const augmentationSchema = z.strictObject({
  order: z
    .enum(["official", "mmpose"])
    .default("official")
    .describe(
      "official: half body, scale, rotation, mirror (deep-high-resolution-net.pytorch). mmpose: mirror, half body, shift, " +
        "scale, rotation (Lite-HRNet, mmpose). Every draw is symmetric, so both give the same variety of samples.",
    ),
  distribution: z
    .enum(["normal", "truncated-normal"])
    .default("normal")
    .describe(
      "Of scale, rotation and shift. normal: a standard normal number times the factor, clipped (scale at ±1 factor, " +
        "rotation at ±2). truncated-normal: within ±1 from the start, never piled up at the ends (mmpose 1.x).",
    ),
  scale: z
    .number()
    .min(0.1)
    .max(10)
    .default(1)
    .describe(
      "Size of the region as a multiple of the one that inference takes. 0.75 with an input of 3/4 the size: persons " +
        "as large as they will be in the full one, cut off at the edges.",
    ),
  scaleFactor: z
    .number()
    .min(0)
    .max(0.95)
    .default(0)
    .describe("The region is enlarged by 1 ± up to this: 0.35 for HRNet on COCO, 0.25 on MPII."),
  rotationFactor: z
    .number()
    .min(0)
    .max(180)
    .default(0)
    .describe(
      "Degrees. normal: the standard deviation, clipped at twice that (45 for HRNet on COCO, 30 on MPII); " +
        "truncated-normal: the largest angle (80 in mmpose 1.x).",
    ),
  rotationProbability: probability.default(0.6).describe("How often a sample is rotated."),
  flipProbability: probability
    .default(0)
    .describe("How often a sample is mirrored left to right: 0.5 in every published recipe."),
  shift: z
    .strictObject({
      factor: z
        .number()
        .min(0)
        .max(1)
        .describe("Largest move of the centre / region's width and height: 0.16 in mmpose 1.x."),
      probability: probability.describe("How often: 0.3 in mmpose 1.x."),
    })
    .optional()
    .describe("Moves the region's centre. Left out: never."),
  halfBody: halfBodySchema.optional().describe("Crops of half a body. Left out: never."),
});

/** How samples are varied; each key is described by {@link augmentationSchema}. */
export type AugmentationOptions = z.output<typeof augmentationSchema>;

/** {@link AugmentationOptions} with the defaults left out. */
export type AugmentationInput = z.input<typeof augmentationSchema>;

/** One person's geometry, in image pixels. */
export interface PersonGeometry extends CenterScale {
  /** J×2, `[x, y]`. */
  readonly keypoints: Float64Array;
  /** J; above 0 where labelled. */
  readonly visibility: Float32Array;
}

/** A person's geometry after augmentation: in pixels of the picture, or of its mirror image where `mirrored`. */
export interface AugmentedGeometry extends PersonGeometry {
  /** Degrees, as `cropMatrix` takes them. */
  readonly rotation: number;
  /** The picture is to be mirrored left to right before the crop; keypoints and centre already are. */
  readonly mirrored: boolean;
}

/** What augmentation must know of the picture and the set of keypoints. */
export interface AugmentationContext {
  /** Width of the picture in pixels. */
  readonly imageWidth: number;
  /** Width / height of the network's input. */
  readonly aspect: number;
  /** J; index of each keypoint's mirror image. */
  readonly flipPermutation: readonly number[];
  /** Indices of the upper body's keypoints; all others count as lower. */
  readonly upperBody: readonly number[];
}

/** Random numbers of one sample. */
interface Draws {
  readonly uniform: Random;
  readonly normal: () => number;
  /** Within [−1, 1], to be multiplied by the factor; `sigmas` as far as a normal number may reach. */
  readonly spread: (sigmas: number) => number;
}

type Step = (
  person: AugmentedGeometry,
  options: AugmentationOptions,
  context: AugmentationContext,
  draws: Draws,
) => AugmentedGeometry;

/**
 * One random variation of a person. Uses `random` alone, so the same stream gives the same sample.
 *
 * Source: `JointsDataset.__getitem__` and `half_body_transform` in `lib/dataset/JointsDataset.py` of
 * deep-high-resolution-net.pytorch; the centre's shift and the truncated normal distribution are mmpose 1.x's
 * (`RandomBBoxTransform`).
 */
export function augmentPerson(
  person: PersonGeometry,
  options: AugmentationOptions,
  context: AugmentationContext,
  random: Random,
): AugmentedGeometry {
  const normal = normalRandom(random);
  const truncated = truncatedNormalRandom(random, 1);
  const spread =
    options.distribution === "normal" ? (sigmas: number) => clip(normal(), -sigmas, sigmas) : truncated;
  const draws: Draws = { uniform: random, normal, spread };
  const start: AugmentedGeometry = { ...person, rotation: 0, mirrored: false };
  return ORDERS[options.order].reduce((current, step) => step(current, options, context, draws), start);
}

/** `person` as it is: for validation, and for looking at a data set. */
export function unaugmented(person: PersonGeometry): AugmentedGeometry {
  return { ...person, rotation: 0, mirrored: false };
}

const halfBody: Step = (person, options, context, draws) => {
  const half = options.halfBody;
  const labelled = person.visibility.reduce((count, value) => count + Number(value > 0), 0);
  if (!half || labelled < half.minKeypoints || draws.uniform() >= half.probability) return person;
  const preferUpper =
    half.upperProbability === undefined ? draws.normal() < 0.5 : draws.uniform() < half.upperProbability;
  const region = halfBodyRegion(person, preferUpper, context, half.padding);
  return region === undefined ? person : { ...person, ...region };
};

const scale: Step = (person, options, _context, { spread }) => {
  const varied = options.scaleFactor === 0 ? 1 : 1 + spread(1) * options.scaleFactor;
  const factor = options.scale * varied;
  return { ...person, scale: [person.scale[0] * factor, person.scale[1] * factor] };
};

const rotation: Step = (person, { rotationFactor, rotationProbability }, _context, draws) => {
  if (rotationFactor === 0) return person;
  const degrees = draws.spread(2) * rotationFactor;
  return draws.uniform() < rotationProbability ? { ...person, rotation: degrees } : person;
};

const shift: Step = (person, options, _context, draws) => {
  if (!options.shift) return person;
  const [x, y] = [draws.spread(1), draws.spread(1)];
  if (draws.uniform() >= options.shift.probability) return person;
  const { factor } = options.shift;
  return {
    ...person,
    center: [
      person.center[0] + x * factor * person.scale[0],
      person.center[1] + y * factor * person.scale[1],
    ],
  };
};

const mirror: Step = (person, { flipProbability }, { imageWidth, flipPermutation }, { uniform }) => {
  if (flipProbability === 0 || uniform() >= flipProbability) return person;
  return {
    ...person,
    ...mirrorKeypoints(person.keypoints, person.visibility, imageWidth, flipPermutation),
    center: [imageWidth - person.center[0] - 1, person.center[1]],
    mirrored: true,
  };
};

const ORDERS: Readonly<Record<AugmentationOptions["order"], readonly Step[]>> = {
  official: [halfBody, shift, scale, rotation, mirror],
  mmpose: [mirror, halfBody, shift, scale, rotation],
};

/** Fewest labelled keypoints for which a half is chosen over the other, and fewest that make a region at all. */
const ENOUGH_FOR_CHOICE = 3;
const ENOUGH_FOR_REGION = 2;

/**
 * The region of the upper or lower body: centre = mean of its labelled keypoints, size = their extent brought to the
 * input's aspect, padded.
 * @returns `undefined` where too few keypoints are labelled, or all lie on one point
 */
export function halfBodyRegion(
  { keypoints, visibility }: Pick<PersonGeometry, "keypoints" | "visibility">,
  preferUpper: boolean,
  { aspect, upperBody }: Pick<AugmentationContext, "aspect" | "upperBody">,
  padding: number,
): CenterScale | undefined {
  const labelled = [...visibility.keys()].filter((joint) => visibility[joint]! > 0);
  const upper = labelled.filter((joint) => upperBody.includes(joint));
  const lower = labelled.filter((joint) => !upperBody.includes(joint));
  const takeUpper = (preferUpper && upper.length >= ENOUGH_FOR_CHOICE) || lower.length < ENOUGH_FOR_CHOICE;
  const chosen = takeUpper ? upper : lower;
  if (chosen.length < ENOUGH_FOR_REGION) return undefined;

  const xs = chosen.map((joint) => keypoints[2 * joint]!);
  const ys = chosen.map((joint) => keypoints[2 * joint + 1]!);
  const width = Math.max(...xs) - Math.min(...xs);
  const height = Math.max(...ys) - Math.min(...ys);
  if (width === 0 && height === 0) return undefined;
  const [w, h] = withAspect([width, height], aspect);
  return { center: [mean(xs), mean(ys)], scale: [w * padding, h * padding] };
}

/** Grows the shorter side until width / height is `aspect`. */
export function withAspect([width, height]: Size, aspect: number): Size {
  return [Math.max(width, height * aspect), Math.max(height, width / aspect)];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function clip(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
