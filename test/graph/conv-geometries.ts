// Geometries of convolutions that gradients are checked for: those of the networks, and the corners beyond them.
import type { ConvOptions } from "../../src/graph/ops/conv.ts";

/** A convolution: its name, its input, its weight (O×C/g×k×k), its options. */
export type ConvGeometry = readonly [
  name: string,
  x: readonly [number, number, number, number],
  weight: readonly [number, number, number, number],
  options: ConvOptions,
];

/** `p` rows and columns on every side. */
const around = (p: number) => [p, p, p, p] as const;

/** Geometries of Conv. */
export const CONVOLUTIONS: readonly ConvGeometry[] = [
  ["1×1", [2, 3, 4, 5], [4, 3, 1, 1], {}],
  ["1×1 on one pixel", [3, 4, 1, 1], [2, 4, 1, 1], {}],
  ["1×1, one channel to one", [2, 1, 3, 2], [1, 1, 1, 1], {}],
  ["1×1, stride 2, even map", [2, 3, 6, 4], [2, 3, 1, 1], { strides: [2, 2] }],
  ["1×1, stride 2, odd map", [2, 3, 5, 7], [2, 3, 1, 1], { strides: [2, 2] }],
  ["1×1, stride 3", [1, 2, 6, 8], [2, 2, 1, 1], { strides: [3, 3] }],
  ["1×1, padded", [2, 2, 3, 4], [3, 2, 1, 1], { pads: around(1) }],
  ["2×2", [2, 2, 4, 5], [3, 2, 2, 2], {}],
  ["2×2, stride 3", [2, 2, 7, 9], [3, 2, 2, 2], { strides: [3, 3] }],
  ["3×3", [2, 3, 5, 6], [4, 3, 3, 3], { pads: around(1) }],
  ["3×3, one sample", [1, 2, 4, 4], [2, 2, 3, 3], { pads: around(1) }],
  ["3×3 on one pixel", [2, 3, 1, 1], [2, 3, 3, 3], { pads: around(1) }],
  ["3×3, large map", [2, 2, 18, 17], [3, 2, 3, 3], { pads: around(1) }],
  ["3×3, very large map", [1, 2, 46, 45], [3, 2, 3, 3], { pads: around(1) }],
  ["3×3, whole blocks of channels", [2, 16, 4, 5], [32, 16, 3, 3], { pads: around(1) }],
  [
    "3×3, stride 2, whole blocks of channels",
    [1, 32, 5, 4],
    [16, 32, 3, 3],
    { strides: [2, 2], pads: around(1) },
  ],
  ["1×1, large map", [2, 3, 17, 18], [4, 3, 1, 1], {}],
  ["3×3, unpadded", [2, 2, 5, 4], [3, 2, 3, 3], {}],
  ["3×3, wide pads", [2, 2, 3, 4], [2, 2, 3, 3], { pads: around(3) }],
  ["3×3, uneven pads", [1, 2, 5, 6], [3, 2, 3, 3], { pads: [0, 1, 2, 1] }],
  ["3×3, stride 2, even map", [2, 3, 8, 6], [4, 3, 3, 3], { strides: [2, 2], pads: around(1) }],
  ["3×3, stride 2, odd map", [2, 3, 7, 9], [4, 3, 3, 3], { strides: [2, 2], pads: around(1) }],
  ["3×3, stride 2, uneven pads", [1, 2, 7, 6], [2, 2, 3, 3], { strides: [2, 2], pads: [0, 1, 1, 0] }],
  ["3×3, stride 2×1", [1, 2, 7, 6], [2, 2, 3, 3], { strides: [2, 1], pads: around(1) }],
  ["3×1", [2, 2, 5, 4], [3, 2, 3, 1], { pads: [1, 0, 1, 0] }],
  ["7×7, stride 2", [2, 2, 12, 11], [3, 2, 7, 7], { strides: [2, 2], pads: around(3) }],
  ["3×3, dilation 2", [2, 2, 7, 6], [3, 2, 3, 3], { dilations: [2, 2], pads: around(2) }],
  ["3×3, dilation 1×3", [1, 2, 4, 9], [2, 2, 3, 3], { dilations: [1, 3], pads: [1, 2, 1, 2] }],
  [
    "3×3, dilation 2, stride 2",
    [1, 2, 9, 8],
    [2, 2, 3, 3],
    { dilations: [2, 2], strides: [2, 2], pads: around(2) },
  ],
  ["depthwise 3×3", [2, 4, 5, 6], [4, 1, 3, 3], { group: 4, pads: around(1) }],
  [
    "depthwise 3×3, stride 2, even map",
    [2, 4, 6, 8],
    [4, 1, 3, 3],
    { group: 4, strides: [2, 2], pads: around(1) },
  ],
  [
    "depthwise 3×3, stride 2, odd map",
    [2, 4, 7, 5],
    [4, 1, 3, 3],
    { group: 4, strides: [2, 2], pads: around(1) },
  ],
  ["depthwise 3×3, whole blocks of channels", [4, 8, 5, 6], [8, 1, 3, 3], { group: 8, pads: around(1) }],
  [
    "depthwise 3×3, stride 2, even map, blocks across samples",
    [4, 12, 6, 8],
    [12, 1, 3, 3],
    { group: 12, strides: [2, 2], pads: around(1) },
  ],
  [
    "depthwise 3×3, stride 2, odd map, whole blocks of channels",
    [2, 16, 7, 5],
    [16, 1, 3, 3],
    { group: 16, strides: [2, 2], pads: around(1) },
  ],
  [
    "depthwise 3×3, stride 2×1, dilation 1×2, whole blocks of channels",
    [2, 8, 6, 9],
    [8, 1, 3, 3],
    { group: 8, strides: [2, 1], dilations: [1, 2], pads: [1, 2, 1, 2] },
  ],
  ["depthwise 5×5", [1, 3, 6, 7], [3, 1, 5, 5], { group: 3, pads: around(2) }],
  ["depthwise 1×1", [2, 3, 4, 2], [3, 1, 1, 1], { group: 3 }],
  ["depthwise to twice the channels", [2, 2, 5, 4], [4, 1, 3, 3], { group: 2, pads: around(1) }],
  ["2 groups of 1×1", [2, 4, 3, 5], [6, 2, 1, 1], { group: 2 }],
  ["2 groups of 3×3", [2, 4, 5, 4], [6, 2, 3, 3], { group: 2, pads: around(1) }],
  ["2 groups of 3×3, stride 2", [2, 4, 6, 5], [6, 2, 3, 3], { group: 2, strides: [2, 2], pads: around(1) }],
  ["3 groups to one channel each", [1, 6, 4, 4], [3, 2, 3, 3], { group: 3, pads: around(1) }],
];

/** Geometries of ConvTranspose; the weight is C×O/g×k×k. */
export const TRANSPOSED_CONVOLUTIONS: readonly ConvGeometry[] = [
  ["4×4, stride 2", [2, 3, 4, 3], [3, 2, 4, 4], { strides: [2, 2], pads: around(1) }],
  [
    "3×3, stride 2, output padding",
    [2, 3, 4, 3],
    [3, 2, 3, 3],
    { strides: [2, 2], pads: around(1), outputPadding: [1, 1] },
  ],
  ["3×3, stride 2", [1, 2, 3, 4], [2, 3, 3, 3], { strides: [2, 2], pads: around(1) }],
  ["2×2, stride 2", [2, 3, 3, 4], [3, 2, 2, 2], { strides: [2, 2] }],
  ["3×3", [2, 2, 4, 5], [2, 3, 3, 3], { pads: around(1) }],
  ["2 groups", [1, 4, 3, 3], [4, 3, 4, 4], { group: 2, strides: [2, 2], pads: around(1) }],
  ["depthwise", [2, 3, 3, 4], [3, 1, 4, 4], { group: 3, strides: [2, 2], pads: around(1) }],
  ["3×3, dilation 2", [1, 2, 4, 3], [2, 2, 3, 3], { dilations: [2, 2], pads: around(1) }],
  ["3×2, stride 2×3", [1, 2, 3, 3], [2, 2, 3, 2], { strides: [2, 3], pads: [0, 1, 1, 0] }],
];
