// One case per check of objects with boxes and masks.
import { type Case, each, instances } from "./break.ts";
import type { Loose } from "./good-sets.ts";

/** Drops the mask of every object, and its area. */
const boxesOnly = (json: Loose): void =>
  each(json, (a) => {
    delete a.segmentation;
    delete a.area;
  });

export const OBJECT_CASES: readonly Case[] = [
  { finds: ["no-objects", "crowds"], set: () => instances((json) => each(json, (a) => (a.iscrowd = 1))) },
  {
    finds: ["object-box-missing"],
    set: () => instances((json) => delete json.annotations[7].bbox),
    count: 1,
    says: "no bbox",
  },
  {
    finds: ["object-box-empty"],
    set: () =>
      instances((json) => {
        boxesOnly(json);
        json.annotations[7].bbox = [10, 10, 0, 5];
        json.annotations[9].bbox = [60, 10, -50, 5];
      }),
    count: 2,
    says: "[10, 10, 0, 5]",
  },
  {
    finds: ["object-corners"],
    set: () =>
      instances((json) =>
        each(json, (a) => {
          const [x, y, w, h] = a.bbox;
          a.bbox = [x, y, x + w, y + h];
        }),
      ),
    says: "fit as corners",
  },
  {
    finds: ["object-fractions"],
    set: () =>
      instances((json) =>
        each(json, (a) => {
          a.bbox = a.bbox.map((value: number, i: number) => value / [200, 280, 200, 280][i]!);
        }),
      ),
  },
  {
    finds: ["object-outside", "mask-box"],
    set: () =>
      instances((json) => {
        json.annotations[3].bbox = [210, 10, 60, 120];
      }),
    says: "picture 200 × 280",
  },
  ...[
    { segmentation: [[1, 2, 3, 4]], says: "4 numbers" },
    { segmentation: [[1, 2, 3, 4, 5, 6, 7]], says: "7 numbers" },
    { segmentation: [["a"]], says: "polygon is" },
    { segmentation: { size: [100, 200], counts: [20000] }, says: "200 × 100 in a picture of 200 × 280" },
    { segmentation: { size: [280, 200], counts: [20000] }, says: "" },
    { segmentation: { size: [280, 200], counts: "\u0001" }, says: "" },
    { segmentation: { size: [280, 200] }, says: "counts" },
    { segmentation: "mask.png", says: "mask.png" },
  ].map(({ segmentation, says }) => ({
    finds: ["mask-unreadable"],
    set: () =>
      instances((json) => {
        json.annotations[5].segmentation = segmentation;
      }),
    count: 1,
    says,
  })),
  {
    finds: ["class-name-twice"],
    set: () =>
      instances((json) => {
        json.categories[2].name = "cat";
      }),
    says: "categories 1 and 3",
  },
  {
    finds: ["object-beyond-picture", "mask-box"],
    set: () =>
      instances((json) => {
        json.annotations[1].bbox = [150, 10, 60, 120];
      }),
    count: 1,
  },
  ...[0, 2].map((place) => ({
    finds: ["mask-box"],
    set: () =>
      instances((json) => {
        json.annotations[place].bbox[2] = 50;
      }),
    count: 1,
    says: "60, 120]",
  })),
  ...[
    { area: 100, says: "the mask has 7200" },
    { area: 0, says: "nothing to be found" },
  ].map(({ area, says }) => ({
    finds: ["object-area"],
    set: () =>
      instances((json) => {
        json.annotations[2].area = area;
      }),
    count: 1,
    says,
  })),
  {
    finds: ["object-area"],
    set: () =>
      instances((json) => {
        boxesOnly(json);
        json.annotations[2].area = 9000;
      }),
    says: "= 7200",
  },
  {
    finds: ["object-twice"],
    set: () => instances((json) => json.annotations.push({ ...json.annotations[8], id: 9999 })),
    count: 1,
  },
  {
    finds: ["masks-partly"],
    set: () => instances((json) => delete json.annotations[3].segmentation),
    says: "1 of 240",
  },
  {
    finds: ["few-objects", "image-without-annotations"],
    set: () => instances((json) => json.annotations.splice(100)),
    says: "100 objects",
  },
  {
    finds: ["class-few"],
    set: () =>
      instances((json) => {
        json.categories.push({ id: 4, name: "fish" });
        json.annotations[0].category_id = 4;
      }),
    says: "fish: 1",
  },
  {
    finds: ["class-gaps"],
    set: () =>
      instances((json) => {
        json.categories[2].id = 90;
        each(json, (a) => {
          if (a.category_id === 3) a.category_id = 90;
        });
      }),
    says: "from 1 to 90",
  },
  {
    finds: ["objects-tiny"],
    set: () =>
      instances((json) => {
        boxesOnly(json);
        json.annotations[0].bbox = [10, 10, 3, 40];
      }),
    says: "3 × 40",
  },
  {
    finds: ["class-uneven", "category-unused"],
    set: () =>
      instances((json) =>
        each(json, (a, i) => {
          a.category_id = i % 20 === 0 ? 2 : 1;
        }),
      ),
    says: "cat: 95 % of 240",
  },
  // What the checks of the file say of objects.
  {
    finds: ["image-unknown", "image-without-annotations"],
    set: () =>
      instances((json) => {
        for (let i = 0; i < 4; i++) json.annotations[i].image_id = 999;
      }),
    count: 4,
  },
  {
    finds: ["category-unknown"],
    set: () =>
      instances((json) => {
        json.annotations[0].category_id = 0;
      }),
    count: 1,
  },
  {
    finds: ["field-type"],
    set: () =>
      instances((json) => {
        json.annotations[0].id = "4";
      }),
    count: 1,
  },
];
