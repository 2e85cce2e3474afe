// The loss of FCOS against its formula in double precision, and its gradient against central differences.
import { expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input } from "../../src/graph/value.ts";
import { fcosLoss } from "../../src/losses/fcos-loss.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { TARGETS } from "../helpers/targets.ts";

const [N, K] = [2, 3];
const LEVELS = [
  [3, 4],
  [2, 2],
] as const;
const P = LEVELS.reduce((sum, [h, w]) => sum + h * w, 0);
const KINDS = { classes: K, distances: 4, centerness: 1 } as const;

const random = uniformRandom(5);
const draw = (count: number, low: number, high: number): Float32Array =>
  Float32Array.from({ length: count }, () => low + (high - low) * random());

/** Predictions of each kind and level, and the truth. */
const predictions = Object.fromEntries(
  Object.entries(KINDS).flatMap(([kind, channels]) =>
    LEVELS.map(([h, w], l) => [
      `${kind}${l}`,
      tensor(
        "float32",
        [N, channels, h, w],
        kind === "distances" ? draw(N * channels * h * w, 4, 30) : draw(N * channels * h * w, -2, 2),
      ),
    ]),
  ),
) as Record<string, Tensor<"float32">>;
const LABELS = [-1, 0, 2, -2, 1, -1, -1, 0];
const truth = (labels: (i: number) => number) => ({
  "truth.classes": tensor(
    "float32",
    [N, P],
    Float32Array.from({ length: N * P }, (_, i) => labels(i)),
  ),
  "truth.distances": tensor("float32", [N, P, 4], draw(N * P * 4, 4, 30)),
  "truth.centerness": tensor("float32", [N, P], draw(N * P, 0.05, 1)),
});

/** The loss by formula: places one by one. */
function formula(values: Readonly<Record<string, Tensor<"float32">>>): {
  classes: number;
  boxes: number;
  centerness: number;
} {
  const at = (kind: string, n: number, place: number, channel: number): number => {
    let first = 0;
    for (const [l, [h, w]] of LEVELS.entries()) {
      if (place < first + h * w)
        return values[`${kind}${l}`]!.data[
          (n * KINDS[kind as keyof typeof KINDS] + channel) * h * w + place - first
        ]!;
      first += h * w;
    }
    throw new Error("no such place");
  };
  const result = { classes: 0, boxes: 0, centerness: 0 };
  let [objects, weights] = [0, 0];
  const bce = (x: number, t: number): number => Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x)));
  for (let n = 0; n < N; n++) {
    for (let place = 0; place < P; place++) {
      const label = values["truth.classes"]!.data[n * P + place]!;
      if (label === -2) continue;
      for (let k = 0; k < K; k++) {
        const x = at("classes", n, place, k);
        const t = label === k ? 1 : 0;
        const p = 1 / (1 + Math.exp(-x));
        const pt = t === 1 ? p : 1 - p;
        result.classes += (t === 1 ? 0.25 : 0.75) * (1 - pt) ** 2 * bce(x, t);
      }
      if (label < 0) continue;
      objects++;
      const center = values["truth.centerness"]!.data[n * P + place]!;
      weights += center;
      const own = [0, 1, 2, 3].map((side) => at("distances", n, place, side)) as [
        number,
        number,
        number,
        number,
      ];
      const wanted = Array.from(
        values["truth.distances"]!.data.subarray(4 * (n * P + place), 4 * (n * P + place) + 4),
      ) as [number, number, number, number];
      const area = ([l, t, r, b]: readonly [number, number, number, number]): number => (l + r) * (t + b);
      const shared = area(
        own.map((side, i) => Math.min(side, wanted[i]!)) as unknown as [number, number, number, number],
      );
      result.boxes += center * -Math.log(shared / (area(own) + area(wanted) - shared));
      result.centerness += bce(at("centerness", n, place, 0), center);
    }
  }
  return {
    classes: result.classes / Math.max(1, objects),
    boxes: weights > 0 ? result.boxes / weights : 0,
    centerness: result.centerness / Math.max(1, objects),
  };
}

async function compute(values: Readonly<Record<string, Tensor<"float32">>>, target = TARGETS[0]![1]) {
  const inputs = Object.fromEntries(
    Object.entries(values).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
  );
  const of = (kind: string) => LEVELS.map((_, l) => inputs[`${kind}${l}`]!);
  const loss = fcosLoss(
    { classes: of("classes"), distances: of("distances"), centerness: of("centerness") },
    {
      classes: inputs["truth.classes"]!,
      distances: inputs["truth.distances"]!,
      centerness: inputs["truth.centerness"]!,
    },
  );
  const wanted = Object.keys(predictions).map((name) => inputs[name]!);
  const gradients = differentiate(loss.total, wanted);
  const outputs = {
    ...loss,
    ...Object.fromEntries(wanted.map((value) => [`d.${value.name}`, gradients.get(value)!])),
  };
  const graph = lower(createGraph(Object.values(inputs), outputs), target);
  await using session = await openSession(encodeModel(graphToModel(graph, { name: "fcos" })), {
    device: "cpu",
    threads: 1,
  });
  const result = await session.run(values);
  return (name: string): Float32Array => result[name]!.data as Float32Array;
}

test.each(TARGETS)("value and gradient, lowered for %s", async (_, target) => {
  const values = { ...predictions, ...truth((i) => LABELS[i % LABELS.length]!) };
  const result = await compute(values, target);
  const expected = formula(values);
  for (const part of ["classes", "boxes", "centerness"] as const)
    expect(result(part)[0]).toBeCloseTo(expected[part], 4);
  expect(result("total")[0]).toBeCloseTo(expected.classes + expected.boxes + expected.centerness, 4);
  const total = (changed: typeof values): number =>
    Object.values(formula(changed)).reduce((a, b) => a + b, 0);
  for (const name of Object.keys(predictions)) {
    const { shape, data } = values[name as keyof typeof values] as Tensor<"float32">;
    for (let i = 0; i < data.length; i += 5) {
      const moved = (by: number): number =>
        total({
          ...values,
          [name]: tensor(
            "float32",
            shape,
            data.map((v, at) => (at === i ? v + by : v)),
          ),
        });
      const step = 2 ** -8; // exact in float32
      const difference = (moved(step) - moved(-step)) / (2 * step);
      expect(Math.abs(result(`d.${name}`)[i]! - difference), `${name}[${i}]`).toBeLessThan(1e-3);
    }
  }
});

test("a batch without objects teaches what is not there, and nothing of boxes", async () => {
  const result = await compute({ ...predictions, ...truth(() => -1) });
  expect(result("classes")[0]).toBeGreaterThan(0);
  expect([result("boxes")[0], result("centerness")[0]]).toEqual([0, 0]);
  expect(Math.max(...result("d.distances0").map(Math.abs))).toBe(0);
});
