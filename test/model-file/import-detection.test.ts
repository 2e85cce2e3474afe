// Two-stage detectors of other code bases: the names of mmdetection 2.x, and 1.x with its order of classes; any size of an export.
import { describe, expect, test } from "vitest";
import { inferenceGraph } from "../../src/graph/inference.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { importStateDict, type Model } from "../../src/model-file/import-checkpoint.ts";
import { toOnnx } from "../../src/model-file/onnx-model.ts";
import { buildDetector, DETECTOR_TEST, leastScore } from "../../src/models/detector-network.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { expectNear } from "../helpers/near.ts";
import { randomWeights, tinyHRNet, tinyLite } from "../helpers/tiny-models.ts";

const CLASSES = 3;
const small = { channels: CLASSES, hidden: 8, neck: { channels: 8, levels: 5 } };
const KINDS = [
  ["Faster R-CNN", {}],
  ["Mask R-CNN", { masks: "plain", maskConvs: 2 }],
  ["Cascade R-CNN", { stages: 3 }],
  ["Cascade Mask R-CNN", { stages: 3, masks: "plain", maskConvs: 3 }],
  ["HTC", { stages: 3, masks: "flow", semantic: 4 }],
] as const;

const mmdetectionName = (name: string): string =>
  name
    .replace(/^neck\.reduction_conv\.0\./, "neck.reduction_conv.conv.")
    .replace(/^neck\.fpn_conv\.(\d)\./, "neck.fpn_conv.$1.conv.");

/** A weight with other rows: places in the given one, −1 for a row that is never used. */
function rows({ shape, data }: Tensor, order: readonly number[]): Tensor {
  const each = data.length / shape[0]!;
  const result = new Float32Array(order.length * each);
  order.forEach((from, to) => {
    result.set(
      from < 0
        ? new Float32Array(each).fill(9)
        : (data as Float32Array).subarray(from * each, (from + 1) * each),
      to * each,
    );
  });
  return tensor("float32", [order.length, ...shape.slice(1)], result);
}

/** The state as mmdetection 1.x has it: no `roi_head`, the background first, boxes and masks of the background. */
function asMmdetection1(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const classes = Array.from({ length: CLASSES }, (_, k) => k);
  return new Map(
    [...state].map(([name, weight]) => {
      const old = mmdetectionName(name).replace(/^roi_head\./, "");
      if (name.includes(".fc_cls.")) return [old, rows(weight, [CLASSES, ...classes])];
      if (name.includes(".fc_reg.") && weight.shape[0] === 4 * CLASSES)
        return [old, rows(weight, [-1, -1, -1, -1, ...Array.from({ length: 4 * CLASSES }, (_, i) => i)])];
      if (/mask_head.*conv_logits/.test(name)) return [old, rows(weight, [-1, ...classes])];
      return [old, weight];
    }),
  );
}

describe.each(KINDS)("%s", (_, head) => {
  const config = tinyHRNet({ type: "rcnn", ...small, ...head });
  const state = randomWeights(config, 5);

  test("names of mmdetection 2.x", () => {
    const renamed = new Map([...state].map(([name, weight]) => [mmdetectionName(name), weight]));
    const { model, report } = importStateDict(renamed, "two.pth");
    expect(report).toMatchObject({ codeBase: "mmdetection 2.x/3.x", ignored: [], reordered: [] });
    expect(model.description.network).toEqual(config);
    expect(model.description.task).toBe("detection");
    expect([...model.weights.keys()].sort()).toEqual([...state.keys()].sort());
  });

  test("mmdetection 1.x: boxes counted by pixels, classes in our order", () => {
    const { model, report } = importStateDict(asMmdetection1(state), "one.pth");
    expect(report.codeBase).toContain("mmdetection 1.x");
    expect(report.ignored).toEqual([]);
    expect(report.reordered.length).toBeGreaterThan(0);
    expect(model.description.network).toEqual({ ...config, head: { ...config.head, extent: "pixels" } });
    for (const [name, weight] of state) expect(model.weights.get(name)!.data, name).toEqual(weight.data);
  });
});

test("a head for other classes starts anew; the rest is kept", () => {
  const config = tinyHRNet({ type: "rcnn", ...small, masks: "plain" });
  const { model, report } = importStateDict(randomWeights(config, 5), "own.safetensors", { outputs: 2 });
  expect([...report.initialized].sort()).toEqual(
    ["bbox_head.fc_cls", "bbox_head.fc_reg", "mask_head.conv_logits"].flatMap((name) => [
      `roi_head.${name}.bias`,
      `roi_head.${name}.weight`,
    ]),
  );
  expect(model.weights.get("roi_head.bbox_head.fc_cls.weight")!.shape).toEqual([3, 8]);
});

/** What a detector's .onnx finds in noise of that size. */
async function detections(onnx: Uint8Array, size: readonly [number, number]) {
  await using session = await openSession(onnx, { device: "cpu", threads: 1 });
  const random = uniformRandom(3);
  const count = 3 * size[0] * size[1];
  const input = tensor(
    "float32",
    [1, 3, ...size],
    Float32Array.from({ length: count }, () => 2 * random() - 1),
  );
  return await session.run({ input });
}

/** A detector for pictures of that size alone. */
function sizedDetector({ description: { network }, weights }: Model, size: readonly [number, number]) {
  const options = { ...DETECTOR_TEST, minScore: leastScore(network) };
  const { graph } = buildDetector(network, size, options);
  return encodeModel(graphToModel(inferenceGraph(graph, weights), { name: "sized" }));
}

/** Weights that find something in noise. */
const SEED = 6;

const fcos = { type: "fcos", channels: 2, convs: 1, neck: { channels: 32, levels: 5 } } as const;

test.each([
  ["FCOS", tinyHRNet(fcos)],
  ["FCOS on Lite-HRNet", tinyLite(fcos)],
  ["Mask R-CNN", tinyHRNet({ type: "rcnn", ...small, masks: "plain" })],
  ["Cascade R-CNN by pixels", tinyHRNet({ type: "rcnn", ...small, stages: 3, extent: "pixels" })],
] as const)(
  "an exported %s takes pictures of any size: what one built for that size gives",
  async (_, network) => {
    const { model } = importStateDict(randomWeights(network, SEED), "own.safetensors");
    const kept: Model = { ...model, description: { ...model.description, network } };
    const { onnx } = toOnnx(kept);
    const size = [96, 160] as const;
    const [open, own] = [await detections(onnx, size), await detections(sizedDetector(kept, size), size)];
    expect(Object.keys(open).sort()).toEqual(Object.keys(own).sort());
    const count = (own["scores"]!.data as Float32Array).filter((score) => score > 0).length;
    expect(count).toBeGreaterThan(0);
    for (const [name, { data, shape }] of Object.entries(own)) {
      const each = data.length / shape[1]!; // what lies beyond the last detection means nothing
      const found = (values: Tensor["data"]) => (values as Float32Array).subarray(0, count * each);
      expectNear(found(open[name]!.data), found(data), name === "boxes" ? 0.5 : 2e-3);
    }
  },
);

test.each([
  ["FCOS", { type: "fcos", channels: 2, convs: 1, neck: { channels: 32, levels: 5 } }],
  ["Mask R-CNN", { type: "rcnn", ...small, masks: "plain" }],
  ["CenterNet", { type: "centernet", channels: 2, features: 8, pooled: 4 }],
] as const)("a %s in half precision is smaller and finds the same", async (_, head) => {
  const { model } = importStateDict(randomWeights(tinyHRNet(head), SEED), "own.safetensors");
  const kept = { ...model, description: { ...model.description, input: [128, 128] as const } };
  const random = uniformRandom(3);
  const input = tensor(
    "float32",
    [1, 3, 128, 128],
    Float32Array.from({ length: 3 * 128 * 128 }, () => 2 * random() - 1),
  );
  const best = async (onnx: Uint8Array): Promise<number> => {
    await using session = await openSession(onnx, { device: "cpu", threads: 1 });
    const { scores } = await session.run({ input });
    return Number(scores!.data[0]);
  };
  const [whole, half] = [toOnnx(kept).onnx, toOnnx(kept, "fp16").onnx];
  expect(half.length).toBeLessThan(whole.length);
  expect(await best(half)).toBeCloseTo(await best(whole), 2);
});
