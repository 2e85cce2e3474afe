// Writes labels into pictures with a small built-in font, so that sheets look the same where no fonts are installed.

import type { Color } from "../image/draw.ts";
import type { RgbImage } from "../image/rgb-image.ts";

/** Glyphs are 5 × 7 dots; with the gap a character takes 6. */
const COLUMNS = 5;
const ADVANCE = COLUMNS + 1;
/** Height of a character in dots. */
export const TEXT_ROWS = 7;

/** Rows from the top, `#` is ink. Capitals only: small letters are written as capitals. */
const GLYPHS: Readonly<Record<string, string>> = {
  A: ".###.|#...#|#...#|#####|#...#|#...#|#...#",
  B: "####.|#...#|#...#|####.|#...#|#...#|####.",
  C: ".###.|#...#|#....|#....|#....|#...#|.###.",
  D: "####.|#...#|#...#|#...#|#...#|#...#|####.",
  E: "#####|#....|#....|####.|#....|#....|#####",
  F: "#####|#....|#....|####.|#....|#....|#....",
  G: ".###.|#...#|#....|#.###|#...#|#...#|.###.",
  H: "#...#|#...#|#...#|#####|#...#|#...#|#...#",
  I: ".###.|..#..|..#..|..#..|..#..|..#..|.###.",
  J: "..###|...#.|...#.|...#.|...#.|#..#.|.##..",
  K: "#...#|#..#.|#.#..|##...|#.#..|#..#.|#...#",
  L: "#....|#....|#....|#....|#....|#....|#####",
  M: "#...#|##.##|#.#.#|#.#.#|#...#|#...#|#...#",
  N: "#...#|##..#|#.#.#|#..##|#...#|#...#|#...#",
  O: ".###.|#...#|#...#|#...#|#...#|#...#|.###.",
  P: "####.|#...#|#...#|####.|#....|#....|#....",
  Q: ".###.|#...#|#...#|#...#|#.#.#|#..#.|.##.#",
  R: "####.|#...#|#...#|####.|#.#..|#..#.|#...#",
  S: ".####|#....|#....|.###.|....#|....#|####.",
  T: "#####|..#..|..#..|..#..|..#..|..#..|..#..",
  U: "#...#|#...#|#...#|#...#|#...#|#...#|.###.",
  V: "#...#|#...#|#...#|#...#|#...#|.#.#.|..#..",
  W: "#...#|#...#|#...#|#.#.#|#.#.#|##.##|#...#",
  X: "#...#|#...#|.#.#.|..#..|.#.#.|#...#|#...#",
  Y: "#...#|#...#|.#.#.|..#..|..#..|..#..|..#..",
  Z: "#####|....#|...#.|..#..|.#...|#....|#####",
  0: ".###.|#...#|#..##|#.#.#|##..#|#...#|.###.",
  1: "..#..|.##..|..#..|..#..|..#..|..#..|.###.",
  2: ".###.|#...#|....#|..##.|.#...|#....|#####",
  3: "####.|....#|....#|.###.|....#|....#|####.",
  4: "...#.|..##.|.#.#.|#..#.|#####|...#.|...#.",
  5: "#####|#....|####.|....#|....#|#...#|.###.",
  6: ".###.|#....|#....|####.|#...#|#...#|.###.",
  7: "#####|....#|...#.|..#..|..#..|.#...|.#...",
  8: ".###.|#...#|#...#|.###.|#...#|#...#|.###.",
  9: ".###.|#...#|#...#|.####|....#|....#|.###.",
  " ": ".....|.....|.....|.....|.....|.....|.....",
  ".": ".....|.....|.....|.....|.....|.##..|.##..",
  ",": ".....|.....|.....|.....|.##..|..#..|.#...",
  ":": ".....|.##..|.##..|.....|.##..|.##..|.....",
  "-": ".....|.....|.....|.###.|.....|.....|.....",
  _: ".....|.....|.....|.....|.....|.....|#####",
  "/": "....#|....#|...#.|..#..|.#...|#....|#....",
  "(": "...#.|..#..|.#...|.#...|.#...|..#..|...#.",
  ")": ".#...|..#..|...#.|...#.|...#.|..#..|.#...",
  "?": ".###.|#...#|....#|..##.|..#..|.....|..#..",
};

/** Characters of a text that fit into a width, at this size of a dot in pixels. */
export function fittingCharacters(width: number, dot: number): number {
  return Math.max(0, Math.floor((width / dot + 1) / ADVANCE));
}

/** Writes a text with its top left corner at (x, y), clipped at the picture; `dot` is the size of a dot in pixels. */
export function drawText(
  image: RgbImage,
  text: string,
  x: number,
  y: number,
  dot: number,
  color: Color,
): void {
  for (const [i, character] of [...text.toUpperCase()].entries()) {
    const rows = (GLYPHS[character] ?? GLYPHS["?"]!).split("|");
    for (const [row, line] of rows.entries()) {
      for (let column = 0; column < COLUMNS; column++) {
        if (line[column] === "#")
          fill(image, x + (i * ADVANCE + column) * dot, y + row * dot, dot, dot, color);
      }
    }
  }
}

/** Fills a rectangle, clipped at the picture. */
export function fill(
  image: RgbImage,
  x: number,
  y: number,
  width: number,
  height: number,
  color: Color,
): void {
  const [left, right] = [Math.max(0, x), Math.min(image.width, x + width)];
  for (let row = Math.max(0, y); row < Math.min(image.height, y + height); row++) {
    for (let column = left; column < right; column++) image.data.set(color, (row * image.width + column) * 3);
  }
}
