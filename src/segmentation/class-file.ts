// Classes of one's own, from a file beside the pictures.

import { z } from "zod";
import { HRNetError } from "../errors.ts";
import { readJsonFile } from "../files/json-file.ts";
import { type ClassTable, defineClassTable } from "./class-table.ts";
import { CLASS_TABLES } from "./class-tables.ts";

const label = z.int().min(0).max(65_535);
const channel = z.int().min(0).max(255);
const entry = z.union([
  z.string().min(1),
  z.object({
    id: label.optional(),
    name: z.string().min(1),
    color: z.tuple([channel, channel, channel]).optional(),
  }),
]);
const schema = z.object({
  name: z.string().min(1).optional(),
  classes: z.array(entry).min(1).max(4096),
  ignored: z.array(label).max(4096).optional(),
  flipPairs: z.array(z.tuple([z.string(), z.string()])).optional(),
});

const EXPECTED =
  'Expected { "classes": [{ "id": 0, "name": "road", "color": [128, 64, 128] }, …] }; id (its number in the label maps) and color ' +
  'may be left out; "ignored": [11] names numbers that are no class on purpose.';

/**
 * The classes that a name or a file stands for. In a file, classes are in the order of the network's channels; numbers that no
 * class has are ignored, those that it lists as `ignored` on purpose.
 * @param source a name of {@link CLASS_TABLES}, or the path of a JSON file
 * @throws HRNetError as `readJsonFile` and `defineClassTable`; `invalid-data` for a file of another form
 */
export async function readClassTable(source: string): Promise<ClassTable> {
  const known = CLASS_TABLES.get(source);
  if (known) return known;
  const parsed = schema.safeParse(await readJsonFile(source, "file of classes", EXPECTED));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new HRNetError(
      "invalid-data",
      `The file of classes ${source} is not valid: ${issue.path.join(".") || "the file"}: ${issue.message}. ${EXPECTED}`,
    );
  }
  const { name = source, flipPairs, ignored = [] } = parsed.data;
  const classes = parsed.data.classes.map((item) => (typeof item === "string" ? { name: item } : item));
  const ids = classes.map(({ id }, index) => id ?? index);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined)
    throw new HRNetError("invalid-data", `The file of classes ${source} has the id ${twice} twice.`);
  const both = ignored.find((id) => ids.includes(id));
  if (both !== undefined)
    throw new HRNetError(
      "invalid-data",
      `The file of classes ${source} has the id ${both} both as a class and as ignored.`,
    );
  const classOfLabel = Array<number>(Math.max(...ids, ...ignored) + 1).fill(-1);
  ids.forEach((id, index) => {
    classOfLabel[id] = index;
  });
  const colored = classes.every(({ color }) => color !== undefined);
  return defineClassTable({
    name,
    classes: classes.map((item) => item.name),
    ...(colored && { colors: classes.map(({ color }) => color!) }),
    flipPairs,
    ...((ignored.length > 0 || ids.some((id, index) => id !== index)) && { classOfLabel }),
  });
}
