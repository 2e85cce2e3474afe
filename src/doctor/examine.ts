// The doctor: examines annotation files and their pictures, draws sheets to look at.

import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { encodeImage } from "../image/encode.ts";
import { objectsByCategory } from "./checks/objects.ts";
import { runChecks } from "./checks.ts";
import { drawSheet, findingCells, type SheetCell } from "./contact-sheet.ts";
import { keypointExtent, median, personBox, trainable } from "./describe.ts";
import { drawPersonCell, sampleCells } from "./person-cells.ts";
import { findImageFolder, inspectPictures } from "./picture-files.ts";
import { readForDoctor } from "./read-dataset.ts";
import type { DoctorAnnotation, DoctorDataset, Examined, Finding, PictureFacts } from "./types.ts";

/** Options of {@link examineDatasets}. */
export interface ExamineOptions {
  /** Folder of the pictures; `false`: do not look at pictures. Default: found near each annotation file. */
  readonly images?: string | false | undefined;
  /** Headers of the pictures alone: no damage to pixels, no copies, no certain leaks are found. */
  readonly quick?: boolean | undefined;
  /** Kept of each finding. Default 20. */
  readonly examples?: number | undefined;
  /** Folder for contact sheets; none are drawn without it. */
  readonly out?: string | undefined;
  /** Of the sample of persons. Default 1. */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Pictures looked at so far, of all sets together; the total grows with each set. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What was found in one annotation file. */
export interface Examination {
  readonly source: string;
  readonly format: DoctorDataset["format"];
  /** Name of the set of keypoints. */
  readonly skeleton: string | undefined;
  readonly imageFolder: string | undefined;
  readonly counts: ExaminationCounts;
  /** Errors first. */
  readonly findings: readonly Finding[];
  /** Paths of the sheets drawn. */
  readonly sheets: readonly string[];
}

/** The size of a set. */
export interface ExaminationCounts {
  readonly images: number;
  readonly annotations: number;
  /** Not crowds, at least one keypoint labelled: what is trained and evaluated with. 0 in sets of objects. */
  readonly persons: number;
  /** Not crowds, in sets of objects; those with a mask; those of each class. */
  readonly objects?: {
    readonly all: number;
    readonly masks: number;
    readonly byClass: Readonly<Record<string, number>>;
  };
  /** Of those. */
  readonly labelledKeypoints: number;
  /** Persons times keypoints of the set. */
  readonly possibleKeypoints: number;
  /** Median longer side in pixels of the box (of the keypoints where there is none); `null` without persons. */
  readonly medianSide: number | null;
  /** Pictures whose file was looked at. */
  readonly picturesRead: number;
}

const DEFAULT_EXAMPLES = 20;

/**
 * Examines annotation files, and looks for pictures that several of them share.
 * @param paths annotation files, or folders of data sets; see {@link findAnnotationFiles}
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`, `write-failed`, `aborted`. What is wrong with a
 * data set is not thrown but found.
 */
export async function examineDatasets(
  paths: readonly string[],
  options: ExamineOptions = {},
): Promise<Examination[]> {
  const { images, quick = false, examples = DEFAULT_EXAMPLES, out, seed = 1, signal, onProgress } = options;
  const files = [...new Set((await Promise.all(paths.map(findAnnotationFiles))).flat())];
  const sets: Omit<Examined, "others">[] = [];
  let before = 0;
  for (const file of files) {
    const dataset = await readForDoctor(file);
    const imageFolder = images === false ? null : (images ?? (await findImageFolder(dataset)));
    let pictures: ReadonlyMap<number, PictureFacts> = new Map();
    if (typeof imageFolder === "string") {
      const start = before;
      const progress = (done: number, total: number): void => onProgress?.(start + done, start + total);
      pictures = await inspectPictures(dataset, imageFolder, { quick, signal, onProgress: progress });
      before += pictures.size;
    }
    sets.push({ dataset, imageFolder, pictures });
  }
  const sheetNames = uniqueNames(files);
  const examinations: Examination[] = [];
  for (const [i, set] of sets.entries()) {
    const examined: Examined = { ...set, others: sets.slice(i + 1) };
    const findings = runChecks(examined, examples);
    const { dataset, imageFolder } = set;
    examinations.push({
      source: dataset.source,
      format: dataset.format,
      skeleton: dataset.skeleton?.name,
      imageFolder: imageFolder ?? undefined,
      counts: countsOf(examined),
      findings,
      sheets: out === undefined ? [] : await writeSheets(examined, findings, join(out, sheetNames[i]!), seed),
    });
  }
  return examinations;
}

/** Files looked into in a folder, at most. */
const MAX_FILES = 64;
const ANNOTATION_FOLDERS = ["annotations", "annot"];
/** Pascal VOC's, with an XML file for each picture. */
const VOC_FOLDER = "Annotations";

/**
 * The annotation files of a data set: the path itself if it is a file, else the `.json` files in `annotations/`, `annot/`
 * or the folder itself, else a folder of Pascal VOC's `.xml` files as one. Where some have `keypoints` in their name, as COCO's, the others are left alone; so are
 * those that are no annotations, unless none is.
 * @throws HRNetError `file-not-found`
 */
export async function findAnnotationFiles(path: string): Promise<string[]> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new HRNetError("file-not-found", `There is no data set ${path}. Check the path.`, { cause });
  });
  if (!info.isDirectory()) return [path];
  for (const folder of [...ANNOTATION_FOLDERS.map((name) => join(path, name)), path]) {
    const names = (await readdir(folder).catch(() => [])).filter((name) => /\.json$/i.test(name)).sort();
    if (names.length === 0) continue;
    if (names.length > MAX_FILES) {
      throw new HRNetError(
        "limit-exceeded",
        `${folder} has ${names.length} .json files; at most ${MAX_FILES} are examined at once. Name the files.`,
      );
    }
    const named = names.filter((name) => /keypoints.*_[^_]+\.json$/i.test(name));
    const files = (named.length > 0 ? named : names).map((name) => join(folder, name));
    if (files.length === 1) return files;
    const usable: string[] = [];
    for (const file of files) if ((await readForDoctor(file)).format !== "other") usable.push(file);
    return usable.length > 0 ? usable : files;
  }
  for (const folder of [join(path, VOC_FOLDER), path]) {
    const names = await readdir(folder).catch(() => []);
    if (names.some((name) => /\.xml$/i.test(name))) return [folder];
  }
  throw new HRNetError(
    "file-not-found",
    `${path} has no annotations. Expected .json files in it, in ${ANNOTATION_FOLDERS.join("/ or ")}/, or Pascal VOC's .xml files in ${VOC_FOLDER}/.`,
  );
}

function countsOf({ dataset, pictures }: Examined): ExaminationCounts {
  const persons = trainable(dataset);
  const sides = persons.map((person) => {
    const box = personBox(person);
    if (box) return Math.max(box[2]!, box[3]!);
    if (person.keypoints === undefined) return 0;
    const [left, top, right, bottom] = keypointExtent(person.keypoints);
    return Math.max(right - left, bottom - top);
  });
  const instances = dataset.format === "instances";
  return {
    images: dataset.images.length,
    annotations: dataset.annotations.length,
    persons: instances ? 0 : persons.length,
    ...(instances && { objects: objectsOf(dataset, persons) }),
    labelledKeypoints: persons.reduce((sum, { labelled }) => sum + labelled, 0),
    possibleKeypoints: persons.length * (dataset.skeleton?.keypoints.length ?? 0),
    medianSide: persons.length > 0 ? median(sides) : null,
    picturesRead: pictures.size,
  };
}

function objectsOf(
  dataset: DoctorDataset,
  objects: readonly DoctorAnnotation[],
): NonNullable<ExaminationCounts["objects"]> {
  const counts = objectsByCategory(dataset);
  const byClass: Record<string, number> = {};
  for (const { id, name } of dataset.categories) {
    const key = name ?? String(id);
    byClass[key] = (byClass[key] ?? 0) + (counts.get(id ?? Number.NaN) ?? 0);
  }
  return { all: objects.length, masks: objects.filter(({ mask }) => mask !== undefined).length, byClass };
}

async function writeSheets(
  examined: Examined,
  findings: readonly Finding[],
  prefix: string,
  seed: number,
): Promise<string[]> {
  if (examined.pictures.size === 0) return [];
  const sheets: readonly (readonly [string, readonly SheetCell[]])[] = [
    ["sample", sampleCells(examined, seed)],
    ["findings", findingCells(findings)],
  ];
  const written: string[] = [];
  for (const [name, cells] of sheets) {
    if (cells.length === 0) continue;
    const path = `${prefix}-${name}.jpg`;
    await writeFileAtomic(
      path,
      await encodeImage(await drawSheet(cells, (cell) => drawPersonCell(cell, examined)), "jpeg"),
    );
    written.push(path);
  }
  return written;
}

/** File names without ending; the folder's name is put before those that are there twice. */
function uniqueNames(files: readonly string[]): string[] {
  const bare = files.map((file) => basename(file).replace(/\.json$/i, ""));
  return bare.map((name, i) =>
    bare.filter((other) => other === name).length > 1
      ? `${i + 1}-${basename(dirname(files[i]!))}-${name}`
      : name,
  );
}
