// The table of checks on pictures and label maps.

import { IGNORED } from "../../segmentation/class-table.ts";
import { runTable } from "../run-table.ts";
import type { Check, CheckUnit, DoctorImage, Finding, Hit, PictureFacts } from "../types.ts";
import type { LabelFacts, LabelledFacts, LabelledSet } from "./read-set.ts";

/** A set, and those given after it: what this one shares with them is a leak. */
export interface ExaminedSet extends LabelledSet {
  readonly others: readonly LabelledSet[];
}

const IGNORED_16_BITS = 65_535;
/** Of the pixels: above this, ignored ones are worth a note; a class with less is rare. */
const MANY_IGNORED = 0.2;
const RARE = 0.0005;
/** So many numbers that no class has are not a slip but what enlarging or lossy formats make of borders. */
const BLENDED = 8;
/** Numbers and names shown. */
const SHOWN = 8;

const hit = (image: DoctorImage, text: string, strength?: number): Hit => ({
  text: `${image.fileName}: ${text}`,
  image,
  ...(strength !== undefined && { strength }),
});

const some = (values: readonly (string | number)[]): string =>
  values.slice(0, SHOWN).join(", ") + (values.length > SHOWN ? ", …" : "");

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.001 ? 3 : 1)} %`;

const pixelsOf = (numbers: ReadonlyMap<number, number>): number => {
  let sum = 0;
  for (const pixels of numbers.values()) sum += pixels;
  return sum;
};

const isIgnored = (number: number): boolean => number === IGNORED || number === IGNORED_16_BITS;

/** The class of a number: its index, `ignored` as meant, or `unknown`. */
function meaningOf({ classes }: LabelledSet, number: number): number | "ignored" | "unknown" {
  const given = classes?.classOfLabel ? classes.classOfLabel[number] : number;
  const known = given !== undefined && (!classes || given < classes.classes.length);
  if (known && given >= 0 && (classes || !isIgnored(number))) return given;
  return known || isIgnored(number) ? "ignored" : "unknown";
}

/** Pixels of each class; none where classes are not known. */
export function pixelsByClass(set: LabelledSet): number[] {
  const pixels = (set.classes?.classes ?? []).map(() => 0);
  for (const [number, count] of set.numbers) {
    const meaning = meaningOf(set, number);
    if (typeof meaning === "number" && meaning < pixels.length) pixels[meaning]! += count;
  }
  return pixels;
}

/** Share of the pixels that are ignored as meant. */
export function ignoredShare(set: LabelledSet): number {
  let ignored = 0;
  for (const [number, count] of set.numbers) if (meaningOf(set, number) === "ignored") ignored += count;
  return ignored / Math.max(1, pixelsOf(set.numbers));
}

const pictureIn =
  (state: PictureFacts["state"]) =>
  ({ pictures }: LabelledSet): Hit[] =>
    pictures
      .filter(({ picture }) => picture.state === state)
      .map(({ image, picture }) => hit(image, picture.reason ?? picture.path));

const labelsIn =
  (state: LabelFacts["state"]) =>
  ({ pictures }: LabelledSet): Hit[] =>
    pictures
      .filter(({ labels }) => labels.state === state)
      .map(({ image, labels }) => hit(image, labels.reason ?? labels.path));

/** Numbers of a map that no class has, most pixels first. */
function unknownNumbers(set: LabelledSet, { labels }: LabelledFacts): [number, number][] {
  return [...labels.numbers]
    .filter(([number]) => meaningOf(set, number) === "unknown")
    .sort((a, b) => b[1] - a[1]);
}

/** The number that no class has, where it is one in all of the set. */
function voidNumber(set: LabelledSet): number | undefined {
  const unknown = [...set.numbers.keys()].filter((number) => meaningOf(set, number) === "unknown");
  return unknown.length === 1 ? unknown[0] : undefined;
}

/** Whether only 0 and 255 occur, and both do. */
const isBlackAndWhite = (numbers: ReadonlyMap<number, number>): boolean =>
  numbers.size === 2 && numbers.has(0) && numbers.has(IGNORED);

const sameColor = (a: readonly number[], b: readonly number[]): boolean => a.every((v, c) => v === b[c]);

/** Numbers of a palette that show another class's colour. */
function exchangedColours(set: LabelledSet, { labels }: LabelledFacts): string[] {
  const { classes } = set;
  if (!classes || !labels.palette) return [];
  return [...labels.numbers.keys()].flatMap((number) => {
    const meaning = meaningOf(set, number);
    const shown = labels.palette![number];
    if (typeof meaning !== "number" || !shown || sameColor(shown, classes.colors[meaning]!)) return [];
    const other = classes.colors.findIndex((color) => sameColor(color, shown));
    return other < 0
      ? []
      : [`${number} is ${classes.classes[meaning]} and has the colour of ${classes.classes[other]}`];
  });
}

/** Files of a set by the digest of their bytes. */
function byDigest(set: LabelledSet): Map<string, LabelledFacts[]> {
  const groups = new Map<string, LabelledFacts[]>();
  for (const entry of set.pictures) {
    const { digest } = entry.picture;
    if (digest === undefined) continue;
    const group = groups.get(digest);
    if (group) group.push(entry);
    else groups.set(digest, [entry]);
  }
  return groups;
}

/** Every check, in the order of the report within a severity. */
export const SEGMENTATION_CHECKS: readonly Check<ExaminedSet>[] = [
  {
    id: "set-unusable",
    severity: "error",
    unit: "dataset",
    title: "the set cannot be read",
    why: "Training and evaluation stop at once.",
    fix: "As the message says.",
    find: ({ problem }) => (problem === undefined ? [] : [{ text: problem }]),
  },
  {
    id: "label-missing",
    severity: "error",
    unit: "images",
    title: "there is no label map",
    why: "Training and evaluation stop: a picture without labels is more often a slip than meant.",
    fix: "Add PNG files with the pictures' names, or leave the pictures out with a list.",
    find: ({ withoutLabels, split }) =>
      withoutLabels.map((image) =>
        hit(
          image,
          `nothing like ${image.fileName}${split.folders.labelSuffix ?? ".png"} in ${split.folders.labels}`,
        ),
      ),
  },
  {
    id: "image-empty",
    severity: "error",
    unit: "images",
    title: "the file is empty",
    why: "A copy or download that broke off.",
    fix: "Fetch it again.",
    find: pictureIn("empty"),
  },
  {
    id: "image-damaged",
    severity: "error",
    unit: "images",
    title: "the file cannot be decoded",
    why: "Training stops at it; other code fills the rest with grey and trains on that.",
    fix: "Fetch it again, or leave it out with a list.",
    find: pictureIn("damaged"),
  },
  {
    id: "label-damaged",
    severity: "error",
    unit: "images",
    title: "the label map cannot be read",
    why: "Training stops at it.",
    fix: "Write it as a PNG. Formats that lose detail (JPEG) cannot hold class numbers.",
    find: labelsIn("damaged"),
  },
  {
    id: "label-colours",
    severity: "error",
    unit: "images",
    title: "the label map holds colours instead of class numbers",
    why: "Colours are for looking; which class a colour stands for is not in the file.",
    fix: "Write the number of each pixel's class into a PNG of one channel; a palette may show it in colour.",
    find: labelsIn("colours"),
  },
  {
    id: "label-size",
    severity: "error",
    unit: "images",
    title: "picture and label map have different sizes",
    why: "Training and evaluation stop; stretching one to the other would move every border.",
    fix: "Make the labels of the stored pixels. Enlarge or shrink label maps by nearest neighbour only.",
    find: ({ pictures }) =>
      pictures.flatMap(({ image, picture, labels }) => {
        if (picture.width === undefined || labels.width === undefined) return [];
        if (picture.width === labels.width && picture.height === labels.height) return [];
        const turned =
          (picture.orientation ?? 1) >= 5
            ? `, EXIF orientation ${picture.orientation}: labels were made upright`
            : "";
        return [
          hit(
            image,
            `the picture has ${picture.width} × ${picture.height}, the labels ${labels.width} × ${labels.height}${turned}`,
          ),
        ];
      }),
  },
  {
    id: "label-black-white",
    severity: "error",
    unit: "dataset",
    title: "the label maps are masks of 0 and 255",
    why: "255 means ignored: those pixels are left out, one class remains, and training ends at 100 % having learned nothing.",
    fix: 'Give the number in the file of classes: { "id": 255, "name": "…" }, after { "id": 0, "name": "…" }; or write 1 in place of 255.',
    find: (set) =>
      isBlackAndWhite(set.numbers) && meaningOf(set, IGNORED) === "ignored"
        ? [{ text: `${set.pictures.length} label maps have these two numbers alone` }]
        : [],
  },
  {
    id: "label-from-one",
    severity: "error",
    unit: "dataset",
    title: "the label maps count classes from 1",
    why: "Every class is taken for the next one, the first stays empty, and the last is left out.",
    fix: 'Give the numbers in the file of classes: { "id": 1, "name": "…" } for the first; then 0 is ignored.',
    find: ({ classes, numbers }) => {
      if (!classes || classes.classOfLabel) return [];
      const used = [...numbers.keys()].filter((number) => !isIgnored(number));
      const count = classes.classes.length;
      return used.length > 0 && Math.max(...used) === count && !numbers.has(0)
        ? [{ text: `numbers ${Math.min(...used)} to ${count} for ${count} classes, never 0` }]
        : [];
    },
  },
  {
    id: "label-one-class",
    severity: "error",
    unit: "dataset",
    title: "there is one class in all label maps",
    why: "A network learns to say it everywhere.",
    fix: "Look at the files: they may be of another kind (instances, masks), or written with the wrong numbers.",
    find: (set) => {
      const used = [...set.numbers.keys()].filter((number) => typeof meaningOf(set, number) === "number");
      return used.length === 1 && set.pictures.length > 1 ? [{ text: `the number ${used[0]}` }] : [];
    },
  },
  {
    id: "label-unknown",
    severity: "error",
    unit: "images",
    title: "numbers that no class has",
    why: "Their pixels are left out of training and figures without a word.",
    fix: 'Correct the numbers, add the classes, or list numbers that shall be ignored in the file of classes: "ignored": [11].',
    find: (set) =>
      set.pictures.flatMap((entry) => {
        const unknown = unknownNumbers(set, entry);
        if (unknown.length === 0 || voidNumber(set) !== undefined) return [];
        const share = unknown.reduce((sum, [, pixels]) => sum + pixels, 0) / pixelsOf(entry.labels.numbers);
        const blended =
          unknown.length >= BLENDED
            ? "; so many look like a map that was resized smoothly, or was a JPEG once"
            : "";
        return [
          hit(
            entry.image,
            `${some(unknown.map(([number]) => number))}: ${percent(share)} of the pixels${blended}`,
            share,
          ),
        ];
      }),
  },
  {
    id: "label-void",
    severity: "warning",
    unit: "dataset",
    title: "one number that no class has",
    why: "Its pixels are left out of training and figures. That is right if it stands for unlabelled, and a lost class if not.",
    fix: 'Say in the file of classes that it is meant: "ignored": [11]; or add the class.',
    find: (set) => {
      const number = voidNumber(set);
      if (number === undefined) return [];
      return [
        { text: `${number}: ${percent(set.numbers.get(number)! / pixelsOf(set.numbers))} of all pixels` },
      ];
    },
  },
  {
    id: "palette-exchanged",
    severity: "warning",
    unit: "images",
    title: "the palette shows numbers in the colours of other classes",
    why: "The map was likely written with another order of classes: everything is learned under wrong names.",
    fix: "Compare the order in the file of classes with that of the tool that wrote the maps.",
    find: (set) =>
      set.pictures.flatMap((entry) => {
        const exchanged = exchangedColours(set, entry);
        return exchanged.length > 0 ? [hit(entry.image, some(exchanged), exchanged.length)] : [];
      }),
  },
  {
    id: "label-empty",
    severity: "warning",
    unit: "images",
    title: "no pixel has a class",
    why: "The picture teaches nothing, and costs as much as any other.",
    fix: "Label it, or leave it out.",
    find: (set) =>
      set.pictures.flatMap(({ image, labels }) =>
        labels.state === "ok" &&
        [...labels.numbers.keys()].every((number) => typeof meaningOf(set, number) !== "number")
          ? [hit(image, `numbers ${some([...labels.numbers.keys()])}`)]
          : [],
      ),
  },
  {
    id: "classes-unknown",
    severity: "warning",
    unit: "dataset",
    title: "nobody says what the numbers mean",
    why: "Numbers out of range and classes that never occur cannot be found.",
    fix: 'Write classes.json beside the folders, { "classes": ["road", "sky"] }, or name it with --classes.',
    find: ({ classes, numbers, problem }) =>
      classes || problem !== undefined
        ? []
        : [{ text: `numbers in the maps: ${some([...numbers.keys()].sort((a, b) => a - b))}` }],
  },
  {
    id: "class-absent",
    severity: "warning",
    unit: "categories",
    title: "the class does not occur",
    why: "It cannot be learned here, and as part of a validation set counts as 0 in the mean.",
    fix: "Add pictures that have it, or leave the class out.",
    find: (set) =>
      pixelsByClass(set).flatMap((pixels, index) =>
        pixels === 0 && set.pictures.length > 0 ? [{ text: set.classes!.classes[index]! }] : [],
      ),
  },
  {
    id: "image-copy",
    severity: "warning",
    unit: "images",
    title: "the same file is there under several names",
    why: "It weighs more than others; with different labels the network learns a contradiction.",
    fix: "Keep one.",
    find: (set) =>
      [...byDigest(set).values()]
        .filter((group) => group.length > 1)
        .map((group) =>
          hit(group[0]!.image, `also ${some(group.slice(1).map(({ image }) => image.fileName!))}`),
        ),
  },
  {
    id: "image-leak",
    severity: "error",
    unit: "images",
    title: "the picture is in another set as well",
    why: "What was trained on is measured: the figures are too good.",
    fix: "Take it out of one of them.",
    find: (set) => {
      const own = byDigest(set);
      return set.others.flatMap((other) =>
        [...byDigest(other)].flatMap(([digest, [twin]]) => {
          const entry = own.get(digest)?.[0];
          return entry ? [hit(entry.image, `in ${other.source} as ${twin!.image.fileName}`)] : [];
        }),
      );
    },
  },
  {
    id: "class-rare",
    severity: "note",
    unit: "categories",
    title: "the class has few pixels",
    why: "Plain cross-entropy learns it late or never, and it counts as much as others in the mean.",
    fix: "Class weights or hard pixels only (OHEM) in the recipe help.",
    find: (set) => {
      const pixels = pixelsByClass(set);
      const total = pixels.reduce((sum, count) => sum + count, 0);
      return pixels.flatMap((count, index) =>
        count > 0 && count < RARE * total
          ? [{ text: `${set.classes!.classes[index]}: ${percent(count / total)}` }]
          : [],
      );
    },
  },
  {
    id: "label-ignored",
    severity: "note",
    unit: "dataset",
    title: "many pixels are ignored",
    why: "They are left out of training and figures.",
    fix: "Nothing, if it is meant.",
    find: (set) => {
      const share = ignoredShare(set);
      return share > MANY_IGNORED ? [{ text: `${percent(share)} of all pixels` }] : [];
    },
  },
  {
    id: "label-unused",
    severity: "note",
    unit: "dataset",
    title: "label maps without picture",
    why: "They are not used.",
    fix: "Nothing, if the pictures are elsewhere on purpose; else compare the names.",
    find: ({ withoutPictures, split }) =>
      withoutPictures.length > 0 && split.folders.list === undefined
        ? [{ text: `${withoutPictures.length}: ${some(withoutPictures)}` }]
        : [],
  },
];

/** Findings that explain others, which are then left out. */
const EXPLAINS: Readonly<Record<string, readonly string[]>> = {
  "label-black-white": ["label-one-class", "label-ignored", "class-absent"],
  "label-from-one": ["label-unknown", "label-void", "class-absent"],
  "label-one-class": ["class-absent"],
};

/** What all checks find in a set, errors first. @param examples kept of each finding */
export function runSegmentationChecks(set: ExaminedSet, examples: number): Finding[] {
  const totals: Readonly<Record<CheckUnit, number>> = {
    images: set.pictures.length + set.withoutLabels.length,
    categories: set.classes?.classes.length ?? 0,
    annotations: 0,
    dataset: 1,
  };
  return runTable(SEGMENTATION_CHECKS, set, { total: (unit) => totals[unit], explains: EXPLAINS, examples });
}
