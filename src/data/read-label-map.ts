// Label maps from files.

import { readFileWithin } from "../files/read-file.ts";
import { decodeLabelMap, type LabelMap } from "../image/label-map.ts";

/** Largest label file, in bytes: 64 megapixels of 16 bits that do not compress. */
const MAX_LABEL_BYTES = 140_000_000;

/** A label map from a PNG file. @throws HRNetError as `readFileWithin` and `decodeLabelMap` */
export async function readLabelMap(path: string): Promise<LabelMap> {
  return decodeLabelMap(await readFileWithin(path, "label map", MAX_LABEL_BYTES), path);
}
