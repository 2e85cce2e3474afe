// The metrics log: what is written is read back, resuming drops what came later, crashes and damage are told apart.
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type MetricsRecord, openMetricsLog, readMetricsLog } from "../../src/report/metrics-log.ts";

const newLog = () => join(mkdtempSync(join(tmpdir(), "metrics-")), "run", "metrics.jsonl");

const step = (step: number, loss = 1 / step): MetricsRecord => ({
  kind: "step",
  step,
  epoch: 1,
  loss,
  learningRate: 1e-3,
  imagesPerSecond: 40,
  waitShare: 0.01,
  gradientNorm: 2,
});
const validation = (step: number): MetricsRecord => ({
  kind: "validation",
  step,
  epoch: 1,
  metrics: { AP: 0.5, "PCKh@0.5": 0.7 },
});

async function write(path: string, records: readonly MetricsRecord[], resumeAt?: number) {
  const log = await openMetricsLog(path, resumeAt === undefined ? {} : { resumeAt });
  for (const record of records) log.append(record);
  await log.close();
}

const brief = (records: readonly MetricsRecord[]) =>
  records.map((record) => (record.kind === "event" ? record.text : `${record.kind} ${record.step}`));

test("records come back as they were, each with its time; figures that are no number as NaN", async () => {
  const path = newLog();
  const records = [
    { ...step(1), accuracy: 0.25 },
    step(2, Number.NaN),
    validation(2),
    { kind: "event", text: 'a "quoted"\nline' } as const,
  ];
  const before = Date.now();
  await write(path, records);
  const read = await readMetricsLog(path);
  expect(read.map(({ time, ...rest }) => rest)).toEqual(records);
  for (const { time } of read) expect(time).toBeGreaterThanOrEqual(before);
  // Every line is JSON, which knows no NaN.
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).kind)).toEqual(["step", "step", "validation", "event"]);
});

test("resuming drops what came after the step and keeps the rest to the byte", async () => {
  const path = newLog();
  await write(path, [
    step(1),
    { kind: "event", text: "started" },
    step(2),
    validation(2),
    step(3),
    validation(3),
    { kind: "event", text: "best so far", step: 3 },
    { kind: "event", text: "interrupted" },
  ]);
  const lines = readFileSync(path, "utf8").split("\n");
  await write(path, [step(3), step(4)], 2);
  expect(brief(await readMetricsLog(path))).toEqual([
    "step 1",
    "started",
    "step 2",
    "validation 2",
    "interrupted",
    "step 3",
    "step 4",
  ]);
  expect(readFileSync(path, "utf8").split("\n").slice(0, 4)).toEqual(lines.slice(0, 4));
});

test("a line torn by a crash is left out, and overwritten by what follows", async () => {
  const path = newLog();
  await write(path, [step(1), step(2)]);
  appendFileSync(path, '{"kind":"step","step":3,"ep');
  expect(brief(await readMetricsLog(path))).toEqual(["step 1", "step 2"]);
  await write(path, [step(3)], 2);
  expect(brief(await readMetricsLog(path))).toEqual(["step 1", "step 2", "step 3"]);
});

test("a last line that is whole but for its line end is kept", async () => {
  const path = newLog();
  await write(path, [step(1), step(2)]);
  writeFileSync(path, readFileSync(path, "utf8").trimEnd());
  await write(path, [step(3)], 2);
  expect(brief(await readMetricsLog(path))).toEqual(["step 1", "step 2", "step 3"]);
});

test.each([
  ["no JSON", "oops", /Line 2 .*not valid/],
  ["another kind", '{"kind":"photo","step":2}', /Line 2 .*kind/],
  [
    "a step that is no whole number",
    '{"kind":"validation","step":1.5,"epoch":1,"metrics":{}}',
    /Line 2 .*step/,
  ],
  ["a missing figure", '{"kind":"step","step":2,"epoch":1}', /Line 2 .*loss/],
])("a damaged line within the log is named: %s", async (_, line, message) => {
  const path = newLog();
  await write(path, [step(1)]);
  appendFileSync(path, `${line}\n`);
  await write(path, [], 5).catch(() => {});
  appendFileSync(path, `${JSON.stringify(step(3))}\n`);
  await expect(readMetricsLog(path)).rejects.toMatchObject({
    code: "invalid-data",
    message: expect.stringMatching(message),
  });
});

test("a new run does not touch the log of another", async () => {
  const path = newLog();
  await write(path, [step(1)]);
  await expect(openMetricsLog(path)).rejects.toMatchObject({ code: "usage" });
  expect(brief(await readMetricsLog(path))).toEqual(["step 1"]);
});

test("resuming where there is no log begins one; a log that is not there is said so", async () => {
  const path = newLog();
  await expect(readMetricsLog(path)).rejects.toMatchObject({ code: "file-not-found" });
  await write(path, [step(8)], 7);
  expect(brief(await readMetricsLog(path))).toEqual(["step 8"]);
});

test("lines reach the file without a flush, soon", async () => {
  const path = newLog();
  const log = await openMetricsLog(path, { flushSeconds: 0.02 });
  log.append(step(1));
  expect(readFileSync(path, "utf8")).toBe("");
  await expect.poll(() => readMetricsLog(path).then(brief), { timeout: 5000 }).toEqual(["step 1"]);
  log.append(step(2));
  await log.flush();
  expect(brief(await readMetricsLog(path))).toEqual(["step 1", "step 2"]);
  await Promise.all([log.close(), log.close()]);
  log.append(step(3));
  expect(brief(await readMetricsLog(path))).toEqual(["step 1", "step 2"]);
});
