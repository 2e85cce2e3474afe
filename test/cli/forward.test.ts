// hrnet forward on what the official code computed, from its own weight files.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command as exportVerb } from "../../src/cli/export.ts";
import { command as forwardVerb } from "../../src/cli/forward.ts";
import { command as importVerb } from "../../src/cli/import.ts";
import { HRNetError } from "../../src/errors.ts";
import { encodeNpy, readNpy } from "../../src/tensor/npy.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { runVerb, temporaryFolder } from "../helpers/cli.ts";
import { relativeError } from "../helpers/near.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture, hasShared, shared } from "../helpers/shared.ts";

/** Far below the tolerance of 1e-4 that a port must keep; float32 itself reaches 2e-7 … 6e-6. */
const TOLERANCE = 2e-5;

/** A fixture's folder: the committed copy, or the shared one. */
function folderOf(name: string): string | undefined {
  const committed = fixture("forward", name);
  if (existsSync(committed)) return committed;
  return hasShared("fixtures", name) ? shared("fixtures", name) : undefined;
}

const forward = (...args: string[]): Promise<string> => runVerb(forwardVerb(), ...args, "--device", "cpu");

/** [fixture, weights, input, reference, further arguments] */
const CASES: readonly (readonly [string, string, string, string, readonly string[]])[] = [
  ["pose_resnet_basic_narrow", "model.pth", "input.npy", "output.npy", []],
  ["litehrnet_naive", "model.pth", "input.npy", "output.npy", []],
  ["pose_resnet_bottleneck_narrow", "model.pth", "input.npy", "output.npy", []],
  ["pose_v1_c4", "model.pth", "input.npy", "output.npy", []],
  ["train_pose_v1_c3", "checkpoint.pth", "eval_input.npy", "eval_output.npy", []],
  ["seg_v2_c4", "model.pth", "input.npy", "output_align_false.npy", []],
  ["seg_v2_c4", "model.pth", "input.npy", "output_align_true.npy", ["--config", "meta.json"]],
  ["seg_ocr_c4", "checkpoint.pth.tar", "input.npy", "output_main.npy", []],
  ["seg_ocr_c4", "checkpoint.pth.tar", "input.npy", "output_aux.npy", ["--output-name", "aux"]],
  ["cls_small_c4", "model_legacy.pth", "input.npy", "output.npy", []],
  ["litehrnet_lite", "model.pth", "input.npy", "output.npy", ["--config", "meta.json"]],
];

describe("equals the official code", () => {
  for (const [name, weights, input, reference, more] of CASES) {
    const folder = folderOf(name);
    test.skipIf(folder === undefined)(`${name} ${reference}`, async () => {
      const out = join(temporaryFolder(), "y.npy");
      const args = more.map((arg) => (arg === "meta.json" ? join(folder!, arg) : arg));
      await forward(
        "--model",
        join(folder!, weights),
        "--input",
        join(folder!, input),
        "--output",
        out,
        ...args,
      );
      const [actual, expected] = [await readNpy(out), await readNpy(join(folder!, reference))];
      expect(actual.shape).toEqual(expected.shape);
      expect(relativeError(actual.data as Float32Array, expected.data as Float32Array)).toBeLessThan(
        TOLERANCE,
      );
    });
  }

  const detector = folderOf("hrnetv2p_c4");
  test.skipIf(detector === undefined)("hrnetv2p_c4: every level in one .safetensors", async () => {
    const out = join(temporaryFolder(), "levels.safetensors");
    await forward(
      "--model",
      join(detector!, "model.pth"),
      "--input",
      join(detector!, "input.npy"),
      "--output",
      out,
    );
    const [actual, expected] = [out, join(detector!, "outputs.safetensors")].map(readFixtureTensors);
    expect(Object.keys(actual!).sort()).toEqual(["level0", "level1", "level2", "level3", "level4"]);
    for (const [level, { shape, values }] of Object.entries(actual!)) {
      expect(shape).toEqual(expected![level]!.shape);
      expect(relativeError(values, expected![level]!.values)).toBeLessThan(TOLERANCE);
    }
  });
});

const SMALL = folderOf("litehrnet_naive")!;
const [MODEL, INPUT] = [join(SMALL, "model.pth"), join(SMALL, "input.npy")];

test("the released exchange of Lite-HRNet can be left for clean sums, also from a file of ours", async () => {
  const folder = temporaryFolder();
  const own = join(folder, "own.safetensors");
  await runVerb(importVerb(), MODEL, "--out", own);
  const outputs: Float32Array[] = [];
  for (const [index, [model, ...more]] of [
    [MODEL],
    [MODEL, "--config", '{"fuse":"clean"}'],
    [own, "--config", '{"fuse":"clean"}'],
    [own],
  ].entries()) {
    const out = join(folder, `${index}.npy`);
    await forward("--model", model!, "--input", INPUT, "--output", out, ...more);
    outputs.push((await readNpy(out)).data as Float32Array);
  }
  expect(relativeError(outputs[1]!, outputs[0]!)).toBeGreaterThan(0.05);
  expect(outputs[2]).toEqual(outputs[1]);
  expect(outputs[3]).toEqual(outputs[0]);
});

test("an exported .onnx gives the numbers of its checkpoint; it cannot be made another network", async () => {
  const folder = temporaryFolder();
  const [onnx, out] = [join(folder, "m.onnx"), join(folder, "y.npy")];
  await runVerb(exportVerb(), MODEL, "--out", onnx, "--input", "64x96");
  const json = JSON.parse(await forward("--model", onnx, "--input", INPUT, "--output", out, "--json"));
  expect(json).toEqual({ output: out, outputs: { heatmaps: [1, 17, 16, 24] }, device: "cpu" });
  const [actual, expected] = [await readNpy(out), await readNpy(join(SMALL, "output.npy"))];
  expect(relativeError(actual.data as Float32Array, expected.data as Float32Array)).toBeLessThan(TOLERANCE);
  for (const more of [
    ["--arch", "hrnet-w32"],
    ["--keypoints", "5"],
    ["--config", "{}"],
  ]) {
    await expect(forward("--model", onnx, "--input", INPUT, "--output", out, ...more)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(/m\.onnx is a finished model/),
    });
  }
});

describe("what cannot work is said", () => {
  const run = async (...args: string[]): Promise<HRNetError> => {
    const error: unknown = await forward(...args).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HRNetError);
    return error as HRNetError;
  };

  test("files that are missing or of another kind, shapes, outputs, configurations", async () => {
    const folder = temporaryFolder();
    const out = join(folder, "y.npy");
    const flat = join(folder, "flat.npy");
    writeFileSync(flat, encodeNpy(tensor("float32", [2, 3])));
    const grey = join(folder, "grey.npy");
    writeFileSync(grey, encodeNpy(tensor("float32", [1, 1, 64, 96])));
    const odd = join(folder, "odd.npy");
    writeFileSync(odd, encodeNpy(tensor("float32", [1, 3, 65, 96])));
    const cases: [string[], string, RegExp][] = [
      [["--model", MODEL, "--input", "none.npy"], "file-not-found", /none\.npy/],
      [["--model", "none.pth", "--input", INPUT], "file-not-found", /none\.pth/],
      [["--model", "none.onnx", "--input", INPUT], "file-not-found", /none\.onnx/],
      [["--model", "hrnet-w33", "--input", INPUT], "unknown-model", /hrnet-w33/],
      [["--model", folder, "--input", INPUT], "read-failed", /hrnet-test/],
      [["--model", MODEL, "--input", MODEL], "invalid-data", /model\.pth/],
      [["--model", MODEL, "--input", flat], "invalid-shape", /flat\.npy has shape .*2×3.*N×3×height×width/],
      [["--model", MODEL, "--input", grey], "invalid-shape", /input/],
      [["--model", MODEL, "--input", odd], "invalid-shape", /65×96.*multiples of 32/],
      [
        ["--model", MODEL, "--input", INPUT, "--output-name", "logits"],
        "usage",
        /no output logits; it has heatmaps/,
      ],
      [["--model", MODEL, "--input", INPUT, "--config", "{fuse"], "usage", /--config is no valid JSON/],
      [["--model", MODEL, "--input", INPUT, "--config", '{"fusee":1}'], "invalid-config", /fusee/],
      [["--model", MODEL, "--input", INPUT, "--config", "[1]"], "usage", /--config .*object/],
    ];
    for (const [args, code, message] of cases) {
      const error = await run(...args, "--output", out);
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
    }
    expect(existsSync(out)).toBe(false);
  });

  test("a damaged .onnx", async () => {
    const folder = temporaryFolder();
    const onnx = join(folder, "bad.onnx");
    writeFileSync(onnx, readFileSync(INPUT));
    const error = await run("--model", onnx, "--input", INPUT, "--output", join(folder, "y.npy"));
    expect(error.code).toBe("invalid-model");
  });
});
