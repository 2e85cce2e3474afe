// Writes data sets of drawn people in COCO's layout, with part labels beside the pictures.

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { ERROR_CODES, type ErrorCode, HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { readJsonFile } from "../files/json-file.ts";
import { hashSeed } from "../random/random.ts";
import { startWorker } from "../threads/start-worker.ts";
import { PERSON_CATEGORY, type PersonAnnotation } from "./annotations.ts";
import type { PictureJob } from "./dataset-picture.ts";
import { PART_CLASSES } from "./part-classes.ts";
import type { SyntheticSceneOptions } from "./scene.ts";

/** What {@link writeSyntheticDataset} writes. */
export interface SyntheticDatasetOptions extends Omit<SyntheticSceneOptions, "seed"> {
  /** Pictures of each split. */
  readonly train: number;
  readonly val: number;
  /** Of the whole set; default 0. */
  readonly seed?: number;
  /** Threads that draw; default 1. They change nothing but the time. */
  readonly threads?: number;
  /** Writes into a folder that holds something else; default false. */
  readonly overwrite?: boolean;
  /** Stops between pictures. */
  readonly signal?: AbortSignal;
}

/** What was written. */
export interface SyntheticDatasetSummary {
  readonly folder: string;
  readonly images: { readonly train: number; readonly val: number };
  readonly persons: { readonly train: number; readonly val: number };
}

/** Beside the pictures: what they were made with. */
const SETTINGS_FILE = "synthetic.json";
const SPLITS = ["train", "val"] as const;
/** Six digits name the pictures. */
const MOST_PICTURES = 999_999;

/**
 * Draws `train` and `val` pictures into `folder`:
 * `images/<split>/000001.jpg`, `annotations/person_keypoints_<split>.json` (keypoints, boxes, and masks as uncompressed
 * RLE), `labels/<split>/000001.png` (8-bit, one channel, ids of part classes), `classes.json` (their names), and
 * `synthetic.json` (what it was made with). The same options give the same files, whatever the number of threads; a
 * stopped run has no annotation files, and is done by the same call again.
 * @param onProgress after each picture: how many are done, of how many
 * @throws HRNetError `usage` for options out of range or a folder with something else in it, `write-failed`, `aborted`
 */
export async function writeSyntheticDataset(
  folder: string,
  options: SyntheticDatasetOptions,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<SyntheticDatasetSummary> {
  const { train, val, seed = 0, threads = 1, overwrite = false, signal, ...scene } = options;
  for (const [name, count] of Object.entries({ train, val })) {
    if (Number.isInteger(count) && count >= 0 && count <= MOST_PICTURES) continue;
    throw new HRNetError("usage", `Expected 0 to ${MOST_PICTURES} pictures in ${name}, not ${count}.`);
  }
  if (!Number.isInteger(threads) || threads < 1) {
    throw new HRNetError("usage", `Expected a whole number of threads from 1, not ${threads}.`);
  }
  const settings = { version: 1, train, val, seed, ...scene };
  if (!overwrite) await checkFolder(folder, settings);
  await writeJson(join(folder, SETTINGS_FILE), settings);
  await writeJson(join(folder, "classes.json"), { classes: PART_CLASSES });

  const counts = { train, val };
  const jobs = SPLITS.flatMap((split, splitNumber) =>
    Array.from({ length: counts[split] }, (_, index): PictureJob => {
      const name = nameOf(index + 1);
      return {
        scene: { ...scene, seed: hashSeed(seed, splitNumber, index) },
        imagePath: join(folder, "images", split, `${name}.jpg`),
        labelPath: join(folder, "labels", split, `${name}.png`),
      };
    }),
  );
  let done = 0;
  const drawn = await drawAll(jobs, { threads, signal }, () => onProgress(++done, jobs.length));
  const annotations = { train: drawn.slice(0, train), val: drawn.slice(train) };
  for (const split of SPLITS) {
    if (counts[split] === 0) continue;
    const path = join(folder, "annotations", `person_keypoints_${split}.json`);
    await writeJson(path, cocoFile(annotations[split], scene));
  }
  const persons = { train: annotations.train.flat().length, val: annotations.val.flat().length };
  return { folder, images: counts, persons };
}

const nameOf = (id: number): string => String(id).padStart(6, "0");

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value)}\n`);
}

/** An empty or new folder, or one that these very settings were written to. */
async function checkFolder(folder: string, settings: object): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new HRNetError("write-failed", `${folder} cannot be written to: ${error.message}. Name a folder.`, {
      cause: error,
    });
  });
  if (names.length === 0) return;
  const file = join(folder, SETTINGS_FILE);
  const earlier = existsSync(file) ? await readJsonFile(file, "settings file") : undefined;
  if (JSON.stringify(earlier) === JSON.stringify(settings)) return;
  throw new HRNetError(
    "usage",
    `${folder} holds ${earlier === undefined ? "other files" : "pictures made with other settings"}. ` +
      "Choose another folder, or ask to overwrite.",
  );
}

function cocoFile(
  annotations: readonly (readonly PersonAnnotation[])[],
  { width, height }: { readonly width: number; readonly height: number },
): object {
  const images = annotations.map((_, i) => ({ id: i + 1, file_name: `${nameOf(i + 1)}.jpg`, width, height }));
  const all = annotations.flatMap((list, i) =>
    list.map((annotation) => ({ image_id: i + 1, ...annotation })),
  );
  return {
    info: { description: "Drawn people: exact keypoints, boxes and masks" },
    images,
    annotations: all.map((annotation, i) => ({ id: i + 1, ...annotation })),
    categories: [PERSON_CATEGORY],
  };
}

/** Jobs that a worker has at once: it draws one while the other is encoded and written, which are no work for it. */
const JOBS_PER_WORKER = 2;

/** Does all jobs in worker threads, each taking the next when one is done; what they give, in the order of the jobs. */
async function drawAll(
  jobs: readonly PictureJob[],
  { threads, signal }: { readonly threads: number; readonly signal: AbortSignal | undefined },
  onDone: () => void,
): Promise<PersonAnnotation[][]> {
  const results = new Array<PersonAnnotation[]>(jobs.length);
  let next = 0;
  let failed = false;
  const workers = Array.from({ length: Math.min(threads, jobs.length) }, () =>
    startWorker("./dataset-worker", import.meta.url),
  );
  for (const worker of workers) {
    worker.ref();
    worker.setMaxListeners(3 * JOBS_PER_WORKER);
  }
  const run = async (worker: Worker): Promise<void> => {
    while (next < jobs.length && !failed) {
      if (signal?.aborted) throw new HRNetError("aborted", "Stopped before all pictures were drawn.");
      const index = next++;
      results[index] = await drawIn(worker, index, jobs[index]!);
      onDone();
    }
  };
  const stopOthers = (error: unknown): never => {
    failed = true;
    throw error;
  };
  try {
    // All settle before the workers end: none is cut off while it writes.
    const turns = workers.flatMap((worker) => Array.from({ length: JOBS_PER_WORKER }, () => run(worker)));
    const ends = await Promise.allSettled(turns.map((turn) => turn.catch(stopOthers)));
    const fault = ends.find((end) => end.status === "rejected");
    if (fault) throw fault.reason;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return results;
}

interface WorkerReply {
  /** Of the job. */
  readonly index: number;
  readonly annotations?: PersonAnnotation[];
  readonly error?: { readonly code?: ErrorCode; readonly message: string };
}

function drawIn(worker: Worker, index: number, job: PictureJob): Promise<PersonAnnotation[]> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      worker.off("message", onMessage);
      worker.off("error", onError);
      finish();
    };
    const onMessage = ({ index: done, annotations, error }: WorkerReply): void => {
      if (done !== index) return;
      settle(() => {
        if (annotations) return resolve(annotations);
        const known = error?.code !== undefined && Object.hasOwn(ERROR_CODES, error.code);
        reject(known ? new HRNetError(error.code!, error.message) : new Error(error?.message));
      });
    };
    const onError = (error: Error): void => settle(() => reject(error));
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.postMessage({ index, job });
  });
}
