// The doctor on pictures and label maps.

import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type SegmentationSplit, segmentationSplits } from "../../data/segmentation-layout.ts";
import { writeFileAtomic } from "../../files/atomic-write.ts";
import { encodeImage } from "../../image/encode.ts";
import { drawSheet, findingCells } from "../contact-sheet.ts";
import type { Finding } from "../types.ts";
import { type ExaminedSet, ignoredShare, pixelsByClass, runSegmentationChecks } from "./checks.ts";
import { drawLabelCell, labelCells } from "./label-cells.ts";
import { type LabelledSet, readLabelledSet } from "./read-set.ts";

/** Options of {@link examineSegmentationSets}. */
export interface ExamineSegmentationOptions {
  /** Folders of pictures and label maps, instead of looking for them. */
  readonly folders?: { readonly images: string; readonly labels: string } | undefined;
  /** Name or file of classes; default: `classes.json` beside the folders, or those of a published layout. */
  readonly classes?: string | undefined;
  /** Headers of the pictures alone: no damage to pixels, no copies, no leaks are found. */
  readonly quick?: boolean | undefined;
  /** Kept of each finding. Default 20. */
  readonly examples?: number | undefined;
  /** Folder for contact sheets; none are drawn without it. */
  readonly out?: string | undefined;
  /** Of the sample of pictures. Default 1. */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What was found in one split. */
export interface SegmentationExamination {
  /** The folder, and the split in it. */
  readonly source: string;
  readonly format: "segmentation";
  readonly layout: SegmentationSplit["layout"];
  /** Name of the classes. */
  readonly classes: string | undefined;
  readonly counts: {
    readonly images: number;
    /** Pairs of a picture and a label map. */
    readonly pairs: number;
    readonly pixels: number;
    /** Share of the pixels, 0 … 1. */
    readonly ignored: number;
    /** Share of the classified pixels by class, 0 … 1. */
    readonly shares: Readonly<Record<string, number>>;
  };
  /** Errors first. */
  readonly findings: readonly Finding[];
  /** Paths of the sheets drawn. */
  readonly sheets: readonly string[];
}

const DEFAULT_EXAMPLES = 20;

/**
 * Examines the splits of segmentation data sets, and looks for pictures that several of them share.
 * @param paths folders; see `segmentationSplits`
 * @throws HRNetError `write-failed`, `aborted`; as `readClassTable` for classes that were asked for. What is wrong with a data
 * set is not thrown but found.
 */
export async function examineSegmentationSets(
  paths: readonly string[],
  options: ExamineSegmentationOptions = {},
): Promise<SegmentationExamination[]> {
  const { folders, examples = DEFAULT_EXAMPLES, out, seed = 1, onProgress, ...read } = options;
  const splits = folders
    ? [[paths[0] ?? folders.images, { name: "all", layout: "folder", folders }] as const]
    : (await Promise.all(paths.map(splitsOf))).flat();
  const sets: LabelledSet[] = [];
  let before = 0;
  for (const [path, split] of splits) {
    const start = before;
    const progress = (done: number, total: number): void => onProgress?.(start + done, start + total);
    const set = await readLabelledSet(path, split, { ...read, onProgress: progress });
    before += set.pictures.length;
    sets.push(set);
  }
  const examinations: SegmentationExamination[] = [];
  for (const [i, set] of sets.entries()) {
    const findings = runSegmentationChecks(
      { ...set, others: sets.slice(i + 1) } satisfies ExaminedSet,
      examples,
    );
    const name = [...(sets.length > 1 ? [i + 1] : []), basename(splits[i]![0]), set.split.name].join("-");
    examinations.push({
      source: set.source,
      format: "segmentation",
      layout: set.split.layout,
      classes: set.classes?.name,
      counts: countsOf(set),
      findings,
      sheets: out === undefined ? [] : await writeSheets(set, findings, join(out, name), seed),
    });
  }
  return examinations;
}

/** Splits of a folder whose pictures are there; all of them where none are, so that something is said. */
async function splitsOf(path: string): Promise<(readonly [string, SegmentationSplit])[]> {
  const splits = await segmentationSplits(path);
  const there = await Promise.all(
    splits.map(({ folders }) =>
      stat(folders.list ?? folders.images).then(
        () => true,
        () => false,
      ),
    ),
  );
  const present = splits.filter((_, index) => there[index]);
  return (present.length > 0 ? present : splits).map((split) => [path, split] as const);
}

function countsOf(set: LabelledSet): SegmentationExamination["counts"] {
  const byClass = pixelsByClass(set);
  const classified = byClass.reduce((sum, pixels) => sum + pixels, 0);
  let pixels = 0;
  for (const count of set.numbers.values()) pixels += count;
  return {
    images: set.pictures.length + set.withoutLabels.length,
    pairs: set.pictures.length,
    pixels,
    ignored: ignoredShare(set),
    shares: Object.fromEntries(
      byClass.map((count, index) => [set.classes!.classes[index]!, count / Math.max(1, classified)]),
    ),
  };
}

async function writeSheets(
  set: LabelledSet,
  findings: readonly Finding[],
  prefix: string,
  seed: number,
): Promise<string[]> {
  const written: string[] = [];
  const sheets = { sample: labelCells(set, seed), findings: findingCells(findings) };
  for (const [name, cells] of Object.entries(sheets)) {
    if (cells.length === 0) continue;
    const path = `${prefix}-${name}.jpg`;
    const sheet = await drawSheet(cells, (cell) => drawLabelCell(cell, set));
    await writeFileAtomic(path, await encodeImage(sheet, "jpeg"));
    written.push(path);
  }
  return written;
}
