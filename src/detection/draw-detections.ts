// Boxes and masks of objects over a picture, with their names.

import { HRNetError } from "../errors.ts";
import { drawText, fill, TEXT_ROWS } from "../image/bitmap-text.ts";
import { type Color, drawBox } from "../image/draw.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { RunLengthMask } from "../masks/run-length.ts";

/** An object to draw. */
export interface DrawnObject {
  /** `[x, y, width, height]` in pixels. */
  readonly box: readonly [number, number, number, number];
  readonly color: Color;
  /** Written above the box; nothing for none. */
  readonly text?: string | undefined;
  /** Laid over the picture in the colour; nothing for none. */
  readonly mask?: RunLengthMask | undefined;
}

/** What is drawn of a detection. */
interface ShownDetection {
  readonly box: DrawnObject["box"];
  readonly label: string;
  readonly score: number;
  readonly class: number;
  readonly mask?: RunLengthMask | undefined;
}

/**
 * Detections as they are drawn, the best on top: in the colours of their classes, or with masks each in one of its own, so that neighbours
 * can be told apart.
 * @param found the best first
 * @param colors of the classes
 */
export function drawnDetections(found: readonly ShownDetection[], colors: readonly Color[]): DrawnObject[] {
  return found
    .map(({ box, label, score, class: number, mask }, i) => ({
      box,
      color: mask ? instanceColor(i) : colors[number]!,
      text: `${label} ${Math.round(100 * score)}`,
      mask,
    }))
    .reverse();
}

/** Turn of the hue from one object to the next: the golden angle, which never comes near an earlier one soon. */
const HUE_TURN = 137.508;

/** Bright colours, one after another far apart. */
function instanceColor(index: number): Color {
  const hue = ((index * HUE_TURN) % 360) / 60;
  const channel = (shift: number): number => {
    const k = (hue + shift) % 6;
    return Math.round(255 * (1 - 0.8 * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

/** Share of a mask's colour. */
const MASK_OPACITY = 0.45;

/** Lays a mask over the picture. */
function drawMask(image: RgbImage, { width, height, counts }: RunLengthMask, color: Color): void {
  if (width !== image.width || height !== image.height) {
    throw new HRNetError(
      "invalid-shape",
      `A mask of ${width}×${height} cannot be drawn on a picture of ${image.width}×${image.height}.`,
    );
  }
  let at = 0;
  counts.forEach((run, i) => {
    const end = at + run;
    for (; i % 2 === 1 && at < end; at++) {
      const pixel = 3 * ((at % height) * width + Math.floor(at / height));
      for (let c = 0; c < 3; c++)
        image.data[pixel + c] = Math.round(
          image.data[pixel + c]! * (1 - MASK_OPACITY) + color[c]! * MASK_OPACITY,
        );
    }
    at = end;
  });
}

const ADVANCE = 6;
const WHITE: Color = [255, 255, 255];

/** Line widths and letters for a picture of that size: readable, and not in the way. */
const unitOf = ({ width, height }: RgbImage): number =>
  Math.max(1, Math.round(Math.min(width, height) / 500));

/** A strip with text. */
interface Strip {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Above the box, or inside of it where there is no room. */
function stripOf({ box, text }: DrawnObject, image: RgbImage, unit: number): Strip {
  const height = (TEXT_ROWS + 3) * unit;
  const width = (text!.length * ADVANCE + 2) * unit;
  const x = Math.max(0, Math.min(image.width - width, Math.round(box[0])));
  const above = Math.round(box[1]) - height;
  return { x, y: above >= 0 ? above : Math.round(box[1]), width, height };
}

const touch = (a: Strip, b: Strip): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Texts as many as this are not counted. */
const FEW = 12;
/** Widest strip in widths of its box, where there are more. */
const WIDEST = 1.5;

/**
 * The texts that are drawn, by object: on crowded pictures none that hides another one's or is much wider than its box, the last objects
 * coming first.
 */
function chosenStrips(
  image: RgbImage,
  objects: readonly DrawnObject[],
  unit: number,
): Map<DrawnObject, Strip> {
  const chosen = new Map<DrawnObject, Strip>();
  const crowded = objects.filter(({ text }) => text).length > FEW;
  for (const object of [...objects].reverse()) {
    if (!object.text) continue;
    const strip = stripOf(object, image, unit);
    const fits = strip.width <= WIDEST * object.box[2];
    if (!crowded || (fits && ![...chosen.values()].some((other) => touch(strip, other))))
      chosen.set(object, strip);
  }
  return chosen;
}

/**
 * Draws objects, the last one on top: masks, then boxes in their colours, then texts on strips, of which crowded pictures get fewer.
 * @throws HRNetError `invalid-shape` for a mask of another size
 */
export function drawObjects(image: RgbImage, objects: readonly DrawnObject[]): void {
  const unit = unitOf(image);
  for (const { mask, color } of objects) if (mask) drawMask(image, mask, color);
  for (const { box, color } of objects) drawBox(image, box, 0.8 * unit, { color, outlineWidth: 0.6 * unit });
  for (const [{ color, text }, { x, y, width, height }] of [
    ...chosenStrips(image, objects, unit),
  ].reverse()) {
    fill(image, x, y, width, height, color);
    // Dark letters on light strips.
    const light = 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2] > 150;
    drawText(image, text!, x + unit, y + unit + Math.ceil(unit / 2), unit, light ? [20, 20, 20] : WHITE);
  }
}
