// The folder of a run: its settings, what is finished in it, and whether a new run may continue there.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { readJsonFile } from "../files/json-file.ts";

/** Holds the settings of the run that a folder's results come from. */
export const RUN_FILE = "hrnet-run.json";

/** Settings that results depend on, as JSON values. */
export type RunSettings = Readonly<Record<string, unknown>>;

/** A folder that a run may write to. */
export interface RunFolder {
  readonly path: string;
  /** Digest of the settings; every result carries it. */
  readonly id: string;
  /** Whether an earlier run with these settings left results. */
  readonly resumed: boolean;
  /** Writes the settings, before the first result. */
  begin(): Promise<void>;
  /** A picture's path as results give it: as the user wrote it, from the folder where the run was first started. */
  sourceOf(location: string, given: string): string;
}

interface RunFile {
  readonly folder: string;
  readonly settings: RunSettings;
}

/** A file by path, size and time, or a name as it is: tells whether it is still the same. */
export async function identityOf(value: string | undefined): Promise<unknown> {
  if (value === undefined) return null;
  const file = await stat(value).catch(() => undefined);
  return file ? { file: resolve(value), bytes: file.size, modified: file.mtime.toISOString() } : value;
}

/**
 * A folder for a run: a new one, one of an earlier run with the same settings, or any with `overwrite`. Nothing is
 * written before `begin`.
 * @param outputs files the run will write
 * @throws HRNetError `usage` when an earlier run had other settings (says which), or when there is none and files of
 * other origin would be replaced; `write-failed`.
 */
export async function openRunFolder(
  path: string,
  settings: RunSettings,
  { overwrite, outputs }: { readonly overwrite: boolean; readonly outputs: Iterable<string> },
): Promise<RunFolder> {
  const existing = await stat(path).catch(() => undefined);
  if (existing && !existing.isDirectory()) {
    throw new HRNetError("write-failed", `${path} is a file, no folder. Choose another folder with --out.`);
  }
  const earlier = overwrite ? undefined : await readRun(path);
  const changes = earlier ? differences(earlier.settings, settings) : [];
  if (changes.length > 0) {
    throw new HRNetError(
      "usage",
      `${path} holds results of a run with other settings:\n  ${changes.join("\n  ")}\n` +
        "Give --overwrite to do everything anew, or another folder with --out.",
    );
  }
  if (existing && !earlier && !overwrite) refuseToReplace(outputs);
  const folder = earlier?.folder ?? process.cwd();
  return {
    path,
    id: createHash("sha256").update(JSON.stringify(settings)).digest("hex").slice(0, 16),
    resumed: earlier !== undefined,
    begin: async () => {
      if (earlier) return;
      await writeFileAtomic(join(path, RUN_FILE), `${JSON.stringify({ folder, settings }, null, 2)}\n`);
    },
    sourceOf: (location, given) =>
      given === location || isAbsolute(given) ? given : relative(folder, location),
  };
}

function refuseToReplace(outputs: Iterable<string>): void {
  for (const output of outputs) {
    if (!existsSync(output)) continue;
    throw new HRNetError(
      "usage",
      `${output} is there already and no result of an earlier run. Choose another folder with --out, or give --overwrite.`,
    );
  }
}

async function readRun(path: string): Promise<RunFile | undefined> {
  const file = join(path, RUN_FILE);
  const run = await readJsonFile(file, "settings file").catch((error: unknown) => {
    if (error instanceof HRNetError && error.code === "file-not-found") return undefined;
    throw error;
  });
  if (run === undefined) return undefined;
  const { folder, settings } = (run ?? {}) as Partial<RunFile>;
  if (typeof folder === "string" && typeof settings === "object" && settings !== null) {
    return { folder, settings };
  }
  throw new HRNetError(
    "invalid-data",
    `${file} holds no settings of a run. Give --overwrite to do everything anew, or another folder with --out.`,
  );
}

/** `model: "a.pth" before, "b.pth" now` for each setting that is not the same. */
function differences(before: RunSettings, now: RunSettings): string[] {
  const text = (value: unknown): string => JSON.stringify(value ?? null);
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((key) => text(before[key]) !== text(now[key]))
    .map((key) => `${key}: ${text(before[key])} before, ${text(now[key])} now`);
}
