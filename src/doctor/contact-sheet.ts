// Contact sheets: a grid of persons with their box and skeleton as annotated, each with a label.

import sharp from "sharp";
import { messageOf } from "../errors.ts";
import { drawText, fill, fittingCharacters, TEXT_ROWS } from "../image/bitmap-text.ts";
import { decodeImage } from "../image/decode.ts";
import { type Color, drawBox } from "../image/draw.ts";
import { type RgbImage, rgbImage } from "../image/rgb-image.ts";
import { drawPoses } from "../pose/draw-pose.ts";
import { uniformRandom } from "../random/random.ts";
import { imageOf, keypointExtent, personBox, trainable } from "./describe.ts";
import type { DoctorAnnotation, DoctorImage, Examined, Finding, Severity } from "./types.ts";

/** One cell to draw. */
export interface SheetCell {
  /** Lines below the picture. */
  readonly label: readonly string[];
  readonly image: DoctorImage | undefined;
  readonly annotation?: DoctorAnnotation;
  readonly severity?: Severity;
}

/** Pixels: side of a cell's picture, gap between cells, size of a dot of text. */
const CELL = 300; // 25 characters
const GAP = 8;
const DOT = 2;
const LINE = (TEXT_ROWS + 3) * DOT;
const COLUMNS = 6;
/** Cells of one sheet. */
export const SHEET_CELLS = 36;
/** Cells of one finding on the sheet of findings. */
const CELLS_PER_FINDING = 6;

const PAPER: Color = [250, 250, 250];
const INK: Color = [30, 30, 30];
const EMPTY: Color = [205, 205, 205];
const BOX: Color = [240, 228, 66];
/** Okabe and Ito's vermilion, orange and grey. */
const SEVERITY_INK: Readonly<Record<Severity, Color>> = {
  error: [200, 60, 0],
  warning: [170, 100, 0],
  note: [90, 90, 90],
};

/** A random choice of persons, in the file's order; the same for the same seed. */
export function sampleCells({ dataset }: Examined, seed: number, count = SHEET_CELLS): SheetCell[] {
  const persons = trainable(dataset);
  const random = uniformRandom(seed);
  // The first `count` of a shuffle (Fisher and Yates).
  const order = persons.map((_, i) => i);
  for (let i = 0; i < Math.min(count, order.length); i++) {
    const j = i + Math.floor(random() * (order.length - i));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((i) => {
      const annotation = persons[i]!;
      const image = imageOf(annotation, dataset);
      return { label: [`id ${annotation.id ?? "?"}`, image?.fileName ?? ""], image, annotation };
    });
}

/** The strongest examples of each finding that is about persons or pictures, errors first, fairly shared. */
export function findingCells(findings: readonly Finding[], count = SHEET_CELLS): SheetCell[] {
  const shown = findings.map(({ id, severity, examples }) =>
    examples
      .filter(({ image, annotation }) => image !== undefined || annotation !== undefined)
      .slice(0, CELLS_PER_FINDING)
      .map(({ image, annotation }): SheetCell => {
        const who = annotation ? [`id ${annotation.id ?? "?"}`] : [];
        return {
          label: [id, ...who, image?.fileName ?? ""],
          image,
          ...(annotation && { annotation }),
          severity,
        };
      }),
  );
  // One of each finding, then a second of each, until the sheet is full; then together again by finding.
  const taken = shown.map(() => 0);
  let left = count;
  for (let round = 0; round < CELLS_PER_FINDING && left > 0; round++) {
    for (const [i, cells] of shown.entries()) {
      if (left === 0 || cells.length <= round) continue;
      taken[i] = round + 1;
      left--;
    }
  }
  return shown.flatMap((cells, i) => cells.slice(0, taken[i]));
}

/** Draws cells into a grid. Pictures that cannot be read are grey, with the reason. */
export async function drawSheet(cells: readonly SheetCell[], examined: Examined): Promise<RgbImage> {
  const columns = Math.min(COLUMNS, Math.max(1, cells.length));
  const rows = Math.max(1, Math.ceil(cells.length / columns));
  const label = 2 + LINE * Math.max(0, ...cells.map((cell) => cell.label.length));
  const sheet = rgbImage(GAP + columns * (CELL + GAP), GAP + rows * (CELL + label + GAP));
  fill(sheet, 0, 0, sheet.width, sheet.height, PAPER);
  for (const [i, cell] of cells.entries()) {
    const x = GAP + (i % columns) * (CELL + GAP);
    const y = GAP + Math.floor(i / columns) * (CELL + label + GAP);
    fill(sheet, x, y, CELL, CELL, EMPTY);
    const drawn = await drawCell(cell, examined);
    if (typeof drawn === "string") drawText(sheet, drawn, x + 8, y + CELL / 2, DOT, INK);
    else
      paste(
        sheet,
        drawn,
        x + Math.floor((CELL - drawn.width) / 2),
        y + Math.floor((CELL - drawn.height) / 2),
      );
    cell.label.forEach((line, n) => {
      const text = clipMiddle(line, fittingCharacters(CELL, DOT));
      const color = n === 0 && cell.severity ? SEVERITY_INK[cell.severity] : INK;
      drawText(sheet, text, x, y + CELL + 5 + n * LINE, DOT, color);
    });
  }
  return sheet;
}

/** A person's surroundings, or a whole picture, with what is annotated; or why not. */
async function drawCell({ image, annotation }: SheetCell, examined: Examined): Promise<RgbImage | string> {
  const facts = image && examined.pictures.get(image.index);
  if (facts === undefined || facts.state === "missing" || facts.state === "empty")
    return facts ? `${facts.state} file` : "no picture";
  let picture: RgbImage;
  try {
    picture = await decodeImage(facts.path, { orientation: "ignore", truncated: "accept" });
  } catch (error) {
    return messageOf(error).includes("damaged") ? "damaged file" : "not readable";
  }
  const { dataset } = examined;
  const persons = annotation
    ? [annotation]
    : dataset.annotations.filter(({ imageId }) => imageId === image?.id);
  const region = annotation ? regionOf(annotation, picture) : [0, 0, picture.width, picture.height];
  const [left, top, width, height] = region as [number, number, number, number];
  const scale = CELL / Math.max(width, height);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const { data } = await sharp(picture.data, {
    raw: { width: picture.width, height: picture.height, channels: 3 },
  })
    .extract({ left, top, width, height })
    .resize(w, h, { fit: "fill" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const cell = rgbImage(w, h, new Uint8Array(data));
  // Pixel centres are whole numbers before and after scaling.
  const toCell = (x: number, y: number): [number, number] => [
    (x - left + 0.5) * scale - 0.5,
    (y - top + 0.5) * scale - 0.5,
  ];
  for (const person of persons) {
    const box = personBox(person);
    if (box) {
      const [x, y] = toCell(box[0]!, box[1]!);
      drawBox(cell, [x, y, box[2]! * scale, box[3]! * scale], 0.8, { color: BOX, outlineWidth: 0.6 });
    }
    const { skeleton } = dataset;
    const { keypoints } = person;
    if (!skeleton || keypoints?.length !== 3 * skeleton.keypoints.length) continue;
    const points = skeleton.keypoints.map((_, k) => {
      const [x, y] = toCell(keypoints[3 * k]!, keypoints[3 * k + 1]!);
      return { x, y, score: keypoints[3 * k + 2]! > 0 ? 1 : 0 };
    });
    drawPoses(cell, [{ keypoints: points }], skeleton, {
      minScore: 0.5,
      lineWidth: 3,
      discRadius: 3,
      opacity: 0.8,
    });
  }
  return cell;
}

/** What is shown around a person: box and keypoints with a margin, inside the picture; the whole picture otherwise. */
function regionOf(annotation: DoctorAnnotation, { width, height }: RgbImage): number[] {
  const box = personBox(annotation);
  const extent =
    annotation.labelled > 0 && annotation.keypoints ? keypointExtent(annotation.keypoints) : undefined;
  const boxes = [box && [box[0]!, box[1]!, box[0]! + box[2]!, box[1]! + box[3]!], extent].filter(
    (b) => b !== undefined,
  );
  if (boxes.length === 0) return [0, 0, width, height];
  const bounds = [0, 1, 2, 3].map((i) => (i < 2 ? Math.min : Math.max)(...boxes.map((b) => b[i]!)));
  const margin = 0.15 * Math.max(bounds[2]! - bounds[0]!, bounds[3]! - bounds[1]!, 16);
  const left = Math.max(0, Math.floor(bounds[0]! - margin));
  const top = Math.max(0, Math.floor(bounds[1]! - margin));
  const right = Math.min(width, Math.ceil(bounds[2]! + margin));
  const bottom = Math.min(height, Math.ceil(bounds[3]! + margin));
  return right - left >= 4 && bottom - top >= 4
    ? [left, top, right - left, bottom - top]
    : [0, 0, width, height];
}

/** Copies a picture into another where it fits. */
function paste(sheet: RgbImage, { width, height, data }: RgbImage, x: number, y: number): void {
  for (let row = 0; row < height; row++) {
    sheet.data.set(data.subarray(row * width * 3, (row + 1) * width * 3), ((y + row) * sheet.width + x) * 3);
  }
}

/** A text shortened in the middle: the ends of file names tell them apart. */
function clipMiddle(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.floor((most - 2) / 2);
  return `${text.slice(0, head)}..${text.slice(text.length - (most - 2 - head))}`;
}
