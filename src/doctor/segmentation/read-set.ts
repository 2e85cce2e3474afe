// A set of pictures and label maps, read without refusing anything in it.

import { availableParallelism } from "node:os";
import { readLabelMap } from "../../data/read-label-map.ts";
import type { SegmentationSplit } from "../../data/segmentation-layout.ts";
import { type LabelledPicture, pairFiles } from "../../data/segmentation-pairs.ts";
import { HRNetError, messageOf } from "../../errors.ts";
import type { Color } from "../../image/draw.ts";
import { readClassTable } from "../../segmentation/class-file.ts";
import type { ClassTable } from "../../segmentation/class-table.ts";
import { inspectPicture } from "../picture-files.ts";
import type { DoctorImage, PictureFacts } from "../types.ts";

/** What a label map's file says. */
export interface LabelFacts {
  readonly path: string;
  readonly state: "ok" | "damaged" | "colours";
  /** Why it is not `ok`. */
  readonly reason?: string;
  readonly width?: number;
  readonly height?: number;
  /** Pixels of each number that occurs. */
  readonly numbers: ReadonlyMap<number, number>;
  readonly palette?: readonly Color[];
}

/** A picture and its label map. */
export interface LabelledFacts {
  readonly image: DoctorImage;
  readonly picture: PictureFacts;
  readonly labels: LabelFacts;
}

/** A split of a segmentation data set as its files are. */
export interface LabelledSet {
  /** The folder, and the split in it. */
  readonly source: string;
  readonly split: SegmentationSplit;
  /** Why the set cannot be used at all. */
  readonly problem?: string;
  /** What the numbers mean; `undefined` where nobody says. */
  readonly classes: ClassTable | undefined;
  readonly pictures: readonly LabelledFacts[];
  /** Pictures without label map. */
  readonly withoutLabels: readonly DoctorImage[];
  /** Names of label maps without picture. */
  readonly withoutPictures: readonly string[];
  /** Pixels of each number, over all maps that could be read. */
  readonly numbers: ReadonlyMap<number, number>;
}

/** Options of {@link readLabelledSet}. */
export interface ReadSetOptions {
  /** Name or file of classes, instead of the set's own. */
  readonly classes?: string | undefined;
  /** Headers of the pictures alone; label maps are read in any case. */
  readonly quick?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The classes of published layouts: those of their released label files. */
const LAYOUT_CLASSES = {
  cityscapes: "cityscapes",
  lip: "lip",
  "pascal-context": undefined, // two label spaces
  ade20k: "ade20k",
  folder: undefined,
} as const;

/**
 * Reads a split. What is wrong with it becomes part of the result.
 * @throws HRNetError `aborted`; as `readClassTable` for classes that were asked for
 */
export async function readLabelledSet(
  path: string,
  split: SegmentationSplit,
  options: ReadSetOptions = {},
): Promise<LabelledSet> {
  const source = split.name === "all" ? path : `${path} (${split.name})`;
  const empty = { source, split, pictures: [], withoutLabels: [], withoutPictures: [], numbers: new Map() };
  const given = options.classes ?? split.classFile ?? LAYOUT_CLASSES[split.layout];
  try {
    const classes = given === undefined ? undefined : await readClassTable(given);
    const { pairs, withoutLabels, withoutPictures } = await pairFiles(split.folders);
    const pictures = await readPairs(pairs, options);
    const numbers = new Map<number, number>();
    for (const { labels } of pictures)
      for (const [number, pixels] of labels.numbers) numbers.set(number, (numbers.get(number) ?? 0) + pixels);
    return {
      source,
      split,
      classes,
      pictures,
      withoutLabels: withoutLabels.map((name, index) => imageOf(name, pairs.length + index)),
      withoutPictures,
      numbers,
    };
  } catch (error) {
    if (!(error instanceof HRNetError) || error.code === "aborted" || options.classes !== undefined)
      throw error;
    return { ...empty, classes: undefined, problem: error.message };
  }
}

const imageOf = (
  fileName: string,
  index: number,
  size: { width?: number; height?: number } = {},
): DoctorImage => ({
  index,
  id: undefined,
  fileName,
  width: size.width,
  height: size.height,
});

/** Reads all pairs, several at a time. */
async function readPairs(
  pairs: readonly LabelledPicture[],
  { quick = false, signal, onProgress }: ReadSetOptions,
): Promise<LabelledFacts[]> {
  const facts: LabelledFacts[] = [];
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < pairs.length) {
      if (signal?.aborted) throw new HRNetError("aborted", "The examination was cancelled.");
      const index = next++;
      const { name, imagePath, labelPath } = pairs[index]!;
      const [picture, labels] = await Promise.all([inspectPicture(imagePath, quick), readLabels(labelPath)]);
      facts[index] = { image: imageOf(name, index, picture), picture, labels };
      onProgress?.(++done, pairs.length);
    }
  };
  // Two a core: one reads while another decodes.
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, work));
  return facts;
}

async function readLabels(path: string): Promise<LabelFacts> {
  try {
    const { width, height, data, palette } = await readLabelMap(path);
    const counts = new Uint32Array(data instanceof Uint16Array ? 65_536 : 256);
    for (let i = 0; i < data.length; i++) counts[data[i]!]! += 1;
    const numbers = new Map<number, number>();
    counts.forEach((pixels, number) => {
      if (pixels > 0) numbers.set(number, pixels);
    });
    return { path, state: "ok", width, height, numbers, ...(palette && { palette }) };
  } catch (error) {
    const colours = error instanceof HRNetError && error.code === "invalid-data";
    const reason = messageOf(error).replace(path, "the file");
    return { path, state: colours ? "colours" : "damaged", reason, numbers: new Map() };
  }
}
