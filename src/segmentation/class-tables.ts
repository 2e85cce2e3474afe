// The label spaces of published segmentation and detection models.

import { HRNetError, nearestNames } from "../errors.ts";
import type { Color } from "../image/draw.ts";
import { type ClassTable, defineClassTable } from "./class-table.ts";

/** Class, its `id` in `…_labelIds.png`, its colour. Source: cityscapesScripts `helpers/labels.py`, the classes with a trainId. */
const CITYSCAPES: readonly (readonly [string, number, Color])[] = [
  ["road", 7, [128, 64, 128]],
  ["sidewalk", 8, [244, 35, 232]],
  ["building", 11, [70, 70, 70]],
  ["wall", 12, [102, 102, 156]],
  ["fence", 13, [190, 153, 153]],
  ["pole", 17, [153, 153, 153]],
  ["traffic light", 19, [250, 170, 30]],
  ["traffic sign", 20, [220, 220, 0]],
  ["vegetation", 21, [107, 142, 35]],
  ["terrain", 22, [152, 251, 152]],
  ["sky", 23, [70, 130, 180]],
  ["person", 24, [220, 20, 60]],
  ["rider", 25, [255, 0, 0]],
  ["car", 26, [0, 0, 142]],
  ["truck", 27, [0, 0, 70]],
  ["bus", 28, [0, 60, 100]],
  ["train", 31, [0, 80, 100]],
  ["motorcycle", 32, [0, 0, 230]],
  ["bicycle", 33, [119, 11, 32]],
];

/** Source: the LIP challenge's list and palette. Left and right are the person's own. */
const LIP: readonly (readonly [string, Color])[] = [
  ["Background", [0, 0, 0]],
  ["Hat", [128, 0, 0]],
  ["Hair", [255, 0, 0]],
  ["Glove", [0, 85, 0]],
  ["Sunglasses", [170, 0, 51]],
  ["UpperClothes", [255, 85, 0]],
  ["Dress", [0, 0, 85]],
  ["Coat", [0, 119, 221]],
  ["Socks", [85, 85, 0]],
  ["Pants", [0, 85, 85]],
  ["Jumpsuits", [85, 51, 0]],
  ["Scarf", [52, 86, 128]],
  ["Skirt", [0, 128, 0]],
  ["Face", [0, 0, 255]],
  ["Left-arm", [51, 170, 221]],
  ["Right-arm", [0, 255, 255]],
  ["Left-leg", [85, 255, 170]],
  ["Right-leg", [170, 255, 85]],
  ["Left-shoe", [255, 255, 0]],
  ["Right-shoe", [255, 170, 0]],
];

const list = (names: string): string[] => names.split(/\s*,\s*/).map((text) => text.trim());

/**
 * The 59 classes of PASCAL-Context as the official HRNet code numbers them: in the alphabetical order of the 459 classes that
 * they were taken from. mmsegmentation numbers them otherwise: its weights need {@link PASCAL_CONTEXT_MMSEG}.
 */
const PASCAL_CONTEXT = list(`
  aeroplane, bag, bed, bedclothes, bench, bicycle, bird, boat, book, bottle, building, bus, cabinet, car, cat, ceiling,
  chair, cloth, computer, cow, cup, curtain, dog, door, fence, floor, flower, food, grass, ground, horse, keyboard,
  light, motorbike, mountain, mouse, person, plate, platform, pottedplant, road, rock, sheep, shelves, sidewalk, sign,
  sky, snow, sofa, table, track, train, tree, truck, tvmonitor, wall, water, window, wood`);

/** Background and the 59 classes as mmsegmentation numbers them: those of PASCAL VOC first. */
const PASCAL_CONTEXT_MMSEG = list(`
  background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, table, dog, horse, motorbike, person,
  pottedplant, sheep, sofa, train, tvmonitor, bag, bed, bench, book, building, cabinet, ceiling, cloth, computer, cup,
  door, fence, floor, flower, food, grass, ground, keyboard, light, mountain, mouse, curtain, platform, sign, plate,
  road, rock, shelves, sidewalk, sky, snow, bedclothes, track, tree, truck, wall, water, window, wood`);

/** Numbers of background and the 59 classes among the 459 of the original annotation. Source: `pascal_ctx.py` of the official code. */
const PASCAL_CONTEXT_LABELS: readonly number[] = [
  0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144,
  158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355,
  360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458,
];

/** Source: the list of the MIT Scene Parsing Benchmark (SceneParse150); its label files begin with 1, 0 is ignored. */
const ADE20K = list(`
  wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, earth, door,
  table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, mirror, rug, field, armchair,
  seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, base, box, column, signboard, chest of drawers,
  counter, sand, sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case, pool table, pillow,
  screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop,
  stove, palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light, truck,
  tower, chandelier, awning, streetlight, booth, television receiver, airplane, dirt track, apparel, pole, land,
  bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer belt, canopy, washer,
  plaything, swimming pool, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven, ball, food, step, tank,
  trade name, microwave, pot, animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic
  light, tray, ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag`);

/** For numbers in label files the place in `labels`, −1 for those that are not among them. */
function placesOf(labels: readonly number[]): number[] {
  const places = Array<number>(Math.max(...labels) + 1).fill(-1);
  labels.forEach((label, index) => {
    places[label] = index;
  });
  return places;
}

/** COCO's 80 classes of objects in the order of their ids, which have gaps. Source: `instances_val2017.json`. */
const COCO = list(`
  person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
  stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
  backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball
  bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife,
  spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair,
  couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone,
  microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier,
  toothbrush
`);

/** Label files whose 0 is ignored and whose 1 is class 0. */
const fromOne = (classes: number): number[] => [-1, ...Array.from({ length: classes }, (_, index) => index)];

const TABLES: readonly ClassTable[] = [
  defineClassTable({
    name: "cityscapes",
    classes: CITYSCAPES.map(([name]) => name),
    colors: CITYSCAPES.map(([, , color]) => color),
    classOfLabel: placesOf(CITYSCAPES.map(([, label]) => label)),
  }),
  defineClassTable({
    name: "lip",
    classes: LIP.map(([name]) => name),
    colors: LIP.map(([, color]) => color),
  }),
  defineClassTable({
    name: "pascal-context-59",
    classes: PASCAL_CONTEXT,
    classOfLabel: placesOf(PASCAL_CONTEXT_LABELS.slice(1)),
  }),
  defineClassTable({
    name: "pascal-context-60",
    classes: ["background", ...PASCAL_CONTEXT],
    classOfLabel: placesOf(PASCAL_CONTEXT_LABELS),
  }),
  defineClassTable({
    name: "pascal-context-59-mmseg",
    classes: PASCAL_CONTEXT_MMSEG.slice(1),
    classOfLabel: fromOne(59),
  }),
  defineClassTable({ name: "pascal-context-60-mmseg", classes: PASCAL_CONTEXT_MMSEG }),
  defineClassTable({ name: "ade20k", classes: ADE20K, classOfLabel: fromOne(150) }),
  defineClassTable({ name: "coco-80", classes: COCO }),
];

/** Every label space by name. */
export const CLASS_TABLES: ReadonlyMap<string, ClassTable> = new Map(
  TABLES.map((table) => [table.name, table]),
);

/**
 * The label space of that name.
 * @throws HRNetError `invalid-config` with the closest names
 */
export function classTableByName(name: string): ClassTable {
  const table = CLASS_TABLES.get(name);
  if (table) return table;
  const closest = nearestNames(name, [...CLASS_TABLES.keys()]).join(", ");
  throw new HRNetError(
    "invalid-config",
    `No classes are called "${name.slice(0, 100)}". Closest: ${closest}.`,
  );
}

/** Weights of Cityscapes' classes in the official cross-entropy. Source: `lib/datasets/cityscapes.py` (`class_weights`). */
export const CITYSCAPES_CLASS_WEIGHTS: readonly number[] = [
  0.8373, 0.918, 0.866, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023, 0.9539, 0.9843, 1.1116,
  0.9037, 1.0865, 1.0955, 1.0865, 1.1529, 1.0507,
];
