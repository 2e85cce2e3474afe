// Every named network as a row: its configuration, its published input and figures.

import type { NetworkConfigInput } from "./network.ts";

/** What a network is for. */
export type Task = "pose" | "segmentation" | "classification" | "detection";

/** How a paper counted its figures; the rules are in complexity.ts. */
export type Convention = "hrnet" | "hrnet-decimal" | "torchstat" | "mmcv" | "binary-macs" | "binary-all";

/** Figures as printed in a paper or its repository. */
export interface PaperFigures {
  /** Millions of parameters. */
  readonly params: number;
  /** "GFLOPs" in the unit and by the rules of `convention`. */
  readonly gflops: number;
  readonly convention: Convention;
  readonly source: string;
}

/** A named network. */
export interface Variant {
  readonly name: string;
  readonly task: Task;
  /** Height and width in pixels. */
  readonly input: readonly [number, number];
  readonly config: NetworkConfigInput;
  readonly paper: PaperFigures | null;
  readonly note?: string;
}

type HRNetInput = Extract<NetworkConfigInput, { family: "hrnet" }>;
type LiteInput = Extract<NetworkConfigInput, { family: "lite-hrnet" }>;

/** Widths of two, three, four branches: C, 2C, 4C, 8C. */
function stages(
  width: number,
  blocks: number,
  modules: readonly [number, number, number],
): HRNetInput["stages"] {
  return modules.map((count, index) => ({
    modules: count,
    blocks: Array<number>(index + 2).fill(blocks),
    channels: Array.from({ length: index + 2 }, (_, b) => width * 2 ** b),
  }));
}

/** The body of an HRNet: everything but the head. */
type Body = Omit<HRNetInput, "head">;

/** HRNet-W`width`: modules 1, 4, 3; four blocks per branch; four bottlenecks in stage 1 (Wang et al. 2020, §III). */
function body(width: number): Body {
  return { family: "hrnet", stage1: { blocks: 4, planes: 64 }, stages: stages(width, 4, [1, 4, 3]) };
}

/** The two small networks of the classification and segmentation code. */
const SMALL_V1: Body = {
  family: "hrnet",
  stage1: { blocks: 1, planes: 32 },
  stages: stages(16, 2, [1, 1, 1]),
};
const SMALL_V2: Body = {
  family: "hrnet",
  stage1: { blocks: 2, planes: 64 },
  stages: stages(18, 2, [1, 3, 2]),
};

const WIDTHS = [18, 30, 32, 40, 44, 48, 64] as const;

/** Name suffix and body of every size. */
const SIZES: readonly (readonly [string, Body])[] = [
  ...WIDTHS.map((width) => [`w${width}`, body(width)] as const),
  ["w18-small-v1", SMALL_V1],
  ["w18-small-v2", SMALL_V2],
];

const TPAMI = "Wang et al. 2020 (arXiv:1908.07919)";
const LITE = "Yu et al. 2021 (arXiv:2104.06403), released README";
const HIGHER_PAPER = "Cheng et al. 2020 (arXiv:1908.10357)";
const SB = "Xiao et al. 2018 (arXiv:1804.06208)";

function paper(
  params: number,
  gflops: number,
  source = TPAMI,
  convention: Convention = "hrnet",
): PaperFigures {
  return { params, gflops, convention, source };
}

/** 17 COCO keypoints. */
const COCO_KEYPOINTS = 17;
/** Cityscapes classes. */
const CITYSCAPES_CLASSES = 19;

const POSE_PAPER: Readonly<Record<string, PaperFigures>> = {
  w32: paper(28.5, 7.1),
  w48: paper(63.6, 14.6),
};

const POSE: readonly Variant[] = [
  ...SIZES.map(
    ([size, base]): Variant => ({
      name: `hrnet-${size}`,
      task: "pose",
      input: [256, 192],
      config: { ...base, head: { type: "heatmap", channels: COCO_KEYPOINTS } },
      paper: POSE_PAPER[size] ?? null,
    }),
  ),
  {
    name: "small-hrnet-w16",
    task: "pose",
    input: [256, 192],
    config: { ...SMALL_V1, head: { type: "heatmap", channels: COCO_KEYPOINTS } },
    paper: paper(1.3, 0.54, "Yu et al. 2021 (arXiv:2104.06403)"),
    note: "the network of hrnet-w18-small-v1 under the Lite-HRNet paper's name",
  },
];

const SEGMENTATION: readonly Variant[] = SIZES.flatMap(([size, base]): Variant[] => {
  const seg = { ...base, upsample: "bilinear" } as const;
  const published: Readonly<Record<string, PaperFigures>> = {
    w40: paper(45.2, 493.2),
    w48: paper(65.9, 696.2),
    "w18-small-v1": paper(1.5, 31.1),
    "w18-small-v2": paper(3.9, 71.6),
  };
  return [
    {
      name: `hrnetv2-${size}`,
      task: "segmentation",
      input: [1024, 2048],
      config: { ...seg, head: { type: "v2", channels: CITYSCAPES_CLASSES } },
      paper: published[size] ?? null,
      ...(size === "w40" && { note: "no released configuration gives the paper's figures for W40" }),
    },
    {
      name: `hrnetv1h-${size}`,
      task: "segmentation",
      input: [1024, 2048],
      config: { ...seg, head: { type: "v1h", channels: CITYSCAPES_CLASSES } },
      paper: null,
    },
  ];
});

/** OCR on W48 is the official code's; the others are mmsegmentation's, on the same head. */
const OCR: readonly Variant[] = SIZES.filter(([size]) => ["w18", "w48", "w18-small-v2"].includes(size)).map(
  ([size, base]) => ({
    name: `hrnetv2-${size}-ocr`,
    task: "segmentation",
    input: [1024, 2048],
    config: {
      ...base,
      upsample: "bilinear-align-corners",
      head: { type: "ocr", channels: CITYSCAPES_CLASSES },
    },
    paper: size === "w48" ? paper(70.3, 1206.3, "HRNet-Semantic-Segmentation, branch HRNet-OCR") : null,
  }),
);

const CLASSIFICATION_PAPER: Readonly<Record<string, PaperFigures>> = {
  w18: paper(21.3, 3.99),
  w30: paper(37.7, 7.55),
  w32: paper(41.2, 8.31),
  w40: paper(57.6, 11.8),
  w44: paper(67.1, 13.9),
  w48: paper(77.5, 16.1),
  w64: paper(128.1, 26.9),
  "w18-small-v1": paper(13.2, 1.49, "HRNet-Image-Classification README"),
  "w18-small-v2": paper(15.6, 2.42, "HRNet-Image-Classification README"),
};

const CLASSIFICATION: readonly Variant[] = SIZES.map(([size, base]) => ({
  name: `hrnet-${size}-c`,
  task: "classification",
  input: [224, 224],
  config: { ...base, head: { type: "classification", channels: 1000 } },
  paper: CLASSIFICATION_PAPER[size] ?? null,
}));

const DETECTION: readonly Variant[] = WIDTHS.filter((width) => [18, 32, 40, 48].includes(width)).map(
  (width) => ({
    name: `hrnetv2p-w${width}`,
    task: "detection",
    input: [800, 1216],
    config: { ...body(width), head: { type: "fpn" } },
    paper: null,
    note: "backbone and HRFPN neck",
  }),
);

/** 80 COCO classes. */
const COCO_CLASSES = 80;

const FCOS: readonly Variant[] = (
  [
    [18, paper(17.5, 180.3, TPAMI, "mmcv")],
    [32, paper(37.3, 273.3, TPAMI, "mmcv")],
    [40, null],
  ] as const
).map(([width, figures]) => ({
  name: `fcos-hrnetv2p-w${width}`,
  task: "detection",
  input: [800, 1216],
  config: { ...body(width), head: { type: "fcos", channels: COCO_CLASSES } },
  paper: figures,
}));

type RegionHead = Omit<Extract<HRNetInput["head"], { type: "rcnn" }>, "type" | "channels">;

/** Things and stuff of COCO. */
const COCO_STUFF_CLASSES = 183;

/** Frameworks of TPAMI Table VII: name, head, and the figures on W18, W32 and W48. */
const REGION_FRAMEWORKS: readonly (readonly [
  string,
  RegionHead,
  Convention,
  readonly (readonly [number, number] | null)[],
])[] = [
  [
    "faster-rcnn",
    {},
    "binary-all",
    [
      [26.2, 159.1],
      [45.0, 245.3],
      [79.4, 399.1],
    ],
  ],
  ["mask-rcnn", { masks: "plain" }, "mmcv", [[30.1, 247.9], [49.9, 341.0], null]],
  [
    "cascade-rcnn",
    { stages: 3 },
    "mmcv",
    [
      [55.1, 207.8],
      [74.9, 300.8],
      [111.0, 466.5],
    ],
  ],
  [
    "cascade-mask-rcnn",
    { stages: 3, masks: "plain" },
    "mmcv",
    [
      [63.1, 413.1],
      [82.9, 506.2],
      [118.9, 671.9],
    ],
  ],
  [
    "htc",
    { stages: 3, masks: "flow", semantic: COCO_STUFF_CLASSES },
    "mmcv",
    [
      [66.1, 458.3],
      [85.9, 551.4],
      [121.9, 717.0],
    ],
  ],
];

const REGIONS: readonly Variant[] = REGION_FRAMEWORKS.flatMap(([name, head, convention, figures]) =>
  [18, 32, 48, 40].map((width, at): Variant => {
    const printed = figures[at];
    return {
      name: `${name}-hrnetv2p-w${width}`,
      task: "detection",
      input: [800, 1216],
      config: { ...body(width), head: { type: "rcnn", channels: COCO_CLASSES, ...head } },
      paper: printed ? paper(...printed, TPAMI, convention) : null,
    };
  }),
);

const CENTERNET: readonly Variant[] = (
  [
    [48, paper(73.6, 217.1, TPAMI, "mmcv")],
    [64, paper(127.7, 318.5, TPAMI, "mmcv")],
  ] as const
).map(([width, figures]) => ({
  name: `centernet-hrnetv2-w${width}`,
  task: "detection",
  input: [512, 512],
  config: { ...body(width), head: { type: "centernet", channels: COCO_CLASSES } },
  paper: figures,
  note: "how the paper joins HRNet's branches to the heads is not published",
}));

const HIGHER: readonly Variant[] = ([32, 48] as const).map((width) => ({
  name: `higher-hrnet-w${width}`,
  task: "pose",
  input: [width === 32 ? 512 : 640, width === 32 ? 512 : 640],
  config: { ...body(width), head: { type: "higher", channels: COCO_KEYPOINTS, tags: COCO_KEYPOINTS } },
  paper:
    width === 32
      ? paper(28.6, 47.9, HIGHER_PAPER, "hrnet-decimal")
      : paper(63.8, 154.3, HIGHER_PAPER, "hrnet-decimal"),
  note: "network only; bottom-up grouping is not part of the pose pipeline",
}));

/** Blocks per ResNet stage (He et al. 2016, Table 1). */
const RESNETS = [
  [50, [3, 4, 6, 3], paper(34.0, 8.9, SB)],
  [101, [3, 4, 23, 3], paper(53.0, 12.4, SB)],
  [152, [3, 8, 36, 3], paper(68.6, 15.7, SB)],
] as const;

const DECONV: readonly Variant[] = [
  ...RESNETS.map(
    ([depth, layers, figures]): Variant => ({
      name: `simple-baseline-${depth}`,
      task: "pose",
      input: [256, 192],
      config: {
        family: "simple-baseline",
        block: "bottleneck",
        layers: [...layers],
        head: { channels: COCO_KEYPOINTS },
      },
      paper: figures,
    }),
  ),
  {
    name: "mobilenet-v2-pose",
    task: "pose",
    input: [256, 192],
    config: { family: "mobilenet-v2-pose", head: { channels: COCO_KEYPOINTS } },
    paper: paper(9.6, 1.48, "Yu et al. 2021 (arXiv:2104.06403)", "binary-macs"),
  },
  {
    name: "shufflenet-v2-pose",
    task: "pose",
    input: [256, 192],
    config: { family: "shufflenet-v2-pose", head: { channels: COCO_KEYPOINTS } },
    paper: paper(7.6, 1.28, "Yu et al. 2021 (arXiv:2104.06403)", "binary-macs"),
  },
];

/** Lite-HRNet stages: branch channels c, 2c, 4c, 8c; two blocks per module. */
function lite(
  width: number,
  modules: readonly [number, number, number],
  block: LiteInput["block"],
): LiteInput {
  return {
    family: "lite-hrnet",
    stages: modules.map((count, index) => ({
      modules: count,
      channels: Array.from({ length: index + 2 }, (_, b) => width * 2 ** b),
    })),
    block,
    head: { channels: COCO_KEYPOINTS },
  };
}

const M18 = [2, 4, 2] as const;
const M30 = [3, 8, 3] as const;
const shuffle = (pointwise: number): LiteInput["block"] => ({ type: "shuffle", pointwise });

const LITE_ROWS: readonly (readonly [string, LiteInput, PaperFigures | null, string?])[] = [
  ["lite-hrnet-18", lite(40, M18, { type: "weighting" }), paper(1.1, 0.2052, LITE, "torchstat")],
  ["lite-hrnet-30", lite(40, M30, { type: "weighting" }), paper(1.8, 0.3192, LITE, "torchstat")],
  ["naive-lite-hrnet-18", lite(30, M18, shuffle(2)), paper(0.7, 0.1948, LITE, "torchstat")],
  ["wider-naive-lite-hrnet-18", lite(40, M18, shuffle(2)), paper(1.3, 0.3111, LITE, "torchstat")],
  ["wider-naive-lite-hrnet-18-one-pointwise", lite(40, M18, shuffle(1)), null, "ablation: one 1×1 dropped"],
  ["wider-naive-lite-hrnet-18-no-pointwise", lite(40, M18, shuffle(0)), null, "ablation: both 1×1 dropped"],
  [
    "lite-hrnet-18-spatial",
    lite(40, M18, { type: "weighting", crossResolution: false }),
    null,
    "ablation: spatial weights only",
  ],
  [
    "lite-hrnet-18-cross-resolution",
    lite(40, M18, { type: "weighting", spatial: false }),
    null,
    "ablation: cross-resolution weights only",
  ],
];

const LITE_VARIANTS: readonly Variant[] = LITE_ROWS.map(([name, config, figures, note]) => ({
  name,
  task: "pose",
  input: [256, 192],
  config,
  paper: figures,
  ...(note !== undefined && { note }),
}));

/** The paper's networks on Cityscapes, whose code was not released and whose head it does not describe. */
const LITE_SEGMENTATION: readonly Variant[] = (
  [
    ["lite-hrnet-18", M18],
    ["lite-hrnet-30", M30],
  ] as const
).map(([name, modules]) => ({
  name: `${name}-seg`,
  task: "segmentation",
  input: [512, 1024],
  config: {
    ...lite(40, modules, { type: "weighting" }),
    head: { type: "segmentation", channels: CITYSCAPES_CLASSES },
  },
  paper: null,
  note: "a 1×1 convolution on the pose network's features; the paper does not describe its head",
}));

const LITE_FCOS: readonly Variant[] = [
  {
    name: "fcos-lite-hrnet-18",
    task: "detection",
    input: [416, 416],
    config: {
      ...lite(40, M18, { type: "weighting" }),
      head: { type: "fcos", channels: COCO_CLASSES, convs: 2, neck: { channels: 64, levels: 5 } },
    },
    paper: null,
    note: "a small detector of this project: FCOS on the pose network's branches",
  },
];

const HEATMAPS = { type: "heatmap", channels: COCO_KEYPOINTS } as const;

/** `count` modules of `branches` parallel streams at one width in three stages of 1, 4, 3 modules. */
function sameStreams(width: number, branches: number): HRNetInput["stages"] {
  return [1, 4, 3].map((modules) => ({
    modules,
    blocks: Array<number>(branches).fill(4),
    channels: Array.from({ length: branches }, (_, b) => width * 2 ** b),
  }));
}

/**
 * The ablations of TPAMI §VII on W32. The paper does not print the channels of `parallel-streams` and `single-stream`:
 * the widths here are those whose multiply-adds come nearest to W32's.
 */
const ABLATIONS: readonly Variant[] = (
  [
    ["final-fusion", { ...body(32), fusion: "final", head: HEATMAPS }, "one exchange, after the last module"],
    ["across-fusion", { ...body(32), fusion: "across", head: HEATMAPS }, "exchange at the end of each stage"],
    [
      "bilinear-downsampling",
      { ...body(32), downsample: "bilinear", head: HEATMAPS },
      "1×1 conv and bilinear reduction",
    ],
    ["product-fusion", { ...body(32), fuse: "product", head: HEATMAPS }, "maps multiplied instead of added"],
    [
      "parallel-streams",
      { ...body(32), stages: sameStreams(26, 4), head: HEATMAPS },
      "all four streams from the start",
    ],
    [
      "single-stream",
      { ...body(32), stages: sameStreams(59, 1), head: HEATMAPS },
      "one high-resolution stream",
    ],
    [
      "heatmap-per-resolution",
      { ...body(32), head: { type: "heatmap-per-resolution", channels: COCO_KEYPOINTS } },
      "a predictor on each branch",
    ],
  ] as const satisfies readonly (readonly [string, HRNetInput, string])[]
).map(([name, config, note]) => ({
  name: `hrnet-w32-${name}`,
  task: "pose",
  input: [256, 192],
  config,
  paper: null,
  note: `ablation: ${note}`,
}));

/** Every named network. */
export const VARIANTS: readonly Variant[] = [
  ...POSE,
  ...LITE_VARIANTS,
  ...LITE_SEGMENTATION,
  ...LITE_FCOS,
  ...DECONV,
  ...HIGHER,
  ...ABLATIONS,
  ...SEGMENTATION,
  ...OCR,
  ...CLASSIFICATION,
  ...DETECTION,
  ...FCOS,
  ...REGIONS,
  ...CENTERNET,
];
