// Reads MPII's persons as HRNet's json files list them.

import { join } from "node:path";
import { readJsonFile } from "../files/json-file.ts";
import { FieldReader } from "./field-reader.ts";

/** Joints of MPII. */
export const MPII_JOINTS = 16;

/** One person of MPII. */
export interface MpiiPerson {
  readonly imagePath: string;
  /** As in the file: pixels counted from 1; `[-1, -1]` where unknown. */
  readonly center: readonly [number, number];
  /** As in the file: the person's height in units of 200 pixels. */
  readonly scale: number;
  /** 16×3, `[x, y, v]` in pixels counted from 0, v 0 or 1; absent in the test set. */
  readonly keypoints?: readonly number[];
}

/**
 * Reads `train.json`, `valid.json` or `test.json`: `[{ "image", "center", "scale", "joints", "joints_vis" }, …]`. Joints
 * are moved by −1, so that pixels count from 0 as everywhere else. Source: `MPIIDataset._get_db` in
 * `lib/dataset/mpii.py` of deep-high-resolution-net.pytorch.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`, `invalid-data` naming the entry and field
 */
export async function readMpii(path: string, imageFolder: string): Promise<MpiiPerson[]> {
  return parseMpii(await readJsonFile(path, "MPII annotation file"), path, imageFolder);
}

/** The persons in parsed JSON; see {@link readMpii}. */
export function parseMpii(json: unknown, source: string, imageFolder: string): MpiiPerson[] {
  const fields = new FieldReader(source);
  return fields.array(json, "the file").map((value, index): MpiiPerson => {
    const where = `entry ${index}`;
    const entry = fields.object(value, where);
    const image = fields.text(entry, "image", where);
    if (/[\\/]/.test(image))
      fields.fail(where, `has the image "${image}"; expected a file name without folders`);
    const person = {
      imagePath: join(imageFolder, image),
      center: fields.numbers(entry, "center", where, 2) as unknown as [number, number],
      scale: fields.number(entry, "scale", where),
    };
    if (entry["joints"] === undefined) return person;
    const visible = fields.numbers(entry, "joints_vis", where, MPII_JOINTS);
    const joints = readPoints(fields, entry["joints"], `the "joints" of ${where}`);
    const keypoints = visible.flatMap((v, j) => [joints[2 * j]! - 1, joints[2 * j + 1]! - 1, v > 0 ? 1 : 0]);
    return { ...person, keypoints };
  });
}

/** 16 points `[x, y]`, flat. */
export function readPoints(fields: FieldReader, value: unknown, where: string): number[] {
  const points = fields.array(value, where);
  if (points.length !== MPII_JOINTS)
    fields.fail(where, `are ${points.length}; expected ${MPII_JOINTS} points [x, y]`);
  return points.flatMap((point, j) => fields.numbers({ [j]: point }, String(j), where, 2));
}
