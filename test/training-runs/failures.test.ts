// What goes wrong in a run: said clearly, with what was there before left as it was.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tensor } from "../../src/tensor/tensor.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import { writeCocoFolder } from "../helpers/synthetic-data.ts";
import { randomWeights, tinyHRNet, tinyPose } from "../helpers/tiny-models.ts";
import { eventsOf, runTiny, tinyRecipe, validatedData, writeRecipe } from "../helpers/tiny-run.ts";

let root: string;
const out = (name: string): string => join(root, name);
const ANNOTATIONS = "annotations/person_keypoints_val2017.json";

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hrnet-test-"));
  await writeCocoFolder(root, 8);
  await runTiny(tinyRecipe(root, { checkpoint: { keep: 2 } }), out("taken"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The data set with its annotation file changed. */
function changedData(name: string, change: (json: { images: object[]; annotations: object[] }) => object) {
  const json = JSON.parse(readFileSync(join(root, ANNOTATIONS), "utf8"));
  writeFileSync(out(name), JSON.stringify(change(json)));
  return { root, train: [{ format: "coco", annotations: name, images: "val2017" } as const] };
}

test("a loss that is not finite changes nothing; after 20 batches the run ends and says what to do", async () => {
  const weights = randomWeights(tinyPose());
  const last = weights.get("final_layer.weight")!;
  weights.set(
    "final_layer.weight",
    tensor("float32", last.shape, new Float32Array(last.data.length).fill(1e30)),
  );
  const from = out("huge.safetensors");
  await writeSafetensors(from, weights);
  const recipe = tinyRecipe(root, { initialize: { from }, epochs: 20, checkpoint: { every: 100 } });
  let shown = 0;
  const run = runTiny(recipe, out("diverged"), {
    onProgress: ({ step, loss }) => {
      expect([step, loss]).toEqual([0, Number.NaN]);
      shown++;
    },
  });
  await expect(run).rejects.toMatchObject({
    code: "inference-failed",
    message: expect.stringMatching(/20 batches in a row \(epoch 10, step 0.*None of them changed.*clipNorm/s),
  });
  expect(shown).toBe(19);
  const events = (await eventsOf(out("diverged"))).slice(1);
  expect(events[0]).toMatch(/the loss was not finite/);
  expect(events[1]).toMatch(/^failed: The loss was infinite/);
  expect(events).toHaveLength(2);
  expect(readFileSync(join(out("diverged"), "report.html"), "utf8")).toMatch(/class="status status-failed"/);
  // No checkpoint was written: the folder cannot be resumed, and says so.
  await expect(runTiny(recipe, out("diverged"))).rejects.toThrow(/ended before its first checkpoint. Remove/);
  await expect(runTiny(recipe, out("diverged"), { resume: true })).rejects.toThrow(/nothing to resume/);
});

test("a folder that holds a run, and one that cannot be made", async () => {
  const recipe = tinyRecipe(root);
  const before = readFileSync(join(out("taken"), "last.safetensors"));
  await expect(runTiny(recipe, out("taken"))).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(/holds a run already. Give --resume/),
  });
  expect(readFileSync(join(out("taken"), "last.safetensors")).equals(before)).toBe(true);
  await expect(runTiny(recipe, out("nothing-there"), { resume: true })).rejects.toThrow(/nothing to resume/);
  writeFileSync(out("a-file"), "");
  await expect(runTiny(recipe, join(out("a-file"), "run"))).rejects.toMatchObject({ code: "write-failed" });
});

test("a disk that takes no more: the last checkpoint stays", async () => {
  const recipe = tinyRecipe(root, { checkpoint: { keep: 2 } });
  const path = writeRecipe(root, { ...recipe, epochs: 2 });
  const before = readFileSync(join(out("taken"), "last.safetensors"));
  expect(before.length).toBeGreaterThan(40_000);
  // Files of at most 40 kB.
  const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
  const args = ["--import", "tsx", main, "train", path, "--resume", "--out", out("taken"), "--threads", "1"];
  const child = spawn("bash", ["-c", 'ulimit -f 40; exec "$0" "$@"', process.execPath, ...args]);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(stderr).toMatch(
    /hrnet: Cannot write .*best\.safetensors: EFBIG.*writable place with enough space\.\n$/,
  );
  expect(code).toBe(1);
  expect(readFileSync(join(out("taken"), "last.safetensors")).equals(before)).toBe(true);
}, 30_000);

test("an unreadable picture is passed over and said; many end the run", async () => {
  const folder = out("pictures");
  mkdirSync(folder);
  await writeCocoFolder(folder, 8);
  writeFileSync(join(folder, "val2017", "3.png"), "no picture");
  const { lines, finished } = await runTiny(tinyRecipe(folder), out("one-lost"));
  expect(finished).toBe(true);
  expect(lines.filter((line) => line.includes("3.png"))).toHaveLength(1);
  expect((await eventsOf(out("one-lost"))).join()).toContain("3.png");
  expect(readFileSync(join(out("one-lost"), "report.html"), "utf8")).toContain("3.png");
  rmSync(join(folder, "val2017"), { recursive: true });
  await expect(runTiny(tinyRecipe(folder), out("all-lost"))).rejects.toMatchObject({ code: "invalid-data" });
});

test("annotations without persons, without a file, and of another skeleton", async () => {
  const begin = (data: object) => runTiny(tinyRecipe(root, { data } as never), out("never"));
  const empty = changedData("empty.json", (json) => ({ ...json, annotations: [] }));
  await expect(begin(empty)).rejects.toThrow(/holds no person with a labelled keypoint to train on. Is it/);
  const sparse = {
    ...empty,
    train: [{ format: "coco", annotations: ANNOTATIONS, images: "val2017", minKeypoints: 18 }],
  };
  await expect(begin(sparse)).rejects.toThrow(/no person with 18 labelled keypoints to train on \(8 persons/);
  writeFileSync(out("torn.json"), "");
  const torn = { root, train: [{ format: "coco", annotations: "torn.json", images: "val2017" }] };
  await expect(begin(torn)).rejects.toMatchObject({ code: "invalid-data" });
  const gone = { ...torn, train: [{ ...torn.train[0], annotations: "gone.json" }] };
  await expect(begin(gone)).rejects.toMatchObject({ code: "file-not-found" });
  const lost = {
    ...validatedData(root),
    validation: { format: "coco", annotations: "gone.json", images: "." },
  };
  await expect(begin(lost)).rejects.toMatchObject({ code: "file-not-found" });
  const mpii = tinyRecipe(root, { skeleton: "mpii-16", data: validatedData(root) });
  await expect(runTiny(mpii, out("never"))).rejects.toThrow(/has 17 keypoints, the network to train 16/);
  expect(existsSync(join(out("never"), "recipe.json"))).toBe(false); // nothing stands in the way of the next try
});

test("validation without persons: dashes, and the latest weights are kept", async () => {
  const { train } = validatedData(root);
  const { root: _, ...empty } = changedData("nobody.json", (json) => ({ ...json, annotations: [] }));
  const recipe = tinyRecipe(root, { data: { root, train, validation: empty.train[0]! }, epochs: 2 });
  const { lines, best, files } = await runTiny(recipe, out("unmeasured"));
  expect(lines).toContain("epoch 2: AP –  AP50 –  AR –  (nothing to measure)");
  expect(best).toBeNull();
  expect(existsSync(files.best!)).toBe(true);
});

test("networks without heatmaps, patterns without a match, other weights", async () => {
  for (const type of ["heatmap-per-resolution", "higher"]) {
    const network = { ...tinyHRNet({ type, channels: 17, ...(type === "higher" && { tags: 17 }) }) };
    await expect(runTiny(tinyRecipe(root, { network }), out("never"))).rejects.toThrow(
      /hrnet\) gives .*heatmaps.*, not heatmaps alone/,
    );
  }
  const freeze = tinyRecipe(root, { freeze: { parameters: ["^stage9"] } });
  await expect(runTiny(freeze, out("never"))).rejects.toThrow(/stage9.*matches none/);
  await writeSafetensors(out("other.safetensors"), new Map([["some.weight", tensor("float32", [2])]]));
  const other = tinyRecipe(root, { initialize: { from: out("other.safetensors") } });
  await expect(runTiny(other, out("never"))).rejects.toMatchObject({ code: "weights-mismatch" });
});
