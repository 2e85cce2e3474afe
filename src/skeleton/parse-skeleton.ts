// A skeleton from JSON: one of ours, an entry of COCO's `categories`, or a whole COCO dataset.

import { z } from "zod";
import { HRNetError, messageOf } from "../errors.ts";
import { defineSkeleton, type Skeleton, type SkeletonInput } from "./skeleton.ts";
import { SKELETONS } from "./skeletons.ts";

const cocoCategory = z.looseObject({
  name: z.string().min(1),
  keypoints: z.array(z.string()).min(1),
  skeleton: z.array(z.tuple([z.int(), z.int()])).default([]),
});

const cocoDataset = z.looseObject({ categories: z.array(z.unknown()) });

/**
 * Read a skeleton from JSON text or a parsed value. Accepted are
 * - the fields of {@link SkeletonInput} (what a {@link Skeleton} serialises to), keypoints by name or 0-based index;
 * - an entry of COCO's `categories` (`keypoints`, 1-based `skeleton`), or a dataset that holds one;
 *
 * A category with exactly the keypoint names of a published skeleton *is* that skeleton, with its sigmas: COCO files
 * carry none, and CrowdPose's carry COCO's 17-keypoint edges for 14 keypoints. Otherwise flip pairs are found from
 * left/right in the names and every sigma is the default.
 * @throws HRNetError `invalid-config` saying what was found where.
 */
export function parseSkeleton(json: unknown): Skeleton {
  const value = typeof json === "string" ? parseJson(json) : json;
  const dataset = cocoDataset.safeParse(value);
  if (dataset.success) return fromCategories(dataset.data.categories);
  if (typeof value === "object" && value !== null && "skeleton" in value) return fromCategory(value);
  return defineSkeleton(value as SkeletonInput); // validates whatever it is given
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HRNetError("invalid-config", `The skeleton is not JSON: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

/** The one set of keypoints that a dataset's categories share (AP-10K repeats it for each of 54 species). */
function fromCategories(categories: readonly unknown[]): Skeleton {
  const withKeypoints = categories.filter((category) => cocoCategory.safeParse(category).success);
  const sets = new Map(
    withKeypoints.map((category) => [
      JSON.stringify((category as { keypoints: unknown }).keypoints),
      category,
    ]),
  );
  const [first, ...others] = sets.values();
  if (first === undefined || others.length > 0) {
    throw new HRNetError(
      "invalid-config",
      `Expected "categories" to share one list of "keypoints", found ${sets.size} different lists in ` +
        `${categories.length} categories. Pass the wanted category alone.`,
    );
  }
  return fromCategory(first as object);
}

function fromCategory(category: object): Skeleton {
  const parsed = cocoCategory.safeParse(category);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new HRNetError(
      "invalid-config",
      `A COCO category needs "name", "keypoints" (names) and "skeleton" (pairs of numbers): ` +
        `"${issue.path.map(String).join(".")}": ${issue.message}.`,
    );
  }
  const { name, keypoints, skeleton } = parsed.data;
  const published = [...SKELETONS.values()].find(
    (known) =>
      known.keypoints.length === keypoints.length &&
      known.keypoints.every((keypoint, index) => keypoint === keypoints[index]),
  );
  if (published !== undefined) return published;
  // COCO counts from 1. A 0 can then only mean that the tool that wrote the file counts from 0.
  const base = skeleton.flat().includes(0) ? 0 : 1;
  const outside = skeleton.flat().find((index) => index - base < 0 || index - base >= keypoints.length);
  if (outside !== undefined) {
    throw new HRNetError(
      "invalid-config",
      `Skeleton "${name}": "skeleton" names keypoint ${outside}, but there are ${keypoints.length} keypoints, ` +
        `counted from ${base}. Correct the pair or leave "skeleton" empty.`,
    );
  }
  return defineSkeleton({ name, keypoints, edges: skeleton.map(([a, b]) => [a - base, b - base] as const) });
}
