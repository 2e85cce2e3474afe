// Training samples: crop, targets and keypoints belong together, mirrored and turned too.
import { describe, expect, test } from "vitest";
import { drawDisc } from "../../src/image/draw.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { warpImage } from "../../src/image/warp.ts";
import { augmentationSchema } from "../../src/pose/augment.ts";
import {
  createPoseSampleMaker,
  type PoseSampleArrays,
  type PoseSampleOptions,
} from "../../src/pose/training-samples.ts";
import { cropMatrix } from "../../src/pose/transforms.ts";
import { hashSeed, uniformRandom } from "../../src/random/random.ts";
import { defineSkeleton } from "../../src/skeleton/skeleton.ts";
import { expectNear } from "../helpers/near.ts";

const skeleton = defineSkeleton({
  name: "three",
  keypoints: ["middle", "left_hand", "right_hand"],
  upperBody: [0],
});
const [W, H, w, h] = [96, 128, 24, 32];
const COLORS = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
] as const;
const POINTS = [
  [100, 70],
  [130, 90],
  [66, 110],
] as const;

/** A picture with a disc of its colour on each keypoint. */
const image = rgbImage(200, 160);
POINTS.forEach(([x, y], joint) => {
  drawDisc(image, x, y, 6, { color: COLORS[joint]! });
});
const person = {
  center: [100, 85] as const,
  scale: [120, 120] as const,
  keypoints: Float64Array.from(POINTS.flat()),
  visibility: Float32Array.of(1, 1, 1),
};

function sample(options: Partial<PoseSampleOptions>, seed = 0, of: object = {}): PoseSampleArrays {
  const maker = createPoseSampleMaker({
    skeleton,
    inputSize: [W, H],
    heatmapSize: [w, h],
    codec: "quarter-offset",
    ...options,
  });
  const into: PoseSampleArrays = {
    image: new Uint8Array(3 * H * W),
    target: new Float32Array(maker.keypoints * maker.channelsPerKeypoint * h * w),
    weight: new Float32Array(3),
    keypoints: new Float32Array(9),
    crop: new Float64Array(6),
  };
  maker.make(image, { ...person, ...of }, uniformRandom(hashSeed(seed)), into);
  return into;
}

/** Middle of the pixels that have the colour of a plane alone. */
function discMiddle({ image: planes }: PoseSampleArrays, channel: number): [number, number] {
  let [x, y, mass] = [0, 0, 0];
  for (let i = 0; i < W * H; i++) {
    const value = planes[channel * W * H + i]!;
    x += value * (i % W);
    y += value * Math.floor(i / W);
    mass += value;
  }
  return [x / mass, y / mass];
}

function peak(map: Float32Array): [number, number] {
  const at = map.indexOf(Math.max(...map));
  return [at % w, Math.floor(at / w)];
}

test("without augmentation: the official crop, targets on the discs", () => {
  const made = sample({});
  // The region is brought to the input's aspect: 120 wide, 160 high.
  const matrix = cropMatrix({ center: [100, 85], scale: [120, 160] }, 0, [W, H], "three-point");
  expectNear(made.crop, matrix, 0);
  const crop = warpImage(image, matrix, W, H);
  for (let i = 0; i < W * H; i++) {
    for (let c = 0; c < 3; c++) expect(made.image[c * W * H + i]).toBe(crop.data[3 * i + c]);
  }
  POINTS.forEach(([x, y], joint) => {
    const at = [(x - 100) * 0.8 + W / 2, (y - 85) * 0.8 + H / 2] as const;
    expectNear(made.keypoints.subarray(3 * joint, 3 * joint + 3), [...at, 1], 1e-4);
    const map = made.target.subarray(joint * w * h, (joint + 1) * w * h);
    expect(peak(map)).toEqual(at.map((value) => Math.trunc(value / 4 + 0.5)));
    expect(Math.max(...map)).toBe(1);
  });
});

describe.each(["quarter-offset", "udp", "udp-combined", "dark", "tinypose"] as const)("%s", (codec) => {
  const augmentation = augmentationSchema.parse({
    scaleFactor: 0.2,
    rotationFactor: 30,
    flipProbability: 0.5,
  });
  test("augmented: keypoints lie on their discs; a mirrored left hand is a right one", () => {
    let mirrored = 0;
    for (let seed = 0; seed < 12; seed++) {
      const made = sample({ codec, augmentation }, seed);
      const flipped = made.crop[0]! * made.crop[4]! - made.crop[1]! * made.crop[3]! < 0;
      mirrored += Number(flipped);
      for (let joint = 0; joint < 3; joint++) {
        const [x, y] = made.keypoints.subarray(3 * joint);
        if (x! < 9 || y! < 9 || x! > W - 9 || y! > H - 9) continue; // the disc is cut
        const source = flipped ? [0, 2, 1][joint]! : joint;
        expectNear(discMiddle(made, source), [x!, y!], 0.35);
        const [px, py] = POINTS[source]!;
        const [a, b, tx, c, d, ty] = made.crop as unknown as number[];
        expectNear([a! * px + b! * py + tx!, c! * px + d! * py + ty!], [x!, y!], 1e-4);
      }
    }
    expect(mirrored).toBeGreaterThan(2);
    expect(mirrored).toBeLessThan(10);
  });
});

describe("weights", () => {
  const weights = Float32Array.of(1, 0.5, 0.25);
  test("are the person's times the joint's, and change sides in a mirror", () => {
    const jointWeights = [2, 1, 1];
    expectNear(sample({ jointWeights }, 0, { weights }).weight, [2, 0.5, 0.25], 0);
    const flip = augmentationSchema.parse({ flipProbability: 1 });
    expectNear(sample({ jointWeights, augmentation: flip }, 0, { weights }).weight, [2, 0.25, 0.5], 0);
    // Targets are drawn in full whatever the weight.
    expect(Math.max(...sample({}, 0, { weights }).target.subarray(2 * w * h))).toBe(1);
  });

  test("are 0, and nothing is drawn, for the unlabelled and those far outside", () => {
    const made = sample({}, 0, {
      visibility: Float32Array.of(1, 0, 1),
      keypoints: Float64Array.of(100, 70, 130, 90, 900, 110),
    });
    expect([...made.weight]).toEqual([1, 0, 0]);
    expect(Math.max(...made.target.subarray(w * h))).toBe(0);
    expect(made.keypoints[5]).toBe(0);
  });
});

test("the same stream gives the same sample", () => {
  const augmentation = augmentationSchema.parse({
    scaleFactor: 0.3,
    rotationFactor: 45,
    flipProbability: 0.5,
  });
  expect(sample({ augmentation }, 4)).toEqual(sample({ augmentation }, 4));
  expect(sample({ augmentation }, 4)).not.toEqual(sample({ augmentation }, 5));
});

test("what does not fit the skeleton is refused", () => {
  const halfBody = augmentationSchema.parse({ halfBody: { probability: 0.3 } });
  const bare = defineSkeleton({ name: "bare", keypoints: ["a", "b", "c"] });
  expect(() => sample({ skeleton: bare, augmentation: halfBody })).toThrow(/upperBody/);
  expect(() => sample({ jointWeights: [1, 2] })).toThrow(/2 joint weights for the 3 keypoints/);
});
