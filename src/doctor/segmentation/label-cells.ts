// Cells of contact sheets: pictures with their label maps over them.

import sharp from "sharp";
import { readLabelMap } from "../../data/read-label-map.ts";
import { HRNetError } from "../../errors.ts";
import { decodeImage } from "../../image/decode.ts";
import { resizeLabels } from "../../image/resize.ts";
import { type RgbImage, rgbImage } from "../../image/rgb-image.ts";
import { type ClassTable, defineClassTable, labelLookup } from "../../segmentation/class-table.ts";
import { drawSegmentation } from "../../segmentation/draw-segmentation.ts";
import { CELL, type SheetCell } from "../contact-sheet.ts";
import { sampleOf } from "../sample.ts";
import type { LabelledSet } from "./read-set.ts";

/** A random choice of pictures, in their order; the same for the same seed. */
export function labelCells({ pictures }: LabelledSet, seed: number): SheetCell[] {
  return sampleOf(pictures, seed).map(({ image }) => ({ label: [image.fileName ?? ""], image }));
}

/** Numbers without names, where nobody gave any. */
const NUMBERED: ClassTable = defineClassTable({
  name: "numbers",
  classes: Array.from({ length: 255 }, (_, index) => `${index}`),
});

/** A picture with its classes drawn over it; or why not. */
export async function drawLabelCell({ image }: SheetCell, set: LabelledSet): Promise<RgbImage | string> {
  const facts = image && set.pictures[image.index];
  if (!facts) return "no label map";
  try {
    const picture = await decodeImage(facts.picture.path, { orientation: "ignore", truncated: "accept" });
    const scale = CELL / Math.max(picture.width, picture.height);
    const [width, height] = [picture.width, picture.height].map((side) =>
      Math.max(1, Math.round(side * scale)),
    ) as [number, number];
    const small = await sharp(picture.data, {
      raw: { width: picture.width, height: picture.height, channels: 3 },
    })
      .resize(width, height, { fit: "fill" })
      .raw()
      .toBuffer();
    const cell = rgbImage(width, height, new Uint8Array(small));
    const classes = set.classes ?? NUMBERED;
    const data = new Uint16Array(width * height);
    const lookup = labelLookup(classes);
    resizeLabels(
      await readLabelMap(facts.labels.path),
      { size: [width, height], x: 0, y: 0, width, height },
      lookup,
      lookup[65_535]!,
      data,
    );
    drawSegmentation(cell, { width, height, data }, classes, { opacity: 0.6 });
    return cell;
  } catch (error) {
    if (error instanceof HRNetError) return "not readable";
    throw error;
  }
}
