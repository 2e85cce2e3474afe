// Sets of objects in either format, joined under one list of classes.

import { join } from "node:path";
import { HRNetError } from "../errors.ts";
import { type CocoInstanceDataset, type InstanceOutline, readCocoInstances } from "./coco-instances.ts";
import { chooseImageFolder } from "./coco-layout.ts";
import { readVocInstances, type VocOptions } from "./voc.ts";

/** A data set of objects. */
export type DetectionSource =
  | {
      readonly format: "coco";
      readonly annotations: string;
      /** A folder; of several, the first one that has the first picture. */
      readonly images: string | readonly string[];
    }
  | ({ readonly format: "voc"; readonly annotations: string; readonly images: string } & Pick<
      VocOptions,
      "list" | "corners"
    >);

/** An object of a picture. */
export interface DetectionObject {
  /** `[x, y, width, height]` in pixels, as annotated. */
  readonly box: readonly [number, number, number, number];
  /** Place in the list of classes. */
  readonly class: number;
  readonly area: number;
  readonly crowd: boolean;
  /** `undefined` for objects with a box alone. */
  readonly outline: InstanceOutline | undefined;
}

/** A picture and its objects. */
export interface DetectionPicture {
  /** COCO's image id; Pascal VOC's pictures are counted from 1. */
  readonly id: number;
  readonly path: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly objects: readonly DetectionObject[];
}

/** A set whose objects are numbered by a list of classes. */
export interface DetectionPictures {
  /** Names, in the order of the numbers. */
  readonly classes: readonly string[];
  /** The set's own ids of the classes (COCO's `category_id`); `undefined` for one that it does not have. */
  readonly categoryIds: readonly (number | undefined)[];
  readonly pictures: readonly DetectionPicture[];
}

/**
 * Reads a set.
 * @param classes names to keep, in their order; by default all of the set, by id
 * @throws HRNetError as the readers; `invalid-data` for a set that has none of the classes
 */
export async function readDetectionPictures(
  source: DetectionSource,
  classes?: readonly string[],
): Promise<DetectionPictures> {
  const dataset: CocoInstanceDataset =
    source.format === "coco"
      ? await readCocoInstances(source.annotations)
      : await readVocInstances(source.annotations, source);
  const images = await imageFolder(source, dataset);
  const names = classes ?? dataset.categories.map(({ name }) => name);
  const numbers = new Map(dataset.categories.map(({ id, name }) => [id, names.indexOf(name)]));
  if ([...numbers.values()].every((number) => number < 0)) {
    throw new HRNetError(
      "invalid-data",
      `${dataset.source} has none of the classes ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}; it has ` +
        `${dataset.categories
          .slice(0, 5)
          .map(({ name }) => name)
          .join(", ")}${dataset.categories.length > 5 ? ", …" : ""}.`,
    );
  }
  const objects = new Map<number, DetectionObject[]>();
  for (const { imageId, categoryId, box, area, crowd, outline } of dataset.instances) {
    const number = numbers.get(categoryId)!;
    if (number < 0) continue;
    const list = objects.get(imageId);
    const object = { box, class: number, area, crowd, outline };
    if (list) list.push(object);
    else objects.set(imageId, [object]);
  }
  return {
    classes: names,
    categoryIds: names.map((name) => dataset.categories.find((category) => category.name === name)?.id),
    pictures: [...dataset.images.values()].map(({ id, fileName, width, height }) => ({
      id,
      path: join(images, fileName),
      width,
      height,
      objects: objects.get(id) ?? [],
    })),
  };
}

async function imageFolder(
  { images, annotations }: DetectionSource,
  dataset: CocoInstanceDataset,
): Promise<string> {
  if (typeof images === "string") return images;
  const [first] = dataset.images.values();
  if (first) return chooseImageFolder({ name: annotations, imageFolders: images }, first.fileName);
  throw new HRNetError("invalid-data", `${annotations} lists no pictures; expected some in "images".`);
}
