// Options that several verbs share, each written once: flags, meaning, check.

import { type Command, InvalidArgumentError, Option } from "commander";
import { HRNetError } from "../errors.ts";
import { readJsonFile } from "../files/json-file.ts";
import type { CodecChange } from "../model-file/pose-defaults.ts";
import {
  HEATMAP_CODECS,
  type HeatmapCodecName,
  type HeatmapCodecOptions,
} from "../pose/codecs/codec-table.ts";
import { DEVICES, type Device } from "../runtime/session.ts";
import { parseSkeleton } from "../skeleton/parse-skeleton.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { SKELETONS, skeletonByName } from "../skeleton/skeletons.ts";

/** A whole number of at least `minimum`, as commander parses it. */
export function wholeNumber(minimum: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`Expected a whole number from ${minimum}.`);
    }
    return value;
  };
}

/** A number of at least `minimum`, as commander parses it. */
export function numberFrom(minimum: number, maximum = Number.POSITIVE_INFINITY) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < minimum || value > maximum) {
      const end = maximum === Number.POSITIVE_INFINITY ? "" : ` to ${maximum}`;
      throw new InvalidArgumentError(`Expected a number from ${minimum}${end}.`);
    }
    return value;
  };
}

/** `0.5,1,1.5`: numbers above 0. */
export function numberList(text: string): number[] {
  const values = text.split(",").map(Number);
  if (text.trim() === "" || !values.every((value) => Number.isFinite(value) && value > 0))
    throw new InvalidArgumentError("Expected numbers above 0 with commas between them, like 0.5,1,1.5.");
  return values;
}

/** `256x192`: height and width. */
export function inputSize(text: string): [number, number] {
  const match = /^(\d+)x(\d+)$/i.exec(text.trim());
  if (!match) throw new InvalidArgumentError("Expected height x width, like 256x192.");
  return [Number(match[1]), Number(match[2])];
}

/** Options of {@link addDeviceOptions} as parsed. */
export interface DeviceOptions {
  readonly device?: Device | "auto";
  readonly threads?: number;
  readonly sessions?: number | "auto";
  readonly verbose?: boolean;
}

/** `--device`, `--threads`, `--verbose`. */
export function addDeviceOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--device <name>", "where the network runs").choices(["auto", ...DEVICES]).default("auto"),
    )
    .option("--threads <n>", "CPU threads of the network (default: all cores)", wholeNumber(1))
    .option("--verbose", "say which device was chosen and why");
}

/** `--sessions`, for verbs that work on many pictures. */
export function addSessionsOption(command: Command): Command {
  return command.addOption(
    new Option("--sessions <n>", "networks side by side on the CPU, sharing the threads")
      .argParser((text: string) => (text === "auto" ? text : wholeNumber(1)(text)))
      .default("auto"),
  );
}

/** Session options of parsed device options: log lines go to stderr with `--verbose`. */
export function sessionOptions({ device, threads, sessions, verbose }: DeviceOptions) {
  return {
    ...(device && { device }),
    ...(threads !== undefined && { threads }),
    ...(sessions !== undefined && { sessions }),
    ...(verbose && { onLog: (line: string): void => void process.stderr.write(`${line}\n`) }),
  };
}

/** Options of {@link addPoseModelOptions} as parsed. */
export interface PoseModelOptions {
  readonly codec?: HeatmapCodecName;
  readonly refinement?: NonNullable<HeatmapCodecOptions["refinement"]>;
  readonly blurKernel?: number;
  readonly sigma?: number;
  readonly skeleton?: string;
}

/** How heatmaps are read, where the model file does not say it or should be overruled. */
export function addPoseModelOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--codec <name>", "crop, flip rule and decoding (default: the model's own)").choices(
        Object.keys(HEATMAP_CODECS),
      ),
    )
    .addOption(
      new Option("--refinement <name>", "another sub-cell refinement than the codec's").choices([
        "none",
        "quarter-offset",
        "dark",
        "dark-udp",
      ]),
    )
    .option("--blur-kernel <n>", "odd size of the blur before DARK", wholeNumber(1))
    .option("--sigma <cells>", "σ of the targets the model was trained with", numberFrom(0.5))
    .option("--skeleton <name|file>", `keypoints: ${[...SKELETONS.keys()].join(", ")}, or a JSON file`);
}

/** What parsed options ask to change in a model's codec; `undefined` when they leave it alone. */
export function codecOptions({
  codec,
  refinement,
  blurKernel,
  sigma,
}: PoseModelOptions): CodecChange | undefined {
  const change = {
    ...(codec !== undefined && { name: codec }),
    ...(refinement !== undefined && { refinement }),
    ...(blurKernel !== undefined && { blurKernel }),
    ...(sigma !== undefined && { sigma }),
  };
  return Object.keys(change).length > 0 ? change : undefined;
}

/** The skeleton an option names. */
export async function skeletonOption(value: string | undefined): Promise<Skeleton | undefined> {
  if (value === undefined) return undefined;
  return SKELETONS.has(value)
    ? skeletonByName(value)
    : parseSkeleton(await readJsonFile(value, "skeleton file"));
}

/**
 * `--json-like` options: JSON text, or the path of a JSON file.
 * @throws HRNetError `usage` for text that is neither.
 */
export async function jsonOption(value: string | undefined, flag: string): Promise<unknown> {
  if (value === undefined) return undefined;
  if (!/^\s*[[{]/.test(value)) return readJsonFile(value, `file for ${flag}`);
  try {
    return JSON.parse(value);
  } catch (error) {
    throw new HRNetError("usage", `${flag} is no valid JSON: ${(error as Error).message}.`, { cause: error });
  }
}
