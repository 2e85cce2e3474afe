// Scopes: where parameters get their names. A scope's path is the PyTorch module path, so that the names of our
// parameters are the state-dict keys of the published checkpoints.

import { HRNetError } from "../errors.ts";
import { parameter, type Value } from "../graph/value.ts";
import type { DType } from "../tensor/tensor.ts";
import type { Initializer } from "./init.ts";

/** A parameter or buffer of a network, as its state dict lists it. */
export interface ParameterInfo {
  readonly value: Value;
  /** How it starts when a network is trained from scratch. */
  readonly init: Initializer;
  /** Whether training changes it by gradient; false for running statistics and counters. */
  readonly trainable: boolean;
  /** How often one forward pass of the original code calls the module it belongs to: running statistics move as often. */
  readonly calls: number;
}

/** All parameters and buffers of a network by state-dict key, in order of creation. */
export type ParameterMap = Map<string, ParameterInfo>;

/** A place in the module tree. */
export class Scope {
  readonly parameters: ParameterMap;
  readonly path: string;
  readonly #calls: number;
  readonly #shared: boolean;

  constructor(parameters: ParameterMap = new Map(), path = "", calls = 1, shared = false) {
    this.parameters = parameters;
    this.path = path;
    this.#calls = calls;
    this.#shared = shared;
  }

  /** The scope `names` below this one: `scope.child("branches", 0)`. */
  child(...names: (string | number)[]): Scope {
    return new Scope(
      this.parameters,
      [this.path, ...names].filter((name) => name !== "").join("."),
      this.#calls,
      this.#shared,
    );
  }

  /** This scope for modules that the original code calls `calls` times in one forward pass, each time on the same input. */
  called(calls: number): Scope {
    return new Scope(this.parameters, this.path, calls, this.#shared);
  }

  /** This scope for modules that are used on several inputs: from the second time on, parameters are those of the first. */
  shared(): Scope {
    return new Scope(this.parameters, this.path, this.#calls, true);
  }

  /** A trainable parameter. */
  parameter(name: string, shape: readonly number[], init: Initializer): Value {
    return this.#register(name, "float32", shape, init, true);
  }

  /** State that is stored and loaded, and not trained by gradient. */
  buffer(name: string, shape: readonly number[], init: Initializer, dtype: DType = "float32"): Value {
    return this.#register(name, dtype, shape, init, false);
  }

  #register(
    name: string,
    dtype: DType,
    shape: readonly number[],
    init: Initializer,
    trainable: boolean,
  ): Value {
    const key = this.child(name).path;
    const known = this.parameters.get(key);
    if (known && this.#shared && known.value.shape.join() === shape.join()) return known.value;
    if (known) {
      throw new HRNetError(
        "invalid-config",
        `Two parts of the network are named ${key}; scopes must be distinct.`,
      );
    }
    const value = parameter(key, dtype, shape);
    this.parameters.set(key, { value, init, trainable, calls: this.#calls });
    return value;
  }
}
