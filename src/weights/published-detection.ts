// The published detection checkpoints whose file name carries a digest, as one data table.

import { digestInName, type PublishedDetection } from "./published-checkpoint.ts";

const BASE = "https://download.openmmlab.com/mmdetection/v2.0/hrnet/";

/** Network, schedule in the name, box AP, config, time stamp and digest, mask AP. Source: `configs/hrnet/metafile.yml` of mmdetection. */
const ROWS: readonly (readonly [string, string | undefined, number, string, string, number?])[] = [
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
  ["faster-rcnn-hrnetv2p-w18", "1x", 0.369, "faster_rcnn_hrnetv2p_w18_1x_coco", "20200130-56651a6d"],
  ["faster-rcnn-hrnetv2p-w18", "2x", 0.389, "faster_rcnn_hrnetv2p_w18_2x_coco", "20200702_085731-a4ec0611"],
  ["faster-rcnn-hrnetv2p-w32", "1x", 0.402, "faster_rcnn_hrnetv2p_w32_1x_coco", "20200130-6e286425"],
  ["faster-rcnn-hrnetv2p-w32", "2x", 0.414, "faster_rcnn_hrnetv2p_w32_2x_coco", "20200529_015927-976a9c15"],
  ["faster-rcnn-hrnetv2p-w40", "1x", 0.412, "faster_rcnn_hrnetv2p_w40_1x_coco", "20200210-95c1f5ce"],
  ["faster-rcnn-hrnetv2p-w40", "2x", 0.421, "faster_rcnn_hrnetv2p_w40_2x_coco", "20200512_161033-0f236ef4"],
  ["mask-rcnn-hrnetv2p-w18", "1x", 0.377, "mask_rcnn_hrnetv2p_w18_1x_coco", "20200205-1c3d78ed", 0.342],
  ["mask-rcnn-hrnetv2p-w18", "2x", 0.398, "mask_rcnn_hrnetv2p_w18_2x_coco", "20200212-b3c825b1", 0.36],
  ["mask-rcnn-hrnetv2p-w32", "1x", 0.412, "mask_rcnn_hrnetv2p_w32_1x_coco", "20200207-b29f616e", 0.371],
  ["mask-rcnn-hrnetv2p-w32", "2x", 0.425, "mask_rcnn_hrnetv2p_w32_2x_coco", "20200213-45b75b4d", 0.378],
  [
    "mask-rcnn-hrnetv2p-w40",
    "1x",
    0.421,
    "mask_rcnn_hrnetv2p_w40_1x_coco",
    "20200511_015646-66738b35",
    0.375,
  ],
  [
    "mask-rcnn-hrnetv2p-w40",
    "2x",
    0.428,
    "mask_rcnn_hrnetv2p_w40_2x_coco",
    "20200512_163732-aed5e4ab",
    0.382,
  ],
  ["cascade-rcnn-hrnetv2p-w18", "20e", 0.412, "cascade_rcnn_hrnetv2p_w18_20e_coco", "20200210-434be9d7"],
  ["cascade-rcnn-hrnetv2p-w32", "20e", 0.433, "cascade_rcnn_hrnetv2p_w32_20e_coco", "20200208-928455a4"],
  [
    "cascade-rcnn-hrnetv2p-w40",
    "20e",
    0.438,
    "cascade_rcnn_hrnetv2p_w40_20e_coco",
    "20200512_161112-75e47b04",
  ],
  [
    "cascade-mask-rcnn-hrnetv2p-w18",
    "20e",
    0.416,
    "cascade_mask_rcnn_hrnetv2p_w18_20e_coco",
    "20200210-b543cd2b",
    0.364,
  ],
  [
    "cascade-mask-rcnn-hrnetv2p-w32",
    "20e",
    0.443,
    "cascade_mask_rcnn_hrnetv2p_w32_20e_coco",
    "20200512_154043-39d9cf7b",
    0.386,
  ],
  [
    "cascade-mask-rcnn-hrnetv2p-w40",
    "20e",
    0.451,
    "cascade_mask_rcnn_hrnetv2p_w40_20e_coco",
    "20200527_204922-969c4610",
    0.393,
  ],
  ["htc-hrnetv2p-w18", "20e", 0.428, "htc_hrnetv2p_w18_20e_coco", "20200210-b266988c", 0.379],
  ["htc-hrnetv2p-w32", "20e", 0.454, "htc_hrnetv2p_w32_20e_coco", "20200207-7639fa12", 0.399],
  ["htc-hrnetv2p-w40", "20e", 0.464, "htc_hrnetv2p_w40_20e_coco", "20200529_183411-417c4d5b", 0.408],
];

/** Every published detection checkpoint that can be fetched and checked. Without a schedule in the name: trained with several sizes. */
export const PUBLISHED_DETECTION: readonly PublishedDetection[] = ROWS.map(
  ([architecture, schedule, value, config, stamp, masks]) => {
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
      ...(masks !== undefined && { notes: `AP of its masks ${masks.toFixed(3)}` }),
    };
  },
);
