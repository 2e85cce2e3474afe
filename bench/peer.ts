// Processes that the benchmark drives over their standard streams: one JSON command a line, one JSON answer a line.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Tensor } from "../src/tensor/tensor.ts";
import type { Competitor } from "./measure.ts";

/** Where there is no PyTorch. */
export const NO_TORCH = "PyTorch was not found (set PYTHON to one that has torch): its rows are left out.";

/** The first Python that has torch, and `more` if asked for; `PYTHON` names one. */
export function findPython(more: readonly string[] = []): string | undefined {
  const modules = ["torch", "numpy", ...more].join(", ");
  const candidates = [process.env["PYTHON"], "python3", "/usr/bin/python3"].filter(
    (name) => name !== undefined,
  );
  return candidates.find((name) => spawnSync(name, ["-c", `import ${modules}`]).status === 0);
}

/** Version of the PyTorch of that Python, or of another module. */
export const torchVersion = (python: string, module = "torch"): string =>
  spawnSync(python, ["-c", `import ${module}; print(${module}.__version__)`])
    .stdout.toString()
    .trim();

/** A process that answers commands. */
export class Peer {
  readonly #name: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #exit: Promise<undefined>;
  #complaint = "";

  /** @param script its path in this folder */
  constructor(command: string, args: readonly string[], script: string) {
    this.#name = script;
    this.#process = spawn(command, [...args, fileURLToPath(new URL(script, import.meta.url))]);
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
      throw new Error(`${this.#name} stopped at ${JSON.stringify(command)}: ${this.#complaint}`);
    }
    return JSON.parse(line) as Record<string, unknown>;
  }

  /** What the process times when it is told `command` and a count. */
  competitor(name: string, command: Readonly<Record<string, unknown>>): Competitor {
    const run = async (count: number): Promise<readonly number[]> => {
      const { ms } = await this.ask({ ...command, count });
      return ms as number[];
    };
    return { name, run };
  }

  close(): void {
    this.#process.kill();
  }
}

/** Writes `weights.bin`, all float32 weights one after the other, and `weights.json`: where each begins, and `rest`. */
export function writeWeights(
  folder: string,
  weights: ReadonlyMap<string, Tensor>,
  rest: Readonly<Record<string, unknown>> = {},
): void {
  const tensors: Record<string, [number, readonly number[]]> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { dtype, shape, data }] of weights) {
    if (dtype !== "float32") continue;
    tensors[name] = [at, shape];
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    at += data.length;
  }
  writeFileSync(join(folder, "weights.bin"), Buffer.concat(parts));
  writeFileSync(join(folder, "weights.json"), JSON.stringify({ tensors, ...rest }));
}
