// `hrnet pose` as people run it: results, resuming, interrupting, COCO files, and what happens to bad input.

import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { command } from "../../src/cli/pose.ts";
import { saveModel } from "../../src/model-file/load-model.ts";
import { runCli } from "../helpers/cli.ts";
import { randomPoseModel } from "../helpers/pose-model.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-pose-"));
const model = join(root, "tiny.safetensors");
const photos = join(root, "photos");
let good: Buffer;

/** A PNG header that claims 10,000 × 10,000 pixels. */
function hugePng(png: Buffer): Buffer {
  const bytes = Buffer.from(png);
  bytes.writeUInt32BE(10_000, 16);
  bytes.writeUInt32BE(10_000, 20);
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  return bytes;
}

beforeAll(async () => {
  await saveModel(model, randomPoseModel());
  const picture = sharp({ create: { width: 96, height: 64, channels: 3, background: "#4080c0" } });
  good = await picture.clone().jpeg().toBuffer();
  mkdirSync(join(photos, "sub"), { recursive: true });
  writeFileSync(join(photos, "a.jpg"), good);
  writeFileSync(join(photos, "a.png"), await picture.clone().png().toBuffer());
  writeFileSync(join(photos, "sub", "000000000042.jpg"), good);
  writeFileSync(join(photos, "notes.txt"), "no picture");
});

afterAll(() => rmSync(root, { recursive: true }));

let stdout = "";
let stderr = "";

beforeEach(() => {
  stdout = "";
  stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

/** The verb in this process, pictures taken as one person unless boxes are given; stdout and stderr are collected. */
async function pose(...args: string[]): Promise<void> {
  const whole = args.some((arg) => ["--boxes", "--detector"].includes(arg)) ? [] : ["--detector", "none"];
  await command()
    .exitOverride()
    .parseAsync([...args, ...whole], { from: "user" });
}

/** The command in a process of its own that gets Ctrl-C as soon as its stderr contains `text`. */
function interruptedRun(args: readonly string[], text: string) {
  const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", "tsx", main, ...args]);
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
    if (said.includes(text) && !child.killed) child.kill("SIGINT");
  });
  return new Promise<{ code: number | null; stderr: string }>((done) =>
    child.on("close", (code) => done({ code, stderr: said })),
  );
}

const outDir = (name: string): string => join(root, name);
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const filesIn = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((name) => /\.\w+$/.test(name)).sort();

describe("results", () => {
  test("a folder becomes drawn pictures and JSON files with the same structure", async () => {
    const out = outDir("structure");
    await pose(photos, "--model", model, "--out", out);
    expect(filesIn(out)).toEqual([
      "a.jpg",
      "a.jpg.json",
      "a.png.jpg",
      "a.png.json",
      "hrnet-run.json",
      "sub/000000000042.jpg",
      "sub/000000000042.jpg.json",
    ]);
    const record = json(join(out, "a.png.json"));
    expect(record).toMatchObject({ source: join(photos, "a.png"), width: 96, height: 64 });
    expect(record.model).toBe("random");
    expect(record.persons).toHaveLength(1);
    expect(record.persons[0].box).toEqual([0, 0, 96, 64]);
    expect(record.persons[0].keypoints).toHaveLength(17);
    expect(record.persons[0].keypoints[9]).toEqual({
      name: "left_wrist",
      x: expect.any(Number),
      y: expect.any(Number),
      score: expect.any(Number),
    });
    const drawn = await sharp(join(out, "a.png.jpg")).metadata();
    expect([drawn.format, drawn.width, drawn.height]).toEqual(["jpeg", 96, 64]);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/3 pictures, 3 persons .* results in/);
  });

  test("--json prints one array and writes nothing", async () => {
    const before = filesIn(root);
    await pose(join(photos, "*.jpg"), join(photos, "sub"), "--model", model, "--json");
    const array = JSON.parse(stdout);
    expect(array.map(({ source }: { source: string }) => source)).toEqual([
      join(photos, "a.jpg"),
      join(photos, "sub", "000000000042.jpg"),
    ]);
    expect(filesIn(root)).toEqual(before);
  });

  test("--draw png and none; --min-score changes the drawing only", async () => {
    const [png, none] = [outDir("png"), outDir("none")];
    await pose(join(photos, "a.jpg"), "--model", model, "--out", png, "--draw", "png", "--min-score", "1e9");
    expect(filesIn(png)).toEqual(["a.jpg.json", "a.jpg.png", "hrnet-run.json"]);
    const pixels = await sharp(join(png, "a.jpg.png")).raw().toBuffer();
    expect(pixels.equals(await sharp(good).raw().toBuffer())).toBe(true);
    await pose(join(photos, "a.jpg"), "--model", model, "--out", none, "--draw", "none");
    expect(filesIn(none)).toEqual(["a.jpg.json", "hrnet-run.json"]);
    expect(json(join(none, "a.jpg.json")).persons).toEqual(json(join(png, "a.jpg.json")).persons);
  });

  test("pictures come from URLs too", async () => {
    const server = createServer((_, response) => response.end(good)).listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pictures/one.jpg?size=2`;
    await pose(url, "--model", model, "--out", outDir("url")).finally(() => server.close());
    expect(json(join(outDir("url"), "one.jpg.json"))).toMatchObject({ source: url, width: 96 });
  });

  test("equal file names in several folders stay apart", async () => {
    const [a, b] = [join(root, "one", "x.jpg"), join(root, "two", "x.jpg")];
    for (const path of [a, b]) {
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, good);
    }
    await pose(a, b, a, "--model", model, "--out", outDir("apart"), "--draw", "none");
    expect(filesIn(outDir("apart"))).toEqual(["hrnet-run.json", "one/x.jpg.json", "two/x.jpg.json"]);
  });

  test("results of earlier runs inside the folder are no input", async () => {
    const folder = join(root, "inside");
    mkdirSync(folder);
    writeFileSync(join(folder, "x.jpg"), good);
    await pose(folder, "--model", model, "--out", join(folder, "out"));
    await pose(folder, "--model", model, "--out", join(folder, "again"));
    expect(filesIn(join(folder, "again"))).toEqual(["hrnet-run.json", "x.jpg", "x.jpg.json"]);
  });
});

describe("boxes", () => {
  const boxesFile = (content: unknown): string => {
    const path = join(root, "boxes.json");
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };

  test("each box is a person; pictures not mentioned are left out, and that is said", async () => {
    const boxes = boxesFile({
      "a.jpg": [
        [0, 0, 40, 60],
        [50, 5, 40, 50],
      ],
      "a.png": [],
    });
    await pose(photos, "--model", model, "--boxes", boxes, "--json", "--flip-test");
    const array = JSON.parse(stdout);
    expect(array.map(({ persons }: { persons: unknown[] }) => persons.length)).toEqual([2, 0]);
    expect(array[0].persons[1].box).toEqual([50, 5, 40, 50]);
    expect(stderr).toContain("1 of 3 pictures are left out");
  });

  test("a wrong box fails its own picture only", async () => {
    const boxes = boxesFile({
      "a.jpg": [[0, 0, 0, 60]],
      "a.png": [[900, 900, 5, 5]],
      "000000000042.jpg": [[0, 0, 40, 60]],
    });
    const out = outDir("wrong-boxes");
    await pose(photos, "--model", model, "--boxes", boxes, "--out", out, "--draw", "none");
    expect(process.exitCode).toBe(1);
    expect(filesIn(out)).toEqual(["hrnet-run.json", "sub/000000000042.jpg.json"]);
    expect(stderr).toMatch(/2 pictures could not be done:\n.*a\.jpg.*above 0.*\n.*a\.png.*wholly outside/);
  });

  test("files that hold no boxes of these pictures are errors at once", async () => {
    const run = (content: unknown) => pose(photos, "--model", model, "--json", "--boxes", boxesFile(content));
    await expect(run('{"a.jpg": [[NaN, 0, 5, 5]]}')).rejects.toThrow(/NaN or Infinity/);
    await expect(run({ "z.jpg": [[0, 0, 5, 5]] })).rejects.toThrow(/mentions none of the 3 pictures/);
    expect(stdout).toBe("");
  });

  test("COCO annotations give image ids, also when the run is resumed", async () => {
    const boxes = boxesFile({
      images: [
        { id: 7, file_name: "a.jpg" },
        { id: 9, file_name: "a.png" },
      ],
      annotations: [
        { image_id: 7, category_id: 1, bbox: [0, 0, 40, 60] },
        { image_id: 9, category_id: 1, bbox: [0, 0, 40, 60] },
        { image_id: 9, category_id: 1, bbox: [9, 0, 40, 60] },
      ],
    });
    const out = outDir("coco");
    const args = [photos, "--model", model, "--boxes", boxes, "--out", out, "--format", "coco"];
    await pose(...args);
    const results = json(join(out, "coco-results.json"));
    expect(results.map((row: { image_id: number }) => row.image_id)).toEqual([7, 9, 9]);
    expect(Object.keys(results[0])).toEqual(["image_id", "category_id", "keypoints", "score"]);
    expect(results[0].keypoints).toHaveLength(51);
    expect(json(join(out, "coco-images.json"))[1]).toEqual({
      id: 9,
      file_name: "a.png",
      width: 96,
      height: 64,
    });
    rmSync(join(out, "coco-results.json"));
    rmSync(join(out, "a.png.json"));
    await pose(...args, "--json");
    expect(json(join(out, "coco-results.json"))).toEqual(results);
    expect(JSON.parse(stdout)).toEqual(results);
  });

  test("image ids without annotations: the numbers of the names, or the order", async () => {
    await pose(join(photos, "sub"), "--model", model, "--json", "--format", "coco");
    expect(JSON.parse(stdout)[0].image_id).toBe(42);
    await expect(pose(photos, "--model", model, "--json", "--format", "coco")).rejects.toThrow(/--out/);
    await pose(photos, "--model", model, "--out", outDir("ids"), "--format", "coco", "--draw", "none");
    const images = json(join(outDir("ids"), "coco-images.json"));
    expect(images.map(({ id }: { id: number }) => id)).toEqual([1, 2, 3]);
  });
});

describe("resuming", () => {
  test("finished pictures are skipped with the same settings; --json still prints all", async () => {
    const out = outDir("resume");
    await pose(photos, "--model", model, "--out", out);
    const before = json(join(out, "a.jpg.json"));
    rmSync(join(out, "a.png.json"));
    writeFileSync(join(out, "a.jpg"), "left alone");
    await pose(photos, "--model", model, "--out", out, "--json");
    expect(stderr).toContain("2 of 3 pictures were done before");
    expect(stderr).toContain("1 picture, 1 person");
    expect(existsSync(join(out, "a.png.json"))).toBe(true);
    expect(readFileSync(join(out, "a.jpg"), "utf8")).toBe("left alone");
    expect(JSON.parse(stdout)).toHaveLength(3);
    expect(JSON.parse(stdout)[0]).toEqual(before);
  });

  test("other settings are refused by name, until --overwrite", async () => {
    const out = outDir("settings");
    await pose(join(photos, "a.jpg"), "--model", model, "--out", out);
    const other = pose(photos, "--model", model, "--out", out, "--flip-test");
    await expect(other).rejects.toThrow(/flipTest: false before, true now[\s\S]*--overwrite/);
    await pose(photos, "--model", model, "--out", out, "--flip-test", "--overwrite");
    expect(json(join(out, "hrnet-run.json")).settings.flipTest).toBe(true);
    expect(stderr).toContain("3 pictures");
  });

  test("another picture of the same name is not taken for a finished one", async () => {
    const out = outDir("same-name");
    await pose(join(root, "one", "x.jpg"), "--model", model, "--out", out);
    await expect(pose(join(root, "two", "x.jpg"), "--model", model, "--out", out)).rejects.toThrow(
      /result of another picture.*one/,
    );
  });

  test("Ctrl-C: finished pictures are whole, nothing is half-written, the same command continues", async () => {
    const folder = join(root, "many");
    mkdirSync(folder);
    const large = await sharp(good).resize(1500, 1000).jpeg().toBuffer();
    for (let i = 0; i < 60; i++) writeFileSync(join(folder, `${100 + i}.jpg`), large);
    const out = outDir("interrupted");
    const args = ["pose", folder, "--model", model, "--detector", "none", "--out", out];
    const first = await interruptedRun(args, "1/60 images");
    expect(first.stderr).toContain("Run the same command again to continue");
    expect(first.code).toBe(130);
    const files = filesIn(out);
    expect(files.filter((name) => name.endsWith(".part"))).toEqual([]);
    const finished = files.filter((name) => /^\d+\.jpg\.json$/.test(name));
    expect(finished.length).toBeGreaterThan(0);
    expect(finished.length).toBeLessThan(60);
    for (const name of finished) {
      expect(json(join(out, name)).persons).toHaveLength(1);
      expect((await sharp(join(out, name.replace(".json", ""))).metadata()).width).toBe(1500);
    }
    await pose(...args.slice(1));
    expect(stderr).toContain(`${finished.length} of 60 pictures were done before`);
    expect(filesIn(out)).toHaveLength(121);
  });
});

describe("bad input", () => {
  test("unreadable pictures are listed at the end and leave nothing behind", async () => {
    const folder = join(root, "bad");
    mkdirSync(folder);
    writeFileSync(join(folder, "1-empty.jpg"), "");
    writeFileSync(join(folder, "2-text.jpg"), "this is no picture");
    writeFileSync(join(folder, "3-truncated.jpg"), good.subarray(0, good.length - 40));
    writeFileSync(join(folder, "4-huge.png"), hugePng(await sharp(good).png().toBuffer()));
    writeFileSync(join(folder, "5-good.jpg"), good);
    const out = outDir("bad-out");
    const {
      code,
      stdout: printed,
      stderr: said,
    } = await runCli(
      ...[
        "pose",
        folder,
        join(photos, "notes.txt"),
        "--model",
        model,
        "--detector",
        "none",
        "--out",
        out,
        "--json",
      ],
    );
    expect(code).toBe(1);
    expect(filesIn(out)).toEqual(["bad/5-good.jpg", "bad/5-good.jpg.json", "hrnet-run.json"]);
    expect(said).toContain("5 pictures could not be done");
    for (const reason of [
      /1-empty\.jpg is empty/,
      /2-text\.jpg is no picture/,
      /3-truncated\.jpg is a damaged/,
      /4-huge\.png has 10000×10000/,
      /notes\.txt is no picture/,
    ]) {
      expect(said).toMatch(reason);
    }
    const array = JSON.parse(printed);
    expect(array).toHaveLength(6);
    expect(array[0].error).toMatchObject({ code: "invalid-image" });
    expect(array[4].persons).toHaveLength(1);
  });

  test("wrong calls end with 2 and one line", async () => {
    const [nothing, unknown] = await Promise.all([
      runCli("pose"),
      runCli("pose", photos, "--model", model, "--no-such-option"),
    ]);
    expect(nothing.code).toBe(2);
    expect(nothing.stderr).toContain("missing required argument 'pictures'");
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("unknown option '--no-such-option'");
  });

  test("what cannot work is refused before anything is written", async () => {
    const empty = join(root, "empty");
    mkdirSync(empty);
    const file = join(root, "a-file");
    writeFileSync(file, "x");
    const out = outDir("refused");
    const run = (...args: string[]) => pose(...args, "--out", out);
    await expect(run(empty, "--model", model)).rejects.toMatchObject({ code: "file-not-found" });
    await expect(run(join(photos, "*.bmp"), "--model", model)).rejects.toThrow(/no picture/);
    await expect(run(join(root, "absent.jpg"), "--model", model)).rejects.toThrow(/no file or folder/);
    await expect(run(photos, "--model", join(root, "absent.onnx"))).rejects.toMatchObject({
      code: "file-not-found",
    });
    await expect(run(photos, "--model", "no-such-model")).rejects.toMatchObject({ code: "unknown-model" });
    await expect(pose(photos, "--model", model, "--out", file)).rejects.toThrow(/is a file, no folder/);
    expect(existsSync(out)).toBe(false);
    await expect(pose(photos, "--model", model, "--out", photos)).rejects.toThrow(/take the place/);
    expect(readFileSync(join(photos, "a.jpg")).equals(good)).toBe(true);
    mkdirSync(out);
    writeFileSync(join(out, "a.jpg"), "mine");
    await expect(run(photos, "--model", model)).rejects.toThrow(/is there already/);
    expect(readFileSync(join(out, "a.jpg"), "utf8")).toBe("mine");
  });

  test("an output that cannot be written stops the run with one error", async () => {
    const out = outDir("blocked");
    mkdirSync(join(out, "a.jpg.json"), { recursive: true });
    await expect(pose(photos, "--model", model, "--out", out, "--overwrite")).rejects.toMatchObject({
      code: "write-failed",
    });
    expect(filesIn(out).filter((name) => name.endsWith(".part"))).toEqual([]);
  });
});
