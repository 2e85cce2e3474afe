// Initialisers: how parameters start when nothing is loaded, as data that a trainer carries out.

/** A rule that fills a fresh parameter. */
export type Initializer =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "kaiming-normal"; readonly fan: "in" | "out" }
  | { readonly kind: "xavier-normal"; readonly fan: "in" | "mean" };

/** All 0: biases, running means, counters. */
export const ZEROS: Initializer = { kind: "constant", value: 0 };
/** All 1: scales and running variances of batch normalisation. */
export const ONES: Initializer = { kind: "constant", value: 1 };
/** N(0, 0.001²): every convolution of the official pose, segmentation and Lite-HRNet code (`init_weights`). */
export const NORMAL_001: Initializer = { kind: "normal", std: 0.001 };
/** Kaiming normal, fan out, ReLU: the official classification and detection code. */
export const KAIMING_OUT: Initializer = { kind: "kaiming-normal", fan: "out" };
/** N(0, 0.01²): heads of detectors. */
export const NORMAL_01: Initializer = { kind: "normal", std: 0.01 };
/** Variance 1/fan in: necks (`caffe2_xavier_init` of mmcv, there from a uniform distribution). */
export const XAVIER_IN: Initializer = { kind: "xavier-normal", fan: "in" };
/** Variance 2/(fan in + fan out): linear layers (`xavier_init` of mmcv, there from a uniform distribution). */
export const XAVIER: Initializer = { kind: "xavier-normal", fan: "mean" };
