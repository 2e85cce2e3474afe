// Cast between dtypes.

import type { DType } from "../../tensor/tensor.ts";
import { DATA_TYPE_OF, dtypeOf } from "../onnx-proto.ts";
import { defineOperator, emitOne, numberOf } from "../operator.ts";
import type { Value } from "../value.ts";

/** ONNX Cast; attribute `to` is a TensorProto.DataType. */
export const Cast = defineOperator({
  type: "Cast",
  attributeKinds: { to: "int" },
  infer: (inputs, attributes) => [{ dtype: dtypeOf(numberOf(attributes, "to", 0)), shape: inputs[0]!.shape }],
  gradient: ({ node, gradients: [dy] }) => [cast(dy!, node.inputs[0]!.dtype)],
});

/** x as `dtype`; x itself when it already is. */
export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : emitOne(Cast, [x], { to: DATA_TYPE_OF[dtype] });
}

/** ⌊x⌋ of float32 numbers that are not negative. */
export const wholePart = (x: Value): Value => cast(cast(x, "int64"), "float32");
