// What is known of a published checkpoint.

/** Which training code wrote a file, and so which key map reads it. */
export type CodeBase =
  | "mmpose-1.x"
  | "mmpose-0.x"
  | "mmsegmentation"
  | "mmdetection"
  | "hrnet-imagenet"
  | "torchvision";

/** The codec a published pose network was trained with: targets, decoding and flip rule together. */
export type PublishedCodec = "quarter-offset" | "dark" | "udp" | "udp-combined";

/** The figure its authors state for a file, with the protocol it was measured by. */
export interface PublishedScore {
  /** AP: COCO average precision; PCKh: mean PCKh@0.5; mAP: PoseTrack's mean AP. */
  readonly metric: "AP" | "PCKh" | "mAP";
  /** 0…1. */
  readonly value: number;
  readonly dataset: string;
  /** Where the person boxes came from. */
  readonly boxes: string;
  readonly flipTest: boolean;
}

/** What every published file has. */
export interface PublishedFile {
  /** Unique; what `--model` takes. */
  readonly name: string;
  /** Name of the network in the table of variants. */
  readonly architecture: string;
  readonly url: string;
  /** First 8 hex digits of the file's SHA-256, lower case. They also stand in its file name. */
  readonly sha256Prefix: string;
  readonly licence: "Apache-2.0" | "MIT" | "BSD-3-Clause";
  readonly codeBase: CodeBase;
  readonly notes?: string;
}

/** A whole pose network. */
export interface PublishedPose extends PublishedFile {
  readonly task: "pose";
  /** Height, width in pixels. */
  readonly input: readonly [height: number, width: number];
  readonly codec: PublishedCodec;
  readonly skeleton: "coco-17" | "mpii-16" | "posetrack18-17";
  readonly score: PublishedScore;
}

/** ImageNet weights to start a training from; the classifier in the file is not used. */
export interface PublishedBackbone extends PublishedFile {
  readonly task: "backbone";
}

/** A whole segmentation network. */
export interface PublishedSegmentation extends PublishedFile {
  readonly task: "segmentation";
  /** Height, width in pixels of the crops it was trained with. */
  readonly input: readonly [height: number, width: number];
  /** Name of its table of classes. */
  readonly classes: string;
  /** mIoU at one scale, without flip test. */
  readonly score: { readonly metric: "mIoU"; readonly value: number; readonly dataset: string };
}

/** A whole detector. */
export interface PublishedDetection extends PublishedFile {
  readonly task: "detection";
  /** Shorter and longer side in pixels that pictures are brought to, the longer one filled up to a multiple of 32. */
  readonly input: readonly [shorter: number, longer: number];
  /** Name of its table of classes. */
  readonly classes: string;
  /** COCO's AP of boxes, at one scale, without flip test. */
  readonly score: { readonly metric: "AP"; readonly value: number; readonly dataset: string };
}

/** A published file. */
export type PublishedCheckpoint =
  | PublishedPose
  | PublishedSegmentation
  | PublishedDetection
  | PublishedBackbone;

/** `…-<8 hex digits>[_<date>].pth`: the naming rule of torch.hub and of OpenMMLab's publishing tool. */
export function digestInName(url: string): string {
  const digits = /-([0-9a-f]{8})(?:_\d{8})?\.pth$/.exec(url)?.[1];
  if (digits === undefined) throw new Error(`no digest in ${url}`);
  return digits;
}
