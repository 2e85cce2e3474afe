// A confusion matrix as a picture: a row for each annotated class, in it the shares of the classes that were found.

import { drawText, fill, TEXT_ROWS } from "../image/bitmap-text.ts";
import type { Color } from "../image/draw.ts";
import { type RgbImage, rgbImage } from "../image/rgb-image.ts";
import type { ClassTable } from "./class-table.ts";

const PAPER: Color = [255, 255, 255];
const INK: Color = [30, 30, 30];
/** Full shares: what is right, and what is taken for something else. */
const RIGHT: Color = [0, 90, 160];
const WRONG: Color = [190, 60, 0];
const ABSENT: Color = [225, 225, 225];

/** Pixels of a cell's side, with and without a number in it, and the most classes that get numbers. */
const CELL = { numbered: 34, plain: 10 } as const;
const MOST_NUMBERED = 32;
const DOT = { numbered: 2, plain: 1 } as const;
const GAP = 6;
const SWATCH = 12;
/** Characters of a class's name. */
const MOST_LETTERS = 20;
/** A glyph with the gap after it, in dots. */
const ADVANCE = 6;

const mix = (color: Color, share: number): Color =>
  PAPER.map((paper, c) => Math.round(paper + share * (color[c]! - paper))) as unknown as Color;

/**
 * Draws K×K counts (row = annotated class, column = class found). Each row is in shares of its pixels, blue on the diagonal,
 * orange beside it, in per cent where there is room; rows without pixels are grey. Columns have the numbers that stand before the rows' names.
 */
export function drawConfusion(counts: ArrayLike<number>, { classes, colors }: ClassTable): RgbImage {
  const kind = classes.length <= MOST_NUMBERED ? "numbered" : "plain";
  const [cell, dot] = [CELL[kind], DOT[kind]];
  const letters = Math.min(MOST_LETTERS, Math.max(...classes.map((name) => name.length)));
  const digits = String(classes.length - 1).length;
  const left = GAP + (digits + 1 + letters) * ADVANCE * dot + SWATCH + 2 * GAP;
  const top = GAP + TEXT_ROWS * dot + GAP;
  const image = rgbImage(left + classes.length * cell + GAP, top + classes.length * cell + GAP);
  image.data.fill(255);
  const middle = (text: string, size: number) => Math.round((cell - (text.length * ADVANCE - 1) * size) / 2);
  classes.forEach((name, row) => {
    const y = top + row * cell;
    const line = y + Math.round((cell - TEXT_ROWS * dot) / 2);
    const text = `${String(row).padStart(digits)} ${name.slice(0, MOST_LETTERS)}`;
    drawText(image, text, GAP, line, dot, INK);
    const side = Math.min(SWATCH, cell - 2);
    fill(image, left - SWATCH - GAP, y + Math.round((cell - side) / 2), side, side, colors[row]!);
    if (kind === "numbered" || row % 10 === 0) {
      const number = String(row);
      drawText(image, number, left + row * cell + Math.max(0, middle(number, dot)), GAP, dot, INK);
    }
    let annotated = 0;
    for (let column = 0; column < classes.length; column++)
      annotated += counts[row * classes.length + column]!;
    for (let column = 0; column < classes.length; column++) {
      const share = annotated > 0 ? counts[row * classes.length + column]! / annotated : 0;
      const color = annotated === 0 ? ABSENT : mix(row === column ? RIGHT : WRONG, share ** 0.5);
      const x = left + column * cell;
      fill(image, x, y, cell - 1, cell - 1, color);
      const percent = Math.round(100 * share);
      if (kind === "plain" || percent === 0) continue;
      const number = String(percent);
      const size = number.length > 2 ? 1 : DOT.numbered;
      const down = Math.round((cell - TEXT_ROWS * size) / 2);
      drawText(image, number, x + middle(number, size), y + down, size, share > 0.25 ? PAPER : INK);
    }
  });
  return image;
}
