// `hrnet demo`: one picture, drawn, with its numbers.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { command, DEMO_SCENE } from "../../src/cli/demo.ts";
import { saveModel } from "../../src/model-file/load-model.ts";
import type { Person } from "../../src/pose/types.ts";
import { syntheticScene } from "../../src/synthetic/scene.ts";
import { randomPoseModel } from "../helpers/pose-model.ts";
import { hasShared, shared } from "../helpers/shared.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-demo-"));
const model = join(root, "tiny.safetensors");
let stdout = "";

beforeAll(() => saveModel(model, randomPoseModel()));
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());
beforeEach(() => {
  stdout = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
});

async function demo(...args: string[]) {
  const out = join(root, "out");
  await command()
    .exitOverride()
    .parseAsync([...args, "--out", out], { from: "user" });
  return {
    record: JSON.parse(readFileSync(join(out, "demo.json"), "utf8")),
    drawn: await sharp(join(out, "demo.jpg")).metadata(),
  };
}

/** Every visible keypoint is within `tolerance` figure heights of where it was drawn. */
function expectDrawnKeypoints(found: readonly Pick<Person, "keypoints">[], tolerance: number): void {
  syntheticScene(DEMO_SCENE).persons.forEach(({ keypoints, box }, n) => {
    found[n]!.keypoints.forEach(({ name, x, y }, k) => {
      const [wantedX, wantedY, v] = keypoints[k]!;
      if (v === 2)
        expect(Math.hypot(x - wantedX, y - wantedY), `${n} ${name}`).toBeLessThan(tolerance * box[3]);
    });
  });
}

test("draws people of its own and says where they are", async () => {
  const { record, drawn } = await demo("--model", model);
  expect(record.persons).toHaveLength(2);
  expect([drawn.width, drawn.height]).toEqual([record.width, record.height]);
  expect(stdout).toMatch(/^left_wrist +-?[\d.]+ +-?[\d.]+ +-?[\d.]+$/m);
  expect(stdout).toContain(join(root, "out", "demo.jpg"));
});

test("takes a picture as one person", async () => {
  const path = join(root, "photo.png");
  const picture = sharp({ create: { width: 70, height: 50, channels: 3, background: "gray" } });
  writeFileSync(path, await picture.png().toBuffer());
  const { record } = await demo(path, "--model", model);
  expect(record).toMatchObject({ source: path, width: 70, height: 50, persons: [{ box: [0, 0, 70, 50] }] });
});

test("without a model it names the command that fetches one", async () => {
  await expect(demo()).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining("download lite-hrnet-18-coco-256x192"),
  });
});

const CHECKPOINT = ["weights", "wider_naive_litehrnet_18_coco_256x192.pth"];

test.skipIf(!hasShared(...CHECKPOINT))(
  "real weights find the figure's keypoints where they were drawn",
  async () => {
    const { record } = await demo("--model", shared(...CHECKPOINT));
    expectDrawnKeypoints(record.persons, 0.06);
  },
);
