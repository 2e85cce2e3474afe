// What training graphs are lowered for in the tests: every formulation that this machine can run.
import type { Target } from "../../src/graph/lowering/target.ts";
import { probeChannelBlock } from "../../src/runtime/channel-block.ts";

export const PLAIN_CPU: Target = { kind: "cpu", channelBlock: 1 };
export const GPU: Target = { kind: "gpu" };

const channelBlock = await probeChannelBlock();
if (channelBlock === 1) console.log("skipping convolutions in blocks of channels: this CPU has none");

/** Targets by name. */
export const TARGETS: readonly (readonly [string, Target])[] = [
  ["a CPU without blocks", PLAIN_CPU],
  ...(channelBlock === 1
    ? []
    : [[`this CPU (blocks of ${channelBlock})`, { kind: "cpu", channelBlock }] as const]),
  ["a GPU", GPU],
];
