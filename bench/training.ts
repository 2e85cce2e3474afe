// Training against PyTorch: whole steps of the same network, weights, batch, loss and optimizer, each side in a process of its
// own, in turns. Loss and gradients of the first step must agree before anything is timed.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare, type Group, type Row, row, threadsOf } from "./measure.ts";
import { findPython, NO_TORCH, Peer, torchVersion, writeWeights } from "./peer.ts";
import { jobBatch, jobWeights, LEARNING_RATE, type TrainingJob } from "./training-job.ts";

/** Largest difference allowed between the losses and between the gradient norms of the first step, relative to ours. */
const TOLERANCE = 1e-3;
/** Opening a training step of HRNet-W32 may take so long. */
const OPENING_MS = 5000;

/** What is timed, and how many times as fast as PyTorch it must be. */
const JOBS: readonly (TrainingJob & { readonly target: number; readonly opening?: boolean })[] = [
  { network: "hrnet-w32", batch: 8, target: 1, opening: true },
  { network: "hrnet-w32", batch: 16, target: 1 },
  { network: "lite-hrnet-18", batch: 32, target: 2 },
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

async function trainingRowsOf(
  python: string,
  { target, opening = false, ...job }: (typeof JOBS)[number],
  { threads, rounds }: { readonly threads: number; readonly rounds: number },
): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "hrnet-bench-"));
  const us = new Peer(process.execPath, process.execArgv, "training-process.ts");
  const torch = new Peer(python, [], "torch/training.py");
  const megabytes = async (peer: Peer): Promise<number> =>
    ((await peer.ask({ do: "memory" }))["bytes"] as number) / 1e6;
  try {
    writeJob(folder, job);
    const ours = (await us.ask({ do: "open", ...job, threads })) as unknown as Opened;
    const command = { do: "open", ...job, threads, folder, learning_rate: LEARNING_RATE };
    const theirs = (await torch.ask(command)) as unknown as Opened;
    checkEqual(job, ours, theirs);
    const sides = [us, torch].map((peer, index) =>
      peer.competitor(index === 0 ? "ours" : "PyTorch", { do: "run" }),
    );
    const [step, peer] = (await compare(sides, { rounds, count: 1, warmUp: 0 })) as [number, number];
    const title = `${job.network} training, batch ${job.batch}, per image, against PyTorch`;
    return [
      row(`${title} (${threadsOf(threads)})`, step / job.batch, peer / job.batch, "ms", target),
      row(`${title}: peak memory`, await megabytes(us), await megabytes(torch), "MB"),
      ...(opening
        ? [
            row(
              `${job.network} training opened, against ${OPENING_MS / 1000} s`,
              ours.openMs!,
              OPENING_MS,
              "ms",
              1,
            ),
          ]
        : []),
    ];
  } finally {
    us.close();
    torch.close();
    rmSync(folder, { recursive: true });
  }
}

/** Step times and memory of HRNet-W32 and Lite-HRNet-18; no rows and a note where there is no PyTorch. */
export async function trainingRows(threads: number, rounds: number): Promise<Group> {
  const python = findPython();
  if (!python) return { rows: [], notes: [NO_TORCH] };
  const rows = [];
  for (const job of JOBS) rows.push(...(await trainingRowsOf(python, job, { threads, rounds })));
  return {
    rows,
    notes: [
      `Training: 256×192, float32, uint8 pictures in, JointsMSELoss, Adam; PyTorch ${torchVersion(python)}, train(), ` +
        "zero_grad(set_to_none=True). Loss and norm of the gradients of the first step agree within 0.1 %.",
    ],
  };
}
