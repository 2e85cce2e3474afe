// Networks against the official code: names and shapes of every weight, outputs of full-size models.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { inferenceGraph } from "../../src/graph/inference.ts";
import { graphFromModel, graphToModel } from "../../src/graph/onnx.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx-proto.ts";
import { countParameters } from "../../src/models/complexity.ts";
import { findVariant } from "../../src/models/find-variant.ts";
import { inferNetworkConfig } from "../../src/models/infer-config.ts";
import { buildNetwork, type Network, parseNetworkConfig } from "../../src/models/network.ts";
import { VARIANTS } from "../../src/models/variants.ts";
import { describeDevices } from "../../src/runtime/describe-devices.ts";
import { openSession } from "../../src/runtime/node.ts";
import type { Device } from "../../src/runtime/session.ts";
import { readNpy } from "../../src/tensor/npy.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { mapKeys } from "../../src/weights/key-maps.ts";
import { relativeError } from "../helpers/near.ts";
import { proceduralInput, proceduralWeight, readKeyList } from "../helpers/procedural.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";

/** Runs a network with given weights through the ONNX file it becomes. */
async function run(
  network: Network,
  weights: ReadonlyMap<string, Tensor>,
  x: Tensor,
  device: Device = "cpu",
): Promise<Record<string, Tensor>> {
  const model = encodeModel(graphToModel(inferenceGraph(network.graph, weights), { name: "test" }));
  // Strict: an operator that a device lacks is an error, not a silent detour over the CPU.
  const session = await openSession(model, { device, threads: 2, transfer: true, strict: device !== "cpu" });
  try {
    return await session.run({ input: x });
  } finally {
    await session.dispose();
  }
}

function proceduralWeights(network: Network): Map<string, Tensor> {
  return new Map(
    [...network.parameters].map(([name, { value }]) => [
      name,
      proceduralWeight(name, value.shape as number[]),
    ]),
  );
}

describe("state-dict keys", () => {
  test.each(readdirSync(fixture("keys")).map((file) => file.replace(".json.gz", "")))(
    "%s: the network recognised from the names has exactly these weights",
    (list) => {
      const entries = readKeyList(fixture("keys", `${list}.json.gz`));
      // Shapes without elements: recognition must not need them.
      const state = new Map(
        entries.map(({ name, shape }) => [
          name,
          { dtype: "float32", shape, data: new Float32Array(0) } as Tensor,
        ]),
      );
      const mapped = mapKeys(state)!;
      expect(mapped.ignored).toEqual([]);
      const config = inferNetworkConfig(
        new Map([...mapped.weights].map(([name, { shape }]) => [name, shape])),
      )!;
      const { parameters } = buildNetwork(config, [64, 64]);
      const ours = [...parameters].map(([name, { value, trainable }]) => [
        name,
        value.shape.join("×"),
        trainable,
      ]);
      const official = entries.map(({ name, shape, param }) => [name, shape.join("×"), param]);
      const sorted = (rows: typeof ours): string[] => rows.map((row) => row.join(" ")).sort();
      expect(sorted(ours)).toEqual(sorted(official as typeof ours));
    },
  );
});

describe("outputs of the official code", () => {
  test.each([
    ["hrnet-w32", "pose_hrnet_w32", ["heatmaps"]],
    ["hrnet-w48", "pose_hrnet_w48", ["heatmaps"]],
    ["simple-baseline-50", "pose_resnet50", ["heatmaps"]],
    ["lite-hrnet-18", "litehrnet18", ["heatmaps"]],
    ["lite-hrnet-30", "litehrnet30", ["heatmaps"]],
    ["naive-lite-hrnet-18", "naive_litehrnet18", ["heatmaps"]],
    ["wider-naive-lite-hrnet-18", "wider_naive_litehrnet18", ["heatmaps"]],
    ["hrnetv2-w48", "seg_hrnet_w48_cityscapes19", ["logits"]],
    ["hrnetv2-w48-ocr", "seg_hrnet_ocr_w48_cityscapes19", ["aux", "logits"]],
    ["hrnet-w18-c", "cls_hrnet_w18", ["logits"]],
    ["hrnet-w18-small-v1-c", "cls_hrnet_w18_small_v1", ["logits"]],
  ] as const)("%s equals %s", async (name, file, outputs) => {
    const meta = JSON.parse(readFileSync(fixture("procedural", `${file}.json`), "utf8"));
    const [, , height, width] = meta.input_shape;
    const network = buildNetwork(parseNetworkConfig(findVariant(name).config), [height, width]);
    const x = proceduralInput(meta.input_name, meta.input_shape);
    const results = await run(network, proceduralWeights(network), x);
    const expected = await readNpy(fixture("procedural", meta.output.file));
    const actual = outputs.flatMap((output) => Array.from(results[output]!.data as Float32Array));
    expect(relativeError(actual, expected.data as Float32Array)).toBeLessThan(1e-4);
  });

  test("Lite-HRNet on the GPU, with every operator there", async ({ skip }) => {
    const { usable, detail } = (await describeDevices()).find(({ device }) => device === "webgpu")!;
    if (!usable) console.log(`skipping webgpu: ${detail}`);
    skip(!usable);
    const meta = JSON.parse(readFileSync(fixture("procedural", "naive_litehrnet18.json"), "utf8"));
    const config = parseNetworkConfig(findVariant("naive-lite-hrnet-18").config);
    const network = buildNetwork(config, [meta.input_shape[2], meta.input_shape[3]]);
    const x = proceduralInput(meta.input_name, meta.input_shape);
    const results = await run(network, proceduralWeights(network), x, "webgpu");
    const expected = await readNpy(fixture("procedural", meta.output.file));
    expect(
      relativeError(results["heatmaps"]!.data as Float32Array, expected.data as Float32Array),
    ).toBeLessThan(1e-4);
  });

  test("timm features_only: five feature maps", async () => {
    const meta = JSON.parse(
      readFileSync(fixture("procedural", "timm_hrnet_w18_small_features.json"), "utf8"),
    );
    const entries = readKeyList(fixture("keys", "timm_hrnet_w18_small_features_only.json.gz"));
    const config = inferNetworkConfig(new Map(entries.map(({ name, shape }) => [name, shape])))!;
    const network = buildNetwork(config, [32, 64]);
    const results = await run(
      network,
      proceduralWeights(network),
      proceduralInput(meta.input_name, meta.input_shape),
    );
    const expected = readFixtureTensors(fixture("procedural", meta.output.file));
    Object.values(expected).forEach((reference, index) => {
      const feature = results[`feature${index}`]!;
      expect(feature.shape).toEqual(reference.shape);
      expect(relativeError(feature.data as Float32Array, reference.values)).toBeLessThan(1e-4);
    });
  });
});

/** Parameters of the networks that the test below folds, but for some wide ones. */
const LARGEST_FOLDED = 35e6;
const FOLDED_WIDE: ReadonlySet<string> = new Set(["hrnet-w48", "htc-hrnetv2p-w18", "centernet-hrnetv2-w48"]);

describe("every variant", () => {
  test.each(VARIANTS.map((variant) => [variant.name, variant] as const))(
    "%s: builds, is recognised from its weights, goes to ONNX and back",
    (name, variant) => {
      const config = parseNetworkConfig(variant.config);
      const { graph, parameters } = buildNetwork(config, [64, 64]);
      const shapes = new Map(
        [...parameters].map(([key, { value }]) => [key, value.shape as readonly number[]]),
      );
      // Whether maps are multiplied or added leaves no trace in the weights.
      const expected = name === "hrnet-w32-product-fusion" ? { ...config, fuse: "sum" } : config;
      expect(inferNetworkConfig(shapes)).toEqual(expected);
      // Wide networks have the graphs of narrow ones with more channels, and hundreds of megabytes of weights.
      if (countParameters(parameters) > LARGEST_FOLDED && !FOLDED_WIDE.has(name)) return;

      const zeros = new Map(
        [...parameters].map(([key, { value }]) => [key, tensor(value.dtype, value.shape as number[])]),
      );
      const folded = inferenceGraph(graph, zeros);
      expect(folded.nodes.filter((node) => node.operator.type === "BatchNormalization")).toEqual([]);
      const model = graphToModel(folded, { name });
      // The bytes of the largest networks are left to the tests above: hundreds of megabytes each.
      const small = countParameters(parameters) < 5e6;
      const back = graphFromModel(small ? decodeModel(encodeModel(model)) : model);
      expect(back.nodes.length).toBe(folded.nodes.length);
      const types = (outputs: typeof back.outputs): unknown =>
        Object.entries(outputs).map(([key, value]) => [key, value.dtype, value.shape]);
      expect(types(back.outputs)).toEqual(types(folded.outputs));
    },
  );
});

describe("sizes and configurations that cannot work", () => {
  const w32 = parseNetworkConfig(findVariant("hrnet-w32").config);

  test("a size that the branches do not divide is refused with a size that works", () => {
    expect(() => buildNetwork(w32, [250, 192])).toThrow(/250×192.*multiples of 32.*256×192/);
    const lite = parseNetworkConfig(findVariant("lite-hrnet-18").config);
    expect(() => buildNetwork(lite, [256, 200])).toThrow(/multiples of 32.*256×224/);
  });

  test("segmentation networks take odd sizes", () => {
    const config = parseNetworkConfig(findVariant("hrnetv2-w18-small-v1").config);
    expect(buildNetwork(config, [65, 97]).graph.outputs["logits"]!.shape).toEqual(["N", 19, 17, 25]);
  });

  test("a wrong configuration names each wrong field", () => {
    expect(() =>
      parseNetworkConfig({ family: "hrnet", stage1: { blocks: 0, planes: 64 }, stages: [] }),
    ).toThrow(/stage1\.blocks.*stages.*head/);
    expect(() => parseNetworkConfig({ family: "resnext" })).toThrow(/family/);
    // A model file states its configuration: one that asks for millions of layers must not be built.
    const endless = { ...w32, stage1: { blocks: 1_000_000, planes: 64 } };
    expect(() => parseNetworkConfig(endless)).toThrow(/stage1\.blocks/);
  });
});
