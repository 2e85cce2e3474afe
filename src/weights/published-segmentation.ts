// The published segmentation checkpoints whose file name carries a digest, as one data table.

import { digestInName, type PublishedSegmentation } from "./published-checkpoint.ts";

const BASE = "https://download.openmmlab.com/mmsegmentation/v0.5/";

/** A data set as mmsegmentation trains on it. */
interface Setting {
  /** In the name of the row. */
  readonly tag: string;
  readonly input: readonly [number, number];
  readonly classes: string;
  readonly dataset: string;
}

const CITYSCAPES: Setting = {
  tag: "cityscapes-512x1024",
  input: [512, 1024],
  classes: "cityscapes",
  dataset: "Cityscapes val",
};
const ADE20K: Setting = {
  tag: "ade20k-512x512",
  input: [512, 512],
  classes: "ade20k",
  dataset: "ADE20K validation, shorter side 512",
};
const PASCAL_CONTEXT_59: Setting = {
  tag: "pascal-context-59-480x480",
  input: [480, 480],
  classes: "pascal-context-59-mmseg",
  dataset: "PASCAL-Context val, 59 classes, longer side 520",
};

/** Network, data set, mIoU, file (without ".pth"). Source: `configs/{hrnet,ocrnet}/README.md` of mmsegmentation, longest schedules. */
const ROWS: readonly (readonly [string, Setting, number, string])[] = [
  [
    "hrnetv2-w18-small-v2",
    CITYSCAPES,
    0.7631,
    "hrnet/fcn_hr18s_512x1024_160k_cityscapes/fcn_hr18s_512x1024_160k_cityscapes_20200602_190901-4a0797ea",
  ],
  [
    "hrnetv2-w18",
    CITYSCAPES,
    0.788,
    "hrnet/fcn_hr18_512x1024_160k_cityscapes/fcn_hr18_512x1024_160k_cityscapes_20200602_190822-221e4a4f",
  ],
  [
    "hrnetv2-w48",
    CITYSCAPES,
    0.8065,
    "hrnet/fcn_hr48_512x1024_160k_cityscapes/fcn_hr48_512x1024_160k_cityscapes_20200602_190946-59b7973e",
  ],
  [
    "hrnetv2-w18-small-v2-ocr",
    CITYSCAPES,
    0.7845,
    "ocrnet/ocrnet_hr18s_512x1024_160k_cityscapes/ocrnet_hr18s_512x1024_160k_cityscapes_20200602_191005-f4a7af28",
  ],
  [
    "hrnetv2-w18-ocr",
    CITYSCAPES,
    0.7947,
    "ocrnet/ocrnet_hr18_512x1024_160k_cityscapes/ocrnet_hr18_512x1024_160k_cityscapes_20200602_191001-b9172d0c",
  ],
  [
    "hrnetv2-w48-ocr",
    CITYSCAPES,
    0.8135,
    "ocrnet/ocrnet_hr48_512x1024_160k_cityscapes/ocrnet_hr48_512x1024_160k_cityscapes_20200602_191037-dfbf1b0c",
  ],
  [
    "hrnetv2-w48",
    ADE20K,
    0.4202,
    "hrnet/fcn_hr48_512x512_160k_ade20k/fcn_hr48_512x512_160k_ade20k_20200614_214407-a52fc02c",
  ],
  [
    "hrnetv2-w18-small-v2-ocr",
    ADE20K,
    0.3719,
    "ocrnet/ocrnet_hr18s_512x512_160k_ade20k/ocrnet_hr18s_512x512_160k_ade20k_20200615_184505-8e913058",
  ],
  [
    "hrnetv2-w18-ocr",
    ADE20K,
    0.3932,
    "ocrnet/ocrnet_hr18_512x512_160k_ade20k/ocrnet_hr18_512x512_160k_ade20k_20200615_200940-d8fcd9d1",
  ],
  [
    "hrnetv2-w48-ocr",
    ADE20K,
    0.4325,
    "ocrnet/ocrnet_hr48_512x512_160k_ade20k/ocrnet_hr48_512x512_160k_ade20k_20200615_184705-a073726d",
  ],
  [
    "hrnetv2-w48",
    PASCAL_CONTEXT_59,
    0.5112,
    "hrnet/fcn_hr48_480x480_80k_pascal_context_59/fcn_hr48_480x480_80k_pascal_context_59_20210411_003240-3ae7081e",
  ],
];

/** Every published segmentation checkpoint that can be fetched and checked. */
export const PUBLISHED_SEGMENTATION: readonly PublishedSegmentation[] = ROWS.map(
  ([architecture, { tag, input, classes, dataset }, value, file]) => {
    const url = `${BASE}${file}.pth`;
    return {
      name: `${architecture}-${tag}`,
      architecture,
      task: "segmentation",
      input,
      classes,
      url,
      sha256Prefix: digestInName(url),
      score: { metric: "mIoU", value, dataset },
      licence: "Apache-2.0",
      codeBase: "mmsegmentation",
    };
  },
);
