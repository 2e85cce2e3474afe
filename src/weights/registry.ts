// Finding a published checkpoint by name.

import { HRNetError } from "../errors.ts";
import { type CodeBase, PUBLISHED, type PublishedCheckpoint } from "./published.ts";

/** What {@link listPublished} keeps; a field left out keeps everything. */
export interface PublishedFilter {
  readonly task?: PublishedCheckpoint["task"];
  readonly architecture?: string;
  readonly codeBase?: CodeBase;
}

/** How many close names an error proposes. */
const SUGGESTIONS = 3;

const BY_NAME: ReadonlyMap<string, PublishedCheckpoint> = new Map(
  PUBLISHED.map((entry) => [entry.name, entry]),
);

/** The published checkpoints that fit `filter`, in table order. */
export function listPublished(filter: PublishedFilter = {}): readonly PublishedCheckpoint[] {
  return PUBLISHED.filter(
    (entry) =>
      (filter.task === undefined || entry.task === filter.task) &&
      (filter.architecture === undefined || entry.architecture === filter.architecture) &&
      (filter.codeBase === undefined || entry.codeBase === filter.codeBase),
  );
}

/**
 * The published checkpoint of that name (letter case does not matter).
 * @throws HRNetError `unknown-model` with the closest names.
 */
export function findPublished(name: string): PublishedCheckpoint {
  const wanted = name.trim().toLowerCase();
  const entry = BY_NAME.get(wanted);
  if (entry !== undefined) return entry;
  throw new HRNetError(
    "unknown-model",
    `No published checkpoint is called "${name.slice(0, 100)}". Closest: ${closest(wanted).join(", ")}. ` +
      "`hrnet download` lists all.",
  );
}

/** The names nearest to `wanted`: those that it begins first, then by edit distance. */
function closest(wanted: string): string[] {
  const query = wanted.slice(0, 100).replaceAll("_", "-");
  return PUBLISHED.map(({ name }) => ({
    name,
    distance: query !== "" && name.startsWith(query) ? name.length / 1000 : editDistance(query, name),
  }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SUGGESTIONS)
    .map(({ name }) => name);
}

/** Levenshtein distance: the fewest insertions, deletions and substitutions that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, above[j]! + 1, row[j - 1]! + 1));
    }
    above = row;
  }
  return above[b.length]!;
}
