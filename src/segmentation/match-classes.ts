// The classes of label maps as those of a network.

import { HRNetError } from "../errors.ts";
import { type ClassTable, defineClassTable } from "./class-table.ts";

/**
 * The table for label maps whose classes have the names of a network's in any order: the numbers in the maps become the network's
 * classes. Classes of the network that the maps do not have stay without pixels.
 * @throws HRNetError `invalid-data` when the maps have classes that the network does not tell
 */
export function matchClasses(labels: ClassTable, network: ClassTable): ClassTable {
  const index = new Map(network.classes.map((name, at) => [name.toLowerCase(), at]));
  const unknown = labels.classes.filter((name) => !index.has(name.toLowerCase()));
  if (unknown.length > 0) {
    throw new HRNetError(
      "invalid-data",
      `The label maps have ${unknown.length} classes that the network does not tell: ${unknown.slice(0, 5).join(", ")}` +
        `${unknown.length > 5 ? ", …" : ""}. It tells ${network.classes.slice(0, 5).join(", ")}${network.classes.length > 5 ? ", …" : ""}. Give ` +
        "the file of classes that it was trained with.",
    );
  }
  const own = labels.classOfLabel ?? labels.classes.map((_, at) => at);
  const classOfLabel = own.map((at) => (at < 0 ? -1 : index.get(labels.classes[at]!.toLowerCase())!));
  return defineClassTable({ ...network, classOfLabel });
}
