// Where the results of pictures go, and the JSON record that says a picture is done.

import { join, resolve } from "node:path";
import { HRNetError } from "../errors.ts";
import { readJsonFile } from "../files/json-file.ts";
import type { PictureInput } from "./picture-inputs.ts";
import type { RunFolder } from "./run-folder.ts";

/** Pictures drawn: as JPEG (quality 90), as PNG, or none. */
export const DRAW_FORMATS = ["jpg", "png", "none"] as const;

/** One of {@link DRAW_FORMATS}. */
export type DrawFormat = (typeof DRAW_FORMATS)[number];

/** Where results go unless they go to stdout. */
export const DEFAULT_OUT = "out";

/** What the JSON of every picture has, whatever was looked for in it. */
export interface PictureRecord {
  /** Path or URL of the picture. */
  readonly source: string;
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
  /** The model's name. */
  readonly model: string;
  /** Digest of the run's settings, in a file of a run. */
  readonly run?: string;
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
 * @param suffix comes before the extension where even that is taken: `pose`
 * @throws HRNetError `usage` when a result would take the place of one of the pictures.
 */
export function outputPaths(
  inputs: readonly PictureInput[],
  folder: string,
  format: DrawFormat,
  suffix: string,
): Map<PictureInput, OutputPaths> {
  const names = new Set(inputs.map(({ name }) => name));
  const locations = new Set(inputs.map(({ location }) => location));
  const drawnName = (name: string): string | undefined => {
    if (format === "none") return undefined;
    if (EXTENSION[format].test(name)) return name;
    return names.has(`${name}.${format}`) ? `${name}.${suffix}.${format}` : `${name}.${format}`;
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

/** The record at `path` if it is of this run and `isRecord`; `undefined` if there is none or it is of another one. */
export async function readRecord<R extends PictureRecord>(
  path: string,
  run: RunFolder,
  isRecord: (value: Partial<R>) => boolean,
): Promise<R | undefined> {
  const record = (await readJsonFile(path, "result").catch(() => undefined)) as R | null | undefined;
  return record?.run === run.id && isRecord(record) ? record : undefined;
}
