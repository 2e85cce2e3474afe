// The folder of a training run: what lies in it, and whether a run may begin or go on there.

import { existsSync } from "node:fs";
import { copyFile, link, mkdir, readdir, rm } from "node:fs/promises";
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
    const advice = existsSync(files.last)
      ? "Give --resume to go on with it, or another folder with --out."
      : `It ended before its first checkpoint. Remove the folder to begin again, or give another with --out.`;
    throw new HRNetError("usage", `${folder} holds a run already. ${advice}`);
  }
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new HRNetError("write-failed", `The folder ${folder} cannot be made: ${messageOf(cause)}.`, {
      cause,
    });
  });
  return files;
}

/** What a checkpoint is called that stays: `step-00001200.safetensors`. */
const KEPT = /^step-(\d{8,})\.safetensors$/;

/**
 * Before a new last checkpoint is written: keeps the present one under the name of its step as well, and of all those the
 * latest `keep` − 1. The last one stays where it is until the new one is whole.
 * @param step what the last checkpoint was written at
 * @throws HRNetError `write-failed`
 */
export async function keepCheckpoint(files: RunFiles, step: number, keep: number): Promise<void> {
  if (keep <= 1 || !existsSync(files.last)) return;
  const kept = join(files.folder, `step-${String(step).padStart(8, "0")}.safetensors`);
  try {
    await rm(kept, { force: true });
    await link(files.last, kept).catch(() => copyFile(files.last, kept)); // not every file system has links
    const steps = (await readdir(files.folder)).flatMap((name) => {
      const match = KEPT.exec(name);
      return match ? [{ name, at: Number(match[1]) }] : [];
    });
    const old = steps.sort((a, b) => b.at - a.at).slice(keep - 1);
    for (const { name } of old) await rm(join(files.folder, name), { force: true });
  } catch (cause) {
    throw new HRNetError("write-failed", `A checkpoint cannot be kept as ${kept}: ${messageOf(cause)}.`, {
      cause,
    });
  }
}
