// Reads annotations of objects in Pascal VOC's format: an XML file for each picture.

import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { DOMParser, type Element } from "@xmldom/xmldom";
import { HRNetError, messageOf } from "../errors.ts";
import { readFileWithin } from "../files/read-file.ts";
import type { CocoImage } from "./coco-images.ts";
import type { CocoInstance, CocoInstanceDataset } from "./coco-instances.ts";

/** How boxes are read. */
export interface VocOptions {
  /** Names in the order of their ids, which are 1, 2, …; by default those that occur, sorted. */
  readonly categories?: readonly string[] | undefined;
  /** A text file with the name of a picture in each line, to which the set is limited, such as `ImageSets/Main/train.txt`. */
  readonly list?: string | undefined;
  /**
   * `pixels` (default): VOC's own meaning, the first and the last pixel inside, counted from 1. `edges`: x and y of two corners, as
   * many tools write them.
   */
  readonly corners?: "pixels" | "edges" | undefined;
  /** What becomes of objects marked `difficult`: `ignore` (default) makes crowds of them, as VOC's evaluation ignores them. */
  readonly difficult?: "ignore" | "keep" | undefined;
  /** Told of files that cannot be understood, which are then left out; without it the first one ends the reading. */
  readonly onFault?: ((error: HRNetError) => void) | undefined;
}

/** Far above any annotation of one picture. */
const MAX_XML_BYTES = 10_000_000;
const MAX_LIST_BYTES = 64_000_000;

/** An object as its file has it. */
interface VocObject {
  readonly name: string;
  readonly corners: readonly [number, number, number, number];
  readonly difficult: boolean;
}

interface VocPicture {
  readonly fileName: string;
  readonly width: number;
  readonly height: number;
  readonly objects: readonly VocObject[];
}

/**
 * Reads a folder of annotations, such as `Annotations`. Pictures and objects get ids from 1 on, in the order of the file names.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`; `invalid-data` naming the file and what is wrong in it
 */
export async function readVocInstances(
  folder: string,
  options: VocOptions = {},
): Promise<CocoInstanceDataset> {
  const { corners = "pixels", difficult = "ignore", onFault } = options;
  const files = await filesOf(folder, options.list);
  const pictures: VocPicture[] = [];
  for (const file of files) {
    const text = (await readFileWithin(file, "annotation", MAX_XML_BYTES)).toString("utf8");
    try {
      pictures.push(parsePicture(text, file));
    } catch (error) {
      if (!onFault || !(error instanceof HRNetError)) throw error;
      onFault(error);
    }
  }
  const occurring = new Set(pictures.flatMap(({ objects }) => objects.map(({ name }) => name)));
  const names = options.categories ?? [...occurring].sort();
  const unknown = [...occurring].filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new HRNetError(
      "invalid-data",
      `The annotations in ${folder} have objects of the kinds ${unknown.slice(0, 5).join(", ")}, which are not among those given: ${names.join(", ")}.`,
    );
  }
  const images = new Map<number, CocoImage>();
  const instances: CocoInstance[] = [];
  pictures.forEach(({ fileName, width, height, objects }, index) => {
    const imageId = index + 1;
    images.set(imageId, { id: imageId, fileName, width, height });
    for (const object of objects) {
      const box = boxOf(object.corners, corners);
      instances.push({
        id: instances.length + 1,
        imageId,
        categoryId: names.indexOf(object.name) + 1,
        box,
        area: box[2] * box[3],
        crowd: object.difficult && difficult === "ignore",
        outline: undefined,
      });
    }
  });
  return {
    source: folder,
    categories: names.map((name, index) => ({ id: index + 1, name })),
    images,
    instances,
  };
}

/** `[x, y, width, height]` of two corners. */
function boxOf(
  [x1, y1, x2, y2]: VocObject["corners"],
  corners: "pixels" | "edges",
): readonly [number, number, number, number] {
  return corners === "edges"
    ? [x1, y1, Math.max(0, x2 - x1), Math.max(0, y2 - y1)]
    : [x1 - 1, y1 - 1, Math.max(0, x2 - x1 + 1), Math.max(0, y2 - y1 + 1)];
}

/** The annotation files of a folder, or those that a list names, in the order of their names. */
async function filesOf(folder: string, list: string | undefined): Promise<string[]> {
  if (list !== undefined) {
    const text = (await readFileWithin(list, "list of pictures", MAX_LIST_BYTES)).toString("utf8");
    // Lists of one kind of object have 1 or −1 behind each name.
    const names = text.split(/\r?\n/).map((line) => line.trim().split(/\s+/)[0]!);
    return names.filter((name) => name !== "").map((name) => join(folder, `${basename(name)}.xml`));
  }
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new HRNetError(
      "file-not-found",
      `The folder of annotations ${folder} cannot be read: ${messageOf(cause)}.`,
      {
        cause,
      },
    );
  });
  const files = names.filter((name) => /\.xml$/i.test(name)).sort();
  if (files.length === 0)
    throw new HRNetError(
      "file-not-found",
      `There are no .xml files in ${folder}. Expected one for each picture.`,
    );
  return files.map((name) => join(folder, name));
}

function parsePicture(text: string, file: string): VocPicture {
  const fail = (problem: string): never => {
    throw new HRNetError("invalid-data", `${file}: ${problem}.`);
  };
  let root: Element | null = null;
  try {
    const onError = (level: string, message: string): void => {
      if (level !== "warning") throw new Error(message.split("\n")[0]);
    };
    root = new DOMParser({ onError }).parseFromString(text, "text/xml").documentElement;
  } catch (error) {
    fail(`is no XML: ${messageOf(error).split("\n")[0]}`);
  }
  if (root?.nodeName !== "annotation") fail(`begins with <${root?.nodeName ?? ""}>; expected <annotation>`);
  const child = (parent: Element, name: string): Element | undefined => children(parent, name)[0];
  const numberIn = (parent: Element | undefined, name: string, where: string): number => {
    const element = parent && child(parent, name);
    const value = Number(element?.textContent?.trim() || Number.NaN);
    return Number.isFinite(value) ? value : fail(`${where} has no number in <${name}>`);
  };
  const size = child(root!, "size");
  const [width, height] = [numberIn(size, "width", "<size>"), numberIn(size, "height", "<size>")];
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0))
    fail(`<size> is ${width} × ${height}; expected whole pixels`);
  const fileName = child(root!, "filename")?.textContent?.trim() || basename(file).replace(/\.xml$/i, ".jpg");
  if (/[\\/]/.test(fileName))
    fail(`<filename> is ${fileName.slice(0, 100)}; expected a name without folders`);
  const objects = children(root!, "object").map((object, index): VocObject => {
    const where = `object ${index}`;
    const name = child(object, "name")?.textContent?.trim();
    if (!name) return fail(`${where} has no <name>`);
    const bounds = child(object, "bndbox");
    const corner = (key: string): number => numberIn(bounds, key, `<bndbox> of ${where}`);
    return {
      name,
      corners: [corner("xmin"), corner("ymin"), corner("xmax"), corner("ymax")],
      difficult: child(object, "difficult")?.textContent?.trim() === "1",
    };
  });
  return { fileName, width, height, objects };
}

/** Elements of a name right below another. */
function children(parent: Element, name: string): Element[] {
  const found: Element[] = [];
  for (let node = parent.firstChild; node; node = node.nextSibling)
    if (node.nodeName === name) found.push(node as Element);
  return found;
}
