// The skeleton: names, edges, flip pairs, sigmas and colours of one set of keypoints, validated once, used everywhere.

import { z } from "zod";
import { HRNetError } from "../errors.ts";
import { defaultEdgeColors, defaultKeypointColors } from "./colors.ts";
import { flipPairsFromNames } from "./sides.ts";

/** Two 0-based keypoint indices. */
export type IndexPair = readonly [number, number];

/** Red, green, blue, each an integer 0–255. */
export type Rgb = readonly [number, number, number];

/** A validated set of keypoints. Every index is 0-based. Made by {@link defineSkeleton}; plain frozen data (JSON-safe). */
export interface Skeleton {
  readonly name: string;
  /** K unique names, in the order of the network's heatmaps. */
  readonly keypoints: readonly string[];
  /** Limbs to draw. */
  readonly edges: readonly IndexPair[];
  /** Keypoints that change places in a mirrored picture. */
  readonly flipPairs: readonly IndexPair[];
  /** K fall-off constants of the object keypoint similarity (COCO's σ, as a fraction of √area). */
  readonly sigmas: readonly number[];
  /** Keypoints of the upper body, for half-body augmentation; may be empty. */
  readonly upperBody: readonly number[];
  /** Keypoints of the lower body, for half-body augmentation; may be empty. */
  readonly lowerBody: readonly number[];
  /** K colours. */
  readonly keypointColors: readonly Rgb[];
  /** One colour per edge. */
  readonly edgeColors: readonly Rgb[];
}

/** A keypoint by name or 0-based index. */
export type KeypointRef = string | number;

/** What {@link defineSkeleton} accepts; everything but the names has a default. */
export interface SkeletonInput {
  readonly name: string;
  readonly keypoints: readonly string[];
  /** Default: none. */
  readonly edges?: readonly (readonly [KeypointRef, KeypointRef])[] | undefined;
  /** Default: pairs found from left/right in the names. Pass `[]` for none. */
  readonly flipPairs?: readonly (readonly [KeypointRef, KeypointRef])[] | undefined;
  /** Default: {@link DEFAULT_SIGMA} for every keypoint. */
  readonly sigmas?: readonly number[] | undefined;
  /** Default: none. */
  readonly upperBody?: readonly KeypointRef[] | undefined;
  /** Default: none. */
  readonly lowerBody?: readonly KeypointRef[] | undefined;
  /** Default: by limb, see `colors.ts`. */
  readonly keypointColors?: readonly Rgb[] | undefined;
  /** Default: by limb, see `colors.ts`. */
  readonly edgeColors?: readonly Rgb[] | undefined;
}

/**
 * The σ of a keypoint nobody has measured: the mean of COCO's 17. OKS values are then comparable between runs on the
 * same data and with nothing else; measure your annotators' spread and pass `sigmas` for figures to publish.
 */
export const DEFAULT_SIGMA = 0.067;

/** Far above any published set (COCO-WholeBody has 133); guards memory when a skeleton comes from a file. */
const MAX_KEYPOINTS = 2048;
const MAX_EDGES = 8192;

const keypointRef = z.union([z.string(), z.number()]);
const pair = z.tuple([keypointRef, keypointRef]);
const channel = z.int().min(0).max(255);
const rgb = z.tuple([channel, channel, channel]);

const inputSchema = z.strictObject({
  name: z.string().min(1).max(200),
  keypoints: z.array(z.string().min(1).max(200)).min(1).max(MAX_KEYPOINTS),
  edges: z.array(pair).max(MAX_EDGES).optional(),
  flipPairs: z.array(pair).max(MAX_KEYPOINTS).optional(),
  sigmas: z.array(z.number().positive()).optional(),
  upperBody: z.array(keypointRef).max(MAX_KEYPOINTS).optional(),
  lowerBody: z.array(keypointRef).max(MAX_KEYPOINTS).optional(),
  keypointColors: z.array(rgb).optional(),
  edgeColors: z.array(rgb).optional(),
});

/**
 * Validate a skeleton. Keypoints may be named or given by 0-based index.
 * @throws HRNetError `invalid-config` naming the field, its value and what was expected.
 */
export function defineSkeleton(input: SkeletonInput): Skeleton {
  const parsed = inputSchema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const where = issue.path.map(String).join(".");
    throw invalid(nameOf(input), `${where === "" ? "the skeleton" : `"${where}"`}: ${issue.message}`);
  }
  const { name, keypoints, sigmas, keypointColors, edgeColors } = parsed.data;
  const count = keypoints.length;
  const fail = (message: string): never => {
    throw invalid(name, message);
  };

  const indexOfName = new Map(keypoints.map((keypoint, index) => [keypoint, index]));
  if (indexOfName.size !== count) {
    const twice = keypoints.find((keypoint, index) => indexOfName.get(keypoint) !== index)!;
    fail(`"keypoints" names "${twice}" twice; every keypoint needs a name of its own`);
  }
  const resolve = (ref: KeypointRef, where: string): number => {
    const index = typeof ref === "number" ? ref : (indexOfName.get(ref) ?? -1);
    if (Number.isInteger(index) && index >= 0 && index < count) return index;
    return fail(
      typeof ref === "number"
        ? `${where} is ${ref}, expected a 0-based index below ${count} (there are ${count} keypoints)`
        : `${where} is "${ref}", which is no keypoint of this skeleton`,
    );
  };
  const resolvePairs = (
    pairs: readonly (readonly [KeypointRef, KeypointRef])[],
    field: string,
  ): IndexPair[] =>
    pairs.map(([a, b], i) => {
      const both: IndexPair = [resolve(a, `${field}[${i}][0]`), resolve(b, `${field}[${i}][1]`)];
      if (both[0] === both[1]) fail(`${field}[${i}] joins "${keypoints[both[0]]}" with itself`);
      return both;
    });
  const resolveSet = (refs: readonly KeypointRef[], field: string): number[] => {
    const indices = refs.map((ref, i) => resolve(ref, `${field}[${i}]`));
    if (new Set(indices).size !== indices.length) fail(`"${field}" lists a keypoint twice`);
    return indices;
  };
  const ofLength = <T>(values: readonly T[] | undefined, length: number, field: string, what: string) => {
    if (values !== undefined && values.length !== length)
      fail(`"${field}" has ${values.length} entries, expected ${length}, one per ${what}`);
    return values;
  };

  const edges = resolvePairs(parsed.data.edges ?? [], "edges");
  const flipPairs = resolvePairs(parsed.data.flipPairs ?? flipPairsFromNames(keypoints), "flipPairs");
  const paired = new Set<number>();
  for (const index of flipPairs.flat()) {
    if (paired.has(index))
      fail(`"flipPairs" uses "${keypoints[index]}" twice; a keypoint has one mirror partner`);
    paired.add(index);
  }
  const upperBody = resolveSet(parsed.data.upperBody ?? [], "upperBody");
  const lowerBody = resolveSet(parsed.data.lowerBody ?? [], "lowerBody");
  const both = upperBody.find((index) => lowerBody.includes(index));
  if (both !== undefined) fail(`"${keypoints[both]}" is in "upperBody" and in "lowerBody"; it may be in one`);

  const parts = { keypoints, edges, flipPairs, lowerBody };
  return deepFreeze({
    name,
    ...parts,
    sigmas: ofLength(sigmas, count, "sigmas", "keypoint") ?? keypoints.map(() => DEFAULT_SIGMA),
    upperBody,
    keypointColors:
      ofLength(keypointColors, count, "keypointColors", "keypoint") ?? defaultKeypointColors(parts),
    edgeColors: ofLength(edgeColors, edges.length, "edgeColors", "edge") ?? defaultEdgeColors(parts),
  });
}

/**
 * Where each keypoint's channel comes from in a mirrored picture: `mirrored[k] = original[permutation[k]]`.
 * It is its own inverse.
 */
export function flipPermutation(skeleton: Pick<Skeleton, "keypoints" | "flipPairs">): number[] {
  const permutation = skeleton.keypoints.map((_, index) => index);
  for (const [a, b] of skeleton.flipPairs) {
    permutation[a] = b;
    permutation[b] = a;
  }
  return permutation;
}

function nameOf(input: unknown): string {
  const name = typeof input === "object" && input !== null && "name" in input ? input.name : undefined;
  return typeof name === "string" && name !== "" ? name : "(unnamed)";
}

function invalid(name: string, message: string): HRNetError {
  return new HRNetError("invalid-config", `Skeleton "${name}": ${message}.`);
}

function deepFreeze<T extends object>(value: T): T {
  for (const entry of Object.values(value))
    if (typeof entry === "object" && entry !== null) deepFreeze(entry);
  return Object.freeze(value);
}
