// The classes of a segmentation: names, colours, what changes sides in a mirrored picture, and the numbers that label files
// have for them. Validated once, used everywhere.

import { z } from "zod";
import { HRNetError } from "../errors.ts";
import type { Color } from "../image/draw.ts";

/** A validated set of classes. Class k is channel k of the network's logits. Plain data (JSON-safe). */
export interface ClassTable {
  readonly name: string;
  /** K unique names. */
  readonly classes: readonly string[];
  /** K colours. */
  readonly colors: readonly Color[];
  /** Classes that change places in a mirrored picture: left and right parts. */
  readonly flipPairs: readonly (readonly [number, number])[];
  /**
   * For label files whose numbers are not 0 … K−1: the class of each number in the file, −1 for those that are ignored; numbers
   * from the end of the list on are ignored too.
   */
  readonly classOfLabel?: readonly number[];
}

/** A class by name or number. */
type ClassRef = string | number;

/** What {@link defineClassTable} accepts, a {@link ClassTable} among it; everything but the names has a default. */
export interface ClassTableInput {
  readonly name: string;
  readonly classes: readonly string[];
  /** Default: {@link defaultColor} of each class. */
  readonly colors?: readonly Color[] | undefined;
  /** By name or number. Default: pairs found by left and right at the beginning of names. */
  readonly flipPairs?: readonly (readonly [ClassRef, ClassRef])[] | undefined;
  /** Default: a label is its class. */
  readonly classOfLabel?: readonly number[] | undefined;
}

/** What label files have for pixels that nobody classified: ignored in losses and figures. */
export const IGNORED = 255;

const MAX_CLASSES = 4096;
const MAX_LABELS = 65_536;
const channel = z.int().min(0).max(255);
const name = z.string().min(1).max(200);
const classRef = z.union([name, z.int().min(0)]);

const schema = z.strictObject({
  name,
  classes: z.array(name).min(1).max(MAX_CLASSES),
  colors: z.array(z.tuple([channel, channel, channel])).optional(),
  flipPairs: z
    .array(z.tuple([classRef, classRef]))
    .max(MAX_CLASSES)
    .optional(),
  classOfLabel: z.array(z.int().min(-1)).max(MAX_LABELS).optional(),
});

/**
 * Validates classes.
 * @throws HRNetError `invalid-config` naming the table, the field and what was expected
 */
export function defineClassTable(input: ClassTableInput): ClassTable {
  const parsed = schema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw invalid(String(input?.name), `${issue.path.join(".") || "the table"}: ${issue.message}`);
  }
  const { classes, colors, classOfLabel } = parsed.data;
  const indices = new Map(classes.map((text, index) => [text, index]));
  const twice = classes.find((text, index) => indices.get(text) !== index);
  if (twice !== undefined)
    throw invalid(input.name, `"classes" names "${twice}" twice; each needs a name of its own`);
  if (colors && colors.length !== classes.length)
    throw invalid(
      input.name,
      `${colors.length} colours for ${classes.length} classes; expected one for each`,
    );
  const beyond = classOfLabel?.find((index) => index >= classes.length);
  if (beyond !== undefined)
    throw invalid(input.name, `"classOfLabel" has the class ${beyond}; there are ${classes.length} classes`);
  const indexOf = (ref: ClassRef): number => {
    const index = typeof ref === "number" ? ref : indices.get(ref);
    if (index === undefined || index >= classes.length)
      throw invalid(input.name, `"flipPairs" names "${ref}", which is no class`);
    return index;
  };
  const pairs = parsed.data.flipPairs ?? pairsByName(classes);
  const flipPairs = pairs.map(([a, b]) => [indexOf(a), indexOf(b)] as const);
  if (new Set(flipPairs.flat()).size !== 2 * flipPairs.length)
    throw invalid(input.name, `"flipPairs" must join different classes, each once`);
  return {
    name: input.name,
    classes,
    colors: colors ?? classes.map((_, index) => defaultColor(index)),
    flipPairs,
    ...(classOfLabel && { classOfLabel }),
  };
}

const invalid = (table: string, problem: string): HRNetError =>
  new HRNetError("invalid-config", `The classes "${table.slice(0, 100)}": ${problem}.`);

const LEFT = /^(left|l)([-_ ])/i;

/** Names that begin with left, with their like on the right: `Left-arm` and `Right-arm`, `l_foot` and `r_foot`. */
function pairsByName(classes: readonly string[]): [string, string][] {
  const known = new Map(classes.map((text) => [text.toLowerCase(), text]));
  return classes.flatMap((text) => {
    const side = LEFT.exec(text);
    if (!side) return [];
    const other = `${side[1]!.length === 1 ? "r" : "right"}${text.slice(side[1]!.length)}`;
    const right = known.get(other.toLowerCase());
    return right === undefined ? [] : [[text, right]];
  });
}

/**
 * The colour that PASCAL VOC's tools give to class `index`: its bits, three at a time, become the highest bits of red, green and
 * blue. Class 0 is black. Source: `VOClabelcolormap.m` of the VOC development kit, `get_palette` of HRNet-Semantic-Segmentation.
 */
export function defaultColor(index: number): Color {
  const color: [number, number, number] = [0, 0, 0];
  let rest = index;
  for (let bit = 7; rest > 0; bit--, rest >>= 3) {
    for (const part of [0, 1, 2] as const) color[part] |= ((rest >> part) & 1) << bit;
  }
  return color;
}

/** The classes as they change places in a mirrored picture: a class for each. */
export function flipPermutationOf({ classes, flipPairs }: ClassTable): number[] {
  const permutation = classes.map((_, index) => index);
  for (const [a, b] of flipPairs) {
    permutation[a] = b;
    permutation[b] = a;
  }
  return permutation;
}

/** What every number of 16 bits in a label file becomes: a class, or {@link IGNORED} (65535 with more than 255 classes). */
export function labelLookup({ classes, classOfLabel }: ClassTable): Uint16Array {
  const ignored = classes.length > IGNORED ? 65_535 : IGNORED;
  const lookup = new Uint16Array(MAX_LABELS).fill(ignored);
  const given = classOfLabel ?? classes.map((_, index) => index);
  given.forEach((index, label) => {
    if (index >= 0) lookup[label] = index;
  });
  return lookup;
}
