// Contact sheets: a grid of pictures, each with a label.

import { drawText, fill, fittingCharacters, TEXT_ROWS } from "../image/bitmap-text.ts";
import type { Color } from "../image/draw.ts";
import { type RgbImage, rgbImage } from "../image/rgb-image.ts";
import type { DoctorAnnotation, DoctorImage, Finding, Severity } from "./types.ts";

/** One cell to draw. */
export interface SheetCell {
  /** Lines below the picture. */
  readonly label: readonly string[];
  readonly image: DoctorImage | undefined;
  readonly annotation?: DoctorAnnotation;
  readonly severity?: Severity;
}

/** Pixels of the side of a cell's picture. */
export const CELL = 300; // 25 characters
/** Pixels: gap between cells, size of a dot of text. */
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
/** Okabe and Ito's vermilion, orange and grey. */
const SEVERITY_INK: Readonly<Record<Severity, Color>> = {
  error: [200, 60, 0],
  warning: [170, 100, 0],
  note: [90, 90, 90],
};

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

/**
 * Draws cells into a grid. Pictures that cannot be read are grey, with the reason.
 * @param drawCell the content of a cell, no larger than {@link CELL} on either side, or why there is none
 */
export async function drawSheet(
  cells: readonly SheetCell[],
  drawCell: (cell: SheetCell) => Promise<RgbImage | string>,
): Promise<RgbImage> {
  const columns = Math.min(COLUMNS, Math.max(1, cells.length));
  const rows = Math.max(1, Math.ceil(cells.length / columns));
  const label = 2 + LINE * Math.max(0, ...cells.map((cell) => cell.label.length));
  const sheet = rgbImage(GAP + columns * (CELL + GAP), GAP + rows * (CELL + label + GAP));
  fill(sheet, 0, 0, sheet.width, sheet.height, PAPER);
  for (const [i, cell] of cells.entries()) {
    const x = GAP + (i % columns) * (CELL + GAP);
    const y = GAP + Math.floor(i / columns) * (CELL + label + GAP);
    fill(sheet, x, y, CELL, CELL, EMPTY);
    const drawn = await drawCell(cell);
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
