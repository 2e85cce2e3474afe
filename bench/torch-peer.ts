// Against PyTorch: the same network with the same weights run by PyTorch, and exported by torch.onnx and run in ONNX
// Runtime. Outputs must agree before anything is timed.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare, type Group, type Row, row, threadsOf } from "./measure.ts";
import { benchInput, benchNetwork, openCompetitor } from "./networks.ts";
import { findPython, NO_TORCH, Peer, torchVersion, writeWeights } from "./peer.ts";

/** Largest difference allowed between the outputs, relative to the largest output. */
const TOLERANCE = 1e-4;

/** @throws Error when outputs are not the same */
export function checkEqual(name: string, ours: Float32Array, theirs: Float32Array): void {
  const size = theirs.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const difference = theirs.reduce((largest, value, i) => Math.max(largest, Math.abs(value - ours[i]!)), 0);
  if (ours.length !== theirs.length || !(difference <= TOLERANCE * size)) {
    throw new Error(`${name}: outputs differ by ${difference} of ${size}; nothing was timed.`);
  }
}

async function compareNetwork(peer: Peer, name: string, threads: number, rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "hrnet-bench-"));
  try {
    const network = benchNetwork(name);
    const input = benchInput(1);
    writeWeights(folder, network.weights, { input: input.shape });
    writeFileSync(join(folder, "input.bin"), new Uint8Array((input.data as Float32Array).buffer));
    await peer.ask({ do: "load", network: name, folder, threads, export: true });
    const ours = await openCompetitor("ours", network.model, benchInput(1), threads);
    const exported = await openCompetitor(
      "torch.onnx",
      readFileSync(join(folder, "network.onnx")),
      benchInput(1),
      threads,
    );
    const heatmaps = await ours.outputs();
    checkEqual(
      `${name} in PyTorch`,
      heatmaps,
      new Float32Array(readFileSync(join(folder, "output.bin")).buffer),
    );
    checkEqual(`${name} by torch.onnx`, heatmaps, await exported.outputs());
    const competitors = [
      ours,
      exported,
      peer.competitor("PyTorch", { do: "run", channels_last: false }),
      peer.competitor("channels last", { do: "run", channels_last: true }),
    ];
    const [session, onnx, contiguous, last] = (await compare(competitors, { rounds, count: 4 })) as [
      number,
      number,
      number,
      number,
    ];
    await ours.close();
    await exported.close();
    const title = `${name}, against`;
    const [target] = name === "hrnet-w32" ? [5] : [];
    return [
      row(`${title} PyTorch (${threadsOf(threads)})`, session, contiguous, "ms", target),
      row(`${title} PyTorch channels last (${threadsOf(threads)})`, session, last, "ms", target),
      row(`${title} torch.onnx export in ONNX Runtime (${threadsOf(threads)})`, session, onnx, "ms", 1),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** HRNet-W32 and Lite-HRNet-18 against PyTorch and torch.onnx; no rows and a note where there is no PyTorch. */
export async function torchRows(threads: number, rounds: number): Promise<Group> {
  const python = findPython();
  if (!python) return { rows: [], notes: [NO_TORCH] };
  const peer = new Peer(python, [], "torch/peer.py");
  try {
    const rows = [];
    for (const name of ["hrnet-w32", "lite-hrnet-18"])
      rows.push(...(await compareNetwork(peer, name, threads, rounds)));
    return { rows, notes: [`PyTorch ${torchVersion(python)}, float32, eval, no_grad.`] };
  } finally {
    peer.close();
  }
}
