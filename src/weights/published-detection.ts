// The published detection checkpoints whose file name carries a digest, as one data table.

import { digestInName, type PublishedDetection } from "./published-checkpoint.ts";

const BASE = "https://download.openmmlab.com/mmdetection/v2.0/hrnet/";

/** Network, schedule in the name, box AP, config, time stamp and digest. Source: `configs/hrnet/metafile.yml` of mmdetection. */
const ROWS: readonly (readonly [string, string | undefined, number, string, string])[] = [
  ["fcos-hrnetv2p-w18", "1x", 0.353, "fcos_hrnetv2p_w18_gn-head_4x4_1x_coco", "20201212_100710-4ad151de"],
  ["fcos-hrnetv2p-w18", "2x", 0.382, "fcos_hrnetv2p_w18_gn-head_4x4_2x_coco", "20201212_101110-5c575fa5"],
  [
    "fcos-hrnetv2p-w18",
    undefined,
    0.383,
    "fcos_hrnetv2p_w18_gn-head_mstrain_640-800_4x4_2x_coco",
    "20201212_111651-441e9d9f",
  ],
  ["fcos-hrnetv2p-w32", "1x", 0.395, "fcos_hrnetv2p_w32_gn-head_4x4_1x_coco", "20201211_134730-cb8055c0"],
  ["fcos-hrnetv2p-w32", "2x", 0.408, "fcos_hrnetv2p_w32_gn-head_4x4_2x_coco", "20201212_112133-77b6b9bb"],
  [
    "fcos-hrnetv2p-w32",
    undefined,
    0.419,
    "fcos_hrnetv2p_w32_gn-head_mstrain_640-800_4x4_2x_coco",
    "20201212_090846-b6f2b49f",
  ],
  [
    "fcos-hrnetv2p-w40",
    undefined,
    0.427,
    "fcos_hrnetv2p_w40_gn-head_mstrain_640-800_4x4_2x_coco",
    "20201212_124752-f22d2ce5",
  ],
];

/** Every published detection checkpoint that can be fetched and checked. Without a schedule in the name: trained with several sizes. */
export const PUBLISHED_DETECTION: readonly PublishedDetection[] = ROWS.map(
  ([architecture, schedule, value, config, stamp]) => {
    const url = `${BASE}${config}/${config}_${stamp}.pth`;
    return {
      name: [architecture, "coco", ...(schedule ? [schedule] : [])].join("-"),
      architecture,
      task: "detection",
      input: [800, 1344],
      classes: "coco-80",
      url,
      sha256Prefix: digestInName(url),
      score: { metric: "AP", value, dataset: "COCO val2017, boxes" },
      licence: "Apache-2.0",
      codeBase: "mmdetection",
    };
  },
);
