// Against PyTorch: the same network with the same weights run by PyTorch, and exported by torch.onnx and run in ONNX
// Runtime. Outputs must agree before anything is timed.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Competitor, compare, type Group, type Row, row, threadsOf } from "./measure.ts";
import { type BenchNetwork, benchInput, benchNetwork, openCompetitor } from "./networks.ts";

/** Largest difference allowed between the outputs, relative to the largest output. */
const TOLERANCE = 1e-4;

/** The first Python that has torch; `PYTHON` names one. */
function findPython(): string | undefined {
  const candidates = [process.env["PYTHON"], "python3", "/usr/bin/python3"].filter(
    (name) => name !== undefined,
  );
  return candidates.find((name) => spawnSync(name, ["-c", "import torch, numpy"]).status === 0);
}

/** The process that runs PyTorch. */
class Peer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #exit: Promise<undefined>;
  #complaint = "";

  constructor(python: string) {
    this.#process = spawn(python, [fileURLToPath(new URL("torch/peer.py", import.meta.url))]);
    this.#process.stderr.on("data", (chunk: Buffer) => {
      this.#complaint = `${this.#complaint}${chunk}`.slice(-2000);
    });
    this.#exit = once(this.#process, "exit").then(() => undefined);
    this.#lines = createInterface(this.#process.stdout);
  }

  async ask(command: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    this.#process.stdin.write(`${JSON.stringify(command)}\n`);
    const line = await Promise.race([once(this.#lines, "line").then(([text]) => text as string), this.#exit]);
    if (line === undefined) {
      throw new Error(`The PyTorch peer stopped at ${JSON.stringify(command)}: ${this.#complaint}`);
    }
    return JSON.parse(line) as Record<string, unknown>;
  }

  competitor(name: string, channelsLast: boolean): Competitor {
    const run = async (count: number): Promise<readonly number[]> => {
      const { ms } = await this.ask({ do: "run", count, channels_last: channelsLast });
      return ms as number[];
    };
    return { name, run };
  }

  close(): void {
    this.#process.kill();
  }
}

/** Writes what the peer reads: all weights in one file, and where each begins. */
function writeWeights(folder: string, { weights }: BenchNetwork): void {
  const tensors: Record<string, [number, readonly number[]]> = {};
  const parts: Float32Array[] = [];
  let at = 0;
  for (const [name, { dtype, shape, data }] of weights) {
    if (dtype !== "float32") continue;
    tensors[name] = [at, shape];
    parts.push(data as Float32Array);
    at += data.length;
  }
  const all = new Float32Array(at);
  parts.reduce((offset, part) => {
    all.set(part, offset);
    return offset + part.length;
  }, 0);
  const input = benchInput(1);
  writeFileSync(join(folder, "weights.bin"), new Uint8Array(all.buffer));
  writeFileSync(join(folder, "input.bin"), new Uint8Array((input.data as Float32Array).buffer));
  writeFileSync(join(folder, "weights.json"), JSON.stringify({ tensors, input: input.shape }));
}

function checkEqual(name: string, ours: Float32Array, theirs: Float32Array): void {
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
    writeWeights(folder, network);
    await peer.ask({ do: "load", network: name, folder, threads });
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
      peer.competitor("PyTorch", false),
      peer.competitor("channels last", true),
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
  if (!python) {
    return {
      rows: [],
      notes: ["PyTorch was not found (set PYTHON to one that has torch): its rows are left out."],
    };
  }
  const peer = new Peer(python);
  try {
    const rows = [];
    for (const name of ["hrnet-w32", "lite-hrnet-18"])
      rows.push(...(await compareNetwork(peer, name, threads, rounds)));
    const version = spawnSync(python, ["-c", "import torch; print(torch.__version__)"])
      .stdout.toString()
      .trim();
    return { rows, notes: [`PyTorch ${version}, float32, eval, no_grad.`] };
  } finally {
    peer.close();
  }
}
