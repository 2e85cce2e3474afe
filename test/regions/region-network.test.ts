// Heads of two-stage detectors against PyTorch, from the pyramid to detections and masks.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bindParameters, createGraph } from "../../src/graph/graph.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input } from "../../src/graph/value.ts";
import { hrnetSchema } from "../../src/models/hrnet-config.ts";
import { REGION_TEST, regionNetwork } from "../../src/models/region-network.ts";
import { Scope } from "../../src/nn/scope.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";

const folder = new URL("../fixtures/regions/", import.meta.url);
const arrays = readFixtureTensors(new URL("heads.safetensors", folder).pathname);
const meta = JSON.parse(readFileSync(new URL("heads.json", folder), "utf8")) as {
  size: [number, number];
  classes: number;
  hidden: number;
  channels: number;
  cases: Record<
    string,
    { stages: number; masks: string; semantic: number | null; proposals: number; most: number }
  >;
};
const float = (name: string): Tensor =>
  tensor("float32", arrays[name]!.shape, Float32Array.from(arrays[name]!.values));

const { head: base } = hrnetSchema.shape;

describe.each(Object.entries(meta.cases))("%s", (name, { proposals, most, ...kind }) => {
  test("detections, masks and classes of pixels are PyTorch's", async () => {
    const head = base.parse({
      type: "rcnn",
      channels: meta.classes,
      hidden: meta.hidden,
      maskConvs: 2,
      neck: { channels: meta.channels },
      ...kind,
    });
    if (head.type !== "rcnn") throw new Error("not a two-stage head");
    const scope = new Scope();
    const x = input("x", "float32", [1, 3, ...meta.size]);
    const levels = [0, 1, 2, 3, 4].map((l) => input(`level${l}`, "float32", arrays[`level${l}`]!.shape));
    const outputs = regionNetwork(scope, head, x, levels, { ...REGION_TEST, proposals, most });
    const prefix = `${name}.weights.`;
    const weights = new Map(
      Object.keys(arrays)
        .filter((key) => key.startsWith(prefix))
        .map((key) => [key.slice(prefix.length), float(key)]),
    );
    // The first head of a flow has a convolution that nothing comes through.
    for (const [key, { value }] of scope.parameters)
      if (!weights.has(key)) weights.set(key, tensor("float32", value.shape as number[]));
    expect([...weights.keys()].sort()).toEqual([...scope.parameters.keys()].sort());
    const graph = bindParameters(createGraph([x, ...levels], outputs), weights);
    await using session = await openSession(encodeModel(graphToModel(graph, { name })), {
      device: "cpu",
      threads: 1,
    });
    const feeds = Object.fromEntries(levels.map((level, l) => [level.name!, float(`level${l}`)]));
    const found = await session.run({ x: tensor("float32", [1, 3, ...meta.size]), ...feeds });
    for (const output of ["scores", "boxes", "classes", "masks", ...(kind.semantic ? ["semantic"] : [])]) {
      const { values } = arrays[`${name}.${output}`]!;
      const ours = found[output]!.data as Float32Array;
      const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0);
      expect(worst, output).toBeLessThan(output === "boxes" ? 2e-2 : 1e-3);
    }
    expect(found["scores"]!.shape).toEqual([1, most]);
  });
});
