// Models written and opened again: .safetensors and .onnx, in the library and in plain ONNX Runtime.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { command as exportVerb } from "../../src/cli/export.ts";
import { command as importVerb } from "../../src/cli/import.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx-proto.ts";
import { METADATA_KEY } from "../../src/model-file/description.ts";
import { importStateDict } from "../../src/model-file/import-checkpoint.ts";
import { loadModel, loadRunnable, saveModel } from "../../src/model-file/load-model.ts";
import { readOnnxModel, toOnnx } from "../../src/model-file/onnx-model.ts";
import { openSession } from "../../src/runtime/node.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { readNpy } from "../../src/tensor/npy.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { runVerb, temporaryFolder } from "../helpers/cli.ts";
import { maxDifference } from "../helpers/near.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";
import { randomWeights, tinyHRNet, tinyPose } from "../helpers/tiny-models.ts";

const CHECKPOINT = fixture("forward", "pose_resnet_basic_narrow", "model.pth");

describe("a .safetensors of ours", () => {
  test("holds equal weights and description, readable by any reader of the format", async () => {
    const path = join(temporaryFolder(), "m.safetensors");
    const json = JSON.parse(
      await runVerb(importVerb(), CHECKPOINT, "--input", "96x64", "--out", path, "--json"),
    );
    const { model } = await loadModel(CHECKPOINT, { input: [96, 64] });
    expect(json).toMatchObject({
      task: "pose",
      input: [96, 64],
      codeBase: "SimpleBaseline",
      loaded: model.weights.size,
      ignored: [],
      missing: [],
      out: path,
    });
    const again = (await loadModel(path)).model;
    expect(again.weights).toEqual(model.weights);
    expect(again.description).toEqual(model.description);
    const tensors = readFixtureTensors(path);
    expect(Object.keys(tensors).sort()).toEqual([...model.weights.keys()].sort());
    for (const [name, { shape, values }] of Object.entries(tensors)) {
      expect(shape).toEqual(model.weights.get(name)!.shape);
      expect(values).toEqual(Float64Array.from(model.weights.get(name)!.data, Number));
    }
  });

  test("keeps what its names do not tell: preprocessing, enlargement, product fusion", async () => {
    const path = join(temporaryFolder(), "m.safetensors");
    const config = tinyHRNet({ type: "heatmap", channels: 17 }, { fuse: "product" });
    const { model } = importStateDict(randomWeights(config), "x.pth", {
      config,
      codec: { name: "tinypose" },
    });
    const preprocessing = { mean: [0, 0, 0], std: [1, 1, 1], channelOrder: "bgr" } as const;
    await saveModel(path, { ...model, description: { ...model.description, preprocessing } });
    const { description } = (await loadModel(path)).model;
    expect(description).toMatchObject({
      network: { fuse: "product" },
      preprocessing,
      codec: { name: "tinypose" },
    });
    // A wish changes what it names and nothing else.
    const changed = (await loadModel(path, { codec: { refinement: "quarter-offset" }, input: [64, 32] }))
      .model;
    expect(changed.description).toMatchObject({
      input: [64, 32],
      network: { fuse: "product" },
      codec: { name: "tinypose", refinement: "quarter-offset" },
    });
    const sum = (await loadModel(path, { config: { fuse: "sum" } })).model;
    expect(sum.description).toMatchObject({ network: { fuse: "sum" }, codec: { name: "tinypose" } });
  });

  test("starts a new head", async () => {
    const path = join(temporaryFolder(), "m.safetensors");
    await saveModel(path, importStateDict(randomWeights(tinyPose()), "x.pth", { skeleton: COCO_17 }).model);
    const { model, report } = await loadModel(path, { outputs: 5 });
    expect(report.initialized).toEqual(["final_layer.weight", "final_layer.bias"]);
    expect(model.description.skeleton!.keypoints.length).toBe(5);
    expect(model.weights.get("final_layer.weight")!.shape).toEqual([5, 2, 1, 1]);
  });
});

describe("an .onnx of ours", () => {
  const folder = fixture("forward", "pose_resnet_basic_narrow");

  test("gives the reference in plain ONNX Runtime and in a session, for any batch; half precision within 1e-2", async () => {
    const out = temporaryFolder();
    const [full, half] = [join(out, "m.onnx"), join(out, "h.onnx")];
    const x = await readNpy(join(folder, "input.npy"));
    const reference = await readNpy(join(folder, "output.npy"));
    const [batch, , height, width] = x.shape as [number, number, number, number];
    const size = `${height}x${width}`;
    const text = await runVerb(exportVerb(), CHECKPOINT, "--input", size, "--out", full);
    expect(text).toMatch(/^wrote .*m\.onnx: .*, fp32, \d+ kB\n$/);
    const json = JSON.parse(
      await runVerb(
        exportVerb(),
        CHECKPOINT,
        "--input",
        size,
        "--out",
        half,
        "--precision",
        "fp16",
        "--json",
      ),
    );
    expect(json).toEqual({
      out: half,
      bytes: readFileSync(half).length,
      name: "simple-baseline (custom)",
      input: [height, width],
      precision: "fp16",
    });
    expect(json.bytes).toBeLessThan(0.6 * readFileSync(full).length);

    const largest = Math.max(...(reference.data as Float32Array).map(Math.abs));
    const results: Float32Array[] = [];
    for (const [path, tolerance] of [
      [full, 2e-5],
      [half, 1e-2],
    ] as const) {
      const plain = await InferenceSession.create(path);
      expect(plain.inputNames).toEqual(["input"]);
      const feeds = { input: new OrtTensor("float32", x.data as Float32Array, x.shape) };
      const { heatmaps } = await plain.run(feeds);
      expect(heatmaps!.dims).toEqual(reference.shape);
      results.push(heatmaps!.data as Float32Array);
      expect(maxDifference(results.at(-1)!, reference.data as Float32Array) / largest).toBeLessThan(
        tolerance,
      );
      await plain.release();
    }
    expect(results[1]).not.toEqual(results[0]);

    const { onnx } = await readOnnxModel(full);
    await using session = await openSession(onnx, { device: "cpu" });
    const ours = await session.run({ input: tensor("float32", x.shape, x.data as Float32Array) });
    expect(maxDifference(ours["heatmaps"]!.data as Float32Array, results[0]!)).toBeLessThanOrEqual(
      1e-5 * largest,
    );
    // One picture, and three, give for each what two gave.
    const elements = x.data.length / batch;
    const cells = reference.data.length / batch;
    for (const count of [1, 3]) {
      const data = new Float32Array(count * elements);
      for (let n = 0; n < count; n++) data.set((x.data as Float32Array).subarray(0, elements), n * elements);
      const { heatmaps } = await session.run({ input: tensor("float32", [count, 3, height, width], data) });
      expect(heatmaps!.shape[0]).toBe(count);
      const last = (heatmaps!.data as Float32Array).subarray((count - 1) * cells);
      expect(maxDifference(last, results[0]!.subarray(0, cells))).toBeLessThanOrEqual(1e-5 * largest);
    }
  });

  test("describes itself: preprocessing, skeleton, provenance", async () => {
    const { model } = await loadModel(CHECKPOINT, { input: [96, 64], codec: { name: "dark" } });
    const path = join(temporaryFolder(), "m.onnx");
    writeFileSync(path, toOnnx(model).onnx);
    const metadata = decodeModel(readFileSync(path)).metadataProps!.find(({ key }) => key === METADATA_KEY)!;
    expect(JSON.parse(metadata.value!)).toMatchObject({
      version: 1,
      input: [96, 64],
      preprocessing: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], channelOrder: "bgr" },
      skeleton: { name: "coco-17" },
      codec: { name: "dark" },
      provenance: { source: "model.pth", codeBase: "SimpleBaseline" },
    });
    expect((await loadRunnable(path)).description).toEqual(model.description);
    const changed = await loadRunnable(path, { codec: { blurKernel: 5 } });
    expect(changed.description.codec).toEqual({ name: "dark", blurKernel: 5 });
  });

  test("without a description, or with a damaged one: what is wrong with which file", async () => {
    const out = temporaryFolder();
    const { model } = await loadModel(CHECKPOINT, { input: [96, 64] });
    const proto = decodeModel(toOnnx(model).onnx);
    const file = (name: string, value: string | undefined): string => {
      const metadataProps = value === undefined ? [] : [{ key: METADATA_KEY, value }];
      writeFileSync(join(out, name), encodeModel({ ...proto, metadataProps }));
      return join(out, name);
    };
    const text = JSON.stringify(model.description);
    const damaged = (change: (json: Record<string, never>) => void): string => {
      const json = JSON.parse(text);
      change(json);
      return JSON.stringify(json);
    };
    const cases: [string | undefined, RegExp][] = [
      [undefined, /an ONNX file without a description.*hrnet export.*hrnet forward/],
      ["{", /description inside .*JSON/],
      ["{}", /description inside .*version/],
      [damaged((json) => Object.assign(json, { input: [0, 64] })), /input/],
      [damaged((json) => Object.assign(json, { network: { family: "resnext" } })), /family/],
      [damaged((json) => Object.assign(json, { codec: { name: "magic" } })), /magic/],
      [
        damaged((json) => Object.assign(json, { skeleton: { name: "s", keypoints: ["a", "a"] } })),
        /keypoint/i,
      ],
      [damaged((json) => Object.assign(json, { preprocessing: { mean: [1], std: [1] } })), /mean/],
    ];
    for (const [index, [value, message]] of cases.entries()) {
      const path = file(`${index}.onnx`, value);
      await expect(loadRunnable(path)).rejects.toMatchObject({
        code: "invalid-model",
        message: expect.stringMatching(message),
      });
      await expect(loadRunnable(path)).rejects.toThrow(path);
    }
    writeFileSync(join(out, "cut.onnx"), toOnnx(model).onnx.subarray(0, 5000));
    await expect(loadRunnable(join(out, "cut.onnx"))).rejects.toMatchObject({ code: "invalid-model" });
    await expect(loadRunnable(join(out, "none.onnx"))).rejects.toMatchObject({ code: "file-not-found" });
  });

  test("is finished: another network, head or size is a wrong call", async () => {
    for (const options of [
      { arch: "hrnet-w32" },
      { outputs: 3 },
      { config: {} },
      { input: [64, 64] as const },
    ]) {
      await expect(loadRunnable("m.onnx", options)).rejects.toMatchObject({
        code: "usage",
        message: expect.stringMatching(/m\.onnx is a finished model/),
      });
    }
    await expect(runVerb(exportVerb(), CHECKPOINT, "--out", "m.pth")).rejects.toMatchObject({
      code: "usage",
    });
  });
});

test("a name that is neither file nor published", async () => {
  await expect(loadModel("hrnet-w33-coco")).rejects.toMatchObject({ code: "unknown-model" });
  await expect(loadModel("./hrnet-w33-coco")).rejects.toMatchObject({ code: "file-not-found" });
});

test("import prints what was loaded, ignored and started afresh", async () => {
  const text = await runVerb(importVerb(), CHECKPOINT, "--keypoints", "3");
  expect(text).toMatch(
    /^architecture simple-baseline \(custom\), weights of SimpleBaseline\nloaded \d+, ignored 2, missing 0\n/,
  );
  expect(text).toContain("  head replaced (2): final_layer.weight, final_layer.bias\n");
  expect(text).toContain("initialised afresh (2): final_layer.weight, final_layer.bias\n");
});
