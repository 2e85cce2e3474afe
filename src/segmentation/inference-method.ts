// How published figures were reached: what a picture is brought to, its scales, and the windows that go through the network.

import { HRNetError } from "../errors.ts";
import { sizeOfLongSide } from "./long-side.ts";

/** What a picture is brought to before anything else; scale 1 is this. */
export type PictureFit =
  | { readonly kind: "own" }
  /** Scale s has the longer side ⌊length·s + ½⌋. */
  | { readonly kind: "long-side"; readonly length: number }
  /** Padded to the right and below with the mean colour to whole multiples. */
  | { readonly kind: "short-side"; readonly length: number; readonly multipleOf: number }
  /** `[height, width]`, whatever the picture's shape. */
  | { readonly kind: "exact"; readonly size: readonly [number, number] };

/** Parts of a picture that go through the network one by one; where they overlap, their scores are averaged. */
export interface InferenceWindows {
  /** `[height, width]`. */
  readonly size: readonly [number, number];
  /** From one window to the next, in parts of its size. */
  readonly stride: number;
  /**
   * What becomes of windows at the border: `shift` moves them inside and leaves pictures up to scale 1 whole; `pad` fills them up
   * with black.
   */
  readonly border: "shift" | "pad";
}

/** How classes are told. Scores are exp(logits), those of a mirror image averaged as logits before, and summed over scales. */
export interface InferenceMethod {
  readonly name: string;
  readonly fit: PictureFit;
  readonly scales: readonly number[];
  readonly windows?: InferenceWindows | undefined;
}

/**
 * The methods of the code that published the weights, at one scale. Sources: `multi_scale_inference` and `__getitem__` of
 * `lib/datasets/{base_dataset,cityscapes,pascal_ctx,lip}.py` in HRNet-Semantic-Segmentation, branches pytorch-v1.1 and HRNet-OCR
 * (`pascal-context-ocr`).
 */
export const INFERENCE_METHODS = {
  whole: { name: "whole", fit: { kind: "own" }, scales: [1] },
  cityscapes: {
    name: "cityscapes",
    fit: { kind: "long-side", length: 2048 },
    scales: [1],
    windows: { size: [512, 1024], stride: 1, border: "shift" },
  },
  "pascal-context": {
    name: "pascal-context",
    fit: { kind: "long-side", length: 520 },
    scales: [1],
    windows: { size: [480, 480], stride: 2 / 3, border: "pad" },
  },
  "pascal-context-ocr": {
    name: "pascal-context-ocr",
    fit: { kind: "short-side", length: 520, multipleOf: 8 },
    scales: [1],
  },
  lip: { name: "lip", fit: { kind: "exact", size: [473, 473] }, scales: [1] },
} as const satisfies Record<string, InferenceMethod>;

/** Names of {@link INFERENCE_METHODS}. */
export type InferenceMethodName = keyof typeof INFERENCE_METHODS;

/** Scales of the published figures "ms" of Cityscapes; PASCAL-Context's have 2 as well. */
export const PUBLISHED_SCALES = [0.5, 0.75, 1, 1.25, 1.5, 1.75] as const;

/** A part of a scaled picture: a window's place, and how much of it lies in the picture. Pixels. */
export interface PlannedWindow {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A picture at one scale. */
export interface PlannedScale {
  /** `[height, width]`. */
  readonly size: readonly [number, number];
  /** What the network takes, `[height, width]`: windows that are smaller are filled up to the right and below. */
  readonly input: readonly [number, number];
  readonly windows: readonly PlannedWindow[];
}

/** What is to be done with a picture. Sizes are `[height, width]`. */
export interface InferencePlan {
  /** What the picture is resized to, as 8-bit pixels. */
  readonly content: readonly [number, number];
  /** That, padded. */
  readonly frame: readonly [number, number];
  readonly scales: readonly PlannedScale[];
}

const LARGEST_SIDE = 16_384;

/** @throws HRNetError `usage` for a method without scales, or with numbers that are none */
export function checkMethod({ name, fit, scales, windows }: InferenceMethod): void {
  const invalid = (problem: string) => new HRNetError("usage", `The method "${name}" ${problem}.`);
  const lengths = [
    ...("length" in fit ? [fit.length] : []),
    ...("multipleOf" in fit ? [fit.multipleOf] : []),
    ...("size" in fit ? fit.size : []),
    ...(windows?.size ?? []),
  ];
  const wrong = lengths.find((length) => !Number.isInteger(length) || length < 1 || length > LARGEST_SIDE);
  if (wrong !== undefined)
    throw invalid(`has a size of ${wrong}; expected whole pixels up to ${LARGEST_SIDE}`);
  const scale = scales.find((value) => !(value > 0 && value <= 16));
  if (scales.length === 0 || scale !== undefined)
    throw invalid(
      `has ${scale === undefined ? "no scales" : `a scale of ${scale}`}; expected some above 0, up to 16`,
    );
  if (windows && !(windows.stride > 0 && windows.stride <= 1))
    throw invalid(`has a stride of ${windows.stride} windows; expected more than 0, up to 1`);
}

/**
 * What a method does with a picture of a size.
 * @param picture `[height, width]`
 */
export function planInference(
  { fit, scales, windows }: InferenceMethod,
  picture: readonly [number, number],
): InferencePlan {
  const content = contentOf(fit, picture);
  const multiple = fit.kind === "short-side" ? fit.multipleOf : 1;
  const frame = content.map((side) => multiple * Math.ceil(side / multiple)) as [number, number];
  const base = fit.kind === "long-side" ? fit.length : Math.max(...frame);
  return {
    content,
    frame,
    scales: scales.map((scale) => {
      const [width, height] = sizeOfLongSide(
        [frame[1], frame[0]],
        Math.max(1, Math.floor(base * scale + 0.5)),
      );
      return planScale([height, width], scale, windows);
    }),
  };
}

function contentOf(fit: PictureFit, picture: readonly [number, number]): readonly [number, number] {
  if (fit.kind === "exact") return fit.size;
  if (fit.kind !== "short-side") return picture;
  const factor = fit.length / Math.min(...picture);
  return picture.map((side) => Math.max(1, Math.floor(side * factor + 0.5))) as [number, number];
}

function planScale(
  size: readonly [number, number],
  scale: number,
  windows: InferenceWindows | undefined,
): PlannedScale {
  const [height, width] = size;
  const whole = { x: 0, y: 0, width, height };
  if (!windows || (windows.border === "shift" && scale <= 1)) return { size, input: size, windows: [whole] };
  const { size: window, stride, border } = windows;
  if (border === "pad" && Math.max(height, width) <= Math.min(...window))
    return { size, input: window, windows: [whole] };
  const [down, across] = ([0, 1] as const).map((axis) =>
    startsOf(size[axis], window[axis], wholeStride(window[axis], stride), border === "shift"),
  ) as [number[], number[]];
  return {
    size,
    input: border === "pad" ? window : [Math.min(height, window[0]), Math.min(width, window[1])],
    windows: down.flatMap((y) =>
      across.map((x) => ({
        x,
        y,
        width: Math.min(window[1], width - x),
        height: Math.min(window[0], height - y),
      })),
    ),
  };
}

/** ⌊window·stride⌋, at least 1; what binary fractions lack to a whole number is forgiven. */
const wholeStride = (window: number, stride: number): number =>
  Math.max(1, Math.floor(window * stride + 1e-6));

/** Where windows begin on an axis: every `stride`, as many as reach its end; the last one shifted inside where that is wanted. */
function startsOf(side: number, window: number, stride: number, shift: boolean): number[] {
  const count = Math.max(0, Math.ceil((side - window) / stride)) + 1;
  return Array.from({ length: count }, (_, n) =>
    shift ? Math.max(0, Math.min(n * stride, side - window)) : n * stride,
  );
}

/** A method in words, to stand beside figures: `whole pictures`, `longer side 2048, scales 0.5, 1, 1.5, windows of 512×1024`. */
export function describeMethod({ fit, scales, windows }: InferenceMethod, flipTest: boolean): string {
  const fits = {
    own: () => "pictures at their own size",
    "long-side": ({ length }: { length: number }) => `longer side ${length}`,
    "short-side": ({ length, multipleOf }: { length: number; multipleOf: number }) =>
      `shorter side ${length}, padded to multiples of ${multipleOf}`,
    exact: ({ size }: { size: readonly [number, number] }) => `pictures at ${size.join("×")}`,
  } as const;
  const single = scales.length === 1 && scales[0] === 1;
  const parts = [
    (fits[fit.kind] as (fit: PictureFit) => string)(fit),
    single ? "single scale" : `scales ${scales.join(", ")}`,
    ...(windows && !(windows.border === "shift" && scales.every((scale) => scale <= 1))
      ? [
          `windows of ${windows.size.join("×")}, ${windows.stride === 1 ? "side by side" : `stride ${Number(windows.stride.toFixed(2))}`}` +
            (windows.border === "shift" ? " above scale 1" : ", padded"),
        ]
      : []),
    flipTest ? "flip test" : "no flip test",
  ];
  return parts.join("; ");
}
