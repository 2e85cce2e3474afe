// Losses of two-stage detectors against their formulas, and the training graph's gradients against central differences.
import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph, rewriteGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { constant, input, type Value } from "../../src/graph/value.ts";
import { regionLoss } from "../../src/losses/region-loss.ts";
import type { HRNetHead } from "../../src/models/hrnet-config.ts";
import { buildRegionTraining } from "../../src/models/region-training-network.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { TARGETS } from "../helpers/targets.ts";
import { randomWeights, tinyHRNet } from "../helpers/tiny-models.ts";

const random = uniformRandom(17);
const draw = (
  shape: readonly number[],
  make: (i: number) => number = () => 2 * random() - 1,
): Tensor<"float32"> =>
  tensor(
    "float32",
    shape,
    Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => make(i)),
  );

async function run(
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Tensor>>,
  inputs: readonly Value[],
): Promise<Record<string, Tensor>> {
  const graph = lower(createGraph(inputs, outputs), TARGETS[0]![1]);
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  const read = graph.inputs.filter((value) => used.has(value));
  await using session = await openSession(
    encodeModel(graphToModel({ ...graph, inputs: read }, { name: "loss" })),
    {
      device: "cpu",
      threads: 1,
    },
  );
  return await session.run(Object.fromEntries(read.map(({ name }) => [name!, feeds[name!]!])));
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const bce = (x: number, t: number): number => -t * Math.log(sigmoid(x)) - (1 - t) * Math.log(1 - sigmoid(x));
const smooth = (d: number, beta: number): number =>
  Math.abs(d) < beta ? (0.5 * d * d) / beta : Math.abs(d) - 0.5 * beta;

test.each(["l1", "smooth-l1"] as const)("the parts of the loss by formula: %s", async (kind) => {
  const [B, P, S, K, M] = [2, 9, 6, 3, 4];
  const feeds: Record<string, Tensor<"float32">> = {
    objectness: draw([B, P]),
    differences: draw([B, P, 4]),
    labels: draw([B, P], (i) => [-1, 0, 1, 0][i % 4]!),
    anchorTargets: draw([B, P, 4]),
  };
  for (const t of [0, 1])
    Object.assign(feeds, {
      [`classes${t}`]: draw([S, K + 1]),
      [`labels${t}`]: draw([S], (i) => i % (K + 1)),
      [`weights${t}`]: draw([S], (i) => (i < 5 ? 1 : 0)),
      [`boxes${t}`]: draw([S, 4]),
      [`targets${t}`]: draw([S, 4]),
      [`positive${t}`]: draw([S], (i) => (i < 3 ? 1 : 0)),
      [`masks${t}`]: draw([M, 28, 28]),
      [`maskTargets${t}`]: draw([M, 28, 28], (i) => i % 2),
      [`maskWeights${t}`]: draw([M], (i) => (i < 3 ? 1 : 0)),
    });
  const values = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
  );
  const { parts, total } = regionLoss(
    values,
    { labels: values["labels"]!, targets: values["anchorTargets"]! },
    { stages: 2, masks: true, semantic: false, boxes: kind },
  );
  const outputs = { ...parts, total };
  const named = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [`part.${name}`, value]));
  const found = await run(named, feeds, Object.values(values));
  const at = (name: string): Float32Array => feeds[name]!.data;
  const distance = (d: number, beta: number): number => (kind === "l1" ? Math.abs(d) : smooth(d, beta));
  const sum = (count: number, term: (i: number) => number): number =>
    Array.from({ length: count }, (_, i) => term(i)).reduce((a, b) => a + b, 0);
  const asked = at("labels").filter((label) => label >= 0).length;
  const wanted: Record<string, number> = {
    anchors:
      sum(B * P, (i) => (at("labels")[i]! < 0 ? 0 : bce(at("objectness")[i]!, at("labels")[i]!))) / asked,
    anchorBoxes:
      sum(B * P * 4, (i) =>
        at("labels")[Math.floor(i / 4)] === 1
          ? distance(at("differences")[i]! - at("anchorTargets")[i]!, 1 / 9)
          : 0,
      ) / asked,
  };
  [1, 0.5].forEach((weight, t) => {
    wanted[`classes${t}`] =
      (weight *
        sum(5, (i) => {
          const row = at(`classes${t}`).slice(i * (K + 1), (i + 1) * (K + 1));
          return Math.log(sum(K + 1, (k) => Math.exp(row[k]!))) - row[at(`labels${t}`)[i]!]!;
        })) /
      5;
    wanted[`boxes${t}`] =
      (weight * sum(12, (i) => distance(at(`boxes${t}`)[i]! - at(`targets${t}`)[i]!, 1))) / 5;
    wanted[`masks${t}`] =
      (weight * sum(3 * 784, (i) => bce(at(`masks${t}`)[i]!, at(`maskTargets${t}`)[i]!))) / (3 * 784);
  });
  for (const [name, value] of Object.entries(wanted))
    expect(Number(found[`part.${name}`]!.data[0]), name).toBeCloseTo(value, 4);
  expect(Number(found["part.total"]!.data[0])).toBeCloseTo(
    sum(Object.keys(wanted).length, (i) => Object.values(wanted)[i]!),
    3,
  );
});

describe("gradients through the training graph", () => {
  const config = tinyHRNet({
    type: "rcnn",
    channels: 2,
    hidden: 8,
    maskConvs: 1,
    masks: "plain",
    neck: { channels: 8, levels: 5 },
  }) as Parameters<typeof buildRegionTraining>[0] & { head: HRNetHead<"rcnn"> };
  const [B, G, CELLS] = [2, 2, 10];
  const counts = { proposals: 20, samples: 16, positives: 6 };
  const built = buildRegionTraining(config, [64, 64], B, { ...counts, objects: G, maskCells: CELLS });
  const { network, feeds: inputs } = built;
  const anchors = network.graph.outputs["objectness"]!.shape[1] as number;
  const labels = input("anchorLabels", "float32", [B, anchors]);
  const targets = input("anchorTargets", "float32", [B, anchors, 4]);
  const feeds: Record<string, Tensor> = {
    input: draw([B, 3, 64, 64]),
    objectBoxes: draw([B, G, 4], (i) => [8, 10, 40, 44, 20, 4, 60, 30][i % 8]!),
    objectClasses: draw([B, G], (i) => i % 2),
    draws: draw([B, inputs["draws"]!.shape[1] as number], () => random()),
    objectMasks: tensor(
      "uint8",
      [B, G, CELLS, CELLS],
      Uint8Array.from({ length: B * G * CELLS * CELLS }, (_, i) =>
        i % CELLS > 2 && i % CELLS < 8 ? 255 : 0,
      ),
    ),
    anchorLabels: draw([B, anchors], (i) => (i % 13 === 0 ? 1 : i % 5 === 0 ? 0 : -1)),
    anchorTargets: draw([B, anchors, 4]),
  };
  const weights = randomWeights(config, 3);

  // Through the heads everything counts. What moves proposals moves the heads' losses too, but not by gradient: there, the anchors' part alone.
  test.each([
    ["roi_head.bbox_head.fc_cls.weight", "total"],
    ["roi_head.bbox_head.fc_reg.weight", "total"],
    ["roi_head.bbox_head.shared_fcs.0.weight", "total"],
    ["roi_head.mask_head.convs.0.conv.weight", "total"],
    ["roi_head.mask_head.conv_logits.weight", "total"],
    ["rpn_head.rpn_conv.weight", "anchors"],
    ["rpn_head.rpn_reg.weight", "anchorBoxes"],
    ["neck.fpn_conv.0.weight", "anchors"],
  ] as const)("%s, of %s", async (name, part) => {
    const { shape } = weights.get(name)!;
    const tried = input("tried", "float32", shape);
    const { outputs } = rewriteGraph(
      network.graph,
      () => undefined,
      (value) => {
        if (value.kind !== "parameter") return value;
        return value.name === name ? tried : constant(weights.get(value.name!)!);
      },
    );
    const { parts, total } = regionLoss(
      outputs,
      { labels, targets },
      { stages: 1, masks: true, semantic: false, boxes: "smooth-l1" },
    );
    const loss = part === "total" ? total : parts[part]!;
    const gradient = differentiate(loss, [tried]).get(tried)!;
    const direction = draw(shape);
    const all = [...network.graph.inputs, labels, targets, tried];
    const base = weights.get(name)!.data as Float32Array;
    const at = async (step: number, outputsOf: Record<string, Value>) =>
      run(
        outputsOf,
        {
          ...feeds,
          tried: tensor(
            "float32",
            shape,
            base.map((value, i) => value + step * direction.data[i]!),
          ),
        },
        all,
      );
    const { gradient: found } = await at(0, { gradient });
    const slope = (found!.data as Float32Array).reduce(
      (sum, value, i) => sum + value * direction.data[i]!,
      0,
    );
    const step = 2e-3;
    const [up, down] = [await at(step, { loss }), await at(-step, { loss })];
    const numeric = (Number(up["loss"]!.data[0]) - Number(down["loss"]!.data[0])) / (2 * step);
    expect(Math.abs(numeric)).toBeGreaterThan(1e-3);
    expect(Math.abs(slope - numeric) / Math.abs(numeric)).toBeLessThan(0.05); // kinks of ReLU and of the distances
  });
});
