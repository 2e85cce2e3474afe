// Operators of the training domain, lowered for each target and run in the engine, against their definitions in double precision.
import { beforeAll, describe, expect, test } from "vitest";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { type Attributes, emit, type Operator, TRAINING_DOMAIN } from "../../src/graph/operator.ts";
import { registeredOperators } from "../../src/graph/operators.ts";
import { ConvInputGradient, ConvWeightGradient } from "../../src/graph/ops/conv.ts";
import { BatchNormalizationGradient, BatchNormalizationTraining } from "../../src/graph/ops/normalization.ts";
import { MaxPoolGradient } from "../../src/graph/ops/pool.ts";
import { WindowSum } from "../../src/graph/ops/resize.ts";
import { input } from "../../src/graph/value.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { elementCount, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { relativeError } from "../helpers/near.ts";
import { GPU, TARGETS } from "../helpers/targets.ts";
import { CONVOLUTIONS, type ConvGeometry } from "./conv-geometries.ts";

type Floats = Tensor<"float32">;
type Size = readonly [number, number, number, number];

/** A use of an operator, and what its outputs are by definition. */
interface Definition {
  readonly operator: Operator;
  readonly name: string;
  readonly inputs: readonly Floats[];
  readonly attributes: Attributes;
  readonly expected: readonly ArrayLike<number>[];
  readonly tolerance?: number;
}

const random = uniformRandom(7);
const drawn = (shape: readonly number[], low = -1, high = 1): Floats => {
  const data = Float32Array.from({ length: elementCount(shape) }, () => low + (high - low) * random());
  return tensor("float32", shape, data);
};
const at = ([, c, h, w]: Size, n: number, channel: number, y: number, x: number): number =>
  ((n * c + channel) * h + y) * w + x;

/** Calls `meet` for every product of a convolution, with the places of its pixel, its weight and its result. */
function convolve(
  x: Size,
  weight: Size,
  y: Size,
  [, , , options]: ConvGeometry,
  meet: (pixel: number, weight: number, result: number) => void,
): void {
  const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 } = options;
  const [out, perGroup, kh, kw] = weight;
  for (let n = 0; n < y[0]; n++)
    for (let o = 0; o < out; o++)
      for (let c = 0; c < perGroup; c++)
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++)
            for (let row = 0; row < y[2]; row++)
              for (let column = 0; column < y[3]; column++) {
                const from = row * strides[0] + i * dilations[0] - pads[0];
                const across = column * strides[1] + j * dilations[1] - pads[1];
                if (from < 0 || from >= x[2] || across < 0 || across >= x[3]) continue;
                const channel = Math.floor(o / (out / group)) * perGroup + c;
                meet(at(x, n, channel, from, across), at(weight, o, c, i, j), at(y, n, o, row, column));
              }
}

/** Both gradients of a convolution. */
function convolutionGradients(geometry: ConvGeometry): Definition[] {
  const [name, xSize, wSize, options] = geometry;
  const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 } = options;
  const size = (axis: 0 | 1): number => {
    const padded = xSize[axis + 2]! + pads[axis]! + pads[axis + 2]!;
    return Math.floor((padded - dilations[axis] * (wSize[axis + 2]! - 1) - 1) / strides[axis]) + 1;
  };
  const ySize = [xSize[0], wSize[0], size(0), size(1)] as const;
  const [x, weight, dy] = [drawn(xSize), drawn(wSize), drawn(ySize)];
  const forInput = new Float64Array(x.data.length);
  const forWeight = new Float64Array(weight.data.length);
  convolve(xSize, wSize, ySize, geometry, (p, w, r) => {
    forInput[p]! += weight.data[w]! * dy.data[r]!;
    forWeight[w]! += x.data[p]! * dy.data[r]!;
  });
  const attributes = { kernel_shape: wSize.slice(2), strides, pads, dilations, group };
  return [
    {
      operator: ConvInputGradient,
      name,
      inputs: [dy, weight],
      attributes: { ...attributes, shape: xSize },
      expected: [forInput],
    },
    {
      operator: ConvWeightGradient,
      name,
      inputs: [x, dy],
      attributes: { ...attributes, shape: wSize },
      expected: [forWeight],
    },
  ];
}

/** Batch normalisation and its gradient, of numbers around `offset`; the engine loses what the offset is larger. */
function normalizations(name: string, size: Size, offset: number, epsilon: number): Definition[] {
  const [n, channels, h, w] = size;
  const [x, dy] = [drawn(size, offset - 1, offset + 1), drawn(size)];
  const [scale, bias] = [drawn([channels]), drawn([channels])];
  const count = n * h * w;
  const places = Array.from({ length: channels }, (_, c) =>
    Array.from({ length: count }, (_, i) => at(size, Math.floor(i / (h * w)), c, 0, 0) + (i % (h * w))),
  );
  const [y, dx] = [new Float64Array(count * channels), new Float64Array(count * channels)];
  const perChannel = places.map((own, c) => {
    const mean = own.reduce((sum, i) => sum + x.data[i]!, 0) / count;
    const variance = own.reduce((sum, i) => sum + (x.data[i]! - mean) ** 2, 0) / count;
    const deviation = Math.sqrt(variance + epsilon);
    const normalized = (i: number): number => (x.data[i]! - mean) / deviation;
    const forScale = own.reduce((sum, i) => sum + dy.data[i]! * normalized(i), 0);
    const forBias = own.reduce((sum, i) => sum + dy.data[i]!, 0);
    for (const i of own) {
      y[i] = normalized(i) * scale.data[c]! + bias.data[c]!;
      dx[i] =
        (scale.data[c]! / deviation) * (dy.data[i]! - forBias / count - (normalized(i) * forScale) / count);
    }
    return { mean, variance, forScale, forBias };
  });
  const column = (key: "mean" | "variance" | "forScale" | "forBias") => perChannel.map((row) => row[key]);
  const [mean, variance] = [column("mean"), column("variance")];
  const floats = (values: readonly number[]) => tensor("float32", [channels], Float32Array.from(values));
  // Sums of numbers of either sign may come out small; their error is that of their terms.
  const tolerance = 1e-5 * (1 + offset ** 2);
  return [
    {
      operator: BatchNormalizationTraining,
      name,
      inputs: [x, scale, bias],
      attributes: { epsilon },
      expected: [y, mean, variance],
      tolerance,
    },
    {
      operator: BatchNormalizationGradient,
      name,
      inputs: [dy, x, scale, floats(mean), floats(variance)],
      attributes: { epsilon },
      expected: [dx, column("forScale"), column("forBias")],
      tolerance,
    },
  ];
}

/** The gradient of a maximum over windows, of whole numbers so few that most windows have several maxima. */
function maxPoolGradient(
  name: string,
  size: Size,
  [k, stride, pad]: readonly [number, number, number],
  ceil = false,
): Definition {
  const [n, c, h, w] = size;
  const values = drawn(size, -3, 0);
  const x = { ...values, data: values.data.map(Math.round) };
  const round = ceil ? Math.ceil : Math.floor;
  const ySize = [n, c, round((h + 2 * pad - k) / stride) + 1, round((w + 2 * pad - k) / stride) + 1] as const;
  const dy = drawn(ySize);
  const expected = new Float64Array(x.data.length);
  dy.data.forEach((value, result) => {
    const [row, column] = [Math.floor(result / ySize[3]) % ySize[2], result % ySize[3]];
    const map = Math.floor(result / (ySize[2] * ySize[3]));
    let best = -1;
    for (let i = 0; i < k * k; i++) {
      const [from, across] = [row * stride - pad + Math.floor(i / k), column * stride - pad + (i % k)];
      if (from < 0 || from >= h || across < 0 || across >= w) continue;
      const place = (map * h + from) * w + across;
      if (best < 0 || x.data[place]! > x.data[best]!) best = place;
    }
    expected[best]! += value;
  });
  const attributes = {
    kernel_shape: [k, k],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
    ...(ceil && { ceil_mode: 1 }),
  };
  return { operator: MaxPoolGradient, name, inputs: [dy, x], attributes, expected: [expected] };
}

function windowSum([rows, columns]: readonly [number, number]): Definition {
  const size: Size = [2, 3, 2 * rows, 3 * columns];
  const x = drawn(size);
  const expected = new Float64Array(2 * 3 * 2 * 3);
  x.data.forEach((value, i) => {
    const [y, across] = [Math.floor(i / size[3]) % size[2], i % size[3]];
    const map = Math.floor(i / (size[2] * size[3]));
    expected[(map * 2 + Math.floor(y / rows)) * 3 + Math.floor(across / columns)]! += value;
  });
  const name = `${rows}×${columns}`;
  return {
    operator: WindowSum,
    name,
    inputs: [x],
    attributes: { window: [rows, columns] },
    expected: [expected],
  };
}

const DEFINITIONS: readonly Definition[] = [
  ...CONVOLUTIONS.flatMap(convolutionGradients),
  ...normalizations("maps", [3, 4, 5, 6], 0, 1e-5),
  ...normalizations("large maps", [2, 3, 220, 210], 0, 1e-5),
  ...normalizations("large ε", [3, 4, 5, 6], 0, 0.5),
  ...normalizations("one sample", [1, 2, 5, 4], 0, 1e-5),
  ...normalizations("single pixels", [9, 3, 1, 1], 0, 1e-5),
  ...normalizations("one channel", [2, 1, 4, 4], 0, 1e-5),
  ...normalizations("one channel, other numbers", [2, 1, 4, 4], 1, 1e-5),
  ...normalizations("far from zero", [4, 3, 8, 8], 20, 1e-5),
  maxPoolGradient("3×3, stride 2, even map", [2, 3, 6, 8], [3, 2, 1]),
  maxPoolGradient("3×3, stride 2, odd map", [2, 2, 7, 5], [3, 2, 1]),
  maxPoolGradient("2×2, rows left over", [1, 2, 5, 7], [2, 2, 0]),
  maxPoolGradient("windows that overlap", [1, 2, 5, 4], [3, 1, 1]),
  maxPoolGradient("rounded up", [1, 2, 6, 7], [3, 2, 0], true),
  ...(
    [
      [1, 1],
      [2, 2],
      [2, 3],
      [8, 8],
    ] as const
  ).map(windowSum),
];

test("every operator of the training domain is among them", () => {
  const training = registeredOperators().filter(({ domain }) => domain === TRAINING_DOMAIN);
  const missing = training.filter((operator) =>
    DEFINITIONS.every((definition) => definition.operator !== operator),
  );
  expect(missing.map(({ type }) => type)).toEqual([]);
});

test("an operator of the training domain that nothing lowers is refused by name", () => {
  const operator: Operator = { ...WindowSum, type: "Unheard" };
  const x = input("x", "float32", [1, 1, 2, 2]);
  const graph = createGraph([x], { y: emit(operator, [x], {})[0]! });
  expect(() => lower(graph, GPU)).toThrow("Nothing lowers Unheard");
});

describe.each(TARGETS)("lowered for %s", (_, target) => {
  let results: Record<string, Tensor>;
  beforeAll(async () => {
    const feeds: Record<string, Tensor> = {};
    const uses = DEFINITIONS.map(({ operator, inputs, attributes }, id) => {
      const values = inputs.map(({ shape }, i) => input(`c${id}.x${i}`, "float32", shape));
      inputs.forEach((value, i) => {
        feeds[`c${id}.x${i}`] = value;
      });
      const outputs = emit(operator, values, attributes).map((value, i) => [`c${id}.y${i}`, value] as const);
      return { values, outputs };
    });
    const graph = lower(
      createGraph(
        uses.flatMap(({ values }) => values),
        Object.fromEntries(uses.flatMap(({ outputs }) => outputs)),
      ),
      target,
    );
    expect(graph.nodes.filter(({ operator }) => operator.domain === TRAINING_DOMAIN)).toEqual([]);
    const bytes = encodeModel(graphToModel(graph, { name: "definitions" }));
    await using session = await openSession(bytes, { device: "cpu", threads: 1 });
    results = await session.run(feeds);
  });

  test.each(
    DEFINITIONS.map((definition, id) => [definition.operator.type, definition.name, id, definition] as const),
  )("%s, %s", (_type, _name, id, { expected, tolerance = 2e-6 }) => {
    expected.forEach((values, i) => {
      const actual = results[`c${id}.y${i}`]!.data as Float32Array;
      expect(relativeError(actual, values), `output ${i}`).toBeLessThan(tolerance);
    });
  });
});
