// Data of the embedded person detector: persons alone, a part of Penn-Fudan held out, and pictures without anybody as backgrounds.
// Usage: tsx scripts/embedded-person/prepare.ts DATA PENN_KEYPOINTS.json OUT
// DATA: folder with coco-sample, penn-fudan and camvid; PENN_KEYPOINTS: Penn-Fudan with a teacher's keypoints (merge-labels.ts)

import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readLabelMap } from "../../src/data/read-label-map.ts";
import { writeFileAtomic } from "../../src/files/atomic-write.ts";

interface Picture {
  readonly id: number;
  readonly file_name: string;
}
interface Dataset {
  readonly images: readonly Picture[];
  readonly annotations: readonly { readonly image_id: number; readonly category_id: number }[];
  readonly categories: readonly { readonly id: number; readonly name: string }[];
}

/** Every fifth picture of Penn-Fudan measures. */
const HELD_OUT = 5;
/** CamVid's classes of people: pedestrian, bicyclist. */
const STREET_PEOPLE = new Set([9, 10]);

const [data, pennKeypoints, out] = process.argv.slice(2);
if (!data || !pennKeypoints || !out) throw new Error("usage: DATA PENN_KEYPOINTS.json OUT");

const read = (file: string): Dataset => JSON.parse(readFileSync(file, "utf8"));
const write = (name: string, dataset: Dataset): Promise<void> =>
  writeFileAtomic(join(out, name), JSON.stringify(dataset));

/** A data set with some of its pictures. */
function part(dataset: Dataset, wanted: (picture: Picture, index: number) => boolean): Dataset {
  const images = dataset.images.filter(wanted);
  const ids = new Set(images.map(({ id }) => id));
  return { ...dataset, images, annotations: dataset.annotations.filter(({ image_id }) => ids.has(image_id)) };
}

/** A data set with its persons alone; pictures without any stay. */
function persons({ annotations, categories, ...rest }: Dataset): Dataset {
  const wanted = categories.filter(({ name }) => name === "person");
  const ids = new Set(wanted.map(({ id }) => id));
  return {
    ...rest,
    categories: wanted,
    annotations: annotations.filter(({ category_id }) => ids.has(category_id)),
  };
}

mkdirSync(join(out, "places"), { recursive: true });
const held = (_: Picture, index: number): boolean => index % HELD_OUT === 0;
const penn = read(join(data, "penn-fudan/annotations/instances_train.json"));
await write(
  "penn_train.json",
  part(penn, (picture, index) => !held(picture, index)),
);
await write("penn_val.json", part(penn, held));
await write(
  "penn_train_keypoints.json",
  part(read(pennKeypoints), (picture, index) => !held(picture, index)),
);
for (const split of ["train", "val"]) {
  const coco = persons(read(join(data, `coco-sample/annotations/instances_${split}2017.json`)));
  await write(`coco_${split}.json`, coco);
  if (split === "val") continue;
  const peopled = new Set(coco.annotations.map(({ image_id }) => image_id));
  for (const { id, file_name } of coco.images)
    if (!peopled.has(id))
      copyFileSync(join(data, "coco-sample/train2017", file_name), join(out, "places", file_name));
}
let streets = 0;
for (const name of readdirSync(join(data, "camvid/labels/train"))) {
  const { data: labels } = await readLabelMap(join(data, "camvid/labels/train", name));
  if (labels.some((label) => STREET_PEOPLE.has(label))) continue;
  streets++;
  const picture = name.replace(/\.png$/, ".jpg");
  copyFileSync(join(data, "camvid/images/train", picture), join(out, "places", picture));
}
process.stdout.write(`${streets} of CamVid's pictures have nobody in them\n`);
