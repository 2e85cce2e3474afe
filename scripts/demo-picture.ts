// Makes docs/images/demo.jpg: drawn figures with the keypoints that a pose network finds in them, side by side.
// npx tsx scripts/demo-picture.ts --model lite-hrnet-18-coco-256x192

import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { drawPoses, encodeImage, PoseEstimator, type RgbImage, syntheticScene } from "../src/index.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    out: { type: "string", default: "docs/images/demo.jpg" },
    seeds: { type: "string", default: "3,7,12,20" },
  },
});
if (!values.model) throw new Error("Name a model: --model <file|name>.");

const [WIDTH, HEIGHT] = [240, 320];
const figures = values.seeds.split(",").map((seed) => {
  const { image, persons } = syntheticScene({
    width: WIDTH,
    height: HEIGHT,
    seed: Number(seed),
    difficulty: 0,
  });
  return { image, ...persons[0]! };
});

await using estimator = await PoseEstimator.load(values.model, { flipTest: true });
const wide = WIDTH * figures.length;
const picture: RgbImage = { width: wide, height: HEIGHT, data: new Uint8Array(wide * HEIGHT * 3) };
for (const [n, { image, box, keypoints }] of figures.entries()) {
  const persons = await estimator.estimate(image, { boxes: [box] });
  const errors = persons[0]!.keypoints.map(({ x, y }, k) =>
    Math.hypot(x - keypoints[k]![0], y - keypoints[k]![1]),
  );
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  console.log(`figure ${n + 1}: mean error ${mean.toFixed(1)} pixels of ${box[3].toFixed(0)}`);
  drawPoses(image, persons, estimator.skeleton);
  for (let y = 0; y < HEIGHT; y++) {
    const row = image.data.subarray(y * WIDTH * 3, (y + 1) * WIDTH * 3);
    picture.data.set(row, (y * wide + n * WIDTH) * 3);
  }
}
await writeFile(values.out, await encodeImage(picture, "jpeg", 88));
