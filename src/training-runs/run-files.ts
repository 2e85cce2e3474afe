// The folder of a training run: what lies in it, and whether a run may begin or go on there.

import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { HRNetError, messageOf } from "../errors.ts";

/** Names of the files that a run leaves. */
export const RUN_FILES = {
  recipe: "recipe.json",
  /** The state after the last checkpoint; a run resumes from it. */
  last: "last.safetensors",
  /** The weights with the best validation, as a model. */
  best: "best.safetensors",
  /** The same, ready to use. */
  onnx: "model.onnx",
} as const;

/** Paths of a run's files. */
export type RunFiles = Readonly<Record<keyof typeof RUN_FILES | "folder", string>>;

/**
 * The files of a run in `folder`, which is made if need be.
 * @throws HRNetError `usage` when a run is there and is not to be resumed, or there is none to resume; `write-failed`
 */
export async function openRunFiles(folder: string, resume: boolean): Promise<RunFiles> {
  const files = {
    folder,
    ...(Object.fromEntries(
      Object.entries(RUN_FILES).map(([name, file]) => [name, join(folder, file)]),
    ) as Record<keyof typeof RUN_FILES, string>),
  };
  const begun = existsSync(files.recipe) || existsSync(files.last);
  if (resume && !existsSync(files.last)) {
    throw new HRNetError(
      "usage",
      `${folder} holds no ${RUN_FILES.last}; there is nothing to resume. Leave --resume out to begin, or name the run's folder ` +
        "with --out.",
    );
  }
  if (!resume && begun) {
    throw new HRNetError(
      "usage",
      `${folder} holds a run already. Give --resume to go on with it, or another folder with --out.`,
    );
  }
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new HRNetError("write-failed", `The folder ${folder} cannot be made: ${messageOf(cause)}.`, {
      cause,
    });
  });
  return files;
}

/** Keeps the last checkpoint under the name of its step, and the latest `keep` − 1 of those. */
export async function keepCheckpoint(
  files: RunFiles,
  step: number,
  keep: number,
  kept: number[],
): Promise<void> {
  if (keep <= 1 || !existsSync(files.last)) return;
  const path = (at: number): string => join(files.folder, `step-${String(at).padStart(8, "0")}.safetensors`);
  await rename(files.last, path(step));
  kept.push(step);
  while (kept.length > keep - 1) await rm(path(kept.shift()!), { force: true });
}
