// Drawn data sets: read back by the readers, the same whatever the threads, and truth scores 1.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { command } from "../../src/cli/synthesize.ts";
import { readCocoKeypoints } from "../../src/data/coco.ts";
import { chooseImageFolder, findCocoSplit } from "../../src/data/coco-layout.ts";
import { evaluateKeypoints } from "../../src/metrics/keypoint-eval.ts";
import { runLengths } from "../../src/synthetic/annotations.ts";
import { writeSyntheticDataset } from "../../src/synthetic/dataset.ts";
import { runVerb, temporaryFolder } from "../helpers/cli.ts";

const OPTIONS = { width: 96, height: 64, train: 2, val: 5, seed: 5, people: [1, 3] } as const;

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .filter((name) => /\.\w+$/.test(name))
    .map((name) => [name, readFileSync(join(folder, name))] as const);

test("pictures, annotations and labels agree, and the readers find them", async () => {
  const folder = temporaryFolder();
  const steps: number[] = [];
  const summary = await writeSyntheticDataset(folder, OPTIONS, (done) => steps.push(done));
  expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7]);
  const split = await findCocoSplit(folder);
  expect(split.name).toBe("val");
  expect(await chooseImageFolder(split, "000001.jpg")).toBe(join(folder, "images", "val"));
  const dataset = await readCocoKeypoints(split.annotationFile);
  expect(dataset.images.size).toBe(5);
  expect(dataset.annotations).toHaveLength(summary.persons.val);
  const { classes } = JSON.parse(readFileSync(join(folder, "classes.json"), "utf8"));
  expect(classes[3]).toMatchObject({ id: 3, name: "torso" });

  const { annotations } = JSON.parse(readFileSync(split.annotationFile, "utf8"));
  for (const image of dataset.images.values()) {
    const picture = await sharp(join(folder, "images", "val", image.fileName)).metadata();
    expect([picture.width, picture.height]).toEqual([96, 64]);
    const label = sharp(join(folder, "labels", "val", image.fileName.replace("jpg", "png")));
    expect(await label.metadata()).toMatchObject({ channels: 1, depth: "uchar" });
    const { data } = await label.toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
    const covered = new Uint8Array(data.length);
    for (const annotation of annotations.filter((a: { image_id: number }) => a.image_id === image.id)) {
      const mask = decodeRuns(annotation.segmentation);
      expect(mask.reduce((sum, value) => sum + value, 0)).toBe(annotation.area);
      expect(annotation.num_keypoints).toBe(
        annotation.keypoints.filter((v: number, i: number) => i % 3 === 2 && v > 0).length,
      );
      mask.forEach((value, i) => {
        covered[i]! += value;
      });
    }
    expect(Uint8Array.from(data, (part) => Number(part > 0))).toEqual(covered);
  }
});

/** COCO's rule: runs of 0 and 1 in turn, down the columns. */
function decodeRuns({
  size: [height, width],
  counts,
}: {
  size: [number, number];
  counts: number[];
}): Uint8Array {
  const columns = counts.flatMap((count, i) => Array<number>(count).fill(i % 2));
  expect(columns).toHaveLength(height * width);
  return Uint8Array.from(
    { length: height * width },
    (_, at) => columns[(at % width) * height + Math.floor(at / width)]!,
  );
}

test("runs down the columns, zeros first", () => {
  const mask = Uint8Array.of(1, 0, 0, 1, 1, 0); // rows 1 0 0 / 1 1 0
  expect(runLengths(mask, 3, 2)).toEqual([0, 2, 1, 1, 2]);
});

test("the truth as predictions has AP 1", async () => {
  const folder = temporaryFolder();
  await writeSyntheticDataset(folder, { ...OPTIONS, width: 256, height: 256, people: [1, 2], train: 0 });
  const dataset = await readCocoKeypoints((await findCocoSplit(folder)).annotationFile);
  const results = dataset.annotations.map(({ imageId, keypoints }, i) => ({
    imageId,
    categoryId: 1,
    keypoints,
    score: 1 - i / 100,
  }));
  const truth = { imageIds: [...dataset.images.keys()], annotations: dataset.annotations };
  const { stats, counts } = evaluateKeypoints(truth, results, { sigmas: dataset.skeleton.sigmas });
  expect(counts.persons).toBeGreaterThan(5);
  expect(stats.AP).toBe(1);
});

test("the same options write the same files with one thread and with two; other options are refused", async () => {
  const [one, two] = [temporaryFolder(), temporaryFolder()];
  await writeSyntheticDataset(one, { ...OPTIONS, threads: 1 });
  await writeSyntheticDataset(two, { ...OPTIONS, threads: 2 });
  expect(filesOf(two)).toEqual(filesOf(one));
  await writeSyntheticDataset(one, { ...OPTIONS, threads: 2 }); // as after a stopped run
  expect(filesOf(one)).toEqual(filesOf(two));
  await expect(writeSyntheticDataset(one, { ...OPTIONS, seed: 6 })).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining("made with other settings"),
  });
});

test("a stopped run leaves no annotations; errors of the worker arrive", async () => {
  const folder = temporaryFolder();
  const stop = new AbortController();
  const run = writeSyntheticDataset(folder, { ...OPTIONS, signal: stop.signal }, () => stop.abort());
  await expect(run).rejects.toMatchObject({ code: "aborted" });
  expect(readdirSync(folder)).not.toContain("annotations");
  const blocked = temporaryFolder();
  mkdirSync(join(blocked, "labels"));
  writeFileSync(join(blocked, "labels", "train"), "a file where a folder should be");
  await expect(writeSyntheticDataset(blocked, { ...OPTIONS, overwrite: true })).rejects.toMatchObject({
    code: "write-failed",
  });
  await expect(writeSyntheticDataset(blocked, { ...OPTIONS, val: 1 })).rejects.toMatchObject({
    code: "usage",
  });
});

test("hrnet synthesize draws what its options say", async () => {
  const folder = join(temporaryFolder(), "people");
  const text = await runVerb(
    command(),
    ...[
      folder,
      "--train",
      "1",
      "--val",
      "1",
      "--size",
      "48x64",
      "--people",
      "2",
      "--turn",
      "30",
      "--quiet",
      "--json",
    ],
  );
  expect(JSON.parse(text)).toMatchObject({ folder, images: { train: 1, val: 1 } });
  const { width, height } = await sharp(join(folder, "images", "train", "000001.jpg")).metadata();
  expect([width, height]).toEqual([64, 48]);
  expect(JSON.parse(readFileSync(join(folder, "synthetic.json"), "utf8"))).toMatchObject({ yaw: [-30, 30] });
  await expect(runVerb(command(), folder, "--people", "many")).rejects.toThrow(/like 2 or 1-3/);
});
