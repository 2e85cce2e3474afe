// Segmenter: pictures in, a class for each pixel out.

import { HRNetError } from "../errors.ts";
import { createGraph } from "../graph/graph.ts";
import { inferenceGraph } from "../graph/inference.ts";
import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import { cast } from "../graph/ops/cast.ts";
import { add } from "../graph/ops/elementwise.ts";
import { resizeBilinear } from "../graph/ops/resize.ts";
import { argMax } from "../graph/ops/scatter.ts";
import { gather, slice } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { type DecodeOptions, decodeImage, type ImageSource } from "../image/decode.ts";
import type { LabelMap } from "../image/label-map.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { type NormalizationTable, normalizationTable } from "../image/warp.ts";
import type { ModelDescription } from "../model-file/description.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { type LoadOptions, loadModel } from "../model-file/load-model.ts";
import { buildNetwork, type NetworkConfig } from "../models/network.ts";
import { openSession } from "../runtime/node.ts";
import type { ModelSession, SessionOptions } from "../runtime/session.ts";
import { type ClassTable, flipPermutationOf } from "../segmentation/class-table.ts";
import { type Tile, tilesOf } from "../segmentation/tiles.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

/** How a {@link Segmenter} works. */
export interface SegmenterOptions
  extends Omit<LoadOptions, "outputs" | "provenance" | "codec" | "skeleton">,
    Pick<SessionOptions, "device" | "threads" | "spinning" | "onLog"> {
  /** Also run the mirrored picture and average (twice the time, a little more accurate). Default false. */
  readonly flipTest?: boolean | undefined;
  /** Largest part of a picture that goes through the network at once, `[height, width]`. Default 1024×2048. */
  readonly tile?: readonly [number, number] | undefined;
  /** How pictures are decoded. */
  readonly decode?: DecodeOptions | undefined;
}

/** Options of one call. */
export interface SegmentOptions {
  /** Cancels; the promise is rejected with `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** The pixels of a class in a picture. */
export interface ClassArea {
  readonly name: string;
  readonly pixels: number;
  /** Of the picture's pixels, 0 … 1. */
  readonly share: number;
}

/** A segmented picture. */
export interface Segmentation extends LabelMap {
  /** Classes that were found, the largest first. */
  readonly areas: readonly ClassArea[];
}

/** Cityscapes' pictures go through whole. */
const DEFAULT_TILE = [1024, 2048] as const;
/** Pixels of context around what is kept of a tile. */
const MARGIN = 128;
/** Sizes for which the network stays open: a tile's, and those of the pictures at hand. */
const MOST_SESSIONS = 3;

/**
 * Tells the classes of pixels.
 *
 * ```ts
 * await using segmenter = await Segmenter.load("runs/streets/best.safetensors");
 * const { labels, areas } = await segmenter.segment("street.jpg");
 * ```
 *
 * The network is built for the size of the picture, or of a tile where that is larger, and stays open for the sizes that came last:
 * pictures of one size run fastest.
 */
export class Segmenter implements AsyncDisposable {
  readonly description: ModelDescription;
  readonly classes: ClassTable;
  readonly #model: Model;
  readonly #options: SegmenterOptions;
  readonly #table: NormalizationTable;
  readonly #sessions = new Map<string, Promise<ModelSession>>();
  #disposed = false;

  private constructor(model: Model, classes: ClassTable, options: SegmenterOptions) {
    this.description = model.description;
    this.classes = classes;
    this.#model = model;
    this.#options = options;
    this.#table = normalizationTable(model.description.preprocessing);
  }

  /**
   * Opens a model.
   * @param source a checkpoint (`.pth`, `.safetensors`), the name of a published one, or a model in memory
   * @throws HRNetError as `loadModel`; `invalid-model` when it is no segmentation network
   */
  static async load(source: string | Model, options: SegmenterOptions = {}): Promise<Segmenter> {
    const model = typeof source === "string" ? (await loadModel(source, options)).model : source;
    const { task, classes, name } = model.description;
    if (task !== "segmentation" || !classes) {
      throw new HRNetError(
        "invalid-model",
        `${name} is a ${task} network; segmentation needs one that tells the classes of pixels (\`hrnet models\` lists them).`,
      );
    }
    const [height, width] = options.tile ?? DEFAULT_TILE;
    if ([height, width].some((size) => !Number.isInteger(size) || size <= 2 * MARGIN || size > 8192)) {
      throw new HRNetError(
        "usage",
        `tile was given as ${height}×${width}; both must be whole numbers from ${2 * MARGIN + 1} to 8192.`,
      );
    }
    return new Segmenter(model, classes, options);
  }

  /**
   * The class of every pixel of a picture.
   * @throws HRNetError as `decodeImage` and `openSession`; `aborted`; `usage` after `dispose`
   */
  async segment(source: ImageSource, { signal }: SegmentOptions = {}): Promise<Segmentation> {
    const image = await decodeImage(source, { ...this.#options.decode, ...(signal && { signal }) });
    const { width, height } = image;
    const count = this.classes.classes.length;
    const data = count > 256 ? new Uint16Array(width * height) : new Uint8Array(width * height);
    for (const tile of tilesOf([height, width], this.#options.tile ?? DEFAULT_TILE, MARGIN)) {
      if (this.#disposed) throw new HRNetError("usage", "The segmenter was disposed of; load it again.");
      const session = await this.#sessionFor(tile.y.length, tile.x.length);
      const { labels } = await session.run(
        { input: this.#input(image, tile) },
        { transfer: true, ...(signal && { signal }) },
      );
      keep(labels!, tile, data, width);
    }
    return { width, height, data, areas: areasOf(data, this.classes) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const open = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of open) await (await session.catch(() => undefined))?.dispose();
  }

  /** The network for pictures of that size, opened or taken from those that are. */
  async #sessionFor(height: number, width: number): Promise<ModelSession> {
    const key = `${height}×${width}`;
    const known = this.#sessions.get(key);
    if (known) {
      this.#sessions.delete(key);
      this.#sessions.set(key, known); // the latest is the last
      return known;
    }
    if (this.#sessions.size >= MOST_SESSIONS) {
      const [oldest, session] = this.#sessions.entries().next().value!;
      this.#sessions.delete(oldest);
      await (await session.catch(() => undefined))?.dispose();
    }
    const { device, threads, spinning, onLog, flipTest = false } = this.#options;
    const opened = openSession(labelModel(this.#model, [height, width], flipTest), {
      transfer: true,
      ...(device && { device }),
      ...(threads !== undefined && { threads }),
      ...(spinning !== undefined && { spinning }),
      ...(onLog && { onLog }),
    });
    this.#sessions.set(key, opened);
    opened.catch(() => this.#sessions.delete(key));
    return opened;
  }

  /** A tile as the network takes it; with the flip test its mirror image behind it. */
  #input(image: RgbImage, { x, y }: Tile): Tensor {
    const samples = this.#options.flipTest ? 2 : 1;
    const input = tensor("float32", [samples, 3, y.length, x.length]);
    const area = y.length * x.length;
    const { values, channelOrder } = this.#table;
    for (let c = 0; c < 3; c++) {
      const channel = channelOrder === "bgr" ? 2 - c : c;
      for (let row = 0; row < y.length; row++) {
        const from = 3 * ((y.start + row) * image.width + x.start) + channel;
        const to = c * area + row * x.length;
        for (let column = 0; column < x.length; column++) {
          const value = values[256 * c + image.data[from + 3 * column]!]!;
          input.data[to + column] = value;
          if (samples === 2) input.data[3 * area + to + x.length - 1 - column] = value;
        }
      }
    }
    return input;
  }
}

/** Whether logits are enlarged with corners on corners, as the network's own maps are. */
export const alignsCorners = (config: NetworkConfig): boolean =>
  config.family === "hrnet" && config.upsample === "bilinear-align-corners";

/**
 * The network from pixels to classes, for one size: logits, with the flip test the mean of those of the picture and of its mirror
 * image turned back, enlarged to the picture's size; of each pixel the class with the largest. Source: `inference` of
 * `BaseDataset` in HRNet-Semantic-Segmentation; its exponential does not change which class is largest.
 */
function labelModel(
  { description, weights }: Model,
  size: readonly [number, number],
  flipTest: boolean,
): Uint8Array {
  const { network: config, classes, name } = description;
  const network = buildNetwork(config, size, flipTest ? 2 : 1);
  const { logits } = network.graph.outputs;
  const seen = flipTest ? bothSides(logits!, flipPermutationOf(classes!)) : logits!;
  const labels = cast(argMax(resizeBilinear(seen, size, alignsCorners(config)), 1), "int32"); // 1×H×W
  const graph = inferenceGraph(createGraph(network.graph.inputs, { labels }), weights);
  return encodeModel(graphToModel(graph, { name }));
}

/** Twice the mean of a picture's logits and those of its mirror image, turned back and with left and right exchanged. */
function bothSides(logits: Value, permutation: readonly number[]): Value {
  const width = logits.shape[3] as number;
  const [own, mirrored] = [0, 1].map((n) => slice(logits, 0, n, n + 1)) as [Value, Value];
  const columns = Array.from({ length: width }, (_, x) => width - 1 - x);
  return add(own, gather(gather(mirrored, columns, 3), permutation, 1));
}

/** Writes what is kept of a tile's classes. */
function keep(labels: Tensor, { x, y }: Tile, into: Uint8Array | Uint16Array, width: number): void {
  const data = labels.data as Int32Array;
  for (let row = y.keepStart; row < y.keepEnd; row++) {
    const from = (row - y.start) * x.length - x.start;
    for (let column = x.keepStart; column < x.keepEnd; column++) {
      into[row * width + column] = data[from + column]!;
    }
  }
}

/** The classes in a label map, the largest first. */
function areasOf(data: Uint8Array | Uint16Array, { classes }: ClassTable): ClassArea[] {
  const counts = new Float64Array(classes.length);
  for (let i = 0; i < data.length; i++) counts[data[i]!]! += 1;
  return classes
    .map((name, index) => ({ name, pixels: counts[index]!, share: counts[index]! / data.length }))
    .filter(({ pixels }) => pixels > 0)
    .sort((a, b) => b.pixels - a.pixels);
}
