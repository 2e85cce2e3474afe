// The published pose checkpoints and pretrained backbones whose file name carries a digest, as one data table; and all published
// checkpoints together.

import {
  type CodeBase,
  digestInName,
  type PublishedBackbone,
  type PublishedCheckpoint,
  type PublishedCodec,
  type PublishedFile,
  type PublishedPose,
  type PublishedScore,
} from "./published-checkpoint.ts";
import { PUBLISHED_DETECTION } from "./published-detection.ts";
import { PUBLISHED_SEGMENTATION } from "./published-segmentation.ts";

interface Collection {
  readonly codeBase: CodeBase;
  readonly base: string;
  /** As it stands in the name of the row. */
  readonly dataset: "coco" | "mpii" | "posetrack18";
  readonly skeleton: PublishedPose["skeleton"];
  readonly score: Omit<PublishedScore, "value">;
  /** Appended to the names, for files that a newer release of the same network and codec replaces. */
  readonly suffix?: string;
}

type Size = "256x192" | "384x288" | "256x256";

/** Network, codec, height×width, score, file (without ".pth"), and a word for the name with its explanation. */
type Row = readonly [
  architecture: string,
  codec: PublishedCodec,
  size: Size,
  score: number,
  file: string,
  variant?: readonly [tag: string, notes: string],
];

const INPUTS: Readonly<Record<Size, readonly [number, number]>> = {
  "256x192": [256, 192],
  "384x288": [384, 288],
  "256x256": [256, 256],
};

const COCO_SCORE = {
  metric: "AP",
  dataset: "COCO val2017",
  boxes: "detector (person AP 56.4)",
  flipTest: true,
} as const;

/** mmpose 1.x model zoo, `configs/body_2d_keypoint/topdown_heatmap/coco/*.md`. */
const MMPOSE_1_COCO: Collection = {
  codeBase: "mmpose-1.x",
  base: "https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/",
  dataset: "coco",
  skeleton: "coco-17",
  score: COCO_SCORE,
};

const MMPOSE_1_COCO_ROWS: readonly Row[] = [
  [
    "hrnet-w32",
    "quarter-offset",
    "256x192",
    0.749,
    "td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909",
  ],
  [
    "hrnet-w32",
    "quarter-offset",
    "384x288",
    0.761,
    "td-hm_hrnet-w32_8xb64-210e_coco-384x288-ca5956af_20220909",
  ],
  [
    "hrnet-w48",
    "quarter-offset",
    "256x192",
    0.756,
    "td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913",
  ],
  [
    "hrnet-w48",
    "quarter-offset",
    "384x288",
    0.767,
    "td-hm_hrnet-w48_8xb32-210e_coco-384x288-c161b7de_20220915",
  ],
  ["hrnet-w32", "dark", "256x192", 0.757, "td-hm_hrnet-w32_dark-8xb64-210e_coco-256x192-0e00bf12_20220914"],
  ["hrnet-w32", "dark", "384x288", 0.766, "td-hm_hrnet-w32_dark-8xb64-210e_coco-384x288-9bab4c9b_20220917"],
  ["hrnet-w48", "dark", "256x192", 0.764, "td-hm_hrnet-w48_dark-8xb32-210e_coco-256x192-e1ebdd6f_20220913"],
  ["hrnet-w48", "dark", "384x288", 0.772, "td-hm_hrnet-w48_dark-8xb32-210e_coco-384x288-39c3c381_20220916"],
  ["hrnet-w32", "udp", "256x192", 0.762, "td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192-73ede547_20220914"],
  ["hrnet-w32", "udp", "384x288", 0.768, "td-hm_hrnet-w32_udp-8xb64-210e_coco-384x288-9a3f7c85_20220914"],
  ["hrnet-w48", "udp", "256x192", 0.768, "td-hm_hrnet-w48_udp-8xb32-210e_coco-256x192-3feaef8f_20220913"],
  ["hrnet-w48", "udp", "384x288", 0.773, "td-hm_hrnet-w48_udp-8xb32-210e_coco-384x288-70d7ab01_20220913"],
  [
    "hrnet-w32",
    "udp-combined",
    "256x192",
    0.759,
    "td-hm_hrnet-w32_udp-regress-8xb64-210e_coco-256x192-9c0b77b4_20220926",
  ],
  [
    "hrnet-w32",
    "quarter-offset",
    "256x192",
    0.749,
    "td-hm_hrnet-w32_fp16-8xb64-210e_coco-256x192-f1e84e3b_20220914",
    ["fp16", "trained in mixed precision"],
  ],
  [
    "simple-baseline-50",
    "quarter-offset",
    "256x192",
    0.718,
    "td-hm_res50_8xb64-210e_coco-256x192-04af38ce_20220923",
  ],
  [
    "simple-baseline-50",
    "quarter-offset",
    "384x288",
    0.731,
    "td-hm_res50_8xb64-210e_coco-384x288-7b8db90e_20220923",
  ],
  [
    "simple-baseline-101",
    "quarter-offset",
    "256x192",
    0.728,
    "td-hm_res101_8xb64-210e_coco-256x192-065d3625_20220926",
  ],
  [
    "simple-baseline-152",
    "quarter-offset",
    "256x192",
    0.736,
    "td-hm_res152_8xb32-210e_coco-256x192-0345f330_20220928",
  ],
  [
    "simple-baseline-152",
    "quarter-offset",
    "384x288",
    0.75,
    "td-hm_res152_8xb32-210e_coco-384x288-7fbb906f_20220927",
  ],
  [
    "mobilenet-v2-pose",
    "quarter-offset",
    "256x192",
    0.648,
    "td-hm_mobilenetv2_8xb64-210e_coco-256x192-55a04c35_20221016",
  ],
  [
    "mobilenet-v2-pose",
    "quarter-offset",
    "384x288",
    0.677,
    "td-hm_mobilenetv2_8xb64-210e_coco-384x288-d3ab1457_20221013",
  ],
  [
    "shufflenet-v2-pose",
    "quarter-offset",
    "256x192",
    0.602,
    "td-hm_shufflenetv2_8xb64-210e_coco-256x192-51fb931e_20221014",
  ],
  [
    "shufflenet-v2-pose",
    "quarter-offset",
    "384x288",
    0.638,
    "td-hm_shufflenetv2_8xb64-210e_coco-384x288-d30ab55c_20221014",
  ],
];

/** mmpose 0.x model zoo, `configs/body/2d_kpt_sview_rgb_img/topdown_heatmap/` (the tables of each folder). */
const MMPOSE_0_COCO: Collection = {
  codeBase: "mmpose-0.x",
  base: "https://download.openmmlab.com/mmpose/top_down/",
  dataset: "coco",
  skeleton: "coco-17",
  score: COCO_SCORE,
};

const MMPOSE_0_COCO_ROWS: readonly Row[] = [
  [
    "lite-hrnet-18",
    "quarter-offset",
    "256x192",
    0.643,
    "litehrnet/litehrnet18_coco_256x192-6bace359_20211230",
  ],
  [
    "lite-hrnet-18",
    "quarter-offset",
    "384x288",
    0.677,
    "litehrnet/litehrnet18_coco_384x288-8d4dac48_20211230",
  ],
  [
    "lite-hrnet-30",
    "quarter-offset",
    "256x192",
    0.675,
    "litehrnet/litehrnet30_coco_256x192-4176555b_20210626",
  ],
  ["lite-hrnet-30", "quarter-offset", "384x288", 0.7, "litehrnet/litehrnet30_coco_384x288-a3aef5c4_20210626"],
  ["simple-baseline-101", "quarter-offset", "384x288", 0.748, "resnet/res101_coco_384x288-8c71bdc9_20200709"],
];

const MMPOSE_0_COCO_REPLACED: Collection = { ...MMPOSE_0_COCO, suffix: "mmpose0" };

const MMPOSE_0_COCO_REPLACED_ROWS: readonly Row[] = [
  ["hrnet-w32", "quarter-offset", "256x192", 0.746, "hrnet/hrnet_w32_coco_256x192-c78dce93_20200708"],
  ["hrnet-w32", "quarter-offset", "384x288", 0.76, "hrnet/hrnet_w32_coco_384x288-d9f0d786_20200708"],
  ["hrnet-w48", "quarter-offset", "256x192", 0.756, "hrnet/hrnet_w48_coco_256x192-b9e0b3ab_20200708"],
  ["hrnet-w48", "quarter-offset", "384x288", 0.767, "hrnet/hrnet_w48_coco_384x288-314c8528_20200708"],
  ["hrnet-w32", "dark", "256x192", 0.757, "hrnet/hrnet_w32_coco_256x192_dark-07f147eb_20200812"],
  ["hrnet-w32", "dark", "384x288", 0.766, "hrnet/hrnet_w32_coco_384x288_dark-307dafc2_20210203"],
  ["hrnet-w48", "dark", "256x192", 0.764, "hrnet/hrnet_w48_coco_256x192_dark-8cba3197_20200812"],
  ["hrnet-w48", "dark", "384x288", 0.772, "hrnet/hrnet_w48_coco_384x288_dark-e881a4b6_20210203"],
  ["hrnet-w32", "udp", "256x192", 0.76, "udp/hrnet_w32_coco_256x192_udp-aba0be42_20210220"],
  ["hrnet-w32", "udp", "384x288", 0.769, "udp/hrnet_w32_coco_384x288_udp-e97c1a0f_20210223"],
  ["hrnet-w48", "udp", "256x192", 0.767, "udp/hrnet_w48_coco_256x192_udp-2554c524_20210223"],
  ["hrnet-w48", "udp", "384x288", 0.772, "udp/hrnet_w48_coco_384x288_udp-0f89c63e_20210223"],
  ["hrnet-w32", "udp-combined", "256x192", 0.758, "udp/hrnet_w32_coco_256x192_udp_regress-be2dbba4_20210222"],
  ["simple-baseline-50", "quarter-offset", "256x192", 0.718, "resnet/res50_coco_256x192-ec54d7f3_20200709"],
  ["simple-baseline-50", "quarter-offset", "384x288", 0.731, "resnet/res50_coco_384x288-e6f795e9_20200709"],
  ["simple-baseline-101", "quarter-offset", "256x192", 0.726, "resnet/res101_coco_256x192-6e6babf0_20200708"],
  ["simple-baseline-152", "quarter-offset", "256x192", 0.735, "resnet/res152_coco_256x192-f6e307c2_20200709"],
  ["simple-baseline-152", "quarter-offset", "384x288", 0.75, "resnet/res152_coco_384x288-3860d4c9_20200709"],
  [
    "mobilenet-v2-pose",
    "quarter-offset",
    "256x192",
    0.646,
    "mobilenetv2/mobilenetv2_coco_256x192-d1e58e7b_20200727",
  ],
  [
    "mobilenet-v2-pose",
    "quarter-offset",
    "384x288",
    0.673,
    "mobilenetv2/mobilenetv2_coco_384x288-26be4816_20200727",
  ],
  [
    "shufflenet-v2-pose",
    "quarter-offset",
    "256x192",
    0.599,
    "shufflenetv2/shufflenetv2_coco_256x192-0aba71c7_20200921",
  ],
  [
    "shufflenet-v2-pose",
    "quarter-offset",
    "384x288",
    0.636,
    "shufflenetv2/shufflenetv2_coco_384x288-fb38ac3a_20200921",
  ],
];

const MMPOSE_0_MPII: Collection = {
  ...MMPOSE_0_COCO,
  dataset: "mpii",
  skeleton: "mpii-16",
  score: { metric: "PCKh", dataset: "MPII val", boxes: "annotated centre and scale", flipTest: true },
};

const MMPOSE_0_MPII_ROWS: readonly Row[] = [
  ["hrnet-w32", "quarter-offset", "256x256", 0.9, "hrnet/hrnet_w32_mpii_256x256-6c4f923f_20200812"],
  ["hrnet-w48", "quarter-offset", "256x256", 0.901, "hrnet/hrnet_w48_mpii_256x256-92cab7bd_20200812"],
  ["hrnet-w32", "dark", "256x256", 0.904, "hrnet/hrnet_w32_mpii_256x256_dark-f1601c5b_20200927"],
  ["hrnet-w48", "dark", "256x256", 0.905, "hrnet/hrnet_w48_mpii_256x256_dark-0decd39f_20200927"],
  [
    "lite-hrnet-18",
    "quarter-offset",
    "256x256",
    0.859,
    "litehrnet/litehrnet18_mpii_256x256-cabd7984_20210623",
  ],
  [
    "lite-hrnet-30",
    "quarter-offset",
    "256x256",
    0.869,
    "litehrnet/litehrnet30_mpii_256x256-faae8bd8_20210622",
  ],
  ["simple-baseline-50", "quarter-offset", "256x256", 0.882, "resnet/res50_mpii_256x256-418ffc88_20200812"],
  ["simple-baseline-101", "quarter-offset", "256x256", 0.888, "resnet/res101_mpii_256x256-416f5d71_20200812"],
  ["simple-baseline-152", "quarter-offset", "256x256", 0.889, "resnet/res152_mpii_256x256-3ecba29d_20200812"],
  [
    "mobilenet-v2-pose",
    "quarter-offset",
    "256x256",
    0.854,
    "mobilenetv2/mobilenetv2_mpii_256x256-e068afa7_20200812",
  ],
  [
    "shufflenet-v2-pose",
    "quarter-offset",
    "256x256",
    0.828,
    "shufflenetv2/shufflenetv2_mpii_256x256-4fb9df2d_20200925",
  ],
];

/** Fine-tuned from COCO. Channels 1 and 2 are head_bottom and head_top instead of the eyes. */
const MMPOSE_0_POSETRACK18: Collection = {
  ...MMPOSE_0_COCO,
  dataset: "posetrack18",
  skeleton: "posetrack18-17",
  score: { metric: "mAP", dataset: "PoseTrack18 val", boxes: "ground-truth", flipTest: true },
};

const MMPOSE_0_POSETRACK18_ROWS: readonly Row[] = [
  ["hrnet-w32", "quarter-offset", "256x192", 0.83, "hrnet/hrnet_w32_posetrack18_256x192-1ee951c4_20201028"],
  ["hrnet-w32", "quarter-offset", "384x288", 0.836, "hrnet/hrnet_w32_posetrack18_384x288-806f00a3_20211130"],
  ["hrnet-w48", "quarter-offset", "256x192", 0.844, "hrnet/hrnet_w48_posetrack18_256x192-b5d9b3f1_20211130"],
  ["hrnet-w48", "quarter-offset", "384x288", 0.845, "hrnet/hrnet_w48_posetrack18_384x288-5fd6d3ff_20211130"],
];

const HRNET_PRETRAINED = "https://download.openmmlab.com/mmpose/pretrain_models/";
/** HRNet-Image-Classification's weights, which it hosts on a drive without digests itself. */
const THIRD_PARTY = "https://download.openmmlab.com/pretrain/third_party/";
const TORCHVISION = "https://download.pytorch.org/models/";

const BACKBONES: readonly PublishedBackbone[] = [
  backbone("hrnet-w32", "hrnet-imagenet", "MIT", `${HRNET_PRETRAINED}hrnet_w32-36af842e.pth`),
  backbone("hrnet-w48", "hrnet-imagenet", "MIT", `${HRNET_PRETRAINED}hrnet_w48-8ef0771d.pth`),
  ...(
    [
      ["hrnetv2-w18-small-v2", "hrnetv2_w18_small-b5a04e21"],
      ["hrnetv2-w18", "hrnetv2_w18-00eb2006"],
      ["hrnetv2-w32", "hrnetv2_w32-dc9eeb4f"],
      ["hrnetv2-w40", "hrnetv2_w40-ed0b031c"],
      ["hrnetv2-w48", "hrnetv2_w48-d2186c55"],
    ] as const
  ).map(([network, file]) => backbone(network, "hrnet-imagenet", "MIT", `${THIRD_PARTY}${file}.pth`)),
  backbone("simple-baseline-50", "torchvision", "BSD-3-Clause", `${TORCHVISION}resnet50-19c8e357.pth`),
  backbone("simple-baseline-101", "torchvision", "BSD-3-Clause", `${TORCHVISION}resnet101-5d3b4d8f.pth`),
  backbone("simple-baseline-152", "torchvision", "BSD-3-Clause", `${TORCHVISION}resnet152-b121ed2d.pth`),
];

/**
 * Every published checkpoint that can be fetched and checked. Files that their authors published without a digest
 * are not here: they can be imported from disk.
 */
export const PUBLISHED: readonly PublishedCheckpoint[] = Object.freeze([
  ...MMPOSE_1_COCO_ROWS.map((row) => pose(MMPOSE_1_COCO, row)),
  ...MMPOSE_0_COCO_ROWS.map((row) => pose(MMPOSE_0_COCO, row)),
  ...MMPOSE_0_COCO_REPLACED_ROWS.map((row) => pose(MMPOSE_0_COCO_REPLACED, row)),
  ...MMPOSE_0_MPII_ROWS.map((row) => pose(MMPOSE_0_MPII, row)),
  ...MMPOSE_0_POSETRACK18_ROWS.map((row) => pose(MMPOSE_0_POSETRACK18, row)),
  ...PUBLISHED_SEGMENTATION,
  ...PUBLISHED_DETECTION,
  ...BACKBONES,
]);

/** The published row from one line of a table. */
function pose(collection: Collection, [architecture, codec, size, value, file, variant]: Row): PublishedPose {
  const codecTag = codec === "quarter-offset" ? undefined : codec;
  const parts = [architecture, codecTag, variant?.[0], collection.dataset, size, collection.suffix];
  const url = `${collection.base}${file}.pth`;
  return {
    name: parts.filter((part) => part !== undefined).join("-"),
    architecture,
    task: "pose",
    input: INPUTS[size],
    codec,
    skeleton: collection.skeleton,
    url,
    sha256Prefix: digestInName(url),
    score: { ...collection.score, value },
    licence: "Apache-2.0",
    codeBase: collection.codeBase,
    ...(variant === undefined ? {} : { notes: variant[1] }),
  };
}

function backbone(
  architecture: string,
  codeBase: CodeBase,
  licence: PublishedFile["licence"],
  url: string,
): PublishedBackbone {
  const name = `${architecture}-imagenet-backbone`;
  return { name, architecture, task: "backbone", url, sha256Prefix: digestInName(url), licence, codeBase };
}
