// `hrnet segment`: drawn pictures, label maps, areas; continuing, failures, what is refused.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { command } from "../../src/cli/segment.ts";
import { decodeLabelMap } from "../../src/image/label-map.ts";
import { saveModel } from "../../src/model-file/load-model.ts";
import { runVerb } from "../helpers/cli.ts";
import { randomSegmentationModel } from "../helpers/segmentation-model.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-segment-"));
const photos = join(root, "photos");
const model = join(root, "tiny.safetensors");
const CLASSES = ["road", "tree", "sky"];

beforeAll(async () => {
  mkdirSync(join(photos, "sub"), { recursive: true });
  const noise = (width: number, height: number, seed: number) =>
    sharp(
      Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7919 * seed) >> 5),
      { raw: { width, height, channels: 3 } },
    );
  await noise(70, 50, 3).jpeg().toFile(join(photos, "a.jpg"));
  await noise(64, 64, 5)
    .png()
    .toFile(join(photos, "sub", "b.png"));
  await saveModel(model, randomSegmentationModel(CLASSES, "streets"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

const segment = (...args: string[]) => runVerb(command(), ...args, "--model", model, "--threads", "1");
const filesIn = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((name) => /\./.test(name)).sort();
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

test("drawn pictures, label maps and areas, with the folders of the pictures", async () => {
  const out = join(root, "out");
  await segment(photos, "--out", out);
  expect(filesIn(out)).toEqual([
    "a.jpg",
    "a.jpg.json",
    "a.jpg.labels.png",
    "hrnet-run.json",
    "sub/b.png.jpg",
    "sub/b.png.json",
    "sub/b.png.labels.png",
  ]);
  const record = json(join(out, "a.jpg.json"));
  expect(record).toMatchObject({ width: 70, height: 50, model: "streets" });
  const labels = decodeLabelMap(readFileSync(join(out, "a.jpg.labels.png")), "labels");
  expect([labels.width, labels.height]).toEqual([70, 50]);
  for (const { name, pixels, share } of record.areas) {
    expect(pixels).toBe(labels.data.filter((label: number) => CLASSES[label] === name).length);
    expect(share).toBeCloseTo(pixels / 3500, 5);
  }
  const drawn = await sharp(join(out, "a.jpg")).metadata();
  expect([drawn.width, drawn.height]).toEqual([70, 50]);
});

test("continues: what is done is not done again; other settings are refused", async () => {
  const out = join(root, "again");
  await segment(join(photos, "a.jpg"), "--out", out, "--draw", "none", "--no-labels");
  expect(filesIn(out)).toEqual(["a.jpg.json", "hrnet-run.json"]);
  const before = json(join(out, "a.jpg.json"));
  writeFileSync(join(out, "a.jpg.json"), JSON.stringify({ ...before, marked: true }));
  await segment(join(photos, "a.jpg"), "--out", out, "--draw", "none", "--no-labels");
  expect(json(join(out, "a.jpg.json")).marked).toBe(true);
  await expect(segment(join(photos, "a.jpg"), "--out", out, "--flip-test")).rejects.toThrow(/other settings/);
});

test("a damaged picture is listed; the others are done; stdout stays JSON", async () => {
  const folder = join(root, "mixed");
  mkdirSync(folder);
  writeFileSync(join(folder, "1-bad.jpg"), "no picture");
  writeFileSync(join(folder, "2-good.jpg"), readFileSync(join(photos, "a.jpg")));
  const array = JSON.parse(await segment(folder, "--json"));
  expect(array).toHaveLength(2);
  expect(array[0].error).toMatchObject({ code: "invalid-image" });
  expect(array[1].areas.length).toBeGreaterThan(0);
  expect(process.exitCode).toBe(1);
});

test("a pose model is refused", async () => {
  const { randomPoseModel } = await import("../helpers/pose-model.ts");
  const path = join(root, "pose.safetensors");
  await saveModel(path, randomPoseModel());
  const run = runVerb(command(), join(photos, "a.jpg"), "--model", path, "--json");
  await expect(run).rejects.toThrow(/is a pose network/);
});
