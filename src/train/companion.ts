// A network that only looks on: it sees the pictures of each batch before the step does, and the step is fed what it says. Alone it
// runs as every other inference does, optimised in full, which the graph of a step is not.

import { createGraph, type Graph, rewriteGraph } from "../graph/graph.ts";
import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import { input as graphInput } from "../graph/value.ts";
import { openSessionPool, type SessionPool, type SessionPoolOptions } from "../runtime/session-pool.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { concatenated, partOf } from "./batch-parts.ts";
import { type Normalization, normalizePixels } from "./normalization.ts";

/** What runs beside a step. */
export interface Companion {
  /** One input, N×3×H×W for N samples of one part of a batch; its outputs have the names of the feeds that they are. */
  readonly graph: Graph;
  readonly normalization: Normalization;
}

/** An opened companion. */
export interface OpenCompanion extends AsyncDisposable {
  /** @param image the whole batch as the step is fed it: pixels 0 … 255, uint8 on the CPU and float32 elsewhere; left as it is */
  feedsOf(image: Tensor): Promise<Record<string, Tensor>>;
}

/**
 * Opens a companion.
 * @param replicas parts of a batch that run side by side
 * @throws HRNetError as `openSession`
 */
export async function openCompanion(
  { graph, normalization }: Companion,
  replicas: number,
  options: Omit<SessionPoolOptions, "sessions">,
): Promise<OpenCompanion> {
  const [source] = graph.inputs;
  const dtype = options.device === "cpu" ? "uint8" : "float32";
  const image = graphInput("image", dtype, source!.shape);
  const { outputs } = rewriteGraph(
    graph,
    () => undefined,
    (value) => (value === source ? normalizePixels(image, normalization) : value),
  );
  const model = encodeModel(graphToModel(createGraph([image], outputs), { name: "companion" }));
  const pool = await openSessionPool(model, { ...options, sessions: replicas });
  return new PooledCompanion(pool, replicas);
}

class PooledCompanion implements OpenCompanion {
  readonly #pool: SessionPool;
  readonly #parts: number;

  constructor(pool: SessionPool, parts: number) {
    this.#pool = pool;
    this.#parts = parts;
  }

  async feedsOf(image: Tensor): Promise<Record<string, Tensor>> {
    const results = await Promise.all(
      Array.from({ length: this.#parts }, (_, index) =>
        this.#pool.run({ image: partOf(image, index, this.#parts) }, { transfer: true }),
      ),
    );
    return Object.fromEntries(
      Object.keys(results[0]!).map((name) => [name, concatenated(results.map((result) => result[name]!))]),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.dispose();
  }
}
