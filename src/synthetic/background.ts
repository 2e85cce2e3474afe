// Places: walls and floors, open country, streets, blurred colours, and shapes on them.

import { type Color, drawCapsule, drawDisc } from "../image/draw.ts";
import { type RgbImage, rgbImage } from "../image/rgb-image.ts";
import type { Random } from "../random/random.ts";
import { between, chance, pick, whole } from "./choose.ts";
import { hsv, randomColor } from "./material.ts";
import { noiseField } from "./noise.ts";

/** A random place with shapes on it; `clutter` (0–1) says how many. */
export function drawBackground(width: number, height: number, random: Random, clutter: number): RgbImage {
  const image = rgbImage(width, height);
  const draw = pick(random, [room, room, outdoors, outdoors, colors, colors, plain]);
  draw(image, random);
  const shapes = Math.round(clutter * whole(random, [0, 14]));
  for (let i = 0; i < shapes; i++) drawShape(image, random);
  return image;
}

type Painter = (image: RgbImage, random: Random) => void;

/** Sets every pixel from its place, both from 0 to 1 (y by height, x by height too, so that noise is not stretched). */
function paint(
  { width, height, data }: RgbImage,
  color: (x: number, y: number, out: Float64Array) => void,
): void {
  const out = new Float64Array(3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      color(x / height, y / height, out);
      data[at++] = Math.max(0, Math.min(255, out[0]!));
      data[at++] = Math.max(0, Math.min(255, out[1]!));
      data[at++] = Math.max(0, Math.min(255, out[2]!));
    }
  }
}

function blend(a: Color, b: Color, t: number, light: number, out: Float64Array): void {
  out[0] = (a[0] + (b[0] - a[0]) * t) * light;
  out[1] = (a[1] + (b[1] - a[1]) * t) * light;
  out[2] = (a[2] + (b[2] - a[2]) * t) * light;
}

type WallMarks = (fx: number, fy: number, layer: number) => (x: number, y: number) => number;

/** How much of its second colour a wall has where: `fx` and `fy` repeats per picture height. */
const WALLS: Readonly<Record<"none" | "tiles" | "boards" | "stains", WallMarks>> = {
  none: () => () => 0,
  tiles: (fx, fy) => (x, y) => ((x * fx) % 1 < 0.06 || (y * fy) % 1 < 0.06 ? 0.7 : 0),
  boards: (fx, _fy, layer) => {
    const wood = noiseField(layer);
    return (x, y) => ((x * fx) % 1 < 0.05 ? 0.8 : 0.25 * wood(x * fx * 3, y * 2));
  },
  stains: (fx, _fy, layer) => {
    const stain = noiseField(layer);
    return (x, y) => stain(x * fx, y * fx);
  },
};

/** A wall, perhaps with a paper or tiles or boards, and a floor. */
function room(image: RgbImage, random: Random): void {
  const horizon = between(random, [0.5, 0.9]);
  const [wall, mark, floor, floorMark] = [0, 1, 2, 3].map(() => randomColor(random));
  const layer = Math.floor(random() * 1e6);
  const pattern = pick(random, ["none", "none", "tiles", "boards", "stains"] as const);
  const [fx, fy] = [between(random, [3, 16]), between(random, [3, 14])];
  const slope = between(random, [-0.12, 0.12]);
  const lamp = between(random, [0, 1.2]);
  const [dirt, plaster] = [noiseField(layer), noiseField(layer)];
  const marks = WALLS[pattern](fx, fy, layer);
  const boarded = fx > 9 ? 0.4 : 0;
  paint(image, (x, y, out) => {
    const edge = horizon + slope * (x - 0.5);
    const shadow = 1.1 - 0.5 * Math.min(1, (x - lamp) ** 2 + 0.5 * y * y);
    if (y > edge) {
      const far = 1 / (0.15 + y - edge);
      const board = chequer(x * far * 1.5, far * 4) * boarded;
      blend(floor!, floorMark!, board + 0.4 * dirt(x * 9 * far, far * 9), shadow * 0.85, out);
      return;
    }
    const grain = 0.25 * plaster(x * 3, y * 3);
    blend(wall!, mark!, Math.min(1, marks(x, y) + grain), shadow, out);
  });
  for (let i = whole(random, [0, 3]); i > 0; i--) frame(image, random, horizon);
}

const chequer = (x: number, y: number): number => (Math.floor(x) + Math.floor(y)) & 1;

/** Picture frames, windows, doors, shelves. */
function frame(image: RgbImage, random: Random, horizon: number): void {
  const { width, height } = image;
  const [w, h] = [between(random, [0.08, 0.4]) * height, between(random, [0.08, 0.6]) * height];
  const [x, y] = [between(random, [-0.1, 1]) * width, between(random, [-0.1, horizon - 0.1]) * height];
  const outer = randomColor(random);
  rectangle(image, x, y, w, h, outer);
  const border = between(random, [0.03, 0.12]) * Math.min(w, h);
  const inner = randomColor(random);
  const [nx, ny] = [whole(random, [1, 3]), whole(random, [1, 4])];
  for (let i = 0; i < nx; i++) {
    for (let j = 0; j < ny; j++) {
      const [cw, ch] = [(w - border) / nx, (h - border) / ny];
      rectangle(image, x + border + i * cw, y + border + j * ch, cw - border, ch - border, inner);
    }
  }
}

function rectangle(
  { width, height, data }: RgbImage,
  x: number,
  y: number,
  w: number,
  h: number,
  color: Color,
): void {
  const right = Math.min(width, Math.round(x + w));
  const bottom = Math.min(height, Math.round(y + h));
  const left = Math.max(0, Math.round(x));
  const [red, green, blue] = color.map((value) => Math.min(255, value)) as [number, number, number];
  for (let row = Math.max(0, Math.round(y)); row < bottom; row++) {
    for (let column = left, at = (row * width + left) * 3; column < right; column++) {
      data[at++] = red;
      data[at++] = green;
      data[at++] = blue;
    }
  }
}

/** Sky, trees or hills or houses, and ground. */
function outdoors(image: RgbImage, random: Random): void {
  const horizon = between(random, [0.35, 0.8]);
  const sky = hsv(between(random, [0.52, 0.62]), between(random, [0.05, 0.5]), between(random, [0.6, 1]));
  const haze = hsv(between(random, [0.05, 0.6]), between(random, [0, 0.2]), between(random, [0.75, 1]));
  const leaf = hsv(between(random, [0.15, 0.4]), between(random, [0.15, 0.7]), between(random, [0.15, 0.5]));
  const leafLight = hsv(
    between(random, [0.13, 0.35]),
    between(random, [0.2, 0.6]),
    between(random, [0.4, 0.8]),
  );
  const ground = chance(random, 0.5) ? leafLight : randomColor(random);
  const earth = hsv(between(random, [0.05, 0.15]), between(random, [0.05, 0.4]), between(random, [0.3, 0.8]));
  const layer = Math.floor(random() * 1e6);
  const [hills, fine] = [between(random, [0.05, 0.5]), between(random, [10, 40])];
  const [ridge, crest, clouds] = [noiseField(layer), noiseField(layer), noiseField(layer + 1)];
  const [trees, leaves, shade] = [noiseField(layer), noiseField(layer), noiseField(layer + 2)];
  const [patches, blades, sun] = [noiseField(layer + 3), noiseField(layer), noiseField(layer + 4)];
  paint(image, (x, y, out) => {
    const top = horizon - hills * (0.3 + ridge(x * 3, 1) + 0.25 * crest(x * 14, 2));
    if (y < top) {
      blend(sky, haze, Math.min(1, y / horizon + 0.5 * clouds(x * 3, y * 7)), 1, out);
    } else if (y < horizon) {
      const t = 0.6 * trees(x * fine, y * fine) + 0.4 * leaves(x * fine * 3, y * fine * 3);
      blend(leaf, leafLight, t, 0.6 + 0.5 * shade(x * 5, y * 5), out);
    } else {
      const far = 1 / (0.1 + y - horizon);
      const t = patches(x * far * 6, far * 12) * 0.6 + 0.4 * blades(x * 60, y * 90);
      blend(ground, earth, t, 0.75 + 0.3 * sun(x * 4, y * 4), out);
    }
  });
  if (chance(random, 0.3)) for (let i = 0; i < 3; i++) frame(image, random, horizon);
}

/** Blurred colours, as far behind a lens' focus. */
function colors(image: RgbImage, random: Random): void {
  const [a, b, c] = [0, 1, 2].map(() => randomColor(random));
  const layer = Math.floor(random() * 1e6);
  const coarse = between(random, [1.5, 12]);
  const stretch = between(random, [0.4, 2.5]);
  const [broad, narrow, spots] = [noiseField(layer), noiseField(layer), noiseField(layer + 1)];
  paint(image, (x, y, out) => {
    const t = 0.7 * broad(x * coarse, y * coarse * stretch) + 0.3 * narrow(x * coarse * 4, y * coarse * 4);
    blend(a!, b!, t, 1, out);
    const bright = spots(x * coarse * 0.7, y * coarse * 0.7);
    const u = bright * bright;
    out[0] = out[0]! + (c![0] - out[0]!) * u;
    out[1] = out[1]! + (c![1] - out[1]!) * u;
    out[2] = out[2]! + (c![2] - out[2]!) * u;
  });
}

/** One colour or a gradient. */
function plain(image: RgbImage, random: Random): void {
  const [a, b] = [randomColor(random), randomColor(random)];
  const turn = between(random, [0, 2 * Math.PI]);
  const [across, down] = [0.5 * Math.cos(turn), 0.5 * Math.sin(turn)];
  paint(image, (x, y, out) => blend(a, b, 0.5 + across * (x - 0.5) + down * (y - 0.5), 1, out));
}

/** A line, a disc or a rectangle, often of the size of a limb. */
const drawShape: Painter = (image, random) => {
  const { width, height } = image;
  const [x, y] = [random() * width, random() * height];
  const color = randomColor(random);
  const opacity = between(random, [0.4, 1]);
  const kind = random();
  const radius = height * between(random, [0.006, 0.05]);
  if (kind < 0.5) {
    const angle = chance(random, 0.5) ? pick(random, [0, Math.PI / 2]) : random() * Math.PI;
    const reach = height * between(random, [0.08, 0.6]);
    drawCapsule(image, x, y, x + reach * Math.cos(angle), y + reach * Math.sin(angle), radius, {
      color,
      opacity,
    });
  } else if (kind < 0.75) {
    drawDisc(image, x, y, radius * 1.5, { color, opacity });
  } else {
    rectangle(
      image,
      x,
      y,
      height * between(random, [0.03, 0.25]),
      height * between(random, [0.03, 0.3]),
      color,
    );
  }
};

/** A soft dark ellipse under something that stands on the ground. */
export function drawShadow(image: RgbImage, x: number, y: number, reach: number): void {
  for (let i = 4; i > 0; i--) {
    const part = (reach * i) / 4;
    drawCapsule(image, x - part, y, x + part, y, part * 0.22, { color: [0, 0, 0], opacity: 0.11 });
  }
}
