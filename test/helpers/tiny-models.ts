// Networks small enough to import, export and run in milliseconds, with random weights.
import { buildNetwork, type NetworkConfig, parseNetworkConfig } from "../../src/models/network.ts";
import { initialize } from "../../src/nn/initialize.ts";
import { normalRandom, uniformRandom } from "../../src/random/random.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

const stages = [2, 3, 4].map((branches) => ({
  modules: 1,
  blocks: Array<number>(branches).fill(1),
  channels: Array.from({ length: branches }, (_, b) => 2 * 2 ** b),
}));

/** An HRNet of two channels with the given head. */
export function tinyHRNet(head: object, more: object = {}): NetworkConfig {
  return parseNetworkConfig({
    family: "hrnet",
    stem: 4,
    stage1: { blocks: 1, planes: 2 },
    stages,
    head,
    ...more,
  });
}

/** A Lite-HRNet of eight channels with the given head. */
export const tinyLite = (head: object): NetworkConfig =>
  parseNetworkConfig({
    family: "lite-hrnet",
    stem: { channels: 8, out: 8, expand: 1 },
    stages: [2, 3, 4].map((branches) => ({
      modules: 1,
      blocks: 1,
      channels: Array.from({ length: branches }, (_, b) => 8 * 2 ** b),
    })),
    block: { type: "weighting" },
    head,
  });

/** A pose HRNet of two channels. */
export const tinyPose = (channels = 17): NetworkConfig => tinyHRNet({ type: "heatmap", channels });

/** A segmentation HRNet of eight channels. */
export const tinySegmentation = (classes: number): NetworkConfig =>
  parseNetworkConfig({
    family: "hrnet",
    stem: 8,
    stage1: { blocks: 1, planes: 4 },
    stages: stages.map(({ channels, ...stage }) => ({
      ...stage,
      channels: channels.map((width) => 4 * width),
    })),
    upsample: "bilinear-align-corners",
    head: { type: "v2", channels: classes },
  });

/** A SimpleBaseline of a few channels. */
export const tinyBaseline = (channels = 17): NetworkConfig =>
  parseNetworkConfig({
    family: "simple-baseline",
    block: "basic",
    layers: [1, 1, 1, 1],
    planes: [4, 4, 4, 4],
    head: { channels, filters: [4, 4, 4] },
  });

/** Weights of a network: convolutions wide enough to matter (not their initialisers' 0.001), statistics not trivial. */
export function randomWeights(config: NetworkConfig, seed = 1): Map<string, Tensor> {
  const normal = normalRandom(uniformRandom(seed));
  return new Map(
    [...buildNetwork(config, [64, 64]).parameters].map(([name, info]) => {
      if (info.value.dtype === "int64") return [name, tensor("int64", [], BigInt64Array.of(7n))];
      if (info.value.shape.length === 0) return [name, tensor("float32", [], Float32Array.of(1))];
      const vector = info.value.shape.length === 1;
      const init = vector
        ? ({ kind: "normal", std: 0.3 } as const)
        : ({ kind: "kaiming-normal", fan: "in" } as const);
      const weight = initialize({ ...info, init }, normal);
      const data = weight.data as Float32Array;
      const shift = name.endsWith("running_var") || (vector && name.endsWith("weight")) ? 1 : 0;
      for (let i = 0; i < data.length; i++)
        data[i] = Math.abs(shift + data[i]!) * (shift === 1 ? 1 : Math.sign(data[i]!));
      return [name, weight];
    }),
  );
}
