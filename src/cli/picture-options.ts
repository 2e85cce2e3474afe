// Options of every verb that works through pictures: where results go, what is drawn, what is refused.

import { type Command, Option } from "commander";
import type { DecodeOptions } from "../image/decode.ts";
import { wholeNumber } from "./options.ts";
import { DEFAULT_OUT, DRAW_FORMATS, type DrawFormat } from "./picture-output.ts";
import type { PictureRunOptions } from "./picture-run.ts";

/** What {@link addPictureOptions} adds, as parsed. */
export interface PictureCommandOptions extends PictureRunOptions {
  readonly draw: DrawFormat;
  readonly truncated: "refuse" | "accept";
  readonly maxPixels?: number;
}

/** The pictures, `--out`, `--json`, `--draw`, `--overwrite`, `--truncated`, `--max-pixels`. */
export function addPictureOptions(command: Command): Command {
  return command
    .argument("<pictures...>", 'files, folders, patterns ("photos/**/*.jpg") or URLs')
    .option("--out <dir>", `where results go (default: ${DEFAULT_OUT}; with --json: nowhere)`)
    .option("--json", "one JSON array on stdout, one element per picture")
    .addOption(new Option("--draw <format>", "drawn pictures").choices(DRAW_FORMATS).default("jpg"))
    .option("--overwrite", "do everything anew instead of continuing an earlier run")
    .addOption(
      new Option("--truncated <what>", "files that end early")
        .choices(["refuse", "accept"])
        .default("refuse"),
    )
    .option("--max-pixels <n>", "refuse larger pictures (default: 64 Mi)", wholeNumber(1));
}

/** How pictures are decoded as those options say. */
export const decodeOptions = ({ truncated, maxPixels }: PictureCommandOptions): DecodeOptions => ({
  truncated,
  ...(maxPixels !== undefined && { maxPixels }),
});
