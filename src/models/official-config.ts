// Configurations as the official code bases write them (yacs yaml as JSON, mm dicts), as fields of ours.

import { z } from "zod";

const stage = z
  .looseObject({
    NUM_MODULES: z.number(),
    BLOCK: z.enum(["BASIC", "BOTTLENECK"]),
    NUM_BLOCKS: z.array(z.number()),
    NUM_CHANNELS: z.array(z.number()),
    // mm dicts leave it out; the official code knows no other.
    FUSE_METHOD: z.literal("SUM").default("SUM"),
  })
  .transform((row) => ({
    modules: row.NUM_MODULES,
    block: row.BLOCK === "BOTTLENECK" ? ("bottleneck" as const) : ("basic" as const),
    blocks: row.NUM_BLOCKS,
    channels: row.NUM_CHANNELS,
  }));

const extra = z.looseObject({ STAGE1: stage.optional(), STAGE2: stage, STAGE3: stage, STAGE4: stage });

const liteStages = z.looseObject({
  num_modules: z.array(z.number()),
  num_blocks: z.array(z.number()),
  num_channels: z.array(z.array(z.number())),
  module_type: z.array(z.string()),
  reduce_ratios: z.array(z.number()),
});

/** A JSON object whose keys may be in either case, as mm dicts and yacs nodes differ in nothing else. */
function upperKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(upperKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toUpperCase(), upperKeys(item)]));
}

/** The first of several places in a JSON object that holds something. */
function dig(json: unknown, ...paths: readonly (readonly string[])[]): unknown {
  for (const path of paths) {
    const found = path.reduce<unknown>(
      (value, key) =>
        typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      json,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function liteFields(spec: z.infer<typeof liteStages>): Record<string, unknown> {
  const stages = spec.num_modules.map((modules, index) => ({
    modules,
    blocks: spec.num_blocks[index],
    channels: spec.num_channels[index],
  }));
  const lite = spec.module_type[0] === "LITE";
  return { stages, block: lite ? { type: "weighting", reduce: spec.reduce_ratios[0] } : { type: "shuffle" } };
}

/**
 * The fields of a network configuration that an official one states: stages, stage 1, corner rule of the enlargement.
 * What is no official configuration (ours, or a part of ours) comes back as it is.
 */
export function fieldsOfOfficialConfig(json: unknown): Record<string, unknown> {
  const lite = liteStages.safeParse(
    dig(json, ["stages_spec"], ["extra", "stages_spec"], ["config", "stages_spec"], ["extra"]),
  );
  if (lite.success) return liteFields(lite.data);
  const upper = upperKeys(json);
  const model = dig(upper, ["CONFIG", "MODEL"], ["MODEL"], ["CONFIG"]) ?? upper;
  const found = extra.safeParse(dig(model, ["EXTRA"]) ?? model);
  const alignCorners = dig(model, ["ALIGN_CORNERS"]);
  if (!found.success && alignCorners === undefined) return json as Record<string, unknown>;
  const { STAGE1, STAGE2, STAGE3, STAGE4 } = found.data ?? {};
  return {
    ...(STAGE2 && { stages: [STAGE2, STAGE3, STAGE4] }),
    ...(STAGE1 && { stage1: { blocks: STAGE1.blocks[0], planes: STAGE1.channels[0] } }),
    ...(typeof alignCorners === "boolean" && {
      upsample: alignCorners ? "bilinear-align-corners" : "bilinear",
    }),
  };
}
