// The command as users run it: processes, exit codes, one line per error, nothing left behind.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command as downloadVerb } from "../../src/cli/download.ts";
import { command as evalVerb } from "../../src/cli/eval.ts";
import { command as exportVerb } from "../../src/cli/export.ts";
import { command as forwardVerb } from "../../src/cli/forward.ts";
import { command as importVerb } from "../../src/cli/import.ts";
import { command as modelsVerb } from "../../src/cli/models.ts";
import { runCli, runVerb, temporaryFolder } from "../helpers/cli.ts";
import { fixture } from "../helpers/shared.ts";

const CHECKPOINT = fixture("forward", "pose_resnet_basic_narrow", "model.pth");
const INPUT = fixture("forward", "pose_resnet_basic_narrow", "input.npy");

/** One line that says `hrnet: …`, no trace of a stack. */
function expectOneLine(stderr: string, message: RegExp): void {
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(stderr).toMatch(/^hrnet: /);
  expect(stderr).not.toMatch(/\n\s+at /);
}

describe("as a process", () => {
  test("without a verb, with an unknown one, with an unknown option: usage, exit code 2", async () => {
    const [bare, verb, option, verbOption, argument] = await Promise.all([
      runCli(),
      runCli("fly"),
      runCli("--fast"),
      runCli("models", "--fast"),
      runCli("import"),
    ]);
    for (const run of [bare, verb, option, verbOption, argument]) {
      expect([run!.code, run!.stdout]).toEqual([2, ""]);
    }
    expect(bare.stderr).toMatch(/^Usage: hrnet <verb>/);
    expectOneLine(verb.stderr, /unknown verb fly\. There are: pose, .*eval, .*import/);
    expect(option.stderr).toMatch(/unknown option --fast/);
    expect(verbOption.stderr).toMatch(/unknown option '--fast'/);
    expect(argument.stderr).toMatch(/missing required argument/);
  });

  test("help and version: exit code 0", async () => {
    const [help, version] = await Promise.all([runCli("--help"), runCli("--version")]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const verb of ["pose", "eval", "import", "export", "forward", "models", "download", "demo"]) {
      expect(help.stdout).toMatch(new RegExp(`^ {2}${verb} +\\S`, "m"));
    }
    const { version: expected } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(version).toMatchObject({ code: 0, stdout: `${expected}\n` });
  });

  test("what fails: one line, exit code 1 (2 for a wrong call), nothing in the output folder", async () => {
    const folder = temporaryFolder();
    const out = join(folder, "out");
    mkdirSync(out);
    const corrupt = join(folder, "corrupt.pth");
    writeFileSync(corrupt, readFileSync(CHECKPOINT).subarray(0, 100_000));
    mkdirSync(join(out, "taken.onnx"));
    const [wrongName, missing, damaged, taken, full] = await Promise.all([
      runCli("export", CHECKPOINT, "--out", join(out, "c.pth")),
      runCli("import", join(folder, "none.pth"), "--out", join(out, "a.safetensors")),
      runCli("export", corrupt, "--out", join(out, "b.onnx")),
      runCli("export", CHECKPOINT, "--out", join(out, "taken.onnx")),
      runCli("forward", "--model", CHECKPOINT, "--input", INPUT, "--output", "/dev/full"),
    ]);
    for (const run of [missing, damaged, taken]) expect([run.code, run.stdout]).toEqual([1, ""]);
    expect([wrongName.code, wrongName.stdout]).toEqual([2, ""]);
    expectOneLine(wrongName.stderr, /c\.pth: the name must end in \.onnx/);
    expectOneLine(missing.stderr, /none\.pth/);
    expectOneLine(damaged.stderr, /corrupt\.pth/);
    expectOneLine(taken.stderr, /Cannot write .*taken\.onnx/);
    if (existsSync("/dev/full")) {
      expect(full.code).toBe(1);
      expectOneLine(full.stderr, /Cannot write \/dev\/full: .*ENOSPC/);
    }
    expect(readdirSync(out)).toEqual(["taken.onnx"]);
    expect(readdirSync(join(out, "taken.onnx"))).toEqual([]);
  });

  test("--json leaves nothing but JSON on stdout", async () => {
    const run = await runCli("import", CHECKPOINT, "--json");
    expect(run).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(run.stdout)).toMatchObject({ task: "pose", codeBase: "SimpleBaseline", missing: [] });
  });
});

describe("verbs", () => {
  test.each([
    ["import", importVerb],
    ["export", exportVerb],
    ["forward", forwardVerb],
    ["models", modelsVerb],
    ["download", downloadVerb],
    ["eval", evalVerb],
  ])("%s explains itself with examples", async (name, verb) => {
    let text = "";
    const command = verb().configureOutput({ writeOut: (chunk) => (text += chunk) });
    await expect(runVerb(command, "--help")).rejects.toMatchObject({
      code: "commander.helpDisplayed",
      exitCode: 0,
    });
    expect(text).toMatch(new RegExp(`^Usage: hrnet ${name} `));
    expect(text).toMatch(new RegExp(`Examples:\n( {2}hrnet .*\n)* {2}hrnet ${name}`));
    expect(text).toContain("--json");
  });

  test.each<[string, () => ReturnType<typeof importVerb>, string[], RegExp]>([
    ["a size", importVerb, ["x.pth", "--input", "256"], /height x width, like 256x192/],
    ["a number of keypoints", importVerb, ["x.pth", "--keypoints", "0"], /whole number from 1/],
    ["a precision", exportVerb, ["x.pth", "--out", "x.onnx", "--precision", "int4"], /fp32, fp16/],
    ["a codec", evalVerb, ["x", "--model", "y", "--codec", "magic"], /Allowed choices are quarter-offset/],
    ["a score", evalVerb, ["x", "--model", "y", "--min-score", "-1"], /number from 0/],
    [
      "a device",
      forwardVerb,
      ["--model", "m", "--input", "i", "--output", "o", "--device", "tpu"],
      /Allowed choices/,
    ],
  ])("refuse %s that cannot be", async (_, verb, args, message) => {
    let text = "";
    const command = verb().configureOutput({ writeErr: (chunk) => (text += chunk) });
    await expect(runVerb(command, ...args)).rejects.toMatchObject({ code: "commander.invalidArgument" });
    expect(text).toMatch(message);
  });

  test("models: a table, and JSON with the papers' figures", async () => {
    const table = await runVerb(modelsVerb(), "naive-lite-hrnet-18");
    expect(table).toMatch(/^name +task +input +#params/);
    expect(table).toMatch(/\nwider-naive-lite-hrnet-18 +pose +256×192 +1,318,625 /);
    const json = JSON.parse(await runVerb(modelsVerb(), "lite-hrnet-18", "--json"));
    expect(json.find((row: { name: string }) => row.name === "lite-hrnet-18")).toMatchObject({
      task: "pose",
      input: [256, 192],
      params: expect.any(Number),
      macs: expect.any(Number),
      paper: { params: 1.1, gflops: 0.2052 },
    });
    expect(JSON.parse(await runVerb(modelsVerb(), "no such network", "--json"))).toEqual([]);
  });

  test("download lists the published checkpoints with score and box source, and knows when one is not here", async () => {
    const list = JSON.parse(await runVerb(downloadVerb(), "--json"));
    expect(list.length).toBeGreaterThan(30);
    for (const entry of list)
      expect(entry).toMatchObject({ name: expect.any(String), url: expect.stringMatching(/^https:/) });
    expect(await runVerb(downloadVerb())).toMatch(
      /\nhrnet-w32-coco-256x192 +256×192 +quarter-offset +AP 0\.\d+ \(.*boxes: /,
    );
    const before = process.env["HRNET_CACHE"];
    process.env["HRNET_CACHE"] = temporaryFolder();
    try {
      await expect(runVerb(downloadVerb(), "lite-hrnet-18-coco-256x192", "--offline")).rejects.toMatchObject({
        code: "download-failed",
      });
    } finally {
      if (before === undefined) delete process.env["HRNET_CACHE"];
      else process.env["HRNET_CACHE"] = before;
    }
    await expect(runVerb(downloadVerb(), "resnext")).rejects.toMatchObject({ code: "unknown-model" });
  });
});
