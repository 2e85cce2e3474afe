// Data sets of drawn figures with exactly known keypoints, in COCO's and in MPII's layout.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeImage } from "../../src/image/encode.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { syntheticScene } from "../../src/synthetic/scene.ts";

/** One whole person, standing, seen from the front. */
export function drawnPerson(width: number, height: number, seed = 0) {
  const { image, persons } = syntheticScene({
    width,
    height,
    seed,
    poses: ["standing"],
    yaw: [-20, 20],
    difficulty: 0,
  });
  return { image, ...persons[0]! };
}

/** A COCO folder of `count` drawn pictures, split `val2017`, and one empty picture. */
export async function writeCocoFolder(root: string, count: number): Promise<void> {
  mkdirSync(join(root, "annotations"), { recursive: true });
  mkdirSync(join(root, "val2017"), { recursive: true });
  const images: object[] = [];
  const annotations: object[] = [];
  for (let id = 1; id <= count; id++) {
    const { image, keypoints, box } = drawnPerson(96, 128, id);
    writeFileSync(join(root, "val2017", `${id}.png`), await encodeImage(image, "png"));
    images.push({ id, file_name: `${id}.png`, width: 96, height: 128 });
    annotations.push({
      id,
      image_id: id,
      category_id: 1,
      bbox: box,
      area: box[2] * box[3],
      iscrowd: 0,
      num_keypoints: 17,
      keypoints: keypoints.flatMap(([x, y]) => [x, y, 2]),
    });
  }
  writeFileSync(join(root, "val2017", "empty.png"), await encodeImage(rgbImage(40, 30), "png"));
  images.push({ id: count + 1, file_name: "empty.png", width: 40, height: 30 });
  const categories = [{ id: 1, name: "person", keypoints: COCO_17.keypoints, skeleton: [] }];
  writeFileSync(
    join(root, "annotations", "person_keypoints_val2017.json"),
    JSON.stringify({ images, annotations, categories }),
  );
}

/** An MPII folder of drawn pictures: `annot/valid.json`, `annot/truth.json` and `images/`. */
export async function writeMpiiFolder(root: string, count: number): Promise<void> {
  mkdirSync(join(root, "annot"), { recursive: true });
  mkdirSync(join(root, "images"), { recursive: true });
  const persons: object[] = [];
  const truths: object[] = [];
  for (let n = 0; n < count; n++) {
    const { image, keypoints, box } = drawnPerson(96, 128, n);
    writeFileSync(join(root, "images", `${n}.png`), await encodeImage(image, "png"));
    // Sixteen of the drawn points stand for MPII's joints; MPII counts pixels from 1.
    const joints = keypoints.slice(1).map(([x, y]) => [x + 1, y + 1]);
    const center = [box[0] + box[2] / 2, box[1] + box[3] / 2];
    persons.push({ image: `${n}.png`, center, scale: box[3] / 200, joints, joints_vis: Array(16).fill(1) });
    truths.push({ joints, missing: Array(16).fill(0), headbox: [box[0], box[1], box[0] + 15, box[1] + 20] });
  }
  writeFileSync(join(root, "annot", "valid.json"), JSON.stringify(persons));
  writeFileSync(join(root, "annot", "truth.json"), JSON.stringify(truths));
}
