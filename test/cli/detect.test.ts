// `hrnet detect`: drawn pictures, objects in JSON; classes, scores, continuing, failures, what is refused.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { command } from "../../src/cli/detect.ts";
import { Detector } from "../../src/estimators/detector.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { saveModel } from "../../src/model-file/load-model.ts";
import { runVerb } from "../helpers/cli.ts";
import { ANIMALS, randomDetectionModel } from "../helpers/detection-model.ts";
import { randomPoseModel } from "../helpers/pose-model.ts";
import { squares } from "../helpers/segmentation-model.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-detect-"));
const photos = join(root, "photos");
const file = join(root, "tiny.safetensors");
const model = randomDetectionModel(4);

beforeAll(async () => {
  await saveModel(file, model);
  mkdirSync(join(photos, "sub"), { recursive: true });
  writeFileSync(join(photos, "a.png"), await encodeImage(squares(200, 150), "png"));
  writeFileSync(join(photos, "sub", "b.png"), await encodeImage(squares(90, 120, 5), "png"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

const detect = (...args: string[]) =>
  runVerb(command(), ...args, "--model", file, "--threads", "1", "--min-score", "0");
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

test("pictures of any shape: boxes within them, drawn and in JSON, the best first", async () => {
  const out = join(root, "out");
  await detect(photos, "--out", out);
  expect(
    (readdirSync(out, { recursive: true }) as string[]).filter((name) => /\./.test(name)).sort(),
  ).toEqual(["a.png.jpg", "a.png.json", "hrnet-run.json", "sub/b.png.jpg", "sub/b.png.json"]);
  for (const [name, width, height] of [
    ["a.png", 200, 150],
    ["sub/b.png", 90, 120],
  ] as const) {
    const record = json(join(out, `${name}.json`));
    expect(record).toMatchObject({ width, height, model: "animals" });
    expect(record.objects.length).toBeGreaterThan(0);
    const scores = record.objects.map(({ score }: { score: number }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    for (const { label, box } of record.objects) {
      expect(ANIMALS).toContain(label);
      const [x, y, w, h] = box as [number, number, number, number];
      for (const value of [x, y, width - x - w, height - y - h]) expect(value).toBeGreaterThan(-0.02);
    }
    const drawn = await sharp(join(out, `${name}.jpg`)).metadata();
    expect([drawn.width, drawn.height]).toEqual([width, height]);
  }
});

test("the same as the library finds; classes and scores leave objects out", async () => {
  const [all] = JSON.parse(await detect(join(photos, "a.png"), "--json"));
  await using detector = await Detector.load(model, { device: "cpu", threads: 1, minScore: 0 });
  const found = await detector.detect(join(photos, "a.png"));
  expect(all.objects.map(({ label }: { label: string }) => label)).toEqual(found.map(({ label }) => label));
  found.forEach(({ box }, i) => {
    for (const [k, value] of box.entries()) expect(all.objects[i].box[k]).toBeCloseTo(value, 1);
  });
  const [cats] = JSON.parse(await detect(join(photos, "a.png"), "--json", "--classes", "cat"));
  expect(cats.objects).toEqual(all.objects.filter(({ label }: { label: string }) => label === "cat"));
  const middle = found[Math.floor(found.length / 2)]!.score;
  await using strict = await Detector.load(model, { device: "cpu", threads: 1, minScore: middle });
  expect(await strict.detect(join(photos, "a.png"))).toEqual(found.filter(({ score }) => score >= middle));
});

test("COCO results: the same objects, pictures by id", async () => {
  const out = join(root, "coco");
  await detect(photos, "--out", out, "--format", "coco");
  const images = json(join(out, "coco-images.json"));
  expect(images).toEqual([
    { id: 1, file_name: "a.png", width: 200, height: 150 },
    { id: 2, file_name: "sub/b.png", width: 90, height: 120 },
  ]);
  const expected = images.flatMap(({ id, file_name }: { id: number; file_name: string }) =>
    json(join(out, `${file_name}.json`)).objects.map(
      ({ label, score, box }: { label: (typeof ANIMALS)[number]; score: number; box: number[] }) => ({
        image_id: id,
        category_id: 1 + ANIMALS.indexOf(label),
        category: label,
        bbox: box,
        score,
      }),
    ),
  );
  expect(json(join(out, "coco-results.json"))).toEqual(expected);
  await expect(detect(photos, "--json", "--format", "coco")).rejects.toThrow(/image ids/);
});

test("continues an earlier run; what cannot be read is said", async () => {
  const out = join(root, "again");
  const mixed = join(root, "mixed");
  mkdirSync(mixed, { recursive: true });
  writeFileSync(join(mixed, "1.png"), readFileSync(join(photos, "a.png")));
  writeFileSync(join(mixed, "2.jpg"), "no picture");
  await detect(mixed, "--out", out);
  expect(process.exitCode).toBe(1);
  const before = readFileSync(join(out, "1.png.json"), "utf8");
  writeFileSync(join(out, "1.png.json"), before.replace(/}\n$/, ', "kept": true}\n'));
  await detect(mixed, "--out", out);
  expect(json(join(out, "1.png.json")).kept).toBe(true);
});

describe("refuses", () => {
  test("models that find no objects, classes that it does not tell, sides that are none", async () => {
    await expect(Detector.load(randomPoseModel())).rejects.toThrow(/is a pose network/);
    await expect(detect(photos, "--json", "--classes", "cta")).rejects.toThrow(/Nearest: cat/);
    await expect(Detector.load(model, { sides: [800, 600] })).rejects.toMatchObject({ code: "usage" });
  });

  test("work after its end", async () => {
    const detector = await Detector.load(model, { device: "cpu" });
    await detector[Symbol.asyncDispose]();
    await expect(detector.detect(join(photos, "a.png"))).rejects.toMatchObject({ code: "usage" });
  });
});
