// Makes docs/images/segment.jpg: drawn people, the parts that a network finds in them, and the truth, in three rows.
// npx tsx scripts/segmentation-picture.ts --model runs/synthetic-people-parts/best.safetensors --people people

import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp, { type OverlayOptions } from "sharp";
import { readLabelMap } from "../src/data/read-label-map.ts";
import { decodeImage, drawSegmentation, encodeImage, Segmenter } from "../src/index.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "runs/synthetic-people-parts/best.safetensors" },
    people: { type: "string", default: "people" },
    pictures: { type: "string", default: "1,5,12,22,25" },
    out: { type: "string", default: "docs/images/segment.jpg" },
  },
});

const SIDE = 192;
const folder = join(values.people, "images/val");
const files = readdirSync(folder).sort();
const names = values.pictures.split(",").map((index) => files[Number(index)]!);
await using segmenter = await Segmenter.load(values.model);
const tiles: OverlayOptions[] = [];
for (const [column, name] of names.entries()) {
  const labels = join(values.people, "labels/val", name.replace(/\.\w+$/, ".png"));
  const rows = [undefined, await segmenter.segment(join(folder, name)), await readLabelMap(labels)];
  for (const [row, classes] of rows.entries()) {
    const image = await decodeImage(join(folder, name));
    if (classes) drawSegmentation(image, classes, segmenter.classes);
    const tile = await sharp(await encodeImage(image, "png"))
      .resize(SIDE, SIDE)
      .toBuffer();
    tiles.push({ input: tile, left: column * SIDE, top: row * SIDE });
  }
}
const canvas = { width: SIDE * names.length, height: 3 * SIDE, channels: 3, background: "white" } as const;
await writeFile(
  values.out,
  await sharp({ create: canvas }).composite(tiles).jpeg({ quality: 88 }).toBuffer(),
);
