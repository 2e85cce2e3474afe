// What preparing a task's samples gives to the batch loader.

import type { BatchLoaderOptions } from "../data/batch-loader.ts";

/** The part of the loader's options that says what is loaded. */
export type PreparedSamples = Required<Pick<BatchLoaderOptions, "module" | "settings" | "groups">>;

/** Samples of one epoch. */
export const samplesOf = ({ groups }: PreparedSamples): number =>
  groups.reduce((sum, { count, repeat }) => sum + Math.round(count * repeat), 0);
