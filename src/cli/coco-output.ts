// Records of a run as COCO results, with the image ids they belong to.

import { join } from "node:path";
import { HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { type BoxesFile, imageIdInName } from "../pose/boxes-file.ts";
import type { PictureInput } from "./picture-inputs.ts";
import type { PictureRecord } from "./picture-output.ts";

/** Image ids of a run, and whether they are COCO's own or were given here. */
export interface ImageIds {
  readonly ids: ReadonlyMap<PictureInput, number>;
  /** `numbered`: 1, 2, 3, … in the order of the pictures. */
  readonly from: "boxes file" | "file names" | "numbered";
}

/**
 * Image ids: those of the boxes file where it has them, else the numbers that the file names end in if every picture has
 * one of its own (`000000397133.jpg`), else the picture's place in the run, from 1.
 */
export function imageIds(inputs: readonly PictureInput[], boxes: BoxesFile | undefined): ImageIds {
  const sources = [
    {
      from: "boxes file",
      idOf: ({ name, source }: PictureInput) => boxes?.imageIdOf(name) ?? boxes?.imageIdOf(source),
    },
    { from: "file names", idOf: ({ name }: PictureInput) => imageIdInName(name) },
  ] as const;
  for (const { from, idOf } of sources) {
    const ids = new Map<PictureInput, number>();
    for (const input of inputs) {
      const id = idOf(input);
      if (id !== undefined) ids.set(input, id);
    }
    if (ids.size === inputs.length && new Set(ids.values()).size === ids.size) return { ids, from };
  }
  return { ids: new Map(inputs.map((input, index) => [input, index + 1])), from: "numbered" };
}

/** @throws HRNetError `usage` where ids were given here and nothing would tell which is which */
export function requireTellingIds(
  ids: ImageIds | undefined,
  { json, out }: { readonly json?: boolean; readonly out?: string },
): void {
  if (ids?.from !== "numbered" || !json || out !== undefined) return;
  throw new HRNetError(
    "usage",
    "COCO results need image ids; these pictures have none in their names. Give --out DIR: it will hold " +
      "coco-images.json, which says which id is which picture.",
  );
}

/** Names of what {@link writeCocoFiles} writes. */
const COCO_RESULTS = "coco-results.json";
const COCO_IMAGES = "coco-images.json";

/** What a run's COCO files are made of. */
export interface CocoOutput<R extends PictureRecord> {
  readonly ids: ImageIds;
  /** Entries of a picture in the results file, with COCO's own field names. */
  readonly resultsOf: (record: R, imageId: number) => readonly object[];
}

/**
 * Writes `coco-results.json` and `coco-images.json` (id, file name and size of every picture) from the records of a run,
 * one at a time.
 * @param records finished pictures, read anew for each file
 */
export async function writeCocoFiles<R extends PictureRecord>(
  folder: string,
  records: () => AsyncIterable<{ readonly input: PictureInput; readonly record: R }>,
  { ids: { ids }, resultsOf }: CocoOutput<R>,
): Promise<void> {
  const results = async function* (): AsyncGenerator<unknown> {
    for await (const { input, record } of records()) yield* resultsOf(record, ids.get(input)!);
  };
  const images = async function* (): AsyncGenerator<unknown> {
    for await (const { input, record } of records()) {
      const { width, height } = record;
      yield { id: ids.get(input)!, file_name: input.name, width, height };
    }
  };
  await writeFileAtomic(join(folder, COCO_RESULTS), arrayChunks(results()));
  await writeFileAtomic(join(folder, COCO_IMAGES), arrayChunks(images()));
}

/** Elements as the bytes of a JSON array, one line each. */
async function* arrayChunks(elements: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let opening = "[\n";
  for await (const element of elements) {
    yield encoder.encode(`${opening}${JSON.stringify(element)}`);
    opening = ",\n";
  }
  yield encoder.encode(opening === "[\n" ? "[]\n" : "\n]\n");
}
