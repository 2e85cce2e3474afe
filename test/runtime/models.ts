// Tiny ONNX models for the tests of the runtime, written with our own writer.
import {
  AttributeType,
  DataType,
  type NodeProto,
  type ValueInfoProto,
} from "../../src/graph/onnx-messages.ts";
import { encodeModel, tensorToProto } from "../../src/graph/onnx-proto.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

export function value(
  name: string,
  shape: readonly (number | string)[],
  elemType: number = DataType.FLOAT,
): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === "string" ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

export function model(
  node: readonly NodeProto[],
  input: readonly ValueInfoProto[],
  output: readonly ValueInfoProto[],
  initializer: Readonly<Record<string, Tensor>> = {},
): Uint8Array {
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "test",
      node,
      input,
      output,
      initializer: Object.entries(initializer).map(([name, data]) => tensorToProto(name, data)),
    },
    metadataProps: [{ key: "purpose", value: "test" }],
  });
}

/** y = a + b, any batch of 3. */
export const ADD = model(
  [{ opType: "Add", input: ["a", "b"], output: ["y"] }],
  [value("a", ["batch", 3]), value("b", ["batch", 3])],
  [value("y", ["batch", 3])],
);

/** A 3×3 convolution that sums each neighbourhood: 1×1×4×4 to 1×1×4×4. */
export const CONV = model(
  [
    {
      opType: "Conv",
      input: ["x", "w"],
      output: ["y"],
      attribute: [{ name: "pads", type: AttributeType.INTS, ints: [1, 1, 1, 1] }],
    },
  ],
  [value("x", [1, 1, 4, 4])],
  [value("y", [1, 1, 4, 4])],
  { w: tensor("float32", [1, 1, 3, 3], new Float32Array(9).fill(1)) },
);

/** Some hundred milliseconds of matrix products; the result is all ones. */
const SLOW_SIZE = 1024;
const SLOW_STEPS = 16;
export const SLOW = model(
  Array.from({ length: SLOW_STEPS }, (_, step) => ({
    opType: "MatMul",
    input: [step === 0 ? "x" : `h${step - 1}`, "w"],
    output: [step === SLOW_STEPS - 1 ? "y" : `h${step}`],
  })),
  [value("x", [SLOW_SIZE, SLOW_SIZE])],
  [value("y", [SLOW_SIZE, SLOW_SIZE])],
  { w: tensor("float32", [SLOW_SIZE, SLOW_SIZE], new Float32Array(SLOW_SIZE ** 2).fill(1 / SLOW_SIZE)) },
);
export const slowFeeds = () => ({
  x: tensor("float32", [SLOW_SIZE, SLOW_SIZE], new Float32Array(SLOW_SIZE ** 2).fill(1)),
});

/** Reshapes 6 elements to a shape given at run time: fails inside the engine when they do not fit. */
export const RESHAPE = model(
  [{ opType: "Reshape", input: ["x", "shape"], output: ["y"] }],
  [value("x", [6]), value("shape", ["rank"], DataType.INT64)],
  [value("y", ["m", "n"])],
);

export const UNKNOWN_OPERATOR = model(
  [{ opType: "Transmogrify", input: ["x"], output: ["y"] }],
  [value("x", [1])],
  [value("y", [1])],
);
