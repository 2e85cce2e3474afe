// Every operator family, so that reading a model knows them all.

import "./ops/blocked.ts";
import "./ops/broadcast.ts";
import "./ops/cast.ts";
import "./ops/conv.ts";
import "./ops/elementwise.ts";
import "./ops/linear.ts";
import "./ops/normalization.ts";
import "./ops/pool.ts";
import "./ops/resize.ts";
import "./ops/roi-align.ts";
import "./ops/scatter.ts";
import "./ops/select.ts";
import "./ops/shape.ts";

export { findOperator, registeredOperators } from "./operator.ts";
