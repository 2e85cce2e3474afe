// Segmenter: pictures in, a class for each pixel out.

import { HRNetError } from "../errors.ts";
import { type DecodeOptions, decodeImage, type ImageSource } from "../image/decode.ts";
import type { LabelMap } from "../image/label-map.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { type Tile, tilesOf } from "../image/tiles.ts";
import { type NormalizationTable, normalizationTable } from "../image/warp.ts";
import type { ModelDescription } from "../model-file/description.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { type LoadOptions, loadModel } from "../model-file/load-model.ts";
import type { SessionOptions } from "../runtime/session.ts";
import type { ClassTable } from "../segmentation/class-table.ts";
import {
  checkMethod,
  describeMethod,
  INFERENCE_METHODS,
  type InferenceMethod,
} from "../segmentation/inference-method.ts";
import type { Planes } from "../tensor/resize-planes.ts";
import { normalizedPlanes } from "./normalized-planes.ts";
import { alignsCorners, SegmentationNetworks } from "./segmentation-networks.ts";
import { scoresByMethod } from "./segmentation-scores.ts";

/** How a {@link Segmenter} works. */
export interface SegmenterOptions
  extends Omit<LoadOptions, "outputs" | "provenance" | "codec" | "skeleton">,
    Pick<SessionOptions, "device" | "threads" | "spinning" | "onLog"> {
  /** Also run the mirrored picture and average (twice the time, a little more accurate). Default false. */
  readonly flipTest?: boolean | undefined;
  /** Largest part of a picture that goes through the network at once, `[height, width]`. Default 1024×2048. */
  readonly tile?: readonly [number, number] | undefined;
  /**
   * A method of published figures, with its scales and windows, in place of the picture's own size and tiles. It holds the scores of
   * all classes at the picture's size.
   */
  readonly method?: InferenceMethod | undefined;
  /** How pictures are decoded. */
  readonly decode?: DecodeOptions | undefined;
}

/** Options of one call. */
export interface SegmentOptions {
  /** Also how probable each class is at each pixel: K floats a pixel. Default false. */
  readonly probabilities?: boolean | undefined;
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
  /** K×H×W, 0 … 1, 1 in sum over the classes of a pixel; when asked for. */
  readonly probabilities?: Float32Array;
}

/** Cityscapes' pictures go through whole. */
const DEFAULT_TILE = [1024, 2048] as const;
/** Pixels of context around what is kept of a tile. */
const MARGIN = 128;
/** Networks that stay open: a tile's, and those of the pictures at hand. */
const KEPT_NETWORKS = 3;
/** Scores held at once: 2 GiB. */
const MAX_SCORES = 2 ** 29;

/**
 * Tells the classes of pixels.
 *
 * ```ts
 * await using segmenter = await Segmenter.load("runs/streets/best.safetensors");
 * const { data, areas } = await segmenter.segment("street.jpg");
 * ```
 *
 * The network is built for the size of the picture, or of a tile where that is larger, and stays open for the sizes that came last:
 * pictures of one size run fastest.
 */
export class Segmenter implements AsyncDisposable {
  readonly description: ModelDescription;
  readonly classes: ClassTable;
  readonly #options: SegmenterOptions;
  readonly #normalization: NormalizationTable;
  readonly #networks: SegmentationNetworks;
  #disposed = false;

  private constructor(model: Model, classes: ClassTable, options: SegmenterOptions) {
    const { device, threads, spinning, onLog, flipTest = false, method } = options;
    this.description = model.description;
    this.classes = classes;
    this.#options = options;
    this.#normalization = normalizationTable(model.description.preprocessing);
    this.#networks = new SegmentationNetworks(model, {
      device,
      threads,
      spinning,
      onLog,
      flipTest,
      kept: Math.max(KEPT_NETWORKS, 1 + (method?.scales.length ?? 0)),
    });
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
    if (options.method) checkMethod(options.method);
    if (options.method && options.tile)
      throw new HRNetError("usage", "A method has windows of its own; leave either `method` or `tile` out.");
    const [height, width] = options.tile ?? DEFAULT_TILE;
    if ([height, width].some((size) => !Number.isInteger(size) || size <= 2 * MARGIN || size > 8192)) {
      throw new HRNetError(
        "usage",
        `tile was given as ${height}×${width}; both must be whole numbers from ${2 * MARGIN + 1} to 8192.`,
      );
    }
    return new Segmenter(model, classes, options);
  }

  /** What is done with a picture, in words, to stand beside figures. */
  get method(): string {
    const { method = INFERENCE_METHODS.whole, flipTest = false } = this.#options;
    return describeMethod(method, flipTest);
  }

  /**
   * The class of every pixel of a picture.
   * @throws HRNetError as `decodeImage` and `openSession`; `limit-exceeded` where the scores of all classes would be too many; `aborted`;
   * `usage` after `dispose`
   */
  async segment(
    source: ImageSource,
    { probabilities = false, signal }: SegmentOptions = {},
  ): Promise<Segmentation> {
    const image = await decodeImage(source, { ...this.#options.decode, ...(signal && { signal }) });
    const { width, height } = image;
    const count = this.classes.classes.length;
    const { method } = this.#options;
    if ((probabilities || method) && count * width * height > MAX_SCORES) {
      throw new HRNetError(
        "limit-exceeded",
        `A picture of ${width}×${height} has ${count * width * height} scores of ${count} classes; at most ${MAX_SCORES} are held. ` +
          "Make it smaller, or leave probabilities and methods out: then it goes through in tiles.",
      );
    }
    const data = count > 256 ? new Uint16Array(width * height) : new Uint8Array(width * height);
    const shares = probabilities ? new Float32Array(count * width * height) : undefined;
    if (method) {
      const scores = await this.#scores(image, method, signal);
      largest(scores, data);
      if (shares) normalize(scores, shares);
    } else await this.#inTiles(image, data, shares, signal);
    return {
      width,
      height,
      data,
      areas: areasOf(data, this.classes),
      ...(shares && { probabilities: shares }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#networks[Symbol.asyncDispose]();
  }

  #scores(image: RgbImage, method: InferenceMethod, signal: AbortSignal | undefined): Promise<Planes> {
    const classes = this.classes.classes.length;
    return scoresByMethod(image, method, {
      classes,
      normalization: this.#normalization,
      alignCorners: alignsCorners(this.description.network),
      network: async (input) => {
        this.#refuseDisposed();
        const data = await this.#networks.run(input, "scores", signal);
        return { ...input, channels: classes, data: data as Float32Array };
      },
    });
  }

  async #inTiles(
    image: RgbImage,
    into: Uint8Array | Uint16Array,
    shares: Float32Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { width, height } = image;
    for (const tile of tilesOf([height, width], this.#options.tile ?? DEFAULT_TILE, MARGIN)) {
      this.#refuseDisposed();
      const region = { x: tile.x.start, y: tile.y.start, width: tile.x.length, height: tile.y.length };
      const input = normalizedPlanes(image, this.#normalization, region);
      if (!shares) {
        keep(await this.#networks.run(input, "labels", signal), tile, into, width);
        continue;
      }
      const data = (await this.#networks.run(input, "probabilities", signal)) as Float32Array;
      const channels = this.classes.classes.length;
      const labels = new Int32Array(region.width * region.height);
      largest({ ...input, channels, data }, labels);
      keep(labels, tile, into, width);
      for (let c = 0; c < channels; c++) {
        const part = data.subarray(c * labels.length, (c + 1) * labels.length);
        keep(part, tile, shares.subarray(c * width * height, (c + 1) * width * height), width);
      }
    }
  }

  #refuseDisposed(): void {
    if (this.#disposed) throw new HRNetError("usage", "The segmenter was disposed of; load it again.");
  }
}

/** The class with the largest score of each pixel; of equals the first. */
function largest(scores: Planes, into: Uint8Array | Uint16Array | Int32Array): void {
  const area = scores.height * scores.width;
  const most = scores.data.slice(0, area);
  into.fill(0);
  for (let c = 1; c < scores.channels; c++) {
    for (let i = 0; i < area; i++) {
      const score = scores.data[c * area + i]!;
      if (score > most[i]!) {
        most[i] = score;
        into[i] = c;
      }
    }
  }
}

/** Scores over their sums. */
function normalize({ channels, height, width, data }: Planes, into: Float32Array): void {
  const area = height * width;
  const sums = new Float32Array(area);
  for (let i = 0; i < data.length; i++) sums[i % area]! += data[i]!;
  for (let i = 0; i < channels * area; i++) into[i] = data[i]! / sums[i % area]!;
}

/** Writes what is kept of a tile. */
function keep(
  data: Int32Array | Float32Array,
  { x, y }: Tile,
  into: Uint8Array | Uint16Array | Float32Array,
  width: number,
): void {
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
