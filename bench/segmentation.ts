// HRNetV2 at Cityscapes' crop size against PyTorch, and the memory that a large picture takes in tiles.

import { loadInTorch, rowsAgainstTorch } from "./against-torch.ts";
import { type Group, type Row, row } from "./measure.ts";
import { benchInput, benchNetwork, openCompetitor } from "./networks.ts";
import { findPython, NO_TORCH, Peer, torchVersion } from "./peer.ts";
import { checkEqual } from "./torch-peer.ts";

const NETWORKS = ["hrnetv2-w18", "hrnetv2-w48"] as const;
/** Crops of Cityscapes, height × width. */
const CROP = [512, 1024] as const;
/** Pictures for the tiles: one tile, and 40 megapixels. */
const PICTURES = { tile: [2048, 1024], large: [7300, 5480] } as const;

/** One network's forward pass against PyTorch's, weights and input alike. */
async function compareNetwork(peer: Peer, name: string, threads: number, rounds: number): Promise<Row[]> {
  const { model, weights } = benchNetwork(name, CROP);
  const input = benchInput(1, CROP);
  const theirs = await loadInTorch(peer, { network: name, weights, input }, threads);
  const ours = await openCompetitor("ours", model, input, threads);
  checkEqual(`${name} in PyTorch`, await ours.outputs(), theirs);
  const rows = await rowsAgainstTorch(peer, `${name} at ${CROP.join("×")}`, ours, threads, rounds);
  await ours.close();
  return rows;
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
