// Reading MPII against the original code's database, and by hand.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readMatArrays } from "../../src/data/mat-file.ts";
import { parseMpii, readMpii } from "../../src/data/mpii.ts";
import { readMpiiPckhTruth } from "../../src/data/mpii-pckh.ts";
import { evaluatePckh } from "../../src/metrics/pckh.ts";
import { fixture, hasShared, shared } from "../helpers/shared.ts";

test("joints equal MPIIDataset._get_db; centre and scale stay as annotated", async () => {
  const { annot, db } = JSON.parse(await readFile(fixture("prepost", "mpii_db.json"), "utf8"));
  const persons = parseMpii(annot, "mpii_db.json", "images");
  expect(persons).toHaveLength(db.length);
  persons.forEach((person, i) => {
    expect(person.center).toEqual(annot[i].center);
    expect(person.scale).toBe(annot[i].scale);
    expect(person.imagePath).toBe(join("images", annot[i].image));
    const expected = db[i].joints.flatMap(([x, y]: number[], j: number) => [x, y, db[i].vis[j][0]]);
    expect(person.keypoints).toEqual(expected);
  });
});

test("the test set has no joints; faults are named", () => {
  const entry = { image: "1.jpg", center: [3, 4], scale: 2 };
  expect(parseMpii([entry], "test.json", "")[0]).not.toHaveProperty("keypoints");
  const joints = Array.from({ length: 16 }, () => [1, 1]);
  const parse = (more: object) => () => parseMpii([{ ...entry, ...more }], "a.json", "");
  expect(parse({ joints })).toThrow(/a\.json: entry 0 has the joints_vis undefined/);
  expect(parse({ joints: [[1, 2]], joints_vis: joints.map(() => 1) })).toThrow(/expected 16 points/);
  expect(parse({ joints: joints.with(3, [1]), joints_vis: joints.map(() => 1) })).toThrow(
    /"joints" of entry 0 has the 3 \[1\]/,
  );
  expect(parse({ image: "../1.jpg" })).toThrow(/without folders/);
});

test.skipIf(!hasShared("data", "mpii-sample"))("a sample of MPII", async () => {
  const persons = await readMpii(shared("data/mpii-sample/mpii/test_mpii.json"), "images");
  expect(persons).toHaveLength(5);
  expect(persons[0]!.keypoints!.slice(0, 3)).toEqual([803, 710, 1]);
});

test("PCKh ground truth from JSON", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hrnet-mpii-"));
  try {
    const path = join(folder, "gt.json");
    const truth = {
      joints: Array.from({ length: 16 }, (_, j) => [j, j + 0.5]),
      missing: Array.from({ length: 16 }, (_, j) => j % 2),
      headbox: [1, 2, 3, 4],
    };
    await writeFile(path, JSON.stringify([truth]));
    const [person] = await readMpiiPckhTruth(path);
    expect(person).toEqual({ joints: truth.joints.flat(), missing: truth.missing, headBox: truth.headbox });
    await writeFile(path, JSON.stringify([{ ...truth, headbox: [1, 2] }]));
    await expect(readMpiiPckhTruth(path)).rejects.toThrow(/entry 0 has the headbox \[1,2\]/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("PCKh from gt_valid.mat equals MPIIDataset.evaluate", async () => {
  const truths = await readMpiiPckhTruth(fixture("mat", "gt_valid.mat"));
  const { preds, result } = JSON.parse(await readFile(fixture("prepost", "pckh.json"), "utf8"));
  const ours = evaluatePckh(
    truths,
    preds.map((person: number[][]) => person.flat()),
    3,
  );
  expect(ours.mean50).toBeCloseTo(result["Mean"], 10);
  expect(ours.mean11).toBeCloseTo(result["Mean@0.1"], 10);
  await expect(readMpiiPckhTruth(fixture("mat", "numbers.mat"))).rejects.toThrow(/no array "pos_gt_src"/);
});

test("numeric arrays of a MATLAB file that is not compressed; the rest is left out", async () => {
  const arrays = await readMatArrays(fixture("mat", "numbers.mat"));
  expect([...arrays.keys()]).toEqual(["u8", "i16", "f32", "one", "i32"]);
  expect(arrays.get("u8")).toEqual({ dims: [2, 3], data: Float64Array.of(0, 3, 1, 4, 2, 5) });
  expect([...arrays.get("i16")!.data]).toEqual([-300, 300]);
  expect([...arrays.get("f32")!.data]).toEqual([1.5, -2.5]);
  expect([...arrays.get("i32")!.data]).toEqual([2147483647, -2147483648]);
  expect(arrays.get("one")).toEqual({ dims: [1, 1], data: Float64Array.of(7) });
});

test("damaged MATLAB files give one clear error, wherever they are cut or changed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hrnet-mat-"));
  try {
    const path = join(folder, "a.mat");
    for (const name of ["gt_valid.mat", "numbers.mat"]) {
      const whole = await readFile(fixture("mat", name));
      for (let cut = 0; cut < whole.length; cut += 97) {
        const bytes = Buffer.from(whole);
        bytes.fill(0xee, cut, cut + 5);
        for (const damaged of [whole.subarray(0, cut), bytes]) {
          await writeFile(path, damaged);
          const outcome = await readMatArrays(path).catch((error: unknown) => error);
          if (outcome instanceof Map) continue; // the damage fell on a number, or just between two arrays
          expect(outcome).toMatchObject({ name: "HRNetError", code: "invalid-data" });
        }
      }
    }
    await writeFile(path, "MATLAB 7.3 MAT-file, Platform: GLNXA64".padEnd(200));
    await expect(readMatArrays(path)).rejects.toThrow(/save it with "-v7"/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
