// The pictures that arguments name (files, folders, globs, URLs), in a fixed order, each with a name for its results.

import { existsSync, type Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { HRNetError } from "../errors.ts";
import { RUN_FILE } from "./run-folder.ts";

/** One picture to work on. */
export interface PictureInput {
  /** Path or URL as the arguments have it. */
  readonly source: string;
  /** Absolute path; a URL is its own. */
  readonly location: string;
  /** Unique among the pictures of a run, with `/` and the picture's own extension: where its results go. */
  readonly name: string;
}

/** What a folder is searched for. */
const EXTENSIONS = ["jpg", "jpeg", "png", "webp", "avif", "tif", "tiff", "gif"];
const IS_PICTURE = new RegExp(`\\.(${EXTENSIONS.join("|")})$`, "i");

/** A found file, and the folder that its argument stands for. */
interface Found {
  readonly source: string;
  readonly root: string;
}

const isUrl = (argument: string): boolean => /^https?:\/\//i.test(argument);

/**
 * Pictures of `arguments_`, sorted within each argument, none twice. Folders that hold results of an earlier run, `out`
 * among them, are left out of folders and globs.
 * @throws HRNetError `file-not-found` for an argument that names nothing, or no picture.
 */
export async function findPictures(arguments_: readonly string[], out?: string): Promise<PictureInput[]> {
  const files = new Map<string, Found>();
  const urls = new Set<string>();
  for (const argument of arguments_) {
    if (isUrl(argument)) urls.add(argument);
    else for (const found of await findFiles(argument, out)) addNew(files, resolve(found.source), found);
  }
  const base = commonFolder([...new Set([...files.values()].map(({ root }) => resolve(root)))]);
  const taken = new Set<string>();
  const inputs = [...files].map(([location, { source }]) => {
    // On another drive of Windows than `base`, the path stays absolute: its drive becomes a folder.
    const name = slashed(relative(base, location)).replace(/^([a-z]):\//i, "$1/");
    taken.add(name);
    return { source, location, name };
  });
  return [
    ...inputs,
    ...[...urls].map((url) => ({ source: url, location: url, name: nameOfUrl(url, taken) })),
  ];
}

/** A path with `/` between its parts, as names and patterns have it on every platform. */
const slashed = (path: string): string => path.split(sep).join("/");

function addNew<K, V>(map: Map<K, V>, key: K, value: V): void {
  if (!map.has(key)) map.set(key, value);
}

async function findFiles(argument: string, out: string | undefined): Promise<Found[]> {
  const stats: Stats | undefined = await stat(argument).catch(() => undefined);
  if (stats?.isDirectory()) {
    const paths = await glob("**/*", { cwd: argument, expandDirectories: false });
    return chosen(
      paths.map((path) => join(argument, path)),
      argument,
      out,
      `The folder ${argument} holds`,
    );
  }
  if (stats) return [{ source: argument, root: dirname(argument) }];
  const wanted = slashed(argument); // cmd.exe and PowerShell hand `photos\*.jpg` on as it is
  if (isDynamicPattern(wanted)) {
    const { folder, pattern } = splitPattern(wanted);
    const paths = await glob(pattern, { cwd: folder, expandDirectories: false });
    return chosen(
      paths.map((path) => join(folder, path)),
      folder,
      out,
      `The pattern ${argument} matches`,
    );
  }
  throw new HRNetError(
    "file-not-found",
    `There is no file or folder ${argument}. Give pictures, folders, patterns such as "photos/**/*.jpg", or URLs.`,
  );
}

/** The pictures among `paths`, sorted, without those of earlier results. */
function chosen(paths: readonly string[], root: string, out: string | undefined, what: string): Found[] {
  const isResult = resultFolders(resolve(root), out);
  const pictures = paths.filter((path) => IS_PICTURE.test(path) && !isResult(dirname(resolve(path))));
  if (pictures.length === 0) {
    throw new HRNetError("file-not-found", `${what} no picture (${EXTENSIONS.join(", ")}).`);
  }
  return pictures.sort((a, b) => (a < b ? -1 : 1)).map((source) => ({ source, root }));
}

/** Tells folders strictly below `root` that are `out` or hold a run's settings, and all that lie in them. */
function resultFolders(root: string, out: string | undefined): (folder: string) => boolean {
  const known = new Map<string, boolean>();
  const isResult = (folder: string): boolean => {
    if (folder === root || !folder.startsWith(root)) return false;
    const before = known.get(folder);
    if (before !== undefined) return before;
    const result = folder === out || existsSync(join(folder, RUN_FILE)) || isResult(dirname(folder));
    known.set(folder, result);
    return result;
  };
  return isResult;
}

/** A pattern as the folders before its first special character, and the rest. */
function splitPattern(argument: string): { readonly folder: string; readonly pattern: string } {
  const parts = argument.split("/");
  const fixed = Math.max(
    0,
    parts.findIndex((part) => /[*?[{(!\\]/.test(part)),
  );
  const folder = parts.slice(0, fixed).join("/");
  return { folder: folder || (argument.startsWith("/") ? "/" : "."), pattern: parts.slice(fixed).join("/") };
}

/** The deepest folder that all of these absolute ones lie in; the first one's root where there is none (Windows drives). */
function commonFolder(folders: readonly string[]): string {
  const [first = "", ...rest] = folders;
  let common = first;
  const holds = (folder: string): boolean => folder === common || folder.startsWith(join(common, sep));
  while (!rest.every(holds) && common !== dirname(common)) common = dirname(common);
  return common;
}

/** The last part of a URL's path, made unique with a number. */
function nameOfUrl(url: string, taken: Set<string>): string {
  const plain = basename(URL.canParse(url) ? new URL(url).pathname : url).replaceAll(/[^\w.-]+/g, "_");
  const wanted = plain.replace(/^\.+/, "") || "picture";
  let name = wanted;
  for (let n = 2; taken.has(name); n++) name = `${n}-${wanted}`;
  taken.add(name);
  return name;
}
