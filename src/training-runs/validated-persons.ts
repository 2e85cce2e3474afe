// Persons of the validation data with what the network found: which of them the report shows, and their pictures.

import { messageOf } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import type { DrawablePerson } from "../pose/draw-pose.ts";
import { shuffle, uniformRandom } from "../random/random.ts";
import { comparePoses } from "../report/compare-poses.ts";
import type { GalleryItem } from "../report/run-report.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import type { ValidationPictures } from "./training-task.ts";

/** A person with annotation and prediction, in image pixels. */
export interface ValidatedPerson {
  readonly imagePath: string;
  /** What the picture is called. */
  readonly name: string;
  /** Score 0 for what is not labelled. */
  readonly truth: DrawablePerson["keypoints"];
  readonly prediction: DrawablePerson["keypoints"];
  readonly box?: DrawablePerson["box"];
  /** How wrong the prediction is: only the order matters. */
  readonly error: number;
  /** The figure that says so: `OKS 0.31`. */
  readonly figure: string;
}

/** Persons under each heading. */
const MOST_SHOWN = 12;
/** Where the truth says nothing, only what the network is sure of is drawn. */
const SURE = 0.3;

/** A seeded choice of persons, and those with the largest errors. */
export function choosePersons(
  persons: readonly ValidatedPerson[],
  seed: number,
): Record<keyof ValidationPictures, readonly ValidatedPerson[]> {
  const order = shuffle(
    Array.from(persons, (_, index) => index),
    uniformRandom(seed),
  );
  return {
    chosen: order.slice(0, MOST_SHOWN).map((index) => persons[index]!),
    worst: [...persons].sort((a, b) => b.error - a.error).slice(0, MOST_SHOWN),
  };
}

/** Draws them; persons whose picture cannot be read are left out. */
export async function drawPersons(
  persons: readonly ValidatedPerson[],
  skeleton: Skeleton,
): Promise<GalleryItem[]> {
  const items: GalleryItem[] = [];
  for (const person of persons) {
    const { truth, box, name, figure } = person;
    const picture = await decodeImage(person.imagePath, { orientation: "ignore" }).catch(() => undefined);
    if (!picture) continue; // the validation has told of it
    const prediction = person.prediction.map((keypoint, k) =>
      truth[k]!.score > 0 || keypoint.score >= SURE ? keypoint : { ...keypoint, score: -1 },
    );
    const image = await comparePoses(picture, { skeleton, truth, prediction, ...(box && { box }) });
    items.push({ image, caption: `${figure} · ${name}` });
  }
  return items;
}

/** What several failures have in common, in one sentence. */
export function unreadableNote(
  unreadable: readonly { readonly path: string; readonly reason: unknown }[],
): string[] {
  const [first] = unreadable;
  if (!first) return [];
  const reason = typeof first.reason === "string" ? first.reason : messageOf(first.reason);
  return [
    `${unreadable.length} pictures of the validation data cannot be read and count as not found; the first: ${reason}`,
  ];
}
