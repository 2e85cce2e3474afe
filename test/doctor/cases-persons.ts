// One case per check of keypoints, boxes, MPII's fields, left and right.
import { type Case, coco, each, edit, exchange, exchangeAll, MPII_MIRROR, mpii } from "./break.ts";
import { type Loose, poseAt } from "./good-sets.ts";

export const PERSON_CASES: readonly Case[] = [
  // Keypoints
  {
    finds: ["keypoints-length"],
    set: () => coco((json) => json.annotations[7].keypoints.pop()),
    says: "50 numbers, expected 17 × 3 = 51",
  },
  {
    finds: ["visibility-value"],
    set: () => coco((json) => edit(json.annotations[4], 3, [50, 22, 0.83])),
    says: "v 0.83",
  },
  {
    finds: ["num-keypoints"],
    set: () => coco((json) => Object.assign(json.annotations[7], { num_keypoints: 0 })),
    says: "num_keypoints 0, labelled are 17",
  },
  {
    finds: ["keypoint-at-origin", "keypoint-outside-box"],
    set: () => coco((json) => edit(json.annotations[4], 9, [0, 0, 2])),
    says: "left_wrist",
  },
  {
    finds: ["keypoint-outside-picture", "box-beyond-picture"],
    set: () =>
      coco((json) => {
        Object.assign(json.images[0], { width: 140 });
      }),
    count: 2,
    says: "picture 140 × 280",
  },
  {
    finds: ["keypoint-fractions"],
    set: () =>
      coco((json) =>
        each(json, (a) => {
          a.keypoints = a.keypoints.map((v: number, i: number) => (i % 3 === 2 ? v : v / 280));
        }),
      ),
    says: "240 of 240",
  },
  {
    finds: ["keypoints-collapsed", "pair-on-one-spot", "box-too-large"],
    set: () =>
      coco((json) => {
        for (let k = 0; k < 17; k++) edit(json.annotations[0], k, [30, 30, 2]);
      }),
    says: "17 keypoints within 0 px",
  },
  {
    finds: ["pair-on-one-spot"],
    set: () => coco((json) => edit(json.annotations[0], 16, json.annotations[0].keypoints.slice(45, 47))),
    says: "left_ankle",
  },
  {
    finds: ["keypoint-never-labelled"],
    set: () =>
      coco((json) =>
        each(json, (a) => {
          edit(a, 3, [0, 0, 0]);
          a.num_keypoints = 16;
        }),
      ),
    says: "left_ear",
  },
  {
    finds: ["keypoint-rarely-labelled"],
    set: () =>
      coco((json) =>
        each(json, (a, i) => {
          if (i < 4) return;
          edit(a, 3, [0, 0, 0]);
          a.num_keypoints = 16;
        }),
      ),
    says: "left_ear, in 4 of 240",
  },
  {
    finds: ["visibility-all-2"],
    set: () =>
      coco((json) =>
        each(json, (a) => {
          a.keypoints[50] = 2;
        }),
      ),
  },
  {
    finds: ["not-labelled-with-place"],
    set: () =>
      coco((json) => {
        json.annotations[0].keypoints[29] = 0;
        json.annotations[0].num_keypoints = 16;
      }),
    says: "left_wrist",
  },
  {
    finds: ["persons-unlabelled"],
    set: () =>
      coco((json) => Object.assign(json.annotations[0], { keypoints: Array(51).fill(0), num_keypoints: 0 })),
    count: 1,
  },
  {
    finds: ["persons-barely-labelled"],
    set: () =>
      coco((json) => {
        const a = json.annotations[0];
        a.keypoints = a.keypoints.map((v: number, i: number) => (i < 6 ? v : 0));
        a.num_keypoints = 2;
      }),
    says: "2 of 17",
  },
  // Boxes and areas
  {
    finds: ["box-missing"],
    set: () =>
      coco((json) => {
        delete json.annotations[4].bbox;
      }),
  },
  {
    finds: ["box-empty"],
    set: () => coco((json) => Object.assign(json.annotations[4], { bbox: [10, 10, -60, 120] })),
    says: "[10, 10, -60, 120]",
  },
  {
    finds: ["box-corners"],
    set: () =>
      coco((json) =>
        each(json, (a) => {
          const [x, y, w, h] = a.bbox;
          a.bbox = [x, y, x + w, y + h];
        }),
      ),
    says: "fit as corners",
  },
  {
    finds: ["box-fractions"],
    set: () =>
      coco((json) =>
        each(json, (a) => {
          const [x, y, w, h] = a.bbox;
          a.bbox = [x / 200, y / 280, w / 200, h / 280];
        }),
      ),
  },
  {
    finds: ["box-outside", "box-of-another"],
    set: () => coco((json) => Object.assign(json.annotations[4], { bbox: [400, 10, 60, 120] })),
    says: "picture 200 × 280",
  },
  {
    finds: ["box-beyond-picture"],
    set: () => coco((json) => Object.assign(json.annotations[4], { bbox: [-20, 10, 90, 120] })),
  },
  {
    finds: ["box-of-another"],
    set: () => coco((json) => Object.assign(json.annotations[4], { bbox: [100, 10, 60, 120] })),
    says: "0 of 17",
  },
  {
    finds: ["keypoint-outside-box"],
    set: () => coco((json) => edit(json.annotations[4], 9, [95, 78, 2])),
    says: "1 of 17 keypoints outside, the farthest by 38 %", // (95 − 70 − 2) / 60
  },
  {
    finds: ["box-too-large"],
    set: () =>
      coco((json) =>
        Object.assign(json.annotations[4], {
          keypoints: poseAt(0, 0).map((v, i) => (i % 3 === 2 ? v : 10 + v / 5)),
        }),
      ),
  },
  {
    finds: ["area-tiny"],
    set: () =>
      coco((json) => {
        json.annotations[4].area = 1;
        json.annotations[5].area = 0;
      }),
    count: 2,
    says: "area 1, bbox [10, 10, 60, 120]",
  },
  {
    finds: ["area-above-box"],
    set: () => coco((json) => Object.assign(json.annotations[4], { area: 56000 })),
    says: "area 56000, box 60 × 120 = 7200",
  },
  {
    finds: ["area-is-box"],
    set: () => coco((json) => each(json, (a) => Object.assign(a, { area: 7200 }))),
    says: "240 of 240",
  },
  {
    finds: ["area-missing"],
    set: () =>
      coco((json) => {
        delete json.annotations[4].area;
      }),
  },
  {
    finds: ["persons-small"],
    set: () =>
      coco((json) =>
        Object.assign(json.annotations[4], {
          bbox: [1, 1, 12, 24],
          area: 150,
          keypoints: poseAt(5, 5).map((v, i) => (i % 3 === 2 ? v : v / 5)),
        }),
      ),
    says: "box 12 × 24",
  },
  {
    finds: ["boxes-wide"],
    set: () =>
      coco((json) =>
        each(json, (a) => {
          // Lying: a quarter turn about the box's corner.
          const [x, y] = a.bbox;
          a.bbox = [x, y, 120, 60];
          for (let k = 0; k < 17; k++) {
            const [px, py] = [a.keypoints[3 * k] - x, a.keypoints[3 * k + 1] - y];
            edit(a, k, [x + 120 - py, y + px]);
          }
          a.image_id = 1;
          json.images[0].width = 400;
          json.images.splice(1);
          a.bbox[0] += a.id / 1e4; // no copies
        }),
      ),
  },
  // MPII
  {
    finds: ["mpii-scale"],
    set: () => mpii((json) => Object.assign(json[3], { scale: 0 })),
    says: "entry 3 (3.jpg)",
  },
  {
    finds: ["mpii-scale-extent"],
    set: () => mpii((json) => Object.assign(json[3], { scale: 120 })),
    says: "scale 120 means 24000 px, the joints span 106 px",
  },
  { finds: ["mpii-center"], set: () => mpii((json) => Object.assign(json[3], { center: [-1, -1] })) },
  { finds: ["mpii-center-outside"], set: () => mpii((json) => Object.assign(json[3], { center: [900, 5] })) },
  {
    finds: ["mpii-visibility"],
    set: () =>
      mpii((json) => {
        json[3].joints_vis[2] = -1;
      }),
  },
  {
    finds: ["mpii-from-zero"],
    set: () =>
      mpii((json) => {
        json[3].joints[0][0] = 0;
      }),
  },
  {
    finds: ["keypoint-at-origin", "mpii-from-zero"],
    set: () =>
      mpii((json) => {
        json[3].joints[0] = [0, 0];
      }),
  },
  {
    finds: ["mpii-no-joints"],
    set: () =>
      mpii((json) => {
        delete json[3].joints;
        delete json[3].joints_vis;
      }),
  },
  { finds: ["mpii-file-folder"], set: () => mpii((json) => Object.assign(json[3], { image: "a/3.jpg" })) },
  {
    finds: ["field-type", "mpii-no-joints"],
    set: () => mpii((json) => json[3].joints.pop()),
    says: "(15 entries), expected 16 points",
  },
  // Left and right
  {
    finds: ["sides-all-exchanged"],
    set: () => coco((json) => each(json, exchangeAll)),
    says: "240 of 240",
  },
  {
    finds: ["sides-mostly-behind"],
    set: () =>
      mpii((json) =>
        json.forEach((entry: Loose) => {
          entry.joints = entry.joints.map((_: unknown, j: number) => entry.joints[MPII_MIRROR[j]!]);
        }),
      ),
    says: "240 of 240",
  },
  {
    finds: ["sides-face"],
    set: () => coco((json) => exchangeAll(json.annotations[4])),
    count: 1,
    says: "confidence 1.0",
  },
  {
    finds: ["sides-body"],
    set: () =>
      coco((json) => {
        for (let k = 5; k < 17; k += 2) exchange(json.annotations[4], k, k + 1);
      }),
    count: 1,
  },
  { finds: ["sides-limbs"], set: () => coco((json) => exchange(json.annotations[4], 13, 14)), says: "knees" },
  { finds: ["sides-limbs"], set: () => coco((json) => exchange(json.annotations[4], 7, 8)), says: "elbows" },
  { finds: ["sides-limbs"], set: () => coco((json) => exchange(json.annotations[4], 5, 6)), says: "trunk" },
];
