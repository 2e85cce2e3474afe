// Classes of a segmentation network or detector whose file does not name them.

import { HRNetError } from "../errors.ts";
import { type ClassTable, defineClassTable } from "../segmentation/class-table.ts";
import { classTableByName } from "../segmentation/class-tables.ts";

/** Names of the published label spaces by number of classes: as the official code numbers them, and as mmsegmentation does. */
const BY_COUNT: Readonly<Record<number, { readonly official: string; readonly mmsegmentation: string }>> = {
  19: { official: "cityscapes", mmsegmentation: "cityscapes" },
  20: { official: "lip", mmsegmentation: "lip" },
  59: { official: "pascal-context-59", mmsegmentation: "pascal-context-59-mmseg" },
  60: { official: "pascal-context-60", mmsegmentation: "pascal-context-60-mmseg" },
  80: { official: "coco-80", mmsegmentation: "coco-80" },
  150: { official: "ade20k", mmsegmentation: "ade20k" },
};

/**
 * The given classes, the published ones of that number, or numbered ones.
 * @param codeBase of the checkpoint; mmsegmentation numbers PASCAL-Context otherwise
 * @throws HRNetError `invalid-config` when another number of classes is given
 */
export function classesForChannels(channels: number, codeBase: string, given?: ClassTable): ClassTable {
  if (given && given.classes.length !== channels) {
    throw new HRNetError(
      "invalid-config",
      `The classes ${given.name} are ${given.classes.length}, the network tells ${channels} apart. Give the classes it was trained with.`,
    );
  }
  if (given) return given;
  const known = BY_COUNT[channels];
  if (known) return classTableByName(/mmseg/i.test(codeBase) ? known.mmsegmentation : known.official);
  const classes = Array.from({ length: channels }, (_, index) => `class ${index}`);
  return defineClassTable({ name: `${channels} classes`, classes });
}
