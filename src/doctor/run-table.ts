// Runs a table of checks on a data set.

import type { Check, CheckUnit, Finding, Severity } from "./types.ts";

const ORDER: readonly Severity[] = ["error", "warning", "note"];

/** What a table of checks needs to know besides the data set. */
export interface TableOptions {
  /** How many there are of a unit. */
  readonly total: (unit: CheckUnit) => number;
  /** By the id of a finding, the ids of findings that it explains, which are then left out. */
  readonly explains: Readonly<Record<string, readonly string[]>>;
  /** Kept of each finding. */
  readonly examples: number;
}

/** What the checks of a table find, errors first; within a severity in the table's order. */
export function runTable<Subject>(
  checks: readonly Check<Subject>[],
  subject: Subject,
  { total, explains, examples }: TableOptions,
): Finding[] {
  const findings = checks.flatMap(({ find, formats: _, ...rest }): Finding[] => {
    const hits = [...find(subject)];
    if (hits.length === 0) return [];
    hits.sort((a, b) => (b.strength ?? 0) - (a.strength ?? 0)); // stable: in the file's order where equal
    return [{ ...rest, count: hits.length, total: total(rest.unit), examples: hits.slice(0, examples) }];
  });
  const explained = new Set(findings.flatMap(({ id }) => explains[id] ?? []));
  return ORDER.flatMap((severity) =>
    findings.filter((finding) => finding.severity === severity && !explained.has(finding.id)),
  );
}
