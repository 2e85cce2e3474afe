// The networks the benchmark runs: built here, with weights made from their names, so that no file is needed.

import * as ort from "onnxruntime-node";
import type { Graph } from "../src/graph/graph.ts";
import { inferenceGraph } from "../src/graph/inference.ts";
import { graphToModel } from "../src/graph/onnx.ts";
import { encodeModel } from "../src/graph/onnx-proto.ts";
import { buildNetwork, type Network, type NetworkConfig, parseNetworkConfig } from "../src/models/network.ts";
import { VARIANTS } from "../src/models/variants.ts";
import { openSessionPool } from "../src/runtime/session-pool.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { proceduralInput, proceduralWeight } from "../test/helpers/procedural.ts";
import { type Competitor, timed } from "./measure.ts";

/** Input size of networks measured, height × width, unless a row says otherwise. */
export const SIZE = [256, 192] as const;

/** A network with weights, as an ONNX file and as tensors. */
export interface BenchNetwork {
  readonly name: string;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly model: Uint8Array;
}

/** A height and a width. */
export type Size = readonly [number, number];

/** The configuration of a variant. */
export function configOf(name: string): NetworkConfig {
  const variant = VARIANTS.find((candidate) => candidate.name === name)!;
  return parseNetworkConfig(variant.config);
}

/** Weights made from their names. */
export function proceduralWeights({ parameters }: Network): Map<string, Tensor> {
  return new Map(
    [...parameters].map(([key, { value }]) => [key, proceduralWeight(key, value.shape as number[])]),
  );
}

/** A graph with weights as an ONNX file. */
export function modelOf(name: string, graph: Graph, weights: ReadonlyMap<string, Tensor>): Uint8Array {
  return encodeModel(graphToModel(inferenceGraph(graph, weights), { name }));
}

/** Builds a network by its variant's name. */
export function benchNetwork(name: string, size: Size = SIZE): BenchNetwork {
  const network = buildNetwork(configOf(name), size);
  const weights = proceduralWeights(network);
  return { name, weights, model: modelOf(name, network.graph, weights) };
}

/** An input of `batch` pictures. */
export function benchInput(batch: number, size: Size = SIZE): Tensor {
  return proceduralInput("input", [batch, 3, ...size]);
}

/** An ONNX Runtime session as a competitor. */
export interface SessionCompetitor extends Competitor {
  readonly outputs: () => Promise<Float32Array>;
  readonly close: () => Promise<void>;
}

/** Opens a model with `threads` threads and feeds it one input over and over. */
export async function openCompetitor(
  name: string,
  model: Uint8Array,
  input: Tensor,
  threads: number,
): Promise<SessionCompetitor> {
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
  });
  const feeds = { input: new ort.Tensor("float32", input.data as Float32Array, input.shape) };
  return {
    name,
    run: timed(() => session.run(feeds)),
    outputs: async () => (await session.run(feeds))[session.outputNames[0]!]!.data as Float32Array,
    close: () => session.release(),
  };
}

/** A model in as many sessions as threads, always busy: the time per run is what streams of pictures see. */
export async function openPoolCompetitor(
  name: string,
  model: Uint8Array,
  input: Tensor,
  threads: number,
): Promise<Competitor & { readonly close: () => Promise<void> }> {
  const pool = await openSessionPool(model, { device: "cpu", threads, sessions: "auto" });
  return {
    name,
    run: async (count) => {
      let left = count;
      const start = process.hrtime.bigint();
      const work = async (): Promise<void> => {
        while (left-- > 0) await pool.run({ input });
      };
      await Promise.all(Array.from({ length: pool.size + 1 }, work));
      return Array<number>(count).fill(Number(process.hrtime.bigint() - start) / 1e6 / count);
    },
    close: () => pool.dispose(),
  };
}
