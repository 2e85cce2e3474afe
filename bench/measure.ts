// How things are timed: competitors take turns in one run, and medians are compared.

/** One line of the table. Times are medians in milliseconds, sizes and counts what `unit` says. */
export interface Row {
  readonly name: string;
  readonly ours: number;
  /** What ours is compared with. */
  readonly peer: number;
  readonly unit: string;
  /** peer ÷ ours: how many times better ours is. */
  readonly ratio: number;
  /** The ratio to reach, where one was set. */
  readonly target?: number;
}

/** The results of a group of measurements: its rows, and what a reader should know beside them. */
export interface Group {
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

/** Something timed. `run` does its work `count` times in a row and gives the time of each in milliseconds. */
export interface Competitor {
  readonly name: string;
  readonly run: (count: number) => Promise<readonly number[]>;
}

/** The middle one of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Times one asynchronous call after the other. */
export function timed(call: () => Promise<unknown>): Competitor["run"] {
  return async (count) => {
    const times: number[] = [];
    for (let n = 0; n < count; n++) {
      const start = process.hrtime.bigint();
      await call();
      times.push(Number(process.hrtime.bigint() - start) / 1e6);
    }
    return times;
  };
}

/** Idle threads of one engine spin for a moment; the next competitor waits until they sleep. */
const PAUSE_MS = 20;
/** Runs at the start of every turn that do not count: caches and threads must be its own again. */
const WARM_UP = 2;

/** Lets the competitors take `rounds` turns of `count` runs each. Medians in milliseconds, in the order given. */
export async function compare(
  competitors: readonly Competitor[],
  { rounds, count, warmUp = WARM_UP }: { rounds: number; count: number; warmUp?: number },
): Promise<number[]> {
  const times = competitors.map(() => [] as number[]);
  for (let round = 0; round < rounds; round++) {
    // Every other round goes backwards: who follows whom must not decide.
    for (let turn = 0; turn < competitors.length; turn++) {
      const index = round % 2 === 0 ? turn : competitors.length - 1 - turn;
      const { run } = competitors[index]!;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      times[index]!.push(...(await run(warmUp + count)).slice(warmUp));
    }
  }
  return times.map(median);
}

/** A row from two times. */
export function row(name: string, ours: number, peer: number, unit: string, target?: number): Row {
  return { name, ours, peer, unit, ratio: peer / ours, ...(target !== undefined && { target }) };
}

/** `1 thread`, `2 threads`. */
export const threadsOf = (count: number): string => `${count} thread${count === 1 ? "" : "s"}`;
