// One case per check of the file, its pictures and its set of keypoints.
import { type Case, coco, each, names, own } from "./break.ts";
import { examined, goodCoco } from "./good-sets.ts";

const MIN = { images: [], annotations: [], categories: [] };

export const FILE_CASES: readonly Case[] = [
  { finds: ["file-unusable"], set: () => examined({ hello: 1 }), says: "no format known" },
  { finds: ["file-unusable"], set: () => examined([{ bbox: [1, 2, 3, 4], score: 0.5 }]), says: "detections" },
  {
    finds: ["file-unusable"],
    set: () => examined({ ...MIN, annotations: [{ id: 1, caption: "a dog" }] }),
    says: "captions",
  },
  {
    finds: ["field-type"],
    set: () => coco((json) => Object.assign(json.annotations[3], { id: "7", iscrowd: "no" })),
    count: 2,
    says: 'id is "7"',
  },
  {
    finds: ["no-persons"],
    set: () =>
      coco((json) => each(json, (a) => Object.assign(a, { keypoints: Array(51).fill(0), num_keypoints: 0 }))),
  },
  {
    finds: ["image-id-twice", "image-without-annotations", "image-unknown"].sort(),
    set: () =>
      coco((json) => {
        json.images[5].id = 1;
        json.images.push({ id: 99, file_name: "99.jpg", width: 200, height: 280 });
      }),
  },
  {
    finds: ["annotation-id-twice"],
    set: () =>
      coco((json) => {
        json.annotations[5].id = json.annotations[9].id;
      }),
    count: 1,
    says: "annotation 13",
  },
  {
    finds: ["category-id-twice"],
    set: () => coco((json) => json.categories.push({ id: 1, name: "dog" })),
    says: '"dog"',
  },
  {
    finds: ["image-unknown"],
    set: () => coco((json) => Object.assign(json.annotations[8], { image_id: 1234 })),
    says: "no image 1234",
  },
  {
    finds: ["category-unknown"],
    set: () => coco((json) => Object.assign(json.annotations[8], { category_id: 0 })),
    says: "category_id 0, there are 1",
  },
  {
    finds: ["category-unused"],
    set: () => coco((json) => json.categories.push({ id: 5, name: "chair" })),
    says: "chair",
  },
  {
    finds: ["category-not-person"],
    set: () => coco((json) => Object.assign(json.categories[0], { name: "worker" })),
    says: "worker",
  },
  {
    finds: ["person-twice"],
    set: () => coco((json) => json.annotations.push({ ...json.annotations[0], id: 9999 })),
    says: "annotation 9999",
  },
  {
    finds: ["file-name-twice"],
    set: () => coco((json) => Object.assign(json.images[4], { file_name: "1.jpg" })),
    says: "image 5",
  },
  {
    finds: ["file-name-outside"],
    set: () => coco((json) => Object.assign(json.images[4], { file_name: "../5.jpg" })),
  },
  {
    finds: ["image-without-annotations"],
    set: () => coco((json) => json.images.push({ id: 99, file_name: "99.jpg", width: 9, height: 9 })),
    count: 1,
    says: "99.jpg",
  },
  {
    finds: ["crowds"],
    set: () => coco((json) => Object.assign(json.annotations[4], { iscrowd: 1 })),
    says: "single",
  },
  {
    finds: ["few-persons"],
    set: () =>
      coco((json) => {
        json.images.splice(20);
        json.annotations.splice(80);
      }),
    says: "80 persons",
  },
  // Pictures
  {
    finds: ["images-not-found"],
    set: () => ({ ...examined(goodCoco()), imageFolder: undefined, pictures: new Map() }),
  },
  {
    finds: ["image-missing"],
    set: () => examined(goodCoco(), { "3.jpg": { state: "missing", reason: "no 3.jpg" } }),
    says: "image 3 (3.jpg): no 3.jpg",
  },
  { finds: ["image-empty"], set: () => examined(goodCoco(), { "3.jpg": { state: "empty" } }) },
  {
    finds: ["image-damaged"],
    set: () => examined(goodCoco(), { "3.jpg": { state: "damaged", reason: "cut" } }),
  },
  {
    finds: ["image-upright"],
    set: () => examined(goodCoco(), { "3.jpg": { width: 280, height: 200, orientation: 6 } }),
    says: "280 × 200, EXIF orientation 6",
  },
  {
    finds: ["image-swapped"],
    set: () => examined(goodCoco(), { "3.jpg": { width: 280, height: 200 } }),
  },
  {
    finds: ["image-size"],
    set: () => examined(goodCoco(), { "3.jpg": { width: 400, height: 560 } }),
    says: "annotated 200 × 280",
  },
  {
    finds: ["image-size", "persons-beyond-file"],
    set: () => examined(goodCoco(), { "3.jpg": { width: 100, height: 140 } }),
  },
  {
    finds: ["persons-beyond-file", "image-size"],
    set: () => examined(goodCoco(), { "3.jpg": { width: 100, height: 280 } }),
    count: 2, // those in the right half
  },
  {
    finds: ["image-size-missing"],
    set: () =>
      coco((json) => {
        delete json.images[2].width;
      }),
    says: "the file has 200 × 280",
  },
  { finds: ["image-exif"], set: () => examined(goodCoco(), { "3.jpg": { orientation: 3 } }) },
  {
    finds: ["image-copy"],
    set: () => examined(goodCoco(), { "3.jpg": { digest: "digest 0" } }),
    says: "1.jpg",
  },
  {
    finds: ["leak"],
    set: () => {
      const other = examined(
        goodCoco(),
        Object.fromEntries(names(60).map((n) => [n, { digest: `other ${n}` }])),
      );
      return examined(goodCoco(), { "3.jpg": { digest: "other 8.jpg" } }, [other]);
    },
    count: 1,
    says: "image 3 (3.jpg): is image 8 (8.jpg) of set.json",
  },
  {
    finds: ["leak-likely"],
    set: () => {
      const quick = Object.fromEntries(
        names(60).map((n, i) => [n, { digest: undefined, bytes: 5000 + i } as object]),
      );
      const other = examined(goodCoco(), quick);
      const mine = Object.fromEntries(names(60).map((n) => [n, { digest: undefined } as object]));
      return examined(goodCoco(), { ...mine, "3.jpg": { digest: undefined, bytes: 5002 } as object }, [
        other,
      ]);
    },
    count: 1,
  },
  // Set of keypoints
  {
    finds: ["keypoint-names-missing"],
    set: () =>
      coco((json) => {
        delete json.categories[0].keypoints;
      }),
  },
  {
    finds: ["skeleton-unknown"],
    set: () =>
      coco((json) => {
        delete json.categories[0].keypoints;
        each(json, (a) => a.keypoints.splice(15));
      }),
    says: "5 keypoints",
  },
  {
    finds: ["keypoint-names-differ", "category-unused", "category-not-person", "sigmas-default"].sort(),
    set: () =>
      coco((json) =>
        json.categories.push({
          id: 2,
          name: "dog",
          keypoints: ["nose", "left_ear", "right_ear"],
          skeleton: [],
        }),
      ),
  },
  {
    finds: ["keypoint-name-twice", "side-without-partner", "sigmas-default"],
    set: () =>
      coco((json) => {
        json.categories[0].keypoints[4] = "left_ear";
      }),
    says: "left_ear",
  },
  {
    finds: ["edge-out-of-range", "sigmas-default"],
    set: () => coco((json) => Object.assign(own(json), { skeleton: [[1, 18]] })),
    says: "[1,18]",
  },
  {
    finds: ["edge-not-published"],
    set: () => coco((json) => Object.assign(json.categories[0], { skeleton: [[1, 18]] })),
    says: "coco-17",
  },
  {
    finds: ["edge-from-zero", "sigmas-default"],
    set: () => coco((json) => Object.assign(own(json), { skeleton: [[0, 16]] })),
  },
  {
    finds: ["edge-to-itself", "sigmas-default"],
    set: () => coco((json) => Object.assign(own(json), { skeleton: [[2, 2]] })),
  },
  {
    finds: ["flip-pairs-not-mutual"],
    set: () =>
      coco((json) =>
        Object.assign(json.categories[0], {
          flip_pairs: [
            [1, 2],
            [2, 3],
            ["left_hip", "right_hip"],
            [5, 40],
            [6, 6],
          ],
        }),
      ),
    count: 3,
    says: "right_eye ↔ left_ear, but before right_eye ↔ left_eye",
  },
  {
    finds: ["side-without-partner", "sigmas-default"],
    set: () =>
      coco((json) => {
        json.categories[0].keypoints[10] = "right_writs";
      }),
    says: "left_wrist, right_writs",
  },
  {
    finds: ["no-flip-pairs", "sigmas-default"],
    set: () => coco((json) => Object.assign(json.categories[0], { keypoints: names(17) })),
  },
  {
    finds: ["keypoint-order", "sigmas-default"],
    set: () =>
      coco((json) => {
        const { keypoints } = json.categories[0];
        [keypoints[13], keypoints[15]] = [keypoints[15], keypoints[13]];
      }),
    says: "coco-17 has left_knee at place 14, here it is left_ankle",
  },
  { finds: ["sigmas-default"], set: () => coco((json) => own(json)), says: "17 keypoints" },
];
