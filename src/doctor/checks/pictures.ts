// Checks of the pictures' files: there, whole, of the size annotated, not twice, not in another set.

import { imageHit, nameImage, personHit, short } from "../describe.ts";
import type { Check, DoctorImage, Examined, Hit, PictureFacts } from "../types.ts";
import { ANY, COCO_FILES } from "./formats.ts";

/** Pictures whose file was looked at. */
function* looked({ dataset, pictures }: Examined): Iterable<readonly [DoctorImage, PictureFacts]> {
  for (const image of dataset.images) {
    const facts = pictures.get(image.index);
    if (facts) yield [image, facts];
  }
}

function* inState(examined: Examined, state: PictureFacts["state"]): Iterable<Hit> {
  for (const [image, facts] of looked(examined)) {
    if (facts.state === state) yield imageHit(image, examined.dataset, facts.reason ?? facts.path);
  }
}

/** EXIF orientations 5 to 8 exchange width and height. */
const turnsSideways = ({ orientation = 1 }: PictureFacts): boolean => orientation >= 5 && orientation <= 8;

type Fit = "fits" | "fits-upright" | "swapped" | "other" | "unknown";

/** How the annotated size relates to the stored one. */
function sizeFit(image: DoctorImage, facts: PictureFacts): Fit {
  const { width, height } = facts;
  if (width === undefined || height === undefined || image.width === undefined || image.height === undefined)
    return "unknown";
  if (image.width === width && image.height === height) return "fits";
  if (image.width !== height || image.height !== width) return "other";
  return turnsSideways(facts) ? "fits-upright" : "swapped";
}

function* ofFit(examined: Examined, wanted: Fit): Iterable<Hit> {
  for (const [image, facts] of looked(examined)) {
    if (sizeFit(image, facts) !== wanted) continue;
    const exif =
      facts.orientation !== undefined && facts.orientation > 1
        ? `, EXIF orientation ${facts.orientation}`
        : "";
    const sizes = `annotated ${image.width} × ${image.height}, the file has ${facts.width} × ${facts.height}${exif}`;
    yield imageHit(image, examined.dataset, sizes);
  }
}

export const PICTURE_CHECKS: readonly Check[] = [
  {
    id: "images-not-found",
    severity: "error",
    unit: "dataset",
    formats: ANY,
    title: "none of the pictures was found",
    why: "Without them nothing can be trained; here they were not checked.",
    fix: "Say where they are with --images DIR; or --no-images to check the annotations alone.",
    *find({ dataset, imageFolder }) {
      if (imageFolder === undefined && dataset.images.length > 0)
        yield {
          text: `e.g. ${dataset.images[0]?.fileName ?? "a picture without name"}, of ${dataset.images.length}`,
        };
    },
  },
  {
    id: "image-missing",
    severity: "error",
    unit: "images",
    formats: ANY,
    title: "the file is missing",
    why: "Training stops at it, or leaves its annotations out.",
    fix: "Fetch the picture, or drop it and its annotations. Names are case-sensitive.",
    find: (examined) => inState(examined, "missing"),
  },
  {
    id: "image-empty",
    severity: "error",
    unit: "images",
    formats: ANY,
    title: "the file is empty",
    why: "A copy or download that broke off.",
    fix: "Fetch it again.",
    find: (examined) => inState(examined, "empty"),
  },
  {
    id: "image-damaged",
    severity: "error",
    unit: "images",
    formats: ANY,
    title: "the file cannot be decoded",
    why: "Training stops at it; other code fills the rest with grey and trains on that.",
    fix: "Fetch it again, or drop it.",
    find: (examined) => inState(examined, "damaged"),
  },
  {
    id: "image-upright",
    severity: "error",
    unit: "images",
    formats: ANY,
    title: "annotated upright, but stored turned (EXIF)",
    why: "Pictures are read as stored, as the original code and pycocotools' users do: annotations land on the wrong places.",
    fix: "Save the pictures upright, without EXIF orientation (for instance `mogrify -auto-orient`).",
    find: (examined) => ofFit(examined, "fits-upright"),
  },
  {
    id: "image-swapped",
    severity: "error",
    unit: "images",
    formats: ANY,
    title: "width and height are swapped",
    why: "Boxes are cut at the wrong border. Either only the numbers are swapped, or the picture was turned after annotation.",
    fix: "Look at the sheet: if the skeletons fit, correct width and height; else turn the pictures back.",
    find: (examined) => ofFit(examined, "swapped"),
  },
  {
    id: "image-size",
    severity: "error",
    unit: "images",
    formats: ANY,
    title: "the file has another size than annotated",
    why: "If the picture was scaled after annotation, every box and keypoint is off.",
    fix: "Take the original pictures, or scale the annotations likewise; if only the numbers are wrong, correct them.",
    find: (examined) => ofFit(examined, "other"),
  },
  {
    id: "image-size-missing",
    severity: "error",
    unit: "images",
    formats: COCO_FILES,
    title: "width or height is missing or not above 0",
    why: "Boxes are cut at the picture's border; our reader stops.",
    fix: "Write the stored size of the file.",
    *find({ dataset, pictures }) {
      for (const image of dataset.images) {
        const { width, height } = image;
        if (width !== undefined && height !== undefined && width >= 1 && height >= 1) continue;
        const facts = pictures.get(image.index);
        const file = facts?.width === undefined ? "" : `; the file has ${facts.width} × ${facts.height}`;
        yield imageHit(image, dataset, `${width ?? "no width"} × ${height ?? "no height"}${file}`);
      }
    },
  },
  {
    id: "image-exif",
    severity: "note",
    unit: "images",
    formats: ANY,
    title: "stored turned (EXIF), annotated as stored",
    why: "Right for training here. Viewers and phones show them turned, where the annotations seem wrong.",
    fix: "Nothing; to be safe with other tools, save them upright and turn the annotations.",
    *find(examined) {
      for (const [image, facts] of looked(examined)) {
        const { orientation = 1 } = facts;
        if (orientation > 1 && sizeFit(image, facts) !== "fits-upright")
          yield imageHit(image, examined.dataset, `EXIF orientation ${orientation}`);
      }
    },
  },
  {
    id: "image-copy",
    severity: "warning",
    unit: "images",
    formats: ANY,
    title: "the same picture is there under another name (same bytes)",
    why: "What is in it counts twice, or are annotated in one copy and missing in the other.",
    fix: "Keep one and give it all annotations.",
    *find(examined) {
      const first = new Map<string, DoctorImage>();
      for (const [image, { digest }] of looked(examined)) {
        if (digest === undefined) continue;
        const earlier = first.get(digest);
        if (earlier === undefined) first.set(digest, image);
        else if (earlier.fileName !== image.fileName)
          yield imageHit(image, examined.dataset, `the same as ${nameImage(earlier, examined.dataset)}`);
      }
    },
  },
  {
    id: "leak",
    severity: "error",
    unit: "images",
    formats: ANY,
    title: "the same picture (same bytes) is in another set given",
    why: "What was trained on is measured: AP comes out too high and says nothing about new pictures.",
    fix: "Keep it in one of the sets. (Two files that annotate the same pictures on purpose: examine one at a time.)",
    *find(examined) {
      const theirs = new Map<string, string>();
      for (const { dataset, pictures } of examined.others) {
        for (const image of dataset.images) {
          const digest = pictures.get(image.index)?.digest;
          if (digest !== undefined && !theirs.has(digest))
            theirs.set(digest, `${nameImage(image, dataset)} of ${dataset.source}`);
        }
      }
      for (const [image, { digest }] of looked(examined)) {
        const twin = digest === undefined ? undefined : theirs.get(digest);
        if (twin !== undefined) yield imageHit(image, examined.dataset, `is ${twin}`);
      }
    },
  },
  {
    id: "leak-likely",
    severity: "warning",
    unit: "images",
    formats: ANY,
    title: "a picture of the same name and size is in another set given",
    why: "Probably the same picture; its bytes were not read. Measured on what was trained on, AP says nothing.",
    fix: "Run without --quick to be certain.",
    *find(examined) {
      for (const { dataset, pictures } of examined.others) {
        const theirs = new Map(dataset.images.map((image) => [image.fileName, image]));
        for (const image of examined.dataset.images) {
          const twin = theirs.get(image.fileName);
          if (twin === undefined || image.fileName === undefined) continue;
          const [mine, other] = [examined.pictures.get(image.index), pictures.get(twin.index)];
          if (mine?.digest !== undefined && other?.digest !== undefined) continue; // `leak` knows
          const alike = mine?.bytes !== undefined ? mine.bytes === other?.bytes : sameSize(image, twin);
          if (alike) yield imageHit(image, examined.dataset, `also in ${dataset.source}`);
        }
      }
    },
  },
  {
    id: "persons-beyond-file",
    severity: "error",
    unit: "annotations",
    title: "keypoints lie beyond the picture as it is on disk",
    why: "The picture was scaled or exchanged after annotation.",
    fix: "Take the pictures that were annotated.",
    *find(examined) {
      const { dataset, pictures } = examined;
      for (const annotation of dataset.annotations) {
        const image =
          annotation.imageId === undefined ? undefined : dataset.imageById.get(annotation.imageId);
        const facts = image && pictures.get(image.index);
        if (!image || !facts || sizeFit(image, facts) !== "other" || annotation.labelled === 0) continue;
        const { keypoints } = annotation;
        const outside = keypoints!.filter(
          (v, i) =>
            i % 3 === 2 &&
            v > 0 &&
            (keypoints![i - 2]! > facts.width! + 1 || keypoints![i - 1]! > facts.height! + 1),
        ).length;
        if (outside > 0) {
          const text = `${outside} of ${annotation.labelled} keypoints beyond ${facts.width} × ${short(facts.height!)}`;
          yield personHit(annotation, dataset, text, outside);
        }
      }
    },
  },
];

const sameSize = (a: DoctorImage, b: DoctorImage): boolean =>
  a.width !== undefined && a.width === b.width && a.height === b.height;
