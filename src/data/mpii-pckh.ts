// Reads the ground truth of PCKh: MPII's `gt_valid.mat`, or the same as JSON.

import { extname } from "node:path";
import { HRNetError } from "../errors.ts";
import { readJsonFile } from "../files/json-file.ts";
import { FieldReader } from "./field-reader.ts";
import { type MatArray, readMatArrays } from "./mat-file.ts";
import { MPII_JOINTS, readPoints } from "./mpii.ts";

/** One person of the PCKh ground truth; coordinates count from 1. */
export interface MpiiPckhTruth {
  /** 16×2, `[x, y]` per joint. */
  readonly joints: readonly number[];
  /** 16: 1 where the joint is not annotated. */
  readonly missing: readonly number[];
  /** `[x1, y1, x2, y2]`. */
  readonly headBox: readonly number[];
}

/**
 * Reads the persons of `valid.json`, in its order, from
 * - MPII's `gt_valid.mat` (the arrays `pos_gt_src` 16×2×N, `jnt_missing` 16×N and `headboxes_src` 2×2×N), or
 * - JSON: `[{ "joints": [[x, y] × 16], "missing": [0 or 1 × 16], "headbox": [x1, y1, x2, y2] }, …]`, the same values.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`, `invalid-data` naming what is missing or wrong
 */
export async function readMpiiPckhTruth(path: string): Promise<MpiiPckhTruth[]> {
  return extname(path).toLowerCase() === ".mat" ? readMat(path) : readJson(path);
}

async function readJson(path: string): Promise<MpiiPckhTruth[]> {
  const fields = new FieldReader(path);
  const entries = fields.array(await readJsonFile(path, "PCKh ground truth"), "the file");
  return entries.map((value, index) => {
    const where = `entry ${index}`;
    const entry = fields.object(value, where);
    return {
      joints: readPoints(fields, entry["joints"], `the "joints" of ${where}`),
      missing: fields.numbers(entry, "missing", where, MPII_JOINTS),
      headBox: fields.numbers(entry, "headbox", where, 4),
    };
  });
}

async function readMat(path: string): Promise<MpiiPckhTruth[]> {
  const arrays = await readMatArrays(path);
  const positions = requireArray(arrays, "pos_gt_src", [MPII_JOINTS, 2, undefined], path);
  const persons = positions.dims[2]!;
  const missing = requireArray(arrays, "jnt_missing", [MPII_JOINTS, persons], path);
  const heads = requireArray(arrays, "headboxes_src", [2, 2, persons], path);
  return Array.from({ length: persons }, (_, n) => ({
    // Column by column: all x of a person, then all y; both corners' x, then both corners' y.
    joints: Array.from({ length: MPII_JOINTS }, (_, j) =>
      [0, 1].map((axis) => positions.data[(n * 2 + axis) * MPII_JOINTS + j]!),
    ).flat(),
    missing: Array.from(missing.data.subarray(n * MPII_JOINTS, (n + 1) * MPII_JOINTS)),
    headBox: [0, 2, 1, 3].map((i) => heads.data[n * 4 + i]!),
  }));
}

/** @param dims expected sizes; `undefined` is any */
function requireArray(
  arrays: ReadonlyMap<string, MatArray>,
  name: string,
  dims: readonly (number | undefined)[],
  path: string,
): MatArray {
  const array = arrays.get(name);
  const fits =
    array?.dims.length === dims.length && dims.every((dim, i) => dim === undefined || dim === array.dims[i]);
  if (array !== undefined && fits) return array;
  throw new HRNetError(
    "invalid-data",
    `${path} has ${array === undefined ? `no array "${name}"` : `"${name}" of ${array.dims.join("×")}`}; ` +
      `expected ${dims.map((dim) => dim ?? "N").join("×")} numbers. Is it MPII's gt_valid.mat?`,
  );
}
