// Makes the pictures of docs/tutorial.md from a run of the tutorial: its learning curve, and predictions on drawn people it never saw.
// npx tsx scripts/tutorial-pictures.ts --run runs/synthetic-people --people fresh

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { readJsonFile } from "../src/files/json-file.ts";
import { decodeImage, drawPoses, encodeImage, PoseEstimator, type RgbImage } from "../src/index.ts";
import { readMetricsLog } from "../src/report/metrics-log.ts";

const { values } = parseArgs({
  options: {
    run: { type: "string", default: "runs/synthetic-people" },
    people: { type: "string", default: "fresh" },
    out: { type: "string", default: "docs/images" },
  },
});

const log = await readMetricsLog(join(values.run, "metrics.jsonl"));
const epochs = Math.max(...log.map((record) => (record.kind === "event" ? 0 : record.epoch)));
const aps = log.flatMap((record) =>
  record.kind === "validation" ? [[record.epoch, record.metrics["AP"] ?? 0] as const] : [],
);
const perEpoch = log.filter((record) => record.kind === "step").length / epochs;
const losses = log
  .filter((record) => record.kind === "step")
  .map((record, i) => [(i + 0.5) / perEpoch, record.loss] as const);

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 260, 46, 46, 14, 34];
const x = (epoch: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * epoch) / epochs;
const y = (share: number): number => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share;
const highest = losses[0]![1];
const line = (points: readonly (readonly [number, number])[], color: string): string =>
  `<polyline fill="none" stroke="${color}" stroke-width="2" points="${points.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(" ")}"/>`;
const text = (at: number, down: number, words: string, anchor = "middle", color = "#333"): string =>
  `<text x="${at}" y="${down}" text-anchor="${anchor}" fill="${color}">${words}</text>`;
const grid = [0, 0.2, 0.4, 0.6, 0.8, 1].map(
  (share) =>
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(share)}" y2="${y(share)}" stroke="#ddd"/>` +
    text(LEFT - 6, y(share) + 4, share.toFixed(1), "end", "#0072b2") +
    text(WIDTH - RIGHT + 6, y(share) + 4, (1000 * highest * share).toFixed(1), "start", "#d55e00"),
);
const ticks = Array.from({ length: epochs }, (_, i) => text(x(i + 1), HEIGHT - BOTTOM + 16, String(i + 1)));
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>${grid.join("")}${ticks.join("")}
${line(
  losses.map(([at, loss]) => [x(at), y(Math.min(1, loss / highest))]),
  "#d55e00",
)}
${line(
  aps.map(([at, ap]) => [x(at), y(ap)]),
  "#0072b2",
)}
${aps.map(([at, ap]) => `<circle cx="${x(at)}" cy="${y(ap)}" r="3.5" fill="#0072b2"/>`).join("")}
${text(WIDTH / 2, HEIGHT - 4, "epoch")}${text(x(epochs) - 8, y(aps.at(-1)![1]) - 10, `AP ${aps.at(-1)![1].toFixed(2)} on unseen pictures`, "end", "#0072b2")}
${text(x(epochs) - 8, y(losses.at(-1)![1] / highest) - 10, "loss × 1000", "end", "#d55e00")}
</svg>`;
await writeFile(
  join(values.out, "tutorial-curve.png"),
  await sharp(Buffer.from(svg)).png({ palette: true }).toBuffer(),
);

interface Coco {
  readonly images: readonly { readonly id: number; readonly file_name: string }[];
  readonly annotations: readonly {
    readonly image_id: number;
    readonly bbox: [number, number, number, number];
  }[];
}
/** Twice the size, for limbs to be seen. */
const ZOOM = 2;
const { images, annotations } = (await readJsonFile(
  join(values.people, "annotations", "person_keypoints_val.json"),
  "annotations",
)) as Coco;
await using estimator = await PoseEstimator.load(join(values.run, "model.onnx"), { flipTest: true });
const drawn = await Promise.all(
  images.slice(0, 6).map(async ({ id, file_name }) => {
    const path = join(values.people, "images", "val", file_name);
    const boxes = annotations.filter(({ image_id }) => image_id === id).map(({ bbox }) => bbox);
    const persons = await estimator.estimate(await decodeImage(path), { boxes });
    const { width = 0, height = 0 } = await sharp(path).metadata();
    const large = await decodeImage(
      await sharp(path)
        .resize(width * ZOOM, height * ZOOM)
        .png()
        .toBuffer(),
    );
    const scaled = persons.map(({ keypoints }) => ({
      keypoints: keypoints.map(({ x: px, y: py, score }) => ({
        x: (px + 0.5) * ZOOM - 0.5,
        y: (py + 0.5) * ZOOM - 0.5,
        score,
      })),
    }));
    drawPoses(large, scaled, estimator.skeleton, { lineWidth: 3 });
    return large;
  }),
);
const { width, height } = drawn[0]!;
const row: RgbImage = {
  width: width * drawn.length,
  height,
  data: new Uint8Array(width * drawn.length * height * 3),
};
for (const [n, { data }] of drawn.entries()) {
  for (let line = 0; line < height; line++) {
    row.data.set(data.subarray(line * width * 3, (line + 1) * width * 3), (line * row.width + n * width) * 3);
  }
}
await writeFile(join(values.out, "tutorial-people.jpg"), await encodeImage(row, "jpeg", 75));
