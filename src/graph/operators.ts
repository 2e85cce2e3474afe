// Every operator family, so that reading a model knows them all.

import "./ops/cast.ts";
import "./ops/conv.ts";
import "./ops/elementwise.ts";
import "./ops/linear.ts";
import "./ops/normalization.ts";
import "./ops/pool.ts";
import "./ops/resize.ts";
import "./ops/shape.ts";

export { findOperator } from "./operator.ts";
