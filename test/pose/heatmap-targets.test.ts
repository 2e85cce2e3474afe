// Training targets against the official generate_target and plain formulas.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { HeatmapCodecName } from "../../src/pose/codecs/codec-table.ts";
import { createHeatmapCodec } from "../../src/pose/codecs/heatmap-codec.ts";
import { expectNear } from "../helpers/near.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";

interface TargetCase {
  image_size: [number, number];
  heatmap_size: [number, number];
  sigma: number;
  joints: [number, number, number][];
  joints_vis: number[];
  use_different_joints_weight: boolean;
  joints_weight: number[] | null;
  target_weight: number[];
  boxes_y0y1x0x1: [number, number, number, number][];
}

describe("quarter-offset targets equal the official generate_target", () => {
  const { cases } = JSON.parse(readFileSync(fixture("prepost", "targets.json"), "utf8")) as {
    cases: TargetCase[];
  };
  const tensors = readFixtureTensors(fixture("prepost", "targets.safetensors"));

  test.each(cases.map((given, index) => ({ given, index })))(
    "case $index: σ $given.sigma, $given.heatmap_size",
    ({ given, index }) => {
      const [width, height] = given.heatmap_size;
      const count = given.joints.length;
      const expected = new Float32Array(count * width * height);
      let next = 0;
      for (const [joint, [y0, y1, x0, x1]] of given.boxes_y0y1x0x1.entries()) {
        for (let y = y0; y < y1; y++) {
          for (let x = x0; x < x1; x++) {
            expected[(joint * height + y) * width + x] = tensors[`values${index}`]!.values[next++]!;
          }
        }
      }
      const { heatmaps, weights } = createHeatmapCodec({ name: "quarter-offset", sigma: given.sigma }).encode(
        Float64Array.from(given.joints.flatMap((joint) => joint.slice(0, 2))),
        Float32Array.from(given.joints_vis),
        { keypoints: count, height, width },
        given.image_size,
      );
      expectNear(heatmaps, expected, 1e-6);
      // Different weights per joint are the loss's affair.
      const jointWeights = given.use_different_joints_weight ? given.joints_weight! : [];
      expectNear(
        weights.map((weight, joint) => weight * (jointWeights[joint] ?? 1)),
        given.target_weight,
        1e-6,
      );
    },
  );
});

describe("the other targets", () => {
  const shape = { keypoints: 1, height: 64, width: 48 };
  const input = [192, 256] as const;
  const encode = (name: HeatmapCodecName, x: number, y: number) =>
    createHeatmapCodec(name).encode(Float64Array.of(x, y), Float32Array.of(1), shape, input);

  test.each([
    ["dark", 4, 4, Number.POSITIVE_INFINITY],
    ["tinypose", 4, 4, Number.POSITIVE_INFINITY],
    ["udp", 191 / 47, 255 / 63, 6],
  ] as const)("%s: a Gaussian on the exact position", (name, pitchX, pitchY, reach) => {
    const [x, y] = [83.3 / pitchX, 140.6 / pitchY];
    const expected = Array.from({ length: 48 * 64 }, (_, i) => {
      const [column, row] = [i % 48, Math.floor(i / 48)];
      const cut = Math.abs(column - Math.round(x)) > reach || Math.abs(row - Math.round(y)) > reach;
      return cut ? 0 : Math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 2 ** 2));
    });
    expectNear(encode(name, 83.3, 140.6).heatmaps, expected, 1e-6);
  });

  test("udp-combined: a disk, and inside it the offsets to its middle", () => {
    const [x, y, radius] = [83.3 / (191 / 47), 140.6 / (255 / 63), 3.5];
    const { heatmaps } = encode("udp-combined", 83.3, 140.6);
    let inside = 0;
    for (let i = 0; i < 48 * 64; i++) {
      const [dx, dy] = [x - (i % 48), y - Math.floor(i / 48)];
      const disk = Math.hypot(dx, dy) <= radius;
      inside += Number(disk);
      expect(heatmaps[i]).toBe(disk ? 1 : 0);
      expect(heatmaps[48 * 64 + i]).toBeCloseTo(disk ? dx / radius : 0, 6);
      expect(heatmaps[2 * 48 * 64 + i]).toBeCloseTo(disk ? dy / radius : 0, 6);
    }
    expect(inside).toBeGreaterThan(30);
  });

  // How well each codec finds again what it drew: the quarter offset to a quarter of its 4-pixel cells, and the Gaussian
  // codecs as far as their blur kernel matches; the combined maps are blurred over the disk's edge.
  test.each([
    ["quarter-offset", 3],
    ["dark", 0.02],
    ["tinypose", 0.02],
    ["udp", 0.2],
    ["udp-combined", 2],
  ] as const)("%s finds a drawn keypoint within %f px", (name, tolerance) => {
    const codec = createHeatmapCodec(name);
    for (const [x, y] of [
      [83.3, 140.6],
      [40, 200.25],
      [120.9, 61.7],
    ] as const) {
      // A region that maps crop pixels onto equal image pixels.
      const less = codec.crop === "udp" ? 1 : 0;
      const scale = [192 - less, 256 - less] as const;
      const region = { center: [scale[0] / 2, scale[1] / 2], scale } as const;
      const decoded = codec.decode(encode(name, x, y).heatmaps, shape, region, input);
      expectNear(decoded.subarray(0, 2), [x, y], tolerance);
    }
  });

  test.each(["quarter-offset", "dark", "udp"] as const)("%s: far outside loses its weight", (name) => {
    const { heatmaps, weights } = encode(name, 400, 20);
    expect(weights[0]).toBe(0);
    expect(Math.max(...heatmaps)).toBe(0);
  });

  test("an unlabelled keypoint is not drawn", () => {
    const { heatmaps, weights } = createHeatmapCodec("dark").encode(
      Float64Array.of(50, 50),
      Float32Array.of(0),
      shape,
      input,
    );
    expect(weights[0]).toBe(0);
    expect(Math.max(...heatmaps)).toBe(0);
  });
});
