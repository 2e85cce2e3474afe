// Checkpoints written by PyTorch are read value for value, and every shared fixture with its names and shapes.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { toFloat32 } from "../../src/tensor/float16.ts";
import { bytesOf, type Tensor } from "../../src/tensor/tensor.ts";
import { readCheckpoint } from "../../src/weights/read-checkpoint.ts";
import { fixture, hasShared, shared } from "../helpers/shared.ts";

type Kinds = Record<string, { dtype: string; shape: number[]; values: string[] }>;
const KINDS = JSON.parse(readFileSync(fixture("weights", "kinds.json"), "utf8")) as Kinds;

/** Elements as numbers, halves widened. */
function values(tensor: Tensor): (number | bigint)[] {
  if (tensor.dtype === "float16" || tensor.dtype === "bfloat16") return [...toFloat32(tensor)];
  return [...(tensor.data as Iterable<number | bigint>)];
}

/** What PyTorch printed, in the type of `like`. */
function parse(text: string, like: number | bigint | undefined): number | bigint {
  if (typeof like === "bigint") return BigInt(text);
  const words: Record<string, number> = {
    True: 1,
    False: 0,
    inf: Number.POSITIVE_INFINITY,
    "-inf": Number.NEGATIVE_INFINITY,
  };
  return words[text] ?? Number(text);
}

describe("every element type and layout", () => {
  test.each([
    ["kinds.pth", "pytorch-zip"],
    ["kinds_protocol4.pth", "pytorch-zip"],
    ["kinds_legacy.pth", "pytorch-legacy"],
    ["kinds_legacy_protocol5.pth", "pytorch-legacy"],
  ])("%s", async (name, format) => {
    const checkpoint = await readCheckpoint(fixture("weights", name));
    expect(checkpoint.format).toBe(format);
    expect([...checkpoint.stateDict.keys()]).toEqual(Object.keys(KINDS));
    for (const [key, expected] of Object.entries(KINDS)) {
      const tensor = checkpoint.stateDict.get(key)!;
      expect([key, tensor.dtype, tensor.shape]).toEqual([key, expected.dtype, expected.shape]);
      const actual = values(tensor);
      expect([key, actual]).toEqual([key, expected.values.map((text) => parse(text, actual[0]))]);
    }
  });

  test("tensors that share a storage share memory", async () => {
    const { stateDict } = await readCheckpoint(fixture("weights", "training.pth"));
    expect([...stateDict.keys()]).toEqual(["w"]);
    const kinds = (await readCheckpoint(fixture("weights", "kinds_legacy.pth"))).stateDict;
    expect(kinds.get("shared")?.data.buffer.byteLength).toBe(24 * 4);
  });
});

describe("wrappers and metadata", () => {
  test.each(["meta.pth", "meta_protocol5.pth", "meta_legacy_protocol1.pth"])("%s", async (name) => {
    const { root, wrapper, metadata } = await readCheckpoint(fixture("weights", name));
    expect(wrapper).toEqual(["state_dict"]);
    expect({ ...metadata }).toMatchObject({ "meta.epoch": "210", "meta.AP": "0.749", "meta.flag": "true" });
    const meta = (root as Map<string, Map<string, unknown>>).get("meta")!;
    expect(Object.fromEntries(meta)).toEqual({
      epoch: 210,
      mmpose_version: "0.18.0",
      time: "x",
      AP: 0.749,
      iter: 5,
      f4: 0.5,
      flag: true,
      raw: Uint8Array.of(0, 255, 97, 98),
      dtype: { kind: "name", name: "torch.float32" },
      size: [2, 3],
      device: "cuda:1",
      set: new Set([1, 2]),
      frozen: new Set([3]),
      counter: new Map([
        [1, 2],
        [2, 1],
      ]),
      default: new Map([["a", [1]]]),
      big: 2n ** 70n,
      neg: -5,
      none: null,
      text: "hé😀",
      tuple: [1, 2, 3, 4],
    });
  });

  test("a training checkpoint gives its best weights", async () => {
    const { wrapper, metadata, stateDict } = await readCheckpoint(fixture("weights", "training.pth"));
    expect(wrapper).toEqual(["best_state_dict"]);
    expect([...stateDict.get("w")!.data]).toEqual([1, 1, 1]);
    expect({ ...metadata }).toEqual({ epoch: "3", model: "pose_hrnet", perf: "0.7" });
  });
});

const FIXTURES = hasShared("fixtures");

describe.skipIf(!FIXTURES)("shared fixtures", () => {
  const files = FIXTURES
    ? readdirSync(shared("fixtures"), { recursive: true, encoding: "utf8" }).filter((name) =>
        /\.(pth|tar|safetensors)$/.test(name),
      )
    : [];

  test("every one opens", async () => {
    expect(files.length).toBeGreaterThan(40);
    for (const name of files) {
      const { stateDict } = await readCheckpoint(shared("fixtures", name));
      expect(stateDict.size, name).toBeGreaterThan(0);
    }
  });

  test("the ones that come with a number of parameters hold exactly so many", async () => {
    let compared = 0;
    for (const name of files.filter((file) => /model.*\.pth$/.test(file))) {
      const meta = JSON.parse(
        readFileSync(shared("fixtures", name.replace(/[^/]*$/, "meta.json")), "utf8"),
      ) as { num_params?: number };
      if (meta.num_params === undefined) continue;
      const { stateDict } = await readCheckpoint(shared("fixtures", name));
      let parameters = 0;
      for (const [key, tensor] of stateDict) {
        if (!/running_(mean|var)|num_batches|loss\./.test(key)) parameters += tensor.data.length;
      }
      expect([name, parameters]).toEqual([name, meta.num_params]);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(5);
  });

  test("the legacy file is read as such", async () => {
    const { format, stateDict } = await readCheckpoint(shared("fixtures/cls_small_c4/model_legacy.pth"));
    expect(format).toBe("pytorch-legacy");
    expect(stateDict.get("classifier.bias")?.shape).toEqual([10]);
    expect(stateDict.get("bn1.num_batches_tracked")).toMatchObject({ dtype: "int64", shape: [] });
    expect(stateDict.get("bn1.num_batches_tracked")?.data[0]).toBe(7n);
  });

  test("the training checkpoint's weights under either wrapper are one storage", async () => {
    const { root, wrapper, stateDict } = await readCheckpoint(
      shared("fixtures/train_pose_v1_c3/checkpoint.pth"),
    );
    expect(wrapper).toEqual(["best_state_dict"]);
    expect(stateDict.has("final_layer.weight")).toBe(true);
    const top = root as Map<string, Map<string, { storage: { key: string } }>>;
    const key = (dict: string, name: string) => top.get(dict)!.get(name)!.storage.key;
    expect(key("state_dict", "module.conv1.weight")).toBe(key("best_state_dict", "conv1.weight"));
  });
});

const REAL = "weights/wider_naive_litehrnet_18_coco_256x192";

test.skipIf(!hasShared(`${REAL}.pth`))("the real checkpoint's two forms are equal bit for bit", async () => {
  const [pth, safe] = await Promise.all([
    readCheckpoint(shared(`${REAL}.pth`)),
    readCheckpoint(shared(`${REAL}.safetensors`)),
  ]);
  expect(new Set(pth.stateDict.keys())).toEqual(new Set(safe.stateDict.keys()));
  for (const [name, tensor] of pth.stateDict) {
    const other = safe.stateDict.get(name)!;
    expect([tensor.dtype, tensor.shape]).toEqual([other.dtype, other.shape]);
    expect(Buffer.compare(bytesOf(tensor.data), bytesOf(other.data)), name).toBe(0);
  }
});
