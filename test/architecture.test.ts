// The rooms of src/ and what each may use: imports that break the plan fail here.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const SRC = resolve(import.meta.dirname, "../src");

/** Rooms a room may import from, besides itself and src/errors.ts. docs/architecture.md explains the order. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  tensor: [],
  files: [],
  metrics: ["masks"],
  skeleton: [],
  random: [],
  threads: [],
  graph: ["tensor"],
  nn: ["tensor", "graph"],
  models: ["tensor", "graph", "nn", "detection", "regions"],
  image: ["files", "random"],
  runtime: ["tensor", "graph", "threads"],
  weights: ["tensor", "files"],
  data: ["files", "image", "masks", "random", "skeleton", "tensor", "threads"],
  masks: [],
  detection: ["image", "masks", "random"],
  regions: ["tensor", "graph", "detection"],
  synthetic: ["files", "image", "random", "skeleton", "threads"],
  pose: ["files", "image", "random", "skeleton", "metrics"],
  segmentation: ["files", "image", "random"],
  "training-data": [
    "data",
    "detection",
    "files",
    "image",
    "masks",
    "pose",
    "random",
    "segmentation",
    "skeleton",
    "tensor",
    "threads",
  ],
  "model-file": [
    "tensor",
    "files",
    "graph",
    "nn",
    "models",
    "image",
    "pose",
    "random",
    "segmentation",
    "skeleton",
    "weights",
  ],
  losses: ["tensor", "graph", "regions"],
  report: ["files", "image", "pose", "skeleton"],
  recipe: ["detection", "files", "image", "models", "pose", "segmentation", "skeleton"],
  train: ["tensor", "graph", "models", "runtime", "weights"],
  doctor: ["data", "files", "image", "masks", "pose", "random", "segmentation", "skeleton"],
  estimators: [
    "tensor",
    "data",
    "detection",
    "graph",
    "image",
    "masks",
    "metrics",
    "model-file",
    "models",
    "pose",
    "runtime",
    "segmentation",
    "skeleton",
  ],
  "training-runs": [
    "tensor",
    "data",
    "detection",
    "estimators",
    "files",
    "graph",
    "image",
    "losses",
    "metrics",
    "model-file",
    "models",
    "nn",
    "pose",
    "random",
    "recipe",
    "report",
    "runtime",
    "segmentation",
    "skeleton",
    "train",
    "training-data",
  ],
};

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));
}

const imports = (file: string): string[] =>
  [...readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) =>
    resolve(dirname(file), match[1]!),
  );

const roomOf = (file: string): string => relative(SRC, file).split(/[\\/]/)[0]!;

test("every room uses only the rooms it may", () => {
  const broken = sources(SRC).flatMap((file) => {
    const room = roomOf(file);
    const allowed = MAY_USE[room];
    if (!allowed) return []; // index.ts, errors.ts and the command line may use everything
    return imports(file)
      .map(roomOf)
      .filter((target) => target !== room && target !== "errors.ts" && !allowed.includes(target))
      .map((target) => `${relative(SRC, file)} imports ${target}/`);
  });
  expect(broken).toEqual([]);
});

test("every room is in the plan", () => {
  const rooms = readdirSync(SRC, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "cli")
    .map((entry) => entry.name);
  expect(rooms.sort()).toEqual(Object.keys(MAY_USE).sort());
});

test("no source file exports a default or grows past 500 lines", () => {
  for (const file of sources(SRC)) {
    const text = readFileSync(file, "utf8");
    expect(text, file).not.toMatch(/^export default/m);
    expect(text.split("\n").length, file).toBeLessThanOrEqual(500);
  }
});
