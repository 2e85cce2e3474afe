// A network's forward pass against the same one in PyTorch, which an open peer runs.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "../src/tensor/tensor.ts";
import { compare, type Row, row, threadsOf } from "./measure.ts";
import type { SessionCompetitor } from "./networks.ts";
import { type Peer, writeWeights } from "./peer.ts";

/** What PyTorch is to run. */
export interface TorchNetwork {
  /** Its name in torch/networks.py. */
  readonly network: string;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly input: Tensor;
}

/** Loads a network in PyTorch; gives its output. */
export async function loadInTorch(
  peer: Peer,
  { network, weights, input }: TorchNetwork,
  threads: number,
): Promise<Float32Array> {
  const folder = mkdtempSync(join(tmpdir(), "hrnet-bench-"));
  try {
    writeWeights(folder, weights, { input: input.shape });
    writeFileSync(join(folder, "input.bin"), new Uint8Array((input.data as Float32Array).buffer));
    await peer.ask({ do: "load", network, folder, threads, export: false });
    // Copied: small files lie within a buffer that Node shares among several.
    return new Float32Array(Uint8Array.from(readFileSync(join(folder, "output.bin"))).buffer);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Times ours against the network that PyTorch has loaded, in both of its memory layouts. */
export async function rowsAgainstTorch(
  peer: Peer,
  title: string,
  ours: SessionCompetitor,
  threads: number,
  rounds: number,
): Promise<Row[]> {
  const competitors = [
    ours,
    peer.competitor("PyTorch", { do: "run", channels_last: false }),
    peer.competitor("channels last", { do: "run", channels_last: true }),
  ];
  const [session, contiguous, last] = (await compare(competitors, { rounds, count: 1, warmUp: 1 })) as [
    number,
    number,
    number,
  ];
  return [
    row(`${title}, against PyTorch (${threadsOf(threads)})`, session, contiguous, "ms"),
    row(`${title}, against PyTorch channels last (${threadsOf(threads)})`, session, last, "ms"),
  ];
}
