// Looks at the pictures' files: where they are, whether they are whole, their size, orientation and digest.

import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import sharp from "sharp";
import { HRNetError, messageOf } from "../errors.ts";
import { DEFAULT_MAX_BYTES, decodeImage } from "../image/decode.ts";
import { leadsOutside } from "./checks/structure.ts";
import { byteText } from "./describe.ts";
import type { DoctorDataset, PictureFacts } from "./types.ts";

/** Options of {@link inspectPictures}. */
export interface InspectOptions {
  /** Headers alone: no pixels, no digests. */
  readonly quick?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Files of folders by their name without ending, in small letters. */
type Listings = Map<string, Promise<ReadonlyMap<string, string>>>;

/** Pictures of a set that are looked for when its folder is chosen. */
const PROBES = 64;
/** Folders above the annotations' that are looked into. */
const LEVELS = 3;

/**
 * The folder below which most of a set's pictures are: the annotations' own, those above it, and in each of them
 * `<split>/`, `images/`, `images/<split>/`, `JPEGImages/`.
 * @returns `undefined` when none has any of them
 */
export async function findImageFolder(dataset: DoctorDataset): Promise<string | undefined> {
  const names = dataset.images.flatMap(({ fileName }) =>
    fileName === undefined || leadsOutside(fileName) ? [] : [fileName],
  );
  const step = Math.max(1, Math.floor(names.length / PROBES));
  const probes = names.filter((_, i) => i % step === 0).slice(0, PROBES);
  const split = /([^_]+)\.json$/i.exec(basename(dataset.source))?.[1] ?? "";
  const roots = [dirname(resolve(dataset.source))];
  for (let level = 1; level < LEVELS; level++) roots.push(dirname(roots.at(-1)!));
  const folders = [
    ...new Set(
      roots.flatMap((root) =>
        [split, join("images", split), "images", "JPEGImages", ""].map((name) => join(root, name)),
      ),
    ),
  ];
  const counts = await Promise.all(
    folders.map(async (folder) => {
      const present = await Promise.all(probes.map((name) => exists(join(folder, name))));
      return present.filter(Boolean).length;
    }),
  );
  const best = Math.max(...counts);
  return best > 0 ? folders[counts.indexOf(best)] : undefined;
}

/**
 * Looks at every picture of a set, several at a time. Pictures whose name is missing or leads out of the folder are left
 * out.
 * @returns by place in the file
 * @throws HRNetError `aborted`
 */
export async function inspectPictures(
  dataset: DoctorDataset,
  folder: string,
  { quick = false, signal, onProgress }: InspectOptions = {},
): Promise<Map<number, PictureFacts>> {
  const facts = new Map<number, PictureFacts>();
  const listings: Listings = new Map();
  const waiting = dataset.images.filter(({ fileName }) => fileName !== undefined && !leadsOutside(fileName));
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < waiting.length) {
      if (signal?.aborted) throw new HRNetError("aborted", "The examination was cancelled.");
      const image = waiting[next++]!;
      facts.set(image.index, await inspectPicture(join(folder, image.fileName!), quick, listings));
      onProgress?.(++done, waiting.length);
    }
  };
  // Two a core: one reads while another decodes.
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, work));
  return facts;
}

/**
 * Looks at one picture.
 * @param quick the header alone
 * @param listings what is known of folders, to be shared between pictures
 */
export async function inspectPicture(
  path: string,
  quick: boolean,
  listings: Listings = new Map(),
): Promise<PictureFacts> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || !info.isFile())
    return { path, state: "missing", reason: await missingReason(path, listings) };
  const bytes = info.size;
  if (bytes === 0) return { path, state: "empty", bytes };
  const damaged = (reason: string): PictureFacts => ({ path, state: "damaged", bytes, reason });
  if (bytes > DEFAULT_MAX_BYTES)
    return damaged(`has ${byteText(bytes)}, at most ${byteText(DEFAULT_MAX_BYTES)} are read`);
  try {
    // In the quick case by path: only the header is read.
    const source = quick ? path : await readFile(path);
    const { width, height, orientation } = await sharp(source, { limitInputPixels: false }).metadata();
    const header = { path, bytes, width, height, ...(orientation !== undefined && { orientation }) };
    if (typeof source === "string") return { ...header, state: "ok" };
    const digest = createHash("sha1").update(source).digest("base64");
    const reason = await undecodable(source);
    return { ...header, digest, ...(reason === undefined ? { state: "ok" } : { state: "damaged", reason }) };
  } catch (error) {
    return damaged(
      quick
        ? messageOf(error).split("\n")[0]!
        : ((await undecodable(await readFile(path))) ?? messageOf(error)),
    );
  }
}

/** Why the bytes are no whole picture; `undefined` when they are. */
async function undecodable(bytes: Uint8Array): Promise<string | undefined> {
  try {
    await decodeImage(bytes, { orientation: "ignore" });
    return undefined;
  } catch (error) {
    return messageOf(error).replace("the given byte array ", "").split(". Fetch it again")[0];
  }
}

/** Looks for a file of the same name in other letters or with another ending. */
async function missingReason(path: string, listings: Listings): Promise<string> {
  const folder = dirname(path);
  let listing = listings.get(folder);
  if (listing === undefined) {
    listing = readdir(folder).then(
      (names) => new Map(names.map((name) => [bareName(name), name])),
      () => new Map(),
    );
    listings.set(folder, listing);
  }
  const similar = (await listing).get(bareName(path));
  return `no ${path}${similar === undefined ? "" : `, but there is ${similar}`}`;
}

const bareName = (path: string): string => basename(path, extname(path)).toLowerCase();

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}
