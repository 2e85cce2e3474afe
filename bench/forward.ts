// Lite-HRNet against HRNet: both as we run them, in turns.

import { compare, type Group, type Row, row, threadsOf } from "./measure.ts";
import { benchInput, benchNetwork, openCompetitor, openPoolCompetitor } from "./networks.ts";

/** Pictures in the larger batch. */
const BATCH = 8;

/** Lite-HRNet-18 against HRNet-W32 with each number of threads, and its time per picture in a batch. */
export async function forwardRows(threadCounts: readonly number[], rounds: number): Promise<Group> {
  const large = benchNetwork("hrnet-w32");
  const lite = benchNetwork("lite-hrnet-18");
  const rows = [];
  for (const threads of threadCounts) {
    const open = (name: string, model: Uint8Array, batch: number) =>
      openCompetitor(name, model, benchInput(batch), threads);
    const competitors = await Promise.all([
      open("lite", lite.model, 1),
      open("w32", large.model, 1),
      open("lite batch", lite.model, BATCH),
    ]);
    const [one, w32, batch] = (await compare(competitors, { rounds, count: 6 })) as [number, number, number];
    rows.push(row(`Lite-HRNet-18, against HRNet-W32 (${threadsOf(threads)})`, one, w32, "ms", 8));
    rows.push(
      row(
        `Lite-HRNet-18 per picture of ${BATCH}, against one by one (${threadsOf(threads)})`,
        batch / BATCH,
        one,
        "ms",
      ),
    );
    for (const { close } of competitors) await close();
  }
  rows.push(await sideBySideRow(Math.max(...threadCounts), lite.model, large.model, rounds));
  return { rows, notes: [] };
}

/** Both networks as `hrnet pose` runs them over many pictures: a session per thread. Time per picture. */
async function sideBySideRow(
  threads: number,
  lite: Uint8Array,
  large: Uint8Array,
  rounds: number,
): Promise<Row> {
  const open = (name: string, model: Uint8Array) => openPoolCompetitor(name, model, benchInput(1), threads);
  const competitors = await Promise.all([open("lite", lite), open("w32", large)]);
  const [one, w32] = (await compare(competitors, { rounds, count: 24, warmUp: 0 })) as [number, number];
  for (const { close } of competitors) await close();
  return row(
    `Lite-HRNet-18, against HRNet-W32, per picture (${threads} sessions side by side)`,
    one,
    w32,
    "ms",
    8,
  );
}
