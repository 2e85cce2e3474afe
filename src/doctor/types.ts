// What the doctor works on: a data set read without refusing anything, checks as rows of a table, and what they found.

import type { Skeleton } from "../skeleton/skeleton.ts";

/**
 * Formats the doctor reads: COCO's with keypoints, MPII's, COCO's with boxes or masks alone; `other` is a file of another kind, or no JSON
 * at all.
 */
export type DoctorFormat = "coco" | "mpii" | "instances" | "other";

/** What a mask says of itself: `[x, y, width, height]` and pixels, or why it cannot be read. */
export type MaskFacts =
  | { readonly box: readonly [number, number, number, number]; readonly area: number }
  | { readonly fault: string };

/** One picture as listed. Whatever is missing or of the wrong type is `undefined`. */
export interface DoctorImage {
  /** Place in the file. */
  readonly index: number;
  readonly id: number | undefined;
  readonly fileName: string | undefined;
  /** Pixels, as annotated. */
  readonly width: number | undefined;
  readonly height: number | undefined;
}

/** One person or object as annotated. Whatever is missing or of the wrong type is `undefined`. */
export interface DoctorAnnotation {
  /** Place in the file. */
  readonly index: number;
  readonly id: number | undefined;
  readonly imageId: number | undefined;
  readonly categoryId: number | undefined;
  /** Four finite numbers, meant to be `[x, y, width, height]` in pixels. */
  readonly box: readonly number[] | undefined;
  readonly area: number | undefined;
  /** Read in sets without keypoints only. */
  readonly mask?: MaskFacts;
  /** K×3 finite numbers `[x, y, v]`, meant to be pixels counted from 0; `undefined` if there are not 3·K. */
  readonly keypoints: readonly number[] | undefined;
  /** How many numbers the file has for keypoints; `undefined` without or with anything else. */
  readonly keypointNumbers: number | undefined;
  /** Keypoints with v > 0. */
  readonly labelled: number;
  /** `num_keypoints` as written. */
  readonly keypointCount: number | undefined;
  readonly crowd: boolean;
  /** What MPII has instead of a box. */
  readonly mpii?: { readonly center: readonly number[] | undefined; readonly scale: number | undefined };
}

/** One category as listed. */
export interface DoctorCategory {
  readonly index: number;
  readonly id: number | undefined;
  readonly name: string | undefined;
  /** Names; `undefined` when it has none. */
  readonly keypoints: readonly string[] | undefined;
  /** Numbers as written (COCO counts from 1). */
  readonly edges: readonly (readonly number[])[];
  /** Mirror partners as written, by 0-based index or name, where a tool put them in. */
  readonly flipPairs: readonly (readonly (number | string)[])[];
}

/** A file read without refusing anything. */
export interface DoctorDataset {
  /** The annotation file. */
  readonly source: string;
  readonly format: DoctorFormat;
  /** Why the file cannot be used at all; only with format `other`. */
  readonly problem?: string;
  readonly images: readonly DoctorImage[];
  readonly annotations: readonly DoctorAnnotation[];
  readonly categories: readonly DoctorCategory[];
  /** The set of keypoints that the network will have; without edges when the file's own are not usable. */
  readonly skeleton: Skeleton | undefined;
  /** Fields of the wrong type, found while reading. */
  readonly faults: readonly Hit[];
  /** First picture of each id. */
  readonly imageById: ReadonlyMap<number, DoctorImage>;
}

/** What is known of one picture's file. */
export interface PictureFacts {
  readonly path: string;
  readonly state: "ok" | "missing" | "empty" | "damaged";
  /** Why it is not `ok`, or a hint at what is there instead. */
  readonly reason?: string;
  /** Stored pixels, before any EXIF rotation. */
  readonly width?: number;
  readonly height?: number;
  /** EXIF, 1–8; 1 is upright. */
  readonly orientation?: number;
  readonly bytes?: number;
  /** Digest of the file; only when pixels were read. */
  readonly digest?: string;
}

/** A data set with what its pictures' files say. */
export interface Examined {
  readonly dataset: DoctorDataset;
  /** Folder of the pictures; `undefined` when none of them was found, `null` when pictures are not looked at. */
  readonly imageFolder: string | undefined | null;
  /** By {@link DoctorImage.index}; empty when pictures are not looked at. */
  readonly pictures: ReadonlyMap<number, PictureFacts>;
  /** The sets given after this one in the same call: what this one shares with them is a leak. */
  readonly others: readonly Pick<Examined, "dataset" | "pictures">[];
}

/** How bad: training or evaluation breaks or lies, results suffer, or good to know. */
export type Severity = "error" | "warning" | "note";

/** One place that a check found. */
export interface Hit {
  /** Concrete: ids, numbers, file. */
  readonly text: string;
  readonly annotation?: DoctorAnnotation;
  readonly image?: DoctorImage;
  /** The strongest are shown first. */
  readonly strength?: number;
}

/** What a check counts. */
export type CheckUnit = "annotations" | "images" | "categories" | "dataset";

/** One row of a table of checks on a kind of data set. */
export interface Check<Subject = Examined> {
  /** Stable, for scripts: `area-tiny`. */
  readonly id: string;
  readonly severity: Severity;
  readonly unit: CheckUnit;
  /** Default: `coco` and `mpii`. */
  readonly formats?: readonly DoctorFormat[];
  /** What was found, to be read behind "12 of 500 annotations: ". */
  readonly title: string;
  /** What it does to training or evaluation. */
  readonly why: string;
  readonly fix: string;
  /** Pure, linear in the size of the set. */
  readonly find: (subject: Subject) => Iterable<Hit>;
}

/** A check that found something. */
export interface Finding extends Omit<Check, "find" | "formats"> {
  readonly count: number;
  /** How many there are of the unit; 1 for `dataset`. */
  readonly total: number;
  /** The strongest, or the first. */
  readonly examples: readonly Hit[];
}
