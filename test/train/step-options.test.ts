// What a step does with its options, against plain arithmetic on the gradient that one step of gradient descent shows.
import { beforeAll, expect, test } from "vitest";
import { input } from "../../src/graph/value.ts";
import { jointsMse } from "../../src/losses/heatmap-losses.ts";
import { buildNetwork } from "../../src/models/network.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { elementCount, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import type { ParameterGroup } from "../../src/train/step-options.ts";
import { TrainingSession, type TrainingSessionOptions } from "../../src/train/training-session.ts";
import { maxDifference, relativeError } from "../helpers/near.ts";
import { randomWeights, tinyPose } from "../helpers/tiny-models.ts";

const [BATCH, KEYPOINTS] = [2, 3];
const network = buildNetwork(tinyPose(KEYPOINTS), [64, 64], BATCH);
const weights = randomWeights(tinyPose(KEYPOINTS));
const trainable = [...network.parameters].filter(([, { trainable }]) => trainable).map(([name]) => name);
const all: ParameterGroup = { names: trainable, learningRateFactor: 1, weightDecay: 0 };
const LEARNING_RATE = 0.125; // exact in float32

/** A batch of random crops and targets. */
function batch(seed: number): Record<string, Tensor> {
  const random = uniformRandom(seed);
  const filled = (shape: readonly number[]) =>
    tensor("float32", shape, Float32Array.from({ length: elementCount(shape) }, random));
  return { image: filled([BATCH, 3, 64, 64]), target: filled([BATCH, KEYPOINTS, 16, 16]) };
}

function open(options: Partial<TrainingSessionOptions> = {}): Promise<TrainingSession> {
  const ones = input("weight", "float32", [BATCH, KEYPOINTS]);
  return TrainingSession.open({
    network,
    weights,
    feeds: { target: input("target", "float32", [BATCH, KEYPOINTS, 16, 16]), weight: ones },
    loss: ({ heatmaps }, { target, weight }) => ({
      loss: jointsMse({ heatmaps: heatmaps!, targets: target!, weights: weight! }),
    }),
    optimizer: { type: "sgd", momentum: 0, nesterov: false },
    groups: [all],
    batchNormMomentum: 0.1,
    threads: 1,
    ...options,
  });
}

/** One batch; the heatmaps are made to count by a target far away. */
const run = (session: TrainingSession, feeds: Record<string, Tensor>) =>
  session.run(
    { ...feeds, weight: tensor("float32", [BATCH, KEYPOINTS], new Float32Array(BATCH * KEYPOINTS).fill(8)) },
    LEARNING_RATE,
  );

const data = (arrays: ReadonlyMap<string, Tensor>, name: string) => arrays.get(name)!.data as Float32Array;
/** What changed, per parameter. */
const changes = (after: ReadonlyMap<string, Tensor>, name: string): Float32Array =>
  data(after, name).map((value, i) => value - data(weights, name)[i]!);
const flat = (values: (name: string) => ArrayLike<number>, names: readonly string[] = trainable): number[] =>
  names.flatMap((name) => Array.from(values(name)));

/** Gradients of the batches 1 and 2 at the initial weights, and the norm of the first. */
const gradients = new Map<number, (name: string) => Float32Array>();
let norm = 0;

beforeAll(async () => {
  for (const seed of [1, 2]) {
    await using session = await open();
    const result = await run(session, batch(seed));
    const after = await session.weights();
    gradients.set(seed, (name) => changes(after, name).map((change) => -change / LEARNING_RATE));
    if (seed === 1) norm = result.gradientNorm;
  }
});

test("the norm is that of all gradients", () => {
  expect(Math.hypot(...flat(gradients.get(1)!)) / norm).toBeCloseTo(1, 3);
  expect(norm).toBeGreaterThan(0.1); // or the checks below would compare noise
});

test("clipNorm shortens the gradient, and leaves one alone that is short enough", async () => {
  for (const [clipNorm, factor] of [
    [norm / 4, 0.25],
    [norm * 4, 1],
  ] as const) {
    await using session = await open({ clipNorm });
    const { gradientNorm } = await run(session, batch(1));
    expect(gradientNorm).toBeCloseTo(norm, 5); // as it was before
    const after = await session.weights();
    const expected = flat(gradients.get(1)!).map((g) => -LEARNING_RATE * factor * g);
    expect(
      relativeError(
        flat((name) => changes(after, name)),
        expected,
      ),
    ).toBeLessThan(1e-3);
  }
});

test("groups have a rate and a decay of their own; what is in none is frozen, bit for bit", async () => {
  const [stem, stage] = [
    trainable.filter((name) => /^(conv1|bn1)\./.test(name)),
    trainable.filter((name) => name.startsWith("stage2.")),
  ];
  expect(Math.min(stem.length, stage.length)).toBeGreaterThan(2);
  await using session = await open({
    groups: [
      { names: stem, learningRateFactor: 4, weightDecay: 0 },
      { names: stage, learningRateFactor: 0.5, weightDecay: 0.25 },
    ],
  });
  await run(session, batch(1));
  const after = await session.weights();
  const gradient = gradients.get(1)!;
  const expected = {
    stem: flat((name) => gradient(name).map((g) => -LEARNING_RATE * 4 * g), stem),
    stage: flat(
      (name) => gradient(name).map((g, i) => -LEARNING_RATE * 0.5 * (g + 0.25 * data(weights, name)[i]!)),
      stage,
    ),
  };
  expect(
    relativeError(
      flat((name) => changes(after, name), stem),
      expected.stem,
    ),
  ).toBeLessThan(1e-3);
  expect(
    relativeError(
      flat((name) => changes(after, name), stage),
      expected.stage,
    ),
  ).toBeLessThan(1e-3);
  const frozen = trainable.filter((name) => !stem.includes(name) && !stage.includes(name));
  expect(
    maxDifference(
      flat((name) => data(after, name), frozen),
      flat((name) => data(weights, name), frozen),
    ),
  ).toBe(0);
});

test("two batches accumulated are one step on their mean gradient", async () => {
  await using session = await open({ accumulate: 2 });
  await run(session, batch(1));
  expect(session.counts).toMatchObject({ steps: 0, batches: 1, collected: 1 });
  const between = await session.weights();
  expect(
    maxDifference(
      flat((name) => data(between, name)),
      flat((name) => data(weights, name)),
    ),
  ).toBe(0);
  await run(session, batch(2));
  expect(session.counts).toMatchObject({ steps: 1, batches: 2, collected: 0 });
  const after = await session.weights();
  const [first, second] = [gradients.get(1)!, gradients.get(2)!];
  const expected = flat((name) => first(name).map((g, i) => (-LEARNING_RATE * (g + second(name)[i]!)) / 2));
  expect(
    relativeError(
      flat((name) => changes(after, name)),
      expected,
    ),
  ).toBeLessThan(1e-3);
  // Collected gradients start at 0 again.
  const { slots } = await session.snapshot();
  expect(flat((name) => data(slots.get("gradients")!, name)).every((value) => value === 0)).toBe(true);
});

test("optimizer and moving average wait for the step of accumulated batches", async () => {
  await using session = await open({
    accumulate: 2,
    optimizer: { type: "adam", betas: [0.75, 0.5], epsilon: 1e-8 },
    ema: true,
    averageRate: () => 0.5,
  });
  const slot = async (role: string) => {
    const { slots } = await session.snapshot();
    return flat((name) => data(slots.get(role)!, name));
  };
  const start = flat((name) => data(weights, name));
  await run(session, batch(1));
  for (const role of ["moment1", "moment2"])
    expect((await slot(role)).every((value) => value === 0)).toBe(true);
  expect(await slot("average")).toEqual(start);
  await run(session, batch(2));
  const [first, second] = [gradients.get(1)!, gradients.get(2)!];
  const mean = flat((name) => first(name).map((g, i) => (g + second(name)[i]!) / 2));
  const scaled = (values: number[], factor: number) => values.map((value) => factor * value);
  expect(relativeError(await slot("moment1"), scaled(mean, 0.25))).toBeLessThan(1e-3);
  const squares = mean.map((g) => g * g);
  expect(relativeError(await slot("moment2"), scaled(squares, 0.5))).toBeLessThan(1e-3);
  const { weights: after } = await session.snapshot();
  const halfway = flat((name) => data(after, name)).map((value, i) => (value + start[i]!) / 2);
  const average = await slot("average");
  expect(relativeError(average, halfway)).toBeLessThan(1e-6);
  await run(session, batch(1)); // collected again
  expect(await slot("average")).toEqual(average);
});

test("a batch that is not finite changes nothing, and what was collected is given up", async () => {
  await using session = await open({ accumulate: 2 });
  await run(session, batch(1));
  const before = await session.snapshot();
  const broken = batch(2);
  (broken["target"]!.data as Float32Array)[7] = Number.POSITIVE_INFINITY;
  expect((await run(session, broken)).finite).toBe(false);
  const after = await session.snapshot();
  for (const [name, { data: values }] of before.weights)
    expect(after.weights.get(name)!.data).toEqual(values);
  expect(session.counts).toMatchObject({ steps: 0, batches: 1, collected: 0 });
  expect(flat((name) => data(after.slots.get("gradients")!, name)).every((value) => value === 0)).toBe(true);
});

test("the moving average follows the parameters; statistics are not averaged", async () => {
  await using session = await open({ ema: true, averageRate: (steps) => (steps === 1 ? 0.5 : 0.25) });
  await run(session, batch(1));
  const first = (await session.snapshot()).weights;
  await run(session, batch(2));
  const { weights: second } = await session.snapshot();
  const averaged = await session.weights();
  const expected = flat((name) =>
    data(weights, name).map((start, i) => {
      const once = start + 0.5 * (data(first, name)[i]! - start);
      return once + 0.25 * (data(second, name)[i]! - once);
    }),
  );
  expect(
    relativeError(
      flat((name) => data(averaged, name)),
      expected,
    ),
  ).toBeLessThan(1e-6);
  expect(averaged.get("bn1.running_mean")!.data).toEqual(second.get("bn1.running_mean")!.data);
});

test("frozen batch normalisations keep statistics and counters, bit for bit; the others move", async () => {
  const frozen = (path: string): boolean => path.startsWith("stage2.");
  await using session = await open({ frozenBatchNorm: frozen });
  await run(session, batch(1));
  const after = await session.weights();
  const moved = [...weights]
    .filter(([name]) => /running_|num_batches/.test(name))
    .filter(([name, { data: start }]) => start.some((value, i) => value !== after.get(name)!.data[i]))
    .map(([name]) => name);
  const expected = [...weights.keys()].filter((name) => /running_|num_batches/.test(name) && !frozen(name));
  expect(moved.sort()).toEqual(expected.sort());
  expect(after.get("bn1.num_batches_tracked")!.data[0]).toBe(8n); // 7 before
});

/** Two batches as one. */
function joined(a: Record<string, Tensor>, b: Record<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(a).map(([name, { shape, data: first }]) => {
      const values = [...(first as Float32Array), ...(b[name]!.data as Float32Array)];
      return [name, tensor("float32", [2 * shape[0]!, ...shape.slice(1)], Float32Array.from(values))];
    }),
  );
}

const eights = (samples: number): Tensor =>
  tensor("float32", [samples, KEYPOINTS], new Float32Array(samples * KEYPOINTS).fill(8));

test("a batch in two parts is one step on their mean gradient, with the statistics of the whole", async () => {
  const whole = { ...joined(batch(1), batch(2)), weight: eights(2 * BATCH) };
  const heatmapsOf = (samples: number) => ({
    target: input("target", "float32", [samples, KEYPOINTS, 16, 16]),
    weight: input("weight", "float32", [samples, KEYPOINTS]),
  });
  await using parts = await open({ replicas: 2, threads: 2, accumulate: 2 });
  await using one = await open({
    network: buildNetwork(tinyPose(KEYPOINTS), [64, 64], 2 * BATCH),
    feeds: heatmapsOf(2 * BATCH),
  });
  // Collected twice: the same batch, so that the mean is its own gradient.
  const { loss } = await parts.run(structuredClone(whole), LEARNING_RATE);
  expect((await parts.weights()).get(trainable[0]!)!.data).toEqual(weights.get(trainable[0]!)!.data);
  await parts.run(structuredClone(whole), LEARNING_RATE);
  const after = await parts.weights();
  const expected = flat((name) => {
    const second = gradients.get(2)!(name);
    return gradients.get(1)!(name).map((g, i) => (-LEARNING_RATE * (g + second[i]!)) / 2);
  });
  const difference = relativeError(
    flat((name) => changes(after, name)),
    expected,
  );
  expect(difference).toBeLessThan(1e-3);

  await using first = await open();
  await using second = await open();
  const losses = [await run(first, batch(1)), await run(second, batch(2))].map((result) => result.loss);
  expect(loss).toBeCloseTo((losses[0]! + losses[1]!) / 2, 5);

  // Up to its first normalisation the network sees no statistics: those of the whole batch must come out.
  await one.run(structuredClone(whole), LEARNING_RATE);
  const reference = await one.weights();
  for (const name of ["bn1.running_mean", "bn1.running_var"]) {
    const moved = data(reference, name).map((value, i) => value - data(weights, name)[i]!);
    const twice = data(after, name).map((value, i) => value - data(weights, name)[i]!);
    expect(
      maxDifference(
        moved,
        twice.map((value) => value / 1.9),
      ),
      name,
    ).toBeLessThan(1e-5); // 0.9 + 1 times the way
  }
});

test("what a loss reports of the parts comes out in the order of the samples", async () => {
  const reported = (options: Partial<TrainingSessionOptions>) =>
    open({
      loss: ({ heatmaps }, { target, weight }) => ({
        loss: jointsMse({ heatmaps: heatmaps!, targets: target!, weights: weight! }),
        report: { targets: target! },
      }),
      ...options,
    });
  await using session = await reported({ replicas: 2 });
  const feeds = { ...joined(batch(1), batch(2)), weight: eights(2 * BATCH) };
  const { report } = await session.run(structuredClone(feeds), LEARNING_RATE);
  expect(report["targets"]).toEqual((feeds as Record<string, Tensor>)["target"]);
});
