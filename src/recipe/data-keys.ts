// Keys that the data sets of every task have.

import { z } from "zod";

/** A path, or a name that stands for one. */
export const path = z.string().min(1).max(4096);

/** How often an epoch goes through a data set. */
export const repeat = z
  .int()
  .min(1)
  .max(10_000)
  .default(1)
  .describe("How often an epoch goes through this data set.");
