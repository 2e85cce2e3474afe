// Training against PyTorch: whole steps of the same network, weights, batch, loss and optimizer, each side in a process of its
// own, in turns. Loss and gradients of the first step must agree before anything is timed.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Competitor, compare, type Group, row, threadsOf } from "./measure.ts";
import { findPython, NO_TORCH, Peer, torchVersion, writeWeights } from "./peer.ts";
import { jobBatch, jobWeights, LEARNING_RATE, type TrainingJob } from "./training-job.ts";

/** Largest difference allowed between the losses and between the gradient norms of the first step, relative to ours. */
const TOLERANCE = 1e-3;
/** Opening a training step of HRNet-W32 may take so long. */
const OPENING_MS = 5000;

/** What is timed, and how many times as fast as PyTorch it must be. */
const JOBS: readonly (TrainingJob & { readonly target: number; readonly opening?: boolean })[] = [
  { network: "hrnet-w32", batch: 8, replicas: 1, target: 1, opening: true },
  { network: "hrnet-w32", batch: 16, replicas: 1, target: 1 },
  { network: "hrnet-w32", batch: 16, replicas: 2, target: 1 },
  { network: "lite-hrnet-18", batch: 32, replicas: 1, target: 2 },
  { network: "lite-hrnet-18", batch: 32, replicas: 2, target: 2 },
];

/** What a side tells of its first step. */
interface Opened {
  readonly parameters: number;
  readonly loss: number;
  readonly gradientNorm: number;
  readonly openMs?: number;
}

/** Writes what the peer reads. */
function writeJob(folder: string, job: TrainingJob): void {
  writeWeights(folder, jobWeights(job));
  for (const [name, { data }] of Object.entries(jobBatch(job)))
    writeFileSync(join(folder, `${name}.bin`), new Uint8Array(data.buffer));
}

function checkEqual({ network }: TrainingJob, ours: Opened, theirs: Opened): void {
  if (ours.parameters !== theirs.parameters) {
    throw new Error(`${network}: ${ours.parameters} parameters, and ${theirs.parameters} in PyTorch.`);
  }
  for (const name of ["loss", "gradientNorm"] as const) {
    if (!(Math.abs(ours[name] - theirs[name]) <= TOLERANCE * Math.abs(ours[name]))) {
      throw new Error(
        `${network}: ${name} ${ours[name]}, and ${theirs[name]} in PyTorch; nothing was timed.`,
      );
    }
  }
}

/** A side of the comparison, and what it has used. */
interface Side extends Competitor {
  readonly ask: Peer["ask"];
  /** CPUs kept busy since the last call, on average; fewer than the threads when something else runs beside. */
  readonly busy: () => Promise<number>;
  readonly megabytes: () => Promise<number>;
}

function sideOf(name: string, peer: Peer): Side {
  const { run } = peer.competitor(name, { do: "run" });
  const usage = async () =>
    (await peer.ask({ do: "usage" })) as { readonly bytes: number; readonly cpuMs: number };
  let wall = 0;
  let before = 0;
  return {
    name,
    ask: (command) => peer.ask(command),
    run: async (count) => {
      const times = await run(count);
      wall += times.reduce((sum, time) => sum + time, 0);
      return times;
    },
    busy: async () => {
      const { cpuMs } = await usage();
      const result = (cpuMs - before) / wall;
      before = cpuMs;
      wall = 0;
      return result;
    },
    megabytes: async () => (await usage()).bytes / 1e6,
  };
}

async function compareJob(
  python: string,
  { target, opening = false, ...job }: (typeof JOBS)[number],
  { threads, rounds }: { readonly threads: number; readonly rounds: number },
): Promise<Group> {
  const folder = mkdtempSync(join(tmpdir(), "hrnet-bench-"));
  const peers = [
    new Peer(process.execPath, process.execArgv, "training-process.ts"),
    new Peer(python, [], "torch/training.py"),
  ] as const;
  const [us, torch] = [sideOf("ours", peers[0]), sideOf("PyTorch", peers[1])];
  try {
    writeJob(folder, job);
    const ours = (await us.ask({ do: "open", ...job, threads })) as unknown as Opened;
    const command = { do: "open", ...job, threads, folder, learning_rate: LEARNING_RATE };
    const theirs = (await torch.ask(command)) as unknown as Opened;
    checkEqual(job, ours, theirs);
    for (const side of [us, torch]) {
      // The second step still moves memory about.
      await side.run(1);
      await side.busy();
    }
    const [step, peer] = (await compare([us, torch], { rounds, count: 1, warmUp: 0 })) as [number, number];
    const parts = job.replicas > 1 ? ` in ${job.replicas} parts` : "";
    const what = `${job.network} training, batch ${job.batch}${parts}`;
    const busy = [await us.busy(), await torch.busy()].map((cpus) => cpus.toFixed(2));
    return {
      rows: [
        row(
          `${what}, per image, against PyTorch (${threadsOf(threads)})`,
          step / job.batch,
          peer / job.batch,
          "ms",
          target,
        ),
        row(`${what}, peak memory`, await us.megabytes(), await torch.megabytes(), "MB"),
        ...(opening
          ? [row(`${what}, opening, against ${OPENING_MS / 1000} s`, ours.openMs!, OPENING_MS, "ms", 1)]
          : []),
      ],
      notes: [`${what}: on average ${busy[0]} CPUs worked for us and ${busy[1]} for PyTorch.`],
    };
  } finally {
    for (const peer of peers) peer.close();
    rmSync(folder, { recursive: true });
  }
}

/** Step times and memory of HRNet-W32 and Lite-HRNet-18; no rows and a note where there is no PyTorch. */
export async function trainingRows(threads: number, rounds: number): Promise<Group> {
  const python = findPython();
  if (!python) return { rows: [], notes: [NO_TORCH] };
  const groups: Group[] = [];
  for (const job of JOBS) groups.push(await compareJob(python, job, { threads, rounds }));
  return {
    rows: groups.flatMap(({ rows }) => rows),
    notes: [
      `Training: 256×192, float32, uint8 pictures in, JointsMSELoss, Adam, ${rounds} steps each in turns; PyTorch ` +
        `${torchVersion(python)}, train(), zero_grad(set_to_none=True). Loss and norm of the gradients of the first step ` +
        `agree within ${100 * TOLERANCE} %, where ours is in parts with PyTorch in the same parts; its timed steps are on whole ` +
        `batches. With fewer CPUs at work than threads, the machine was not quiet.`,
      ...groups.flatMap(({ notes }) => notes),
    ],
  };
}
