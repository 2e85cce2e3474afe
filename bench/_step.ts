import * as ort from "onnxruntime-node";
import { writeFileSync } from "node:fs";
import { buildNetwork, parseNetworkConfig } from "../src/models/network.ts";
import { findVariant } from "../src/models/find-variant.ts";
import { buildStep } from "../src/train/step-graph.ts";
import { jointsMse } from "../src/losses/heatmap-losses.ts";
import { input } from "../src/graph/value.ts";
import { graphToModel } from "../src/graph/onnx.ts";
import { encodeModel } from "../src/graph/onnx-proto.ts";
import { initialize } from "../src/nn/initialize.ts";
import { normalRandom, uniformRandom } from "../src/random/random.ts";
import { pack } from "../src/train/state-layout.ts";
import { VARIANTS } from "../src/models/variants.ts";

const H = Number(process.env.H ?? 256), W = Number(process.env.W ?? 192);
const name = process.argv[2] ?? "hrnet-w32"; const batch = Number(process.argv[3] ?? 8); const steps = Number(process.argv[4] ?? 4);
const level = (process.argv[5] ?? "basic") as any; const profile = process.argv[6] === "profile";
const variant = VARIANTS.find((v) => v.name === name)!;
const network = buildNetwork(parseNetworkConfig(variant.config), [Number(process.env.H ?? 256), Number(process.env.W ?? 192)], batch);
const feeds = { target: input("target", "float32", [batch, 17, H / 4, W / 4]), weight: input("weight", "float32", [batch, 17]) };
const normal = normalRandom(uniformRandom(1));
const weights = new Map([...network.parameters].map(([n, info]) => [n, initialize(info, normal)]));
let t = performance.now();
const step = buildStep({ network, feeds, normalization: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  loss: (o, f) => ({ loss: jointsMse({ heatmaps: o["heatmaps"]!, targets: f["target"]!, weights: f["weight"]! }) }),
  optimizer: { type: "adam", betas: [0.9, 0.999], epsilon: 1e-8 },
  groups: [{ names: [...network.parameters].filter(([, i]) => i.trainable).map(([n]) => n), learningRateFactor: 1, weightDecay: 0 }],
  weights, batchNormMomentum: 0.1, target: { kind: "cpu", channelBlock: Number(process.env.B ?? 16) as 16 } });
console.log("nodes", step.graph.nodes.length, "build ms", (performance.now() - t).toFixed(0)); t = performance.now();
const model = encodeModel(graphToModel(step.graph, { name: "step" }));
console.log("model MB", (model.length / 1e6).toFixed(2), "encode ms", (performance.now() - t).toFixed(0)); t = performance.now();
const session = await ort.InferenceSession.create(model, { executionProviders: ["cpu"], intraOpNumThreads: 2, graphOptimizationLevel: level, enableProfiling: profile, profileFilePrefix: "/tmp/stepprof", logSeverityLevel: 3,
  enableCpuMemArena: true, extra: { "session.intra_op.allow_spinning": "1" } } as any);
console.log("open ms", (performance.now() - t).toFixed(0), "rss", (process.memoryUsage().rss / 1e6).toFixed(0));
const state: Record<string, ort.Tensor> = {};
for (const { name, kind, vector } of step.vectors)
  state[name] = new ort.Tensor("float32", kind === "parameters" || kind === "statistics" ? pack(vector, weights).data : new Float32Array(vector.length), [vector.length]);
const image = new Uint8Array(batch * 3 * H * W).map((_, i) => (i * 7919) % 251);
const target = new Float32Array(batch * 17 * (H * W) / 16).map((_, i) => (i % 997 === 0 ? 1 : 0));
const times: number[] = [];
for (let k = 1; k <= steps; k++) {
  t = performance.now();
  const f: Record<string, ort.Tensor> = { ...state, image: new ort.Tensor("uint8", image, [batch, 3, H, W]), target: new ort.Tensor("float32", target, [batch, 17, H / 4, W / 4]), weight: new ort.Tensor("float32", new Float32Array(batch * 17).fill(1), [batch, 17]) };
  const scal: Record<string, number> = { learningRate: 1e-3, correction1: 1 / (1 - 0.9 ** k), correction2: 1 / Math.sqrt(1 - 0.999 ** k), apply: 1, averageRate: 0 };
  for (const i of step.graph.inputs) if (i.name! in scal) f[i.name!] = new ort.Tensor("float32", Float32Array.of(scal[i.name!]!), []);
  const out = await session.run(f);
  for (const [i, o] of Object.entries(step.state)) state[i] = out[o]!;
  const ms = performance.now() - t; times.push(ms);
  console.log("step", k, "loss", (out["loss"]!.data as Float32Array)[0], "norm", (out["gradientNorm"]!.data as Float32Array)[0], "ms/img", (ms / batch).toFixed(1), "rss", (process.memoryUsage().rss / 1e6).toFixed(0));
}
console.log("min ms/img", (Math.min(...times) / batch).toFixed(1));
if (profile) { session.endProfiling(); }
