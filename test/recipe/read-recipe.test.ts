// Reading: inheritance, overrides, paths, and what messages say of mistakes.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { recipeJointWeights, recipeNetwork, recipeSkeleton } from "../../src/recipe/pose-recipe.ts";
import { parseRecipe, readRecipe } from "../../src/recipe/read-recipe.ts";
import { resolveData } from "../../src/recipe/recipe-paths.ts";
import { readPoseRecipe } from "../helpers/pose-recipe.ts";
import { tinyPose } from "../helpers/tiny-models.ts";

const COCO = { format: "coco", annotations: "train.json", images: "images" };
const MINIMAL = {
  task: "pose",
  network: "lite-hrnet-18",
  input: [256, 192],
  data: { train: [COCO] },
  optimizer: { type: "adam", learningRate: 1e-3 },
  epochs: 2,
  batchSize: 4,
};

/** A folder with these recipes. */
function folderWith(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(tmpdir(), "recipes-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

/** The message of reading MINIMAL with changes. */
async function complaint(changes: object, overrides: string[] = []): Promise<string> {
  const folder = folderWith({ "mine.json": { ...MINIMAL, ...changes } });
  const error = await readRecipe("mine.json", overrides, { folder }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "HRNetError", code: "invalid-config" });
  return (error as Error).message;
}

test("defaults are filled in, the name is the file's", async () => {
  const folder = folderWith({ "mine.json": { ...MINIMAL, $schema: "x" } });
  const recipe = await readRecipe("mine.json", [], { folder });
  expect(recipe).toMatchObject({
    name: "mine",
    paper: null,
    codec: { name: "quarter-offset" },
    loss: { type: "joints-mse", hardKeypoints: null, useTargetWeight: true },
    optimizer: { weightDecay: 0, betas: [0.9, 0.999] },
    schedule: { type: "constant" },
    accumulate: 1,
    freeze: { parameters: [], batchNorm: [] },
    validate: { every: 1, flipTest: true, limit: null },
    checkpoint: { every: 1, unit: "epoch", keep: 1 },
    data: { root: folder, validation: null },
  });
  expect(recipe).not.toHaveProperty("$schema");
  expect(parseRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
});

test("extends: objects by key, lists as a whole, another kind as a whole, never name, about and paper", async () => {
  const folder = folderWith({
    "base.json": {
      ...MINIMAL,
      about: "base",
      paper: { metric: "AP", value: 1, of: "nowhere" },
      schedule: { type: "step", milestones: [1], factor: 0.5 },
      groups: [{ match: "a" }, { match: "b" }],
      warmUp: { steps: 3 },
    },
    "middle.json": { extends: "base.json", optimizer: { learningRate: 2 }, groups: [{ match: "c" }] },
    "mine.json": { extends: "middle.json", schedule: { type: "poly" }, warmUp: null },
  });
  expect(await readRecipe("mine.json", [], { folder })).toMatchObject({
    name: "mine",
    about: "",
    paper: null,
    optimizer: { type: "adam", learningRate: 2 },
    groups: [{ match: "c", learningRateFactor: 1, weightDecay: null }],
    schedule: { type: "poly", power: 0.9, minimum: 0 },
    warmUp: null,
  });
});

test("extends a published recipe", async () => {
  const folder = folderWith({ "mine.json": { extends: "hrnet-w48-coco-384x288", epochs: 3 } });
  const recipe = await readRecipe("mine.json", [], { folder });
  expect(recipe).toMatchObject({ name: "mine", paper: null, epochs: 3, network: "hrnet-w48", batchSize: 24 });
});

test("null takes away an inherited key that has no default", async () => {
  const base = "lite-hrnet-18-coco-256x192";
  const folder = folderWith({ "mine.json": { extends: base, augmentation: { halfBody: null } } });
  const recipe = await readPoseRecipe("mine.json", ["codec.sigma=null", "augmentation.shift=null"], {
    folder,
  });
  expect(recipe.augmentation).not.toHaveProperty("halfBody");
  expect(recipe.augmentation.scaleFactor).toBe(0.25);
  expect(recipe.codec).toEqual({ name: "quarter-offset" });
});

test("circles and parents that are not there", async () => {
  const folder = folderWith({
    "a.json": { extends: "b.json" },
    "b.json": { extends: "a.json" },
    "c.json": { extends: "gone.json" },
    "d.json": { extends: 3 },
    "e.json": "{ nonsense",
    "f.json": "[]",
  });
  const read = (name: string) => readRecipe(name, [], { folder });
  await expect(read("a.json")).rejects.toThrow(/a\.json → .*b\.json → .*circle/);
  await expect(read("c.json")).rejects.toMatchObject({ code: "file-not-found" });
  await expect(read("d.json")).rejects.toThrow(/extends is 3; expected the name or path/);
  await expect(read("e.json")).rejects.toThrow(/is not JSON/);
  await expect(read("f.json")).rejects.toThrow(/no JSON object/);
  await expect(read("hrnet-w32-coco-256")).rejects.toThrow(/Closest: hrnet-w32-coco-256x192/);
});

test("overrides: dotted paths, list entries, JSON or text, kinds first", async () => {
  const read = (...overrides: string[]) => readPoseRecipe("lite-hrnet-18-coco-256x192", overrides);
  const recipe = await read(
    "optimizer.learningRate=2e-4",
    "optimizer.type=adamw",
    "data.train.0.repeat=2",
    'data.train.1={"format":"coco","annotations":"b.json","images":"b"}',
    "epochs=5",
    "precision=fp16",
    "warmUp=null",
    "ema.decay=0.9",
    "name=a=b",
  );
  expect(recipe).toMatchObject({
    name: "a=b",
    optimizer: { type: "adamw", learningRate: 2e-4, weightDecay: 0.01 },
    epochs: 5,
    precision: "fp16",
    warmUp: null,
    ema: { decay: 0.9 },
  });
  expect(recipe.data.train.map(({ annotations, repeat }) => [annotations, repeat])).toEqual([
    ["annotations/person_keypoints_train2017.json", 2],
    ["b.json", 1],
  ]);
  await expect(read("epochs")).rejects.toMatchObject({ code: "usage" });
  await expect(read("=3")).rejects.toMatchObject({ code: "usage" });
  await expect(read("a..b=3")).rejects.toMatchObject({ code: "usage" });
  await expect(read("data.train.7.repeat=2")).rejects.toThrow(/data\.train is a list of 1/);
  await expect(read("network.fusion=final")).rejects.toThrow(/network is "lite-hrnet-18", which has no keys/);
  await expect(read("__proto__.epochs=3")).rejects.toThrow(/__proto__: there is no such key/);
  expect(Object.hasOwn(Object.prototype, "epochs")).toBe(false);
});

test("paths: of a file from its folder, of overrides from the current one, data from its root", async () => {
  const folder = folderWith({
    "sub/base.json": {
      ...MINIMAL,
      initialize: { from: "weights/a.pth" },
      teacher: { model: "hrnet-w32-coco-256x192" },
      data: { root: "set", train: [COCO], validation: { ...COCO, annotations: "/abs/val.json" } },
    },
    "mine.json": { extends: "sub/base.json", skeleton: "hand.json" },
    "hand.json": { name: "hand", keypoints: ["a", "b"] },
  });
  const recipe = await readPoseRecipe("mine.json", [], { folder });
  expect(recipe.initialize!.from).toBe(join(folder, "sub", "weights", "a.pth"));
  expect(recipe.teacher!.model).toBe("hrnet-w32-coco-256x192");
  expect(recipe.data.train[0]!.images).toBe("images");
  const data = resolveData(recipe.data);
  expect(data.train[0]!.images).toBe(join(folder, "sub", "set", "images"));
  expect(data.validation!.annotations).toBe("/abs/val.json");
  expect((await recipeSkeleton(recipe))!.keypoints).toEqual(["a", "b"]);

  const changed = await readPoseRecipe(
    join(folder, "mine.json"),
    ["data.root=d", 'initialize={"from":"w.pth"}', "teacher.model=t.onnx", "skeleton=coco-17"],
    { folder: "/here" },
  );
  expect(changed.data.root).toBe("/here/d");
  expect(changed.initialize!.from).toBe("/here/w.pth");
  expect(changed.teacher!.model).toBe("/here/t.onnx");
  expect(changed.skeleton).toBe("coco-17");
});

test("mistakes: key, what was given, what was expected, what may be meant", async () => {
  expect(await complaint({ epochs: "ten" })).toMatch(
    /epochs is "ten"; expected whole number from 1 to 1000000/,
  );
  expect(await complaint({ batchSize: undefined })).toContain("batchSize is missing; expected whole number");
  expect(await complaint({ clipNorm: 0 })).toMatch(/clipNorm is 0; expected number above 0 or null/);
  expect(await complaint({ optimizer: { type: "adma", learningRate: 1 } })).toContain(
    'optimizer.type is "adma"; expected "adam" or "adamw" or "sgd"',
  );
  expect(await complaint({ task: "poes" })).toContain('task is "poes"; expected "pose"');
  expect(await complaint({ epoch: 3 })).toContain("epoch: there is no such key. Did you mean epochs?");
  expect(await complaint({ learningRate: 3 })).toContain("Did you mean optimizer.learningRate?");
  expect(await complaint({}, ["optimizer.learningrate=1"])).toContain(
    "learningrate: there is no such key. Did you mean learningRate? The keys are type, learningRate, weightDecay, betas, epsilon.",
  );
  expect(await complaint({}, ["optimizer.momentum=0.9"])).toContain(
    'no such key when optimizer.type is "adam"; it is for sgd',
  );
  expect(await complaint({ loss: { type: "joints-mse", jointWeights: [1, "a"] } })).toContain(
    'loss.jointWeights is [1,"a"]; expected "coco" or list of: number from 0 to 1000 or null',
  );
  expect(await complaint({ data: { train: [{ ...COCO, format: "cocoo" }] } })).toContain(
    'data.train.0.format is "cocoo"; expected "coco" or "mpii"',
  );
  const two = await complaint({ epochs: 0, seed: -1 });
  expect(two).toContain("epochs is 0");
  expect(two).toContain("seed is -1; expected whole number from 0 to 4294967295");
});

test("mistakes that no single value shows", async () => {
  expect(await complaint({ network: "hrnet-w33" })).toMatch(
    /network is "hrnet-w33": There is no network named/,
  );
  expect(await complaint({ network: "hrnet-w32-c" })).toMatch(/for classification, not for pose/);
  expect(await complaint({ network: { family: "hrnet" } })).toMatch(/no network configuration/);
  expect(await complaint({ skeleton: "coco-18" })).toMatch(/skeleton is "coco-18": No skeleton is called/);
  expect(await complaint({ groups: [{ match: "(" }] })).toMatch(
    /groups\.0\.match is "\(".*regular expression/,
  );
  expect(await complaint({ schedule: { type: "step", milestones: [3, 2] } })).toMatch(/must rise/);
  expect(
    await complaint({ skeleton: "mpii-16", loss: { type: "joints-mse", jointWeights: "coco" } }),
  ).toMatch(/loss\.jointWeights is "coco": 17 weights for the 16 keypoints/);
  expect(await complaint({ skeleton: "mpii-16", loss: { type: "joints-mse", hardKeypoints: 17 } })).toMatch(
    /has 16 keypoints/,
  );
  expect(await complaint({ data: { train: [COCO], validationBoxes: "b.json" } })).toMatch(
    /validationBoxes .* only with validation data/,
  );
  expect(
    await complaint({ optimizer: { type: "sgd", learningRate: 1, momentum: 0, nesterov: true } }),
  ).toMatch(/nesterov is true: needs a momentum/);
});

test("the network gets the channels that keypoints and codec need", () => {
  const codec = { name: "quarter-offset" } as const;
  expect(recipeNetwork({ network: "lite-hrnet-18", codec }, 5).head).toMatchObject({ channels: 5 });
  expect(recipeNetwork({ network: tinyPose(), codec: { name: "udp-combined" } }, 5).head).toMatchObject({
    channels: 15,
  });
});

test("weights per keypoint", () => {
  expect(recipeJointWeights({ jointWeights: null }, 3)).toBeUndefined();
  expect(recipeJointWeights({ jointWeights: "coco" }, 17)!.reduce((sum, w) => sum + w)).toBeCloseTo(19.8);
  expect(() => recipeJointWeights({ jointWeights: [1, 2] }, 3)).toThrow(/2 weights for 3 keypoints/);
});
