// Objects in tiles: each is one tile's own, cut ones are nobody's, copies of several passes become one.
import { expect, test } from "vitest";
import { belongsToTile, mergePasses } from "../../src/detection/merge-tiles.ts";
import { tilesOf } from "../../src/image/tiles.ts";

const PICTURE = [500, 900] as const;
const MARGIN = 32;
const tiles = tilesOf(PICTURE, [256, 256], MARGIN);
const object = (x1: number, y1: number, x2: number, y2: number, score = 1, number = 0) => ({
  box: [x1, y1, x2, y2] as const,
  score,
  class: number,
});

test("an object of at most twice the margin belongs to exactly one tile, which holds it whole", () => {
  for (let x = 0; x <= PICTURE[1] - 60; x += 7) {
    for (let y = 0; y <= PICTURE[0] - 60; y += 11) {
      const found = object(x, y, x + 60, y + 60);
      const owners = tiles.filter((tile) => belongsToTile(found, tile, PICTURE));
      expect(owners).toHaveLength(1);
      const [owner] = owners;
      expect(x).toBeGreaterThanOrEqual(owner!.x.start);
      expect(x + 60).toBeLessThanOrEqual(owner!.x.start + owner!.x.length);
      expect(y).toBeGreaterThanOrEqual(owner!.y.start);
      expect(y + 60).toBeLessThanOrEqual(owner!.y.start + owner!.y.length);
    }
  }
});

test("an object cut by a border inside the picture belongs to no tile, one cut by the picture's own does", () => {
  const [first] = tiles;
  const { x } = first!;
  const end = x.start + x.length;
  // The middle is kept, the right side was cut off.
  expect(belongsToTile(object(10, 10, end, 60), first!, PICTURE)).toBe(false);
  expect(belongsToTile(object(10, 10, end - 20, 60), first!, PICTURE)).toBe(true);
  expect(belongsToTile(object(0, 0, 60, 60), first!, PICTURE)).toBe(true);
  const last = tiles.at(-1)!;
  expect(belongsToTile(object(850, 450, 900, 500), last, PICTURE)).toBe(true);
  expect(belongsToTile(object(880, 480, 920, 520), last, PICTURE)).toBe(true); // the middle on the picture's border
});

test("of copies the best stays, other classes too; the best first, at most so many", () => {
  const objects = [
    object(0, 0, 10, 10, 0.5),
    object(0, 0, 10, 11, 0.9),
    object(0, 0, 10, 10, 0.7, 1),
    object(50, 50, 60, 60, 0.1),
  ];
  expect(mergePasses(objects, 0.5, 100)).toEqual([objects[1], objects[2], objects[3]]);
  expect(mergePasses(objects, 0.5, 2)).toEqual([objects[1], objects[2]]);
  expect(mergePasses([], 0.5, 2)).toEqual([]);
});
