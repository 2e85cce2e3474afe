// Pictures put together from people and things cut out of others: more places, scales, neighbours and things in front than the
// pictures they are from have.
// Usage: tsx scripts/embedded-pose/compose.ts OUT COUNT SEED PEOPLE.json:IMAGES[,…] THINGS.json:IMAGES BACKGROUNDS[,…] WHOLE.json:IMAGES
// PEOPLE: COCO keypoints with masks; THINGS: COCO instances; BACKGROUNDS: folders of pictures; WHOLE: COCO keypoints without masks, whose
// pictures are used as they are, cut by a window, with people and things before them.

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { writeFileAtomic } from "../../src/files/atomic-write.ts";
import { hashSeed, type Random, uniformRandom } from "../../src/random/random.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";

interface Rle {
  readonly size: readonly [height: number, width: number];
  readonly counts: readonly number[];
}

interface Annotation {
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: readonly [number, number, number, number];
  readonly iscrowd?: number;
  readonly segmentation: readonly (readonly number[])[] | Rle;
  readonly keypoints?: readonly number[];
  readonly num_keypoints?: number;
}

/** Something cut out: pixels with the mask as opacity, and its keypoints in them. */
interface CutOut {
  readonly width: number;
  readonly height: number;
  readonly rgba: Buffer;
  /** K×3, or none for things. */
  readonly keypoints: readonly number[];
}

const SIDE = 448;
/** Annotated people with fewer keypoints, and things with a smaller box, are not cut out. */
const FEWEST_KEYPOINTS = 6;
const SMALLEST_THING = 40;
const PERSON = 1;
/** People of whom less is to be seen have no keypoints. */
const LEAST_SEEN = 0.25;
const FEWEST_SEEN = 4;

/** Which pixels of a picture a mask covers: columns first in run lengths, polygons by the even-odd rule at pixel centres. */
function maskOf(segmentation: Annotation["segmentation"], width: number, height: number): Uint8Array {
  const mask = new Uint8Array(width * height);
  if ("counts" in segmentation) {
    let at = 0;
    segmentation.counts.forEach((run, index) => {
      if (index % 2 === 1)
        for (let i = at; i < at + run; i++) mask[(i % height) * width + Math.floor(i / height)] = 1;
      at += run;
    });
    return mask;
  }
  for (const polygon of segmentation) {
    for (let y = 0; y < height; y++) {
      const crossings: number[] = [];
      for (let i = 0; i < polygon.length; i += 2) {
        const [x1, y1] = [polygon[i]!, polygon[i + 1]!];
        const [x2, y2] = [polygon[(i + 2) % polygon.length]!, polygon[(i + 3) % polygon.length]!];
        if (y1 > y + 0.5 !== y2 > y + 0.5) crossings.push(x1 + ((y + 0.5 - y1) * (x2 - x1)) / (y2 - y1));
      }
      crossings.sort((a, b) => a - b);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const end = Math.min(width, Math.round(crossings[i + 1]!));
        for (let x = Math.max(0, Math.round(crossings[i]!)); x < end; x++) mask[y * width + x] = 1;
      }
    }
  }
  return mask;
}

/** Everything in a set that `wanted` lets through, cut out. */
async function cutOut(set: string, wanted: (annotation: Annotation) => boolean): Promise<CutOut[]> {
  const [file, images] = set.split(":") as [string, string];
  const { images: pictures, annotations } = JSON.parse(readFileSync(file, "utf8")) as {
    images: { id: number; file_name: string }[];
    annotations: Annotation[];
  };
  const result: CutOut[] = [];
  for (const { id, file_name } of pictures) {
    const own = annotations.filter((annotation) => annotation.image_id === id && wanted(annotation));
    if (own.length === 0) continue;
    const { data, info } = await sharp(join(images, file_name))
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    for (const { bbox, segmentation, keypoints = [] } of own) {
      const mask = maskOf(segmentation, info.width, info.height);
      const [left, top] = [bbox[0], bbox[1]].map((edge) => Math.max(0, Math.floor(edge))) as [number, number];
      const width = Math.min(info.width, Math.ceil(bbox[0] + bbox[2])) - left;
      const height = Math.min(info.height, Math.ceil(bbox[1] + bbox[3])) - top;
      const rgba = Buffer.alloc(4 * width * height);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const from = (top + y) * info.width + left + x;
          const to = 4 * (y * width + x);
          for (let c = 0; c < 3; c++) rgba[to + c] = data[3 * from + c]!;
          rgba[to + 3] = 255 * mask[from]!;
        }
      }
      result.push({
        width,
        height,
        rgba,
        keypoints: keypoints.map((value, i) =>
          i % 3 === 0 ? value - left : i % 3 === 1 ? value - top : value,
        ),
      });
    }
  }
  return result;
}

/** A cut-out at its place: its pixels, how opaque each is, and its keypoints on the canvas. */
interface Placed {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly rgba: Buffer;
  readonly keypoints: readonly number[];
}

const mirrorOf = COCO_17.keypoints.map((_, k) => {
  const pair = COCO_17.flipPairs.find((indices) => indices.includes(k));
  return pair ? pair[0] + pair[1] - k : k;
});

/** Brings a cut-out to a height, mirrored or not, a little lighter or darker, at a place. */
async function place(
  { width, height, rgba, keypoints }: CutOut,
  size: number,
  [left, top]: readonly [number, number],
  random: Random,
): Promise<Placed> {
  const scale = size / height;
  const [w, h] = [Math.max(2, Math.round(width * scale)), Math.max(2, Math.round(size))];
  const mirrored = random() < 0.5;
  const pipeline = sharp(rgba, { raw: { width, height, channels: 4 } }).resize(w, h, { fit: "fill" });
  const pixels = await (mirrored ? pipeline.flop() : pipeline).raw().toBuffer();
  const gain = 0.75 + 0.5 * random();
  for (let i = 0; i < pixels.length; i++) if (i % 4 !== 3) pixels[i] = Math.min(255, pixels[i]! * gain);
  const points = Array.from({ length: keypoints.length / 3 }, (_, k) => {
    const from = 3 * (mirrored ? mirrorOf[k]! : k);
    const x = (keypoints[from]! + 0.5) * scale - 0.5;
    return [
      left + (mirrored ? w - 1 - x : x),
      top + (keypoints[from + 1]! + 0.5) * scale - 0.5,
      keypoints[from + 2]!,
    ];
  });
  return {
    left: Math.round(left),
    top: Math.round(top),
    width: w,
    height: h,
    rgba: pixels,
    keypoints: points.flat(),
  };
}

const pick = <T>(items: readonly T[], random: Random): T => items[Math.floor(random() * items.length)]!;

/** Somebody labelled in a whole picture. */
interface Whole {
  readonly file: string;
  readonly bbox: Annotation["bbox"];
  readonly keypoints: readonly number[];
}

interface Sources {
  readonly people: readonly CutOut[];
  readonly things: readonly CutOut[];
  readonly backgrounds: readonly string[];
  readonly whole: readonly Whole[];
}

/** What a scene begins with: a picture, and perhaps somebody in it. */
interface Base {
  readonly canvas: Buffer;
  readonly person?: {
    readonly bbox: readonly [number, number, number, number];
    readonly keypoints: readonly number[];
  };
}

/** Of the scenes, how many begin with a whole picture, and of these, how many with a window that cuts its person. */
const WHOLE_SHARE = 0.5;
const CUT_SHARE = 0.45;

/** A square window of a picture: around its person, or cutting them at the legs, the side, or (seldom) the head. */
async function windowOf({ file, bbox, keypoints }: Whole, random: Random): Promise<Base> {
  const picture = sharp(file).toColourspace("srgb").removeAlpha();
  const { width, height } = await picture.metadata();
  const [x, y, w, h] = bbox;
  const long = Math.max(w, h);
  const cut = random() < CUT_SHARE;
  const side = Math.max(
    8,
    Math.min(width, height, Math.round(long * (cut ? 0.5 + 0.4 * random() : 1.05 + 0.5 * random()))),
  );
  const upright = h >= 0.8 * w;
  const centre = cut
    ? [
        x + w * (0.15 + 0.7 * random()),
        upright && random() < 0.75 ? y - 0.05 * h + side / 2 : y + h * (0.2 + 0.6 * random()),
      ]
    : [x + w / 2 + (random() - 0.5) * 0.3 * side, y + h / 2 + (random() - 0.5) * 0.2 * side];
  const left = Math.round(Math.max(0, Math.min(width - side, centre[0]! - side / 2)));
  const top = Math.round(Math.max(0, Math.min(height - side, centre[1]! - side / 2)));
  const canvas = await picture
    .extract({ left, top, width: side, height: side })
    .resize(SIDE, SIDE, { fit: "fill" })
    .raw()
    .toBuffer();
  const scale = SIDE / side;
  const limit = (value: number) => Math.max(0, Math.min(SIDE, value));
  const [x1, y1] = [limit((x - left) * scale), limit((y - top) * scale)];
  const [x2, y2] = [limit((x + w - left) * scale), limit((y + h - top) * scale)];
  return {
    canvas,
    person: {
      bbox: [x1, y1, x2 - x1, y2 - y1],
      keypoints: keypoints.map((value, i) =>
        i % 3 === 2 ? value : (value - (i % 3 === 0 ? left : top) + 0.5) * scale - 0.5,
      ),
    },
  };
}

/** What a scene begins with. */
async function baseOf({ backgrounds, whole }: Sources, random: Random): Promise<Base> {
  if (whole.length > 0 && random() < WHOLE_SHARE) return windowOf(pick(whole, random), random);
  const canvas = await sharp(pick(backgrounds, random))
    .toColourspace("srgb")
    .removeAlpha()
    .resize(SIDE, SIDE, { fit: "cover", position: pick(["centre", "left", "right", "top"], random) })
    .raw()
    .toBuffer();
  return { canvas };
}

/** Neighbours and things before somebody of a whole picture: none to two of each. */
async function before(
  [x, y, w, h]: readonly [number, number, number, number],
  { people, things }: Sources,
  random: Random,
): Promise<Placed[]> {
  const placed: Placed[] = [];
  for (let n = Math.floor(random() * 2.6); n > 0; n--) {
    const person = pick(people, random);
    const size = Math.max(h, 0.6 * w, 0.3 * SIDE) * (0.5 + 0.9 * random());
    const width = (size * person.width) / person.height;
    const side = random() < 0.5 ? x - width * (0.3 + 0.7 * random()) : x + w - width * 0.7 * random();
    placed.push(await place(person, size, [side, y + h - size * (0.75 + 0.4 * random())], random));
  }
  for (let n = Math.floor(random() * 1.7); n > 0; n--) {
    const at = [x + (random() - 0.2) * w, y + h * (0.2 + 0.7 * random())] as const;
    placed.push(
      await place(pick(things, random), Math.max(h, 0.5 * w) * (0.15 + 0.35 * random()), at, random),
    );
  }
  return placed;
}

/** People from far to near, some of them cut by the border, and things before them. */
async function scene({ people, things }: Sources, random: Random): Promise<Placed[]> {
  const count = 1 + Math.floor(random() * 3.5);
  const sizes = Array.from({ length: count }, () => SIDE * 0.22 * 6 ** random()).sort((a, b) => a - b);
  const placed: Placed[] = [];
  for (const size of sizes) {
    const person = pick(people, random);
    const width = (size * person.width) / person.height;
    const left = -0.3 * width + random() * (SIDE - 0.4 * width);
    // Large people stand in the picture with their heads; what is below is cut.
    const room = SIDE - size;
    const top = room > 0 ? room * (0.2 + 0.9 * random()) : -0.1 * size * random() + 0.08 * SIDE * random();
    placed.push(await place(person, size, [left, top], random));
    if (random() < 0.35) {
      const thing = pick(things, random);
      const height = size * (0.2 + 0.4 * random());
      const at = [left + (random() - 0.2) * width, top + size * (0.3 + 0.5 * random())] as const;
      placed.push(await place(thing, height, at, random));
    }
  }
  return placed;
}

/** Puts a scene on its base; what is seen of each person becomes its annotation. */
function compose({ canvas, person }: Base, placed: readonly Placed[]) {
  const owner = new Int16Array(SIDE * SIDE).fill(-1);
  placed.forEach(({ left, top, width, height, rgba }, index) => {
    for (let y = Math.max(0, top); y < Math.min(SIDE, top + height); y++) {
      for (let x = Math.max(0, left); x < Math.min(SIDE, left + width); x++) {
        const from = 4 * ((y - top) * width + x - left);
        const opacity = rgba[from + 3]! / 255;
        if (opacity === 0) continue;
        const to = 3 * (y * SIDE + x);
        for (let c = 0; c < 3; c++)
          canvas[to + c] = canvas[to + c]! + opacity * (rgba[from + c]! - canvas[to + c]!);
        if (opacity > 0.5) owner[y * SIDE + x] = index;
      }
    }
  });
  /** Keypoints in the picture; those behind somebody or something are labelled as hidden. */
  const labelled = (keypoints: readonly number[], index: number) =>
    Array.from({ length: keypoints.length / 3 }, (_, k) => {
      const [x, y, v] = keypoints.slice(3 * k, 3 * k + 3) as [number, number, number];
      const inside = x >= 0 && y >= 0 && x <= SIDE - 1 && y <= SIDE - 1;
      if (v === 0 || !inside) return [0, 0, 0];
      return [x, y, owner[Math.round(y) * SIDE + Math.round(x)]! > index ? 1 : v];
    });
  /** People of whom too little is seen, and places where there may be others, are for detectors to leave out, not to learn. */
  const unclear = (bbox: readonly number[]) => ({
    bbox,
    area: bbox[2]! * bbox[3]!,
    iscrowd: 1,
    keypoints: COCO_17.keypoints.flatMap(() => [0, 0, 0]),
    num_keypoints: 0,
  });
  const annotation = (bbox: readonly number[], area: number, points: readonly (readonly number[])[]) => {
    const count = points.filter(([, , v]) => v! > 0).length;
    const seen = points.filter(([, , v]) => v! > 1).length;
    if (count < FEWEST_SEEN || seen < LEAST_SEEN * count) return [unclear(bbox)];
    return [{ bbox, area, iscrowd: 0, keypoints: points.flat(), num_keypoints: count }];
  };
  const own = person
    ? [
        ...annotation(person.bbox, person.bbox[2] * person.bbox[3] * 0.5, labelled(person.keypoints, -1)),
        unclear([0, 0, SIDE, SIDE]),
      ]
    : [];
  const others = placed.flatMap(({ rgba, keypoints }, index) => {
    if (keypoints.length === 0) return [];
    let [seen, x1, y1, x2, y2] = [0, SIDE, SIDE, -1, -1];
    owner.forEach((who, at) => {
      if (who !== index) return;
      seen++;
      const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
      [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x), Math.max(y2, y)];
    });
    let whole = 0;
    for (let i = 3; i < rgba.length; i += 4) if (rgba[i]! > 127) whole++;
    if (seen === 0) return [];
    const box = [x1, y1, x2 - x1 + 1, y2 - y1 + 1];
    if (seen < LEAST_SEEN * whole) return [unclear(box)];
    return annotation(box, seen, labelled(keypoints, index));
  });
  return [...own, ...others];
}

const [out, countText, seedText, peopleSets, thingSet, folders, wholeSet] = process.argv.slice(2);
if (!out || !countText || !seedText || !peopleSets || !thingSet || !folders || !wholeSet)
  throw new Error(
    "usage: OUT COUNT SEED PEOPLE.json:IMAGES[,…] THINGS.json:IMAGES BACKGROUNDS[,…] WHOLE.json:IMAGES",
  );

function wholePictures(set: string): Whole[] {
  const [file, folder] = set.split(":") as [string, string];
  const { images, annotations } = JSON.parse(readFileSync(file, "utf8")) as {
    images: { id: number; file_name: string }[];
    annotations: Annotation[];
  };
  const names = new Map(images.map(({ id, file_name }) => [id, join(folder, file_name)]));
  return annotations
    .filter(({ num_keypoints = 0 }) => num_keypoints >= FEWEST_KEYPOINTS)
    .map(({ image_id, bbox, keypoints = [] }) => ({ file: names.get(image_id)!, bbox, keypoints }));
}

const sets = await Promise.all(
  peopleSets
    .split(",")
    .map((set) => cutOut(set, (a) => a.iscrowd !== 1 && (a.num_keypoints ?? 0) >= FEWEST_KEYPOINTS)),
);
const sources: Sources = {
  people: sets.flat(),
  things: await cutOut(
    thingSet,
    (a) => a.iscrowd !== 1 && a.category_id !== PERSON && Math.min(a.bbox[2], a.bbox[3]) >= SMALLEST_THING,
  ),
  backgrounds: folders.split(",").flatMap((folder) => readdirSync(folder).map((file) => join(folder, file))),
  whole: wholePictures(wholeSet),
};
process.stdout.write(
  `${sources.people.length} people, ${sources.things.length} things, ${sources.backgrounds.length} backgrounds, ${sources.whole.length} whole\n`,
);
mkdirSync(join(out, "images"), { recursive: true });
const images: object[] = [];
const annotations: object[] = [];
for (let n = 1; n <= Number(countText); n++) {
  const random = uniformRandom(hashSeed(Number(seedText), n));
  const base = await baseOf(sources, random);
  const placed = await (base.person ? before(base.person.bbox, sources, random) : scene(sources, random));
  const found = compose(base, placed);
  const file = `${String(n).padStart(6, "0")}.jpg`;
  await writeFileAtomic(
    join(out, "images", file),
    await sharp(base.canvas, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .jpeg({ quality: 90 })
      .toBuffer(),
  );
  images.push({ id: n, file_name: file, width: SIDE, height: SIDE });
  for (const annotation of found)
    annotations.push({
      id: annotations.length + 1,
      image_id: n,
      category_id: PERSON,
      ...annotation,
    });
  if (n % 500 === 0) process.stderr.write(`${n}/${countText}\n`);
}
const categories = [
  { id: PERSON, name: "person", supercategory: "person", keypoints: COCO_17.keypoints, skeleton: [] },
];
await writeFileAtomic(join(out, "annotations.json"), JSON.stringify({ images, annotations, categories }));
process.stdout.write(
  `${images.length} pictures with ${annotations.length} people and unclear places in ${out}\n`,
);
