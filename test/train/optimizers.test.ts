// The optimizers' formulas on given gradients against torch.optim in double precision.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input } from "../../src/graph/value.ts";
import { openSession } from "../../src/runtime/node.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { type Optimizer, optimize, slotsOf } from "../../src/train/optimizers.ts";
import { maxDifference } from "../helpers/near.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";
import { PLAIN_CPU } from "../helpers/targets.ts";

const arrays = readFixtureTensors(fixture("optim", "optim.safetensors"));
const { configs, param_order } = JSON.parse(readFileSync(fixture("optim", "optim.json"), "utf8")) as {
  configs: Record<string, { lr: number; weight_decay?: number; momentum?: number; nesterov?: boolean }>;
  param_order: readonly string[];
};

/** All parameters in one vector, as a step has them. */
const vector = (prefix: string): Float32Array =>
  Float32Array.from(param_order.flatMap((name) => [...arrays[`${prefix}.${name}`]!.values]));

const betas = [0.9, 0.999] as const;
const sgd = (momentum = 0, nesterov = false): Optimizer => ({ type: "sgd", momentum, nesterov });
const OPTIMIZERS: Record<string, Optimizer> = {
  adam: { type: "adam", betas, epsilon: 1e-8 },
  adam_wd: { type: "adam", betas, epsilon: 1e-8 },
  adamw: { type: "adamw", betas, epsilon: 1e-8 },
  sgd: sgd(),
  sgd_mom_wd: sgd(0.9),
  sgd_nesterov: sgd(0.9, true),
};

test.each(Object.entries(OPTIMIZERS))(
  "%s: six steps, a tenth of the rate from the fifth on",
  async (name, optimizer) => {
    const { lr, weight_decay: weightDecay = 0 } = configs[name]!;
    const start = vector("init");
    const own = (label: string) => input(label, "float32", [start.length]);
    const number = (label: string) => input(label, "float32", []);
    const names = slotsOf(optimizer);
    const inputs = {
      parameters: own("parameters"),
      gradients: own("gradients"),
      learningRate: number("learningRate"),
      correction1: number("correction1"),
      correction2: number("correction2"),
    };
    const slots = names.map(own);
    const { learningRate, correction1, correction2 } = inputs;
    const updated = optimize(optimizer, {
      parameters: inputs.parameters,
      gradients: inputs.gradients,
      slots,
      weightDecay,
      scalars: { learningRate, correction1, correction2 },
    });
    const outputs = {
      next: updated.parameters,
      ...Object.fromEntries(names.map((n, i) => [`next.${n}`, updated.slots[i]!])),
    };
    const adam = optimizer.type !== "sgd";
    const used = [
      inputs.parameters,
      inputs.gradients,
      learningRate,
      ...(adam ? [correction1, correction2] : []),
      ...slots,
    ];
    const graph = lower(createGraph(used, outputs), PLAIN_CPU);
    await using session = await openSession(encodeModel(graphToModel(graph, { name: "optimizer" })), {
      device: "cpu",
      threads: 1,
    });

    const scalar = (value: number) => tensor("float32", [], Float32Array.of(value));
    const full = (data: Float32Array) => tensor("float32", [start.length], data);
    let parameters = start;
    let state = names.map(() => new Float32Array(start.length));
    for (let t = 1; t <= 6; t++) {
      const result = await session.run({
        parameters: full(parameters),
        gradients: full(vector(`grad${t - 1}`)),
        learningRate: scalar(t < 5 ? lr : lr / 10),
        ...(adam && {
          correction1: scalar(1 / (1 - betas[0] ** t)),
          correction2: scalar(1 / Math.sqrt(1 - betas[1] ** t)),
        }),
        ...Object.fromEntries(names.map((n, i) => [n, full(state[i]!)])),
      });
      parameters = result["next"]!.data as Float32Array<ArrayBuffer>;
      state = names.map((n) => result[`next.${n}`]!.data as Float32Array<ArrayBuffer>);
      const reference = vector(`${name}.step${t}`);
      const error = reference.map((value, i) => (parameters[i]! - value) / Math.max(1, Math.abs(value)));
      expect(maxDifference(error, new Float32Array(error.length)), `step ${t}`).toBeLessThan(1e-6);
    }
  },
);
