// What a picture's poses become: a drawn picture and a JSON record, written whole, the record last.

import { join, resolve } from "node:path";
import { HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { readJsonFile } from "../files/json-file.ts";
import { encodeImage } from "../image/encode.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { drawPoses } from "../pose/draw-pose.ts";
import type { Person } from "../pose/types.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import type { PoseInput } from "./pose-inputs.ts";
import type { RunFolder } from "./run-folder.ts";

/** Pictures drawn: as JPEG (quality 90), as PNG, or none. */
export const DRAW_FORMATS = ["jpg", "png", "none"] as const;

/** One of {@link DRAW_FORMATS}. */
export type DrawFormat = (typeof DRAW_FORMATS)[number];

/** The JSON of one picture. */
export interface PoseRecord {
  /** Path or URL of the picture. */
  readonly source: string;
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
  /** The model's name. */
  readonly model: string;
  /** Digest of the run's settings, in a file of a run. */
  readonly run?: string;
  readonly persons: readonly Person[];
}

/** How pictures are drawn. */
export interface DrawOptions {
  readonly format: DrawFormat;
  /** Keypoints below this score are not drawn. */
  readonly minScore: number;
}

/** Where a picture's results go. */
export interface OutputPaths {
  readonly record: string;
  /** `undefined` when nothing is drawn. */
  readonly drawn: string | undefined;
}

/** Extensions that already say a format. */
const EXTENSION: Readonly<Record<Exclude<DrawFormat, "none">, RegExp>> = {
  jpg: /\.jpe?g$/i,
  png: /\.png$/i,
};

/**
 * Where results go, by picture: `a.jpg.json` and `a.jpg`; a drawn picture of another format has its extension added
 * (`a.png.jpg`), so that `a.jpg` and `a.png` stay apart.
 * @throws HRNetError `usage` when a result would take the place of one of the pictures.
 */
export function outputPaths(
  inputs: readonly PoseInput[],
  folder: string,
  format: DrawFormat,
): Map<PoseInput, OutputPaths> {
  const names = new Set(inputs.map(({ name }) => name));
  const locations = new Set(inputs.map(({ location }) => location));
  const drawnName = (name: string): string | undefined => {
    if (format === "none") return undefined;
    if (EXTENSION[format].test(name)) return name;
    return names.has(`${name}.${format}`) ? `${name}.pose.${format}` : `${name}.${format}`;
  };
  return new Map(
    inputs.map((input) => {
      const drawn = drawnName(input.name);
      const path = drawn && join(folder, drawn);
      if (path && locations.has(resolve(path))) {
        throw new HRNetError(
          "usage",
          `The drawn picture ${path} would take the place of a picture given. Choose another --out, or --draw none.`,
        );
      }
      return [input, { record: join(folder, `${input.name}.json`), drawn: path }];
    }),
  );
}

/** Decimals kept: a thousandth of a pixel, far below any keypoint's accuracy, and a readable file. */
const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals));

/** The record of a picture. */
export function recordOf(
  source: string,
  { width, height }: RgbImage,
  model: string,
  persons: readonly Person[],
  run?: RunFolder,
): PoseRecord {
  return {
    source,
    width,
    height,
    model,
    ...(run && { run: run.id }),
    persons: persons.map(({ keypoints, score, box }) => ({
      score: rounded(score, 5),
      box: box.map((value) => rounded(value, 3)) as unknown as Person["box"],
      keypoints: keypoints.map((keypoint) => ({
        name: keypoint.name,
        x: rounded(keypoint.x, 3),
        y: rounded(keypoint.y, 3),
        score: rounded(keypoint.score, 5),
      })),
    })),
  };
}

/**
 * Writes the drawn picture, then the record. Draws into `image`.
 * @throws HRNetError `write-failed`, `invalid-image`.
 */
export async function writeResults(
  paths: OutputPaths,
  record: PoseRecord,
  image: RgbImage,
  skeleton: Skeleton,
  { format, minScore }: DrawOptions,
): Promise<void> {
  if (paths.drawn !== undefined && format !== "none") {
    drawPoses(image, record.persons, skeleton, { minScore });
    await writeFileAtomic(paths.drawn, await encodeImage(image, format === "jpg" ? "jpeg" : "png"));
  }
  await writeFileAtomic(paths.record, `${JSON.stringify(record)}\n`);
}

/** The record at `path` if it is of this run, `undefined` if there is none or it is of another one. */
export async function readRecord(path: string, run: RunFolder): Promise<PoseRecord | undefined> {
  const record = (await readJsonFile(path, "result").catch(() => undefined)) as PoseRecord | null | undefined;
  return record?.run === run.id && Array.isArray(record.persons) ? record : undefined;
}
