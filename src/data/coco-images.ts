// What every annotation file in COCO's format has: its pictures, and whether an object is a crowd.

import { isAbsolute } from "node:path";
import type { FieldReader } from "./field-reader.ts";

/** One picture of a data set. */
export interface CocoImage {
  readonly id: number;
  /** Path below the folder of images. Never absolute, never with `..`. */
  readonly fileName: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/**
 * The pictures of a file, by id.
 * @throws HRNetError `invalid-data` naming the picture and the field
 */
export function parseCocoImages(entries: readonly unknown[], fields: FieldReader): Map<number, CocoImage> {
  const images = new Map<number, CocoImage>();
  for (let index = 0; index < entries.length; index++) {
    const entry = fields.object(entries[index], `image ${index}`);
    const id = fields.integer(entry, "id", `image ${index}`);
    const where = `the image with id ${id}`;
    if (images.has(id)) fields.fail(where, "is there twice; ids must be unique");
    const fileName = fields.text(entry, "file_name", where);
    if (isAbsolute(fileName) || fileName.split(/[\\/]/).includes("..")) {
      fields.fail(where, `has the file_name "${fileName}"; expected a path below the folder of images`);
    }
    const width = fields.integer(entry, "width", where);
    const height = fields.integer(entry, "height", where);
    if (width < 1 || height < 1) {
      fields.fail(where, `has the size ${width} × ${height}; expected at least 1 × 1 pixels`);
    }
    images.set(id, { id, fileName, width, height });
  }
  return images;
}

/** 0 and 1 in COCO, true and false in PoseTrack18, absent in many own files. */
export function parseCrowd(value: unknown, fields: FieldReader, where: string): boolean {
  if (value == null || value === 0 || value === false) return false;
  if (value === 1 || value === true) return true;
  return fields.fail(where, `has the iscrowd ${JSON.stringify(value)}; expected 0 or 1`);
}
