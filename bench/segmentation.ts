// HRNetV2 at Cityscapes' crop size against PyTorch, and the memory that a large picture takes in tiles.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare, type Group, type Row, row, threadsOf } from "./measure.ts";
import { benchInput, benchNetwork, openCompetitor } from "./networks.ts";
import { findPython, NO_TORCH, Peer, torchVersion, writeWeights } from "./peer.ts";
import { checkEqual } from "./torch-peer.ts";

const NETWORKS = ["hrnetv2-w18", "hrnetv2-w48"] as const;
/** Crops of Cityscapes, height × width. */
const CROP = [512, 1024] as const;
/** Pictures for the tiles: one tile, and 40 megapixels. */
const PICTURES = { tile: [2048, 1024], large: [7300, 5480] } as const;

/** One network's forward pass against PyTorch's, weights and input alike. */
async function compareNetwork(peer: Peer, name: string, threads: number, rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "hrnet-bench-"));
  try {
    const network = benchNetwork(name, CROP);
    const input = benchInput(1, CROP);
    writeWeights(folder, network.weights, { input: input.shape });
    writeFileSync(join(folder, "input.bin"), new Uint8Array((input.data as Float32Array).buffer));
    await peer.ask({ do: "load", network: name, folder, threads, export: false });
    const ours = await openCompetitor("ours", network.model, input, threads);
    const theirs = new Float32Array(readFileSync(join(folder, "output.bin")).buffer);
    checkEqual(`${name} in PyTorch`, await ours.outputs(), theirs);
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
    await ours.close();
    const title = `${name} at ${CROP.join("×")}, against`;
    return [
      row(`${title} PyTorch (${threadsOf(threads)})`, session, contiguous, "ms"),
      row(`${title} PyTorch channels last (${threadsOf(threads)})`, session, last, "ms"),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Peak memory of a process that segments a picture of that size, in MB. */
async function peakMegabytes([width, height]: readonly [number, number], threads: number): Promise<number> {
  const child = new Peer(process.execPath, ["--import", "tsx"], "segmentation-process.ts");
  try {
    const answer = await child.ask({ width, height, threads, network: NETWORKS[0] });
    return answer["megabytes"] as number;
  } finally {
    child.close();
  }
}

/** Both networks against PyTorch where there is one; a picture of 40 megapixels against one of a tile's size. */
export async function segmentationRows(threads: number, rounds: number): Promise<Group> {
  const rows: Row[] = [];
  const notes: string[] = [];
  const python = findPython();
  if (python) {
    const peer = new Peer(python, [], "torch/peer.py");
    try {
      for (const name of NETWORKS) rows.push(...(await compareNetwork(peer, name, threads, rounds)));
    } finally {
      peer.close();
    }
    notes.push(`PyTorch ${torchVersion(python)}, float32, eval, no_grad.`);
  } else notes.push(NO_TORCH);
  const tile = await peakMegabytes(PICTURES.tile, threads);
  const large = await peakMegabytes(PICTURES.large, threads);
  const megapixels = Math.round((PICTURES.large[0] * PICTURES.large[1]) / 1e6);
  rows.push(
    row(`peak memory with ${NETWORKS[0]}, ${megapixels} megapixels, against one tile`, large, tile, "MB"),
  );
  return { rows, notes };
}
