// Places: walls and floors, open country, streets, blurred colours, and shapes on them.

import { type Color, drawCapsule, drawDisc } from "../image/draw.ts";
import { type RgbImage, rgbImage } from "../image/rgb-image.ts";
import type { Random } from "../random/random.ts";
import { between, chance, pick, whole } from "./choose.ts";
import { hsv, randomColor } from "./material.ts";
import { noise2 } from "./noise.ts";

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
      for (let c = 0; c < 3; c++) data[at++] = Math.max(0, Math.min(255, out[c]!));
    }
  }
}

function blend(a: Color, b: Color, t: number, light: number, out: Float64Array): void {
  for (let c = 0; c < 3; c++) out[c] = (a[c]! + (b[c]! - a[c]!) * t) * light;
}

/** A wall, perhaps with a paper or tiles or boards, and a floor. */
function room(image: RgbImage, random: Random): void {
  const horizon = between(random, [0.5, 0.9]);
  const [wall, mark, floor, floorMark] = [0, 1, 2, 3].map(() => randomColor(random));
  const layer = Math.floor(random() * 1e6);
  const pattern = pick(random, ["none", "none", "tiles", "boards", "stains"] as const);
  const [fx, fy] = [between(random, [3, 16]), between(random, [3, 14])];
  const slope = between(random, [-0.12, 0.12]);
  const lamp = between(random, [0, 1.2]);
  paint(image, (x, y, out) => {
    const edge = horizon + slope * (x - 0.5);
    const shadow = 1.1 - 0.5 * Math.min(1, (x - lamp) ** 2 + 0.5 * y * y);
    if (y > edge) {
      const far = 1 / (0.15 + y - edge);
      const board = chequer(x * far * 1.5, far * 4) * (fx > 9 ? 0.4 : 0);
      blend(floor!, floorMark!, board + 0.4 * noise2(x * 9 * far, far * 9, layer), shadow * 0.85, out);
      return;
    }
    const grain = 0.25 * noise2(x * 3, y * 3, layer);
    const marks = {
      none: 0,
      tiles: (x * fx) % 1 < 0.06 || (y * fy) % 1 < 0.06 ? 0.7 : 0,
      boards: (x * fx) % 1 < 0.05 ? 0.8 : 0.25 * noise2(x * fx * 3, y * 2, layer),
      stains: noise2(x * fx, y * fx, layer),
    }[pattern];
    blend(wall!, mark!, Math.min(1, marks + grain), shadow, out);
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
  for (let row = Math.max(0, Math.round(y)); row < bottom; row++) {
    for (let column = Math.max(0, Math.round(x)); column < right; column++) {
      data.set(
        color.map((value) => Math.min(255, value)),
        (row * width + column) * 3,
      );
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
  paint(image, (x, y, out) => {
    const top = horizon - hills * (0.3 + noise2(x * 3, 1, layer) + 0.25 * noise2(x * 14, 2, layer));
    if (y < top) {
      blend(sky, haze, Math.min(1, y / horizon + 0.5 * noise2(x * 3, y * 7, layer + 1)), 1, out);
    } else if (y < horizon) {
      const t = 0.6 * noise2(x * fine, y * fine, layer) + 0.4 * noise2(x * fine * 3, y * fine * 3, layer);
      blend(leaf, leafLight, t, 0.6 + 0.5 * noise2(x * 5, y * 5, layer + 2), out);
    } else {
      const far = 1 / (0.1 + y - horizon);
      const t = noise2(x * far * 6, far * 12, layer + 3) * 0.6 + 0.4 * noise2(x * 60, y * 90, layer);
      blend(ground, earth, t, 0.75 + 0.3 * noise2(x * 4, y * 4, layer + 4), out);
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
  paint(image, (x, y, out) => {
    const t =
      0.7 * noise2(x * coarse, y * coarse * stretch, layer) +
      0.3 * noise2(x * coarse * 4, y * coarse * 4, layer);
    blend(a!, b!, t, 1, out);
    const u = noise2(x * coarse * 0.7, y * coarse * 0.7, layer + 1) ** 2;
    for (let k = 0; k < 3; k++) out[k] = out[k]! + (c![k]! - out[k]!) * u;
  });
}

/** One colour or a gradient. */
function plain(image: RgbImage, random: Random): void {
  const [a, b] = [randomColor(random), randomColor(random)];
  const turn = between(random, [0, 2 * Math.PI]);
  paint(image, (x, y, out) =>
    blend(a, b, 0.5 + 0.5 * (Math.cos(turn) * (x - 0.5) + Math.sin(turn) * (y - 0.5)), 1, out),
  );
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
