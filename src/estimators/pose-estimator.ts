// PoseEstimator: pictures and boxes in, persons with keypoints out (two-stage, top-down).

import { type ErrorCode, HRNetError } from "../errors.ts";
import { type DecodeOptions, decodeImage, type ImageSource } from "../image/decode.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { type NormalizationTable, normalizationTable, warpIntoTensor } from "../image/warp.ts";
import type { ModelDescription } from "../model-file/description.ts";
import { defaultDetector, defaultPoseModel } from "../model-file/embedded.ts";
import { type LoadOptions, loadRunnable } from "../model-file/load-model.ts";
import type { RunnableModel } from "../model-file/onnx-model.ts";
import { type BoxInput, checkBoxes } from "../pose/boxes.ts";
import { createHeatmapCodec, type HeatmapCodec } from "../pose/codecs/heatmap-codec.ts";
import { OKS_NMS_THRESHOLD, oksNms } from "../pose/oks-nms.ts";
import { rescore } from "../pose/rescore.ts";
import { boxToCenterScale, type CenterScale, DEFAULT_PADDING } from "../pose/transforms.ts";
import type { Person, ScoredBox } from "../pose/types.ts";
import type { Device } from "../runtime/session.ts";
import { openSessionPool, type SessionPool, type SessionPoolOptions } from "../runtime/session-pool.ts";
import { flipPermutation, type Skeleton } from "../skeleton/skeleton.ts";
import { isOfPersons } from "../skeleton/skeletons.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { Detector } from "./detector.ts";
import { mapAhead } from "./map-ahead.ts";
import { type PersonDetector, personsOf } from "./person-detector.ts";

/** How a {@link PoseEstimator} works. */
export interface PoseEstimatorOptions
  extends Omit<LoadOptions, "arch" | "config" | "outputs" | "provenance">,
    Pick<SessionPoolOptions, "device" | "threads" | "sessions" | "spinning" | "onLog"> {
  /** Also run the mirrored crop and average (twice the time, a little more accurate). Default false. */
  readonly flipTest?: boolean | undefined;
  /** Crops per run of the network. Default 16; memory grows with it. */
  readonly batchSize?: number | undefined;
  /** How much larger than the box the crop is. Default 1.25, as every published network was trained. */
  readonly padding?: number | undefined;
  /**
   * Finds persons where no boxes are given. Default: for the published skeletons of persons the detector that comes with the package, once
   * it comes with one. Without a detector, and with `null`, the whole picture is taken as one person.
   */
  readonly detector?: PersonDetector | null | undefined;
  /**
   * Drop a person who is another one again: object keypoint similarity above this. Default 0.9 for boxes of a detector,
   * none for boxes that the caller gave.
   */
  readonly oksThreshold?: number | undefined;
  /** How pictures are decoded. */
  readonly decode?: DecodeOptions | undefined;
  /** Pictures decoded ahead of the network in {@link PoseEstimator.stream}. Default: one more than there are sessions, at most 4. */
  readonly ahead?: number | undefined;
}

/** A picture of a stream with the boxes of its persons. */
export interface PoseRequest {
  readonly image: ImageSource;
  readonly boxes?: readonly BoxInput[] | undefined;
}

/** What a stream yields for one picture: the persons, or why it could not be done. */
export type PoseResult<T> =
  | { readonly item: T; readonly index: number; readonly image: RgbImage; readonly persons: Person[] }
  | { readonly item: T; readonly index: number; readonly error: HRNetError };

/** Options of one call. */
export interface EstimateOptions {
  /** Boxes `[x, y, width, height]` in image pixels, one per person; `{ box, score }` where a detector scored them. */
  readonly boxes?: readonly BoxInput[] | undefined;
  /** Cancels; the promise is rejected with `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** One run of the network: crops, and their mirror images behind them with the flip test. */
interface Batch {
  readonly input: Tensor<"float32">;
  readonly regions: readonly CenterScale[];
}

/** Codes of what can be wrong with the boxes of one picture. */
const BOX_FAULTS: ReadonlySet<ErrorCode> = new Set(["invalid-data", "limit-exceeded"]);

const DEFAULT_BATCH = 16;

/**
 * Estimates keypoints.
 *
 * ```ts
 * await using estimator = await PoseEstimator.load("pose.onnx");
 * const [person] = await estimator.estimate("photo.jpg");
 * person.keypoints[0]; // { name: "nose", x: 123.4, y: 56.7, score: 0.93 }
 * ```
 *
 * The network runs in a thread of its own: the caller's event loop stays free. Several estimators may live in one
 * process. Dispose of an estimator (`await using`, or `dispose()`) to free its memory.
 */
export class PoseEstimator implements AsyncDisposable, Disposable {
  readonly description: ModelDescription;
  readonly skeleton: Skeleton;
  readonly #session: SessionPool;
  readonly #codec: HeatmapCodec;
  readonly #options: PoseEstimatorOptions;
  readonly #table: NormalizationTable;
  readonly #permutation: readonly number[];
  /** The detector that comes with the package, once it was needed. */
  #embedded: Promise<Detector> | undefined;

  private constructor(model: RunnableModel, session: SessionPool, options: PoseEstimatorOptions) {
    const { description } = model;
    const { codec, skeleton } = requirePose(description);
    this.description = description;
    this.skeleton = skeleton;
    this.#session = session;
    this.#codec = createHeatmapCodec(codec);
    this.#options = options;
    this.#table = normalizationTable(description.preprocessing);
    this.#permutation = flipPermutation(this.skeleton);
  }

  /**
   * Opens a model.
   * @param source an `.onnx` of `hrnet export`, a checkpoint (`.pth`, `.safetensors`), the name of a published one, or a
   * model already in memory. Default: the model that comes with the package, once it comes with one
   * @throws HRNetError as `loadRunnable` and `openSessionPool` do; `invalid-model` when it is no pose network.
   */
  static async load(
    source: string | RunnableModel = defaultPoseModel(),
    options: PoseEstimatorOptions = {},
  ): Promise<PoseEstimator> {
    const { batchSize = DEFAULT_BATCH, padding = DEFAULT_PADDING } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1 || !(padding > 0)) {
      throw new HRNetError(
        "usage",
        `batchSize must be a whole number from 1, padding above 0: ${batchSize}, ${padding}.`,
      );
    }
    const model = typeof source === "string" ? await loadRunnable(source, options) : source;
    requirePose(model.description);
    const { device, threads, sessions, spinning, onLog } = options;
    const session = await openSessionPool(model.onnx, {
      transfer: typeof source === "string", // nobody else has these bytes
      ...(device && { device }),
      ...(threads !== undefined && { threads }),
      ...(sessions !== undefined && { sessions }),
      ...(spinning !== undefined && { spinning }),
      ...(onLog && { onLog }),
    });
    try {
      return new PoseEstimator(model, session, options);
    } catch (error) {
      await session.dispose();
      throw error;
    }
  }

  /** How much larger than its box a crop is. */
  get padding(): number {
    return this.#options.padding ?? DEFAULT_PADDING;
  }

  /** The device the network runs on. */
  get device(): Device {
    return this.#session.device;
  }

  /**
   * The persons of a picture, in the order of their boxes (best first where suppression is on).
   * @throws HRNetError `invalid-image` and other codes of `decodeImage`; `invalid-data` for wrong boxes; `aborted`.
   */
  async estimate(image: ImageSource, options: EstimateOptions = {}): Promise<Person[]> {
    const { signal } = options;
    const pixels = await decodeImage(image, { ...this.#options.decode, ...(signal && { signal }) });
    return this.#estimatePixels(pixels, options);
  }

  /**
   * Persons of many pictures, in order. Decodes ahead while the network runs and holds a few pictures at a time, so that
   * any number of them takes the same memory. A picture that cannot be read, or whose boxes are wrong, yields its error
   * and the stream goes on; what would fail for every picture (the engine, the detector) ends the stream.
   */
  async *stream<T extends ImageSource | PoseRequest>(
    items: Iterable<T> | AsyncIterable<T>,
    options: Pick<EstimateOptions, "signal"> = {},
  ): AsyncGenerator<PoseResult<T>> {
    const { size } = this.#session;
    // libuv decodes four at a time; more would only hold memory.
    const { ahead = Math.min(size + 1, 4) } = this.#options;
    const { signal } = options;
    const failed = (
      item: T,
      index: number,
      error: unknown,
      isPictureFault: (code: ErrorCode) => boolean,
    ): PoseResult<T> => {
      if (error instanceof HRNetError && isPictureFault(error.code)) return { item, index, error };
      throw error;
    };
    const decode = async (item: T, index: number) => {
      const { image, boxes } = isRequest(item) ? item : { image: item as ImageSource, boxes: undefined };
      try {
        const pixels = await decodeImage(image, { ...this.#options.decode, ...(signal && { signal }) });
        return { item, index, image: pixels, boxes };
      } catch (error) {
        return failed(item, index, error, (code) => code !== "aborted");
      }
    };
    const decoded = mapAhead(items, ahead, decode, signal);
    // One picture waits in the queue while others run, so that no session is ever idle.
    yield* mapAhead(decoded, size, async (entry): Promise<PoseResult<T>> => {
      if ("error" in entry || "persons" in entry) return entry;
      const { item, index, image, boxes } = entry;
      try {
        return { item, index, image, persons: await this.#estimatePixels(image, { boxes, signal }) };
      } catch (error) {
        return failed(item, index, error, (code) => BOX_FAULTS.has(code));
      }
    });
  }

  /** Frees the networks. Calls that have not finished are rejected. */
  async dispose(): Promise<void> {
    await this.#session.dispose();
    await (await this.#embedded?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /** For `using`: starts {@link dispose} without waiting for it. */
  [Symbol.dispose](): void {
    void this.dispose();
  }

  async #estimatePixels(image: RgbImage, { boxes, signal }: EstimateOptions): Promise<Person[]> {
    const { batchSize = DEFAULT_BATCH, flipTest = false } = this.#options;
    const found = boxes === undefined ? await this.#detect(image) : undefined;
    const detected = found !== undefined;
    const given = boxes ?? found ?? [[0, 0, image.width, image.height] as const];
    const scored = checkBoxes(given, [image.width, image.height]);
    // The network runs while the next batch is cropped; several sessions share the persons.
    const { size } = this.#session;
    const limit = flipTest ? Math.max(1, batchSize >> 1) : batchSize;
    const results = mapAhead(
      chunks(scored, Math.min(limit, Math.max(1, Math.ceil(scored.length / size)))),
      size,
      async (chunk) => {
        const batch = this.#crop(image, chunk);
        const outputs = await this.#session.run(
          { input: batch.input },
          { transfer: true, ...(signal && { signal }) },
        );
        return this.#decode(outputs, batch, chunk);
      },
    );
    const persons: { person: Person; area: number }[] = [];
    for await (const part of results) persons.push(...part);
    const threshold = this.#options.oksThreshold ?? (detected ? OKS_NMS_THRESHOLD : undefined);
    if (threshold === undefined) return persons.map(({ person }) => person);
    const poses = persons.map(({ person, area }) => ({
      keypoints: person.keypoints.flatMap(({ x, y, score }) => [x, y, score]),
      score: person.score,
      area,
    }));
    return oksNms(poses, this.skeleton.sigmas, threshold).map((index) => persons[index]!.person);
  }

  /** The persons that the detector finds; `undefined` without one. */
  async #detect(image: RgbImage): Promise<readonly BoxInput[] | undefined> {
    const { detector, device, threads, spinning, onLog } = this.#options;
    if (detector) return detector(image);
    const source = detector === null || !isOfPersons(this.skeleton) ? undefined : defaultDetector();
    if (source === undefined) return undefined;
    this.#embedded ??= Detector.load(source, { device, threads, spinning, onLog });
    return personsOf(await this.#embedded)(image);
  }

  /** Crops of the boxes as one input tensor. */
  #crop(image: RgbImage, boxes: readonly ScoredBox[]): Batch {
    const [height, width] = this.description.input;
    const { flipTest = false } = this.#options;
    const elements = 3 * height * width;
    const count = boxes.length;
    const input = tensor("float32", [flipTest ? 2 * count : count, 3, height, width]);
    const regions = boxes.map(({ box }, n) => {
      const region = boxToCenterScale(box, { aspect: width / height, padding: this.padding });
      const matrix = this.#codec.cropMatrix(region, [width, height]);
      const offset = n * elements;
      warpIntoTensor(image, matrix, this.#table, {
        width,
        height,
        out: input.data,
        offset,
        ...(flipTest && { mirrorOffset: offset + count * elements }),
      });
      return region;
    });
    return { input, regions };
  }

  /** Heatmaps of a run to persons. */
  #decode(
    outputs: Readonly<Record<string, Tensor>>,
    { regions }: Batch,
    boxes: readonly ScoredBox[],
  ): { person: Person; area: number }[] {
    const [height, width] = this.description.input;
    const heatmaps = outputs["heatmaps"];
    if (heatmaps?.dtype !== "float32") {
      throw new HRNetError("invalid-model", `${this.description.name} gives no output named heatmaps.`);
    }
    const [, channels, h, w] = heatmaps.shape as [number, number, number, number];
    const keypoints = this.skeleton.keypoints.length;
    const shape = { keypoints, height: h, width: w };
    const size = channels * h * w;
    const maps = heatmaps.data as Float32Array;
    if (maps.length > boxes.length * size) {
      const half = boxes.length * size;
      this.#codec.mergeFlipped(maps.subarray(0, half), maps.subarray(half), shape, this.#permutation);
    }
    return regions.map((region, n) => {
      const points = this.#codec.decode(maps.subarray(n * size, (n + 1) * size), shape, region, [
        width,
        height,
      ]);
      const { box, score } = boxes[n]!;
      const person = {
        keypoints: this.skeleton.keypoints.map((name, k) => ({
          name,
          x: points[3 * k]!,
          y: points[3 * k + 1]!,
          score: points[3 * k + 2]!,
        })),
        score: rescore(points, score),
        box,
      };
      return { person, area: region.scale[0] * region.scale[1] };
    });
  }
}

/** Codec and skeleton of a pose network. */
function requirePose({ name, task, codec, skeleton }: ModelDescription) {
  if (task === "pose" && codec && skeleton) return { codec, skeleton };
  throw new HRNetError("invalid-model", `${name} is a ${task} network; keypoints need a pose network.`);
}

/** Whether a stream's item is a picture with boxes rather than a picture alone. */
function isRequest(item: unknown): item is PoseRequest {
  return typeof item === "object" && item !== null && "image" in item;
}

/** Consecutive groups of at most `size`. */
function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
