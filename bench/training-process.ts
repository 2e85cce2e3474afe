// Our side of the training benchmark, in a process of its own so that its memory can be told. The commands are those of
// torch/training.py.

import { createInterface } from "node:readline";
import { type Tensor, tensor } from "../src/tensor/tensor.ts";
import type { StepResult, TrainingSession } from "../src/train/training-session.ts";
import { jobBatch, LEARNING_RATE, openJob, type TrainingJob, type TrainingSettings } from "./training-job.ts";

interface Command extends TrainingJob, TrainingSettings {
  readonly do: "open" | "run" | "usage";
  readonly count: number;
}

let session: TrainingSession | undefined;
let batch: Readonly<Record<string, Tensor>> = {};

/** One step on a batch of its own, as a loader hands it over. */
function step(): Promise<StepResult> {
  const feeds = Object.entries(batch).map(([name, { dtype, shape, data }]) => [
    name,
    tensor(dtype, shape, data.slice()),
  ]);
  return session!.run(Object.fromEntries(feeds), LEARNING_RATE);
}

async function answer(command: Command): Promise<Record<string, unknown>> {
  if (command.do === "open") {
    const { network, batch: size, replicas, threads, spinning } = command;
    const opened = await openJob(
      { network, batch: size, replicas },
      {
        ...(threads !== undefined && { threads }),
        ...(spinning !== undefined && { spinning }),
      },
    );
    session = opened.session;
    batch = jobBatch({ network, batch: size, replicas });
    const { loss, gradientNorm } = await step();
    return { parameters: opened.parameters, openMs: opened.openMs, loss, gradientNorm };
  }
  if (command.do === "usage") {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
    return { bytes: maxRSS * 1024, cpuMs: (userCPUTime + systemCPUTime) / 1000 };
  }
  const ms: number[] = [];
  for (let n = 0; n < command.count; n++) {
    const start = performance.now();
    await step();
    ms.push(performance.now() - start);
  }
  return { ms };
}

for await (const line of createInterface(process.stdin)) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Command))}\n`);
}
