// What a run says of its validation against the same model evaluated from its file.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluateOnCoco } from "../../src/estimators/evaluate-coco.ts";
import { evaluateOnMpii } from "../../src/estimators/evaluate-mpii.ts";
import { PoseEstimator } from "../../src/estimators/pose-estimator.ts";
import { readMetricsLog } from "../../src/report/metrics-log.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { choosePersons, type ValidatedPerson } from "../../src/training-runs/validated-persons.ts";
import { writeCocoFolder, writeMpiiFolder } from "../helpers/synthetic-data.ts";
import { runTiny, tinyRecipe, validatedData } from "../helpers/tiny-run.ts";

let root: string;
const ANNOTATIONS = "annotations/person_keypoints_val2017.json";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hrnet-test-"));
  await Promise.all([writeCocoFolder(root, 15), writeMpiiFolder(root, 8)]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Metrics of the last validation in a run's log. */
async function lastMetrics(out: string): Promise<Readonly<Record<string, number>>> {
  const records = await readMetricsLog(join(out, "metrics.jsonl"));
  return records.findLast((record) => record.kind === "validation")!.metrics;
}

/** Captions of a report's pictures under a heading. */
function captions(out: string, title: string): string[] {
  const html = readFileSync(join(out, "report.html"), "utf8");
  const section = html.split("<section>").find((part) => part.includes(`<h2>${title}</h2>`))!;
  return [...section.matchAll(/<figcaption>(.*?)<\/figcaption>/g)].map((match) => match[1]!);
}

test("COCO: the log's figures, and the persons that were found worst, worst first", async () => {
  const out = join(root, "coco");
  const { files } = await runTiny(
    tinyRecipe(root, { data: validatedData(root), validate: { limit: 14 } }),
    out,
  );
  await using estimator = await PoseEstimator.load(files.onnx!, {
    device: "cpu",
    threads: 1,
    flipTest: true,
    decode: { orientation: "ignore" },
  });
  const evaluation = await evaluateOnCoco(estimator, join(root, ANNOTATIONS), {
    images: join(root, "val2017"),
    limit: 14,
  });
  const expected = Object.entries(evaluation.stats).map(([name, value]) => [
    name,
    value < 0 ? Number.NaN : value,
  ]);
  expect(await lastMetrics(out)).toEqual(Object.fromEntries(expected));

  const { annotations } = JSON.parse(readFileSync(join(root, ANNOTATIONS), "utf8")) as {
    annotations: { image_id: number; area: number; keypoints: number[] }[];
  };
  const rated = evaluation.results.map(({ imageId, keypoints }) => {
    const truth = annotations.find(({ image_id }) => image_id === imageId)!;
    const oks = COCO_17.sigmas.map((sigma, k) => {
      const [dx, dy] = [0, 1].map((axis) => keypoints[3 * k + axis]! - truth.keypoints[3 * k + axis]!);
      return Math.exp(-(dx! ** 2 + dy! ** 2) / (2 * truth.area * (2 * sigma) ** 2));
    });
    return { value: oks.reduce((sum, value) => sum + value, 0) / 17, name: `${imageId}.png` };
  });
  rated.sort((a, b) => a.value - b.value);
  expect(captions(out, "Worst cases")).toEqual(
    rated.slice(0, 12).map(({ value, name }) => `OKS ${value.toFixed(2)} · ${name}`),
  );
  expect(captions(out, "Predictions")).toHaveLength(12);
  expect(captions(out, "Input samples")).toHaveLength(12);
});

test("MPII: PCKh, and errors in head sizes", async () => {
  const out = join(root, "mpii");
  const set = { format: "mpii", annotations: "annot/valid.json", images: "images" } as const;
  const data = { root, train: [set], validation: { ...set, truth: "annot/truth.json" } };
  const { files, best, lines } = await runTiny(tinyRecipe(root, { data, epochs: 2 }), out);
  await using estimator = await PoseEstimator.load(files.onnx!, {
    device: "cpu",
    threads: 1,
    flipTest: true,
    decode: { orientation: "ignore" },
  });
  const { mean50 } = await evaluateOnMpii(estimator, {
    annotations: join(root, set.annotations),
    images: join(root, "images"),
    truth: join(root, "annot/truth.json"),
  });
  expect(best!.metric).toBe("PCKh");
  expect(best!.value).toBeCloseTo(mean50 / 100, 12);
  expect(lines.at(-1)).toMatch(/^epoch 2: PCKh \d\.\d{3} {2}PCKh@0\.1 \d\.\d{3} {2}\(/);
  const worst = captions(out, "Worst cases").map((text) =>
    Number(/^error (\d+\.\d\d) heads · \d\.png$/.exec(text)![1]),
  );
  expect(worst).toHaveLength(8);
  expect(worst).toEqual([...worst].sort((a, b) => b - a));
});

test("the chosen persons follow from the seed; the worst from their errors", () => {
  const persons = Array.from(
    { length: 40 },
    (_, i): ValidatedPerson => ({
      imagePath: "",
      name: String(i),
      truth: [],
      prediction: [],
      error: (i * 17) % 40,
      figure: "",
    }),
  );
  const names = (list: readonly ValidatedPerson[]) => list.map(({ name }) => name).join();
  const first = choosePersons(persons, 1);
  expect(names(choosePersons(persons, 1).chosen)).toBe(names(first.chosen));
  expect(names(choosePersons(persons, 2).chosen)).not.toBe(names(first.chosen));
  expect(new Set(first.chosen).size).toBe(12);
  expect(first.worst.map(({ error }) => error)).toEqual(Array.from({ length: 12 }, (_, i) => 39 - i));
});
