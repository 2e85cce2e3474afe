// The one error class of the library, its closed set of codes, and help for writing messages.

/** Every code an {@link HRNetError} can carry, with what it means. */
export const ERROR_CODES = {
  usage: "the call or the command line is wrong: unknown option, missing argument, value out of range",
  "file-not-found": "a file or folder that was named does not exist",
  "read-failed": "a file exists and cannot be read",
  "write-failed": "an output cannot be written (permission, full disk, not a folder)",
  "invalid-image": "the bytes are no picture, or a damaged one",
  "invalid-checkpoint":
    "the checkpoint file is damaged, truncated, or holds something that may not be loaded",
  "weights-mismatch": "names or shapes of the weights do not fit the network",
  "invalid-model": "the model file is no model of ours or lacks what is needed to run it",
  "unknown-model": "no model, architecture or published checkpoint has that name",
  "invalid-config": "a network configuration, skeleton or recipe is not valid",
  "invalid-shape": "tensors or sizes do not fit each other or the network",
  "invalid-data": "a dataset, annotation, detection or array file is not valid",
  "limit-exceeded": "the input is larger than the limit that guards memory",
  "download-failed": "a published checkpoint could not be fetched, or arrived with another checksum",
  "device-unavailable": "the requested device cannot run here",
  "inference-failed": "the engine refused or failed to run the model",
  aborted: "the caller cancelled",
} as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * The only error the library throws on purpose. Its message says what was given, what was expected and what to do;
 * `code` is for programs.
 */
export class HRNetError extends Error {
  override readonly name = "HRNetError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The text of any thrown value: messages of errors, `String()` of the rest. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How many close names a message proposes. */
const SUGGESTIONS = 3;

/** Names are compared up to this length; what is longer was no attempt at a name. */
const MAX_NAME = 100;

/**
 * The `count` names nearest to what somebody wrote, nearest first: those that it begins, then by edit distance. Letter
 * case counts little, `_` is as good as `-`.
 */
export function nearestNames(wanted: string, names: readonly string[], count = SUGGESTIONS): string[] {
  const plain = (text: string): string => text.slice(0, MAX_NAME).toLowerCase().replaceAll("_", "-");
  const query = plain(wanted);
  return names
    .map((name) => {
      const begins = query !== "" && plain(name).startsWith(query);
      return { name, distance: begins ? name.length / 1000 : editDistance(query, plain(name)) };
    })
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
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
