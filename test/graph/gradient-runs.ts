// Runs many cases of the gradient table at once: all of them side by side in one model, in the real engine.
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import type { Target } from "../../src/graph/lowering/target.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { reduceSum } from "../../src/graph/ops/broadcast.ts";
import { add, mul } from "../../src/graph/ops/elementwise.ts";
import { input, type Value } from "../../src/graph/value.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import type { Device, ModelSession } from "../../src/runtime/session.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { PLAIN_CPU } from "../helpers/targets.ts";
import type { GradientCase } from "./gradient-cases.ts";

/** A case with its graph: loss = Σ y·w over all outputs y, with weights w of their own. */
export interface Problem {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly weights: readonly Value[];
  readonly loss: Value;
  /** Elements of inputs and weights by name. */
  readonly feeds: Readonly<Record<string, Tensor<"float32">>>;
}

/** Named tensors. */
export type Feeds = Readonly<Record<string, Tensor>>;

const sum = (values: readonly Value[]): Value => values.reduce((total, value) => add(total, value));

/** Σ of all elements. */
const total = (x: Value): Value =>
  x.shape.length === 0
    ? x
    : reduceSum(
        x,
        x.shape.map((_, axis) => axis),
        false,
      ); // prettier-ignore

/** The problem of a case; `id` begins the names of its values and makes its numbers. */
export function problemOf({ operator, name, inputs: sources, build }: GradientCase, id: number): Problem {
  const random = uniformRandom(id + 1);
  const inputs = sources.map(({ shape }, index) => input(`c${id}.x${index}`, "float32", shape));
  const built = build(...inputs);
  const outputs = Array.isArray(built) ? (built as readonly Value[]) : [built as Value];
  const weights = outputs.map(({ shape }, index) => input(`c${id}.w${index}`, "float32", shape));
  const feeds: Record<string, Tensor<"float32">> = {};
  sources.forEach(({ shape, draw }, index) => {
    const count = shape.reduce((product, size) => product * size, 1);
    feeds[inputs[index]!.name!] = tensor("float32", shape, draw(random, count));
  });
  for (const { name: weight, shape } of weights) {
    const values = tensor("float32", shape as readonly number[]);
    feeds[weight!] = { ...values, data: values.data.map(() => 2 * random() - 1) };
  }
  const loss = sum(outputs.map((y, index) => total(mul(y, weights[index]!))));
  return { name: `${operator.type}${name && `, ${name}`}`, inputs, outputs, weights, loss, feeds };
}

/** A session that computes `outputsOf` for many problems side by side. */
function open(
  problems: readonly Problem[],
  outputsOf: (problem: Problem) => Readonly<Record<string, Value>>,
  target: Target,
  device: Device,
): Promise<ModelSession> {
  const outputs = Object.assign({}, ...problems.map(outputsOf)) as Record<string, Value>;
  const inputs = problems.flatMap((problem) => [...problem.inputs, ...problem.weights]);
  const graph = lower(createGraph(inputs, outputs), target);
  return openSession(encodeModel(graphToModel(graph, { name: "cases" })), { device, threads: 1 });
}

const prefixOf = (problem: Problem): string => problem.weights[0]!.name!.split(".")[0]!;

function forwardOf(problem: Problem): Record<string, Value> {
  return Object.fromEntries(problem.outputs.map((y, index) => [`${prefixOf(problem)}.y${index}`, y]));
}

function backwardOf(problem: Problem): Record<string, Value> {
  const gradients = differentiate(problem.loss, problem.inputs);
  const entries = problem.inputs.map((x, index) => {
    const gradient = gradients.get(x);
    if (!gradient) throw new Error(`${problem.name} has no gradient for input ${index}`);
    return [`${prefixOf(problem)}.g${index}`, gradient] as const;
  });
  return { ...forwardOf(problem), ...Object.fromEntries(entries) };
}

/** Outputs and gradients of problems, or the error of one of them alone. */
export type Backward = ReadonlyMap<Problem, Feeds | Error>;

/**
 * Outputs `c<id>.y<index>` and gradients `c<id>.g<index>` of every problem. All run in one model; where the engine refuses it,
 * its halves, to tell which are to blame.
 */
export async function runBackward(
  problems: readonly Problem[],
  target: Target,
  device: Device,
): Promise<Backward> {
  try {
    await using session = await open(problems, backwardOf, target, device);
    const result = await session.run(Object.assign({}, ...problems.map(({ feeds }) => feeds)));
    return new Map(problems.map((problem) => [problem, result]));
  } catch (error) {
    if (problems.length === 1) return new Map([[problems[0]!, error as Error]]);
    const middle = problems.length >> 1;
    const first = await runBackward(problems.slice(0, middle), target, device);
    return new Map([...first, ...(await runBackward(problems.slice(middle), target, device))]);
  }
}

/** Finite differences along random directions: for each problem and input a list of [direction, derivative]. */
export type Derivatives = ReadonlyMap<Problem, readonly (readonly Derivative[])[]>;
type Derivative = readonly [direction: Float32Array, derivative: number];

/**
 * Directional derivatives of every problem's loss with respect to each of its inputs, along `count` random directions of ±1:
 * (4·D(h) − D(2h))/3 of central differences D (Richardson), summed in double precision. Inputs move by `step` = 2h at most.
 */
export async function differences(
  problems: readonly Problem[],
  count: number,
  step: number,
): Promise<Derivatives> {
  const random = uniformRandom(20_000);
  const still = Object.assign({}, ...problems.map(({ feeds }) => feeds)) as Feeds;
  const result = new Map(problems.map((problem) => [problem, problem.inputs.map((): Derivative[] => [])]));
  await using session = await open(problems, forwardOf, PLAIN_CPU, "cpu");
  const slots = Math.max(...problems.map(({ inputs }) => inputs.length));
  for (let round = 0; round < slots * count; round++) {
    const slot = round % slots;
    const moving = problems.filter(({ inputs }) => slot < inputs.length);
    const directions = moving.map(({ inputs, feeds }) =>
      feeds[inputs[slot]!.name!]!.data.map(() => (random() < 0.5 ? -1 : 1)),
    );
    const losses = async (move: number): Promise<number[]> => {
      const moved = moving.map(({ inputs, feeds }, at) => {
        const name = inputs[slot]!.name!;
        const { shape, data } = feeds[name]!;
        const elements = data.map((x, i) => x + move * directions[at]![i]!);
        return [name, tensor("float32", shape, elements)] as const;
      });
      const outputs = await session.run({ ...still, ...Object.fromEntries(moved) });
      return moving.map((problem) => lossOf(problem, outputs));
    };
    const [ahead, behind] = [await losses(step / 2), await losses(-step / 2)];
    const [far, back] = [await losses(step), await losses(-step)];
    moving.forEach((problem, at) => {
      const near = (ahead[at]! - behind[at]!) / step;
      const wide = (far[at]! - back[at]!) / (2 * step);
      result.get(problem)![slot]!.push([directions[at]!, (4 * near - wide) / 3]);
    });
  }
  return result;
}

/** Σ y·w in double precision. */
function lossOf(problem: Problem, outputs: Feeds): number {
  let loss = 0;
  problem.weights.forEach(({ name }, index) => {
    const y = outputs[`${prefixOf(problem)}.y${index}`]!.data as Float32Array;
    const w = problem.feeds[name!]!.data;
    y.forEach((value, i) => {
      loss += value * w[i]!;
    });
  });
  return loss;
}

/** The gradient of a problem's input. */
export function gradientOf(backward: Backward, problem: Problem, index: number): Tensor {
  const result = backward.get(problem)!;
  if (result instanceof Error) throw result;
  return result[`${prefixOf(problem)}.g${index}`]!;
}
