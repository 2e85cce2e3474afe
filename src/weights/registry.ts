// Finding a published checkpoint by name.

import { HRNetError, nearestNames } from "../errors.ts";
import { PUBLISHED } from "./published.ts";
import type { CodeBase, PublishedCheckpoint } from "./published-checkpoint.ts";

/** What {@link listPublished} keeps; a field left out keeps everything. */
export interface PublishedFilter {
  readonly task?: PublishedCheckpoint["task"];
  readonly architecture?: string;
  readonly codeBase?: CodeBase;
}

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
    `No published checkpoint is called "${name.slice(0, 100)}". Closest: ${nearestNames(wanted, [...BY_NAME.keys()]).join(", ")}. ` +
      "`hrnet download` lists all.",
  );
}
