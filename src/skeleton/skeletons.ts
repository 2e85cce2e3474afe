// The published skeletons as data.

import { HRNetError } from "../errors.ts";
import { defineSkeleton, type Skeleton, type SkeletonInput } from "./skeleton.ts";

/**
 * COCO's σ per kind of joint (pycocotools' `kpt_oks_sigmas`, measured from repeated annotations). Head points that
 * COCO lacks take the shoulder's, as the CrowdPose evaluation does.
 */
const SIGMA = {
  nose: 0.026,
  eye: 0.025,
  ear: 0.035,
  shoulder: 0.079,
  elbow: 0.072,
  wrist: 0.062,
  hip: 0.107,
  knee: 0.087,
  ankle: 0.089,
  head: 0.079,
} as const;

/** The twelve joints of arms and legs in COCO's order, with their σ. */
const COCO_LIMBS = ["shoulder", "elbow", "wrist", "hip", "knee", "ankle"] as const;
const leftRight = (part: string): [string, string] => [`left_${part}`, `right_${part}`];
const COCO_LIMB_NAMES = COCO_LIMBS.flatMap(leftRight);
const COCO_LIMB_SIGMAS = COCO_LIMBS.flatMap((part) => [SIGMA[part], SIGMA[part]]);

const ARMS = ["shoulder", "elbow", "wrist"].flatMap(leftRight);
const LEGS = ["hip", "knee", "ankle"].flatMap(leftRight);

const chain = (...names: string[]): [string, string][] =>
  names.slice(1).map((name, index) => [names[index]!, name]);
const LEG_EDGES = [
  ...chain("left_ankle", "left_knee", "left_hip"),
  ...chain("right_ankle", "right_knee", "right_hip"),
];
const ARM_EDGES = [
  ...chain("left_shoulder", "left_elbow", "left_wrist"),
  ...chain("right_shoulder", "right_elbow", "right_wrist"),
];
const TRUNK_EDGES: [string, string][] = [
  ["left_hip", "right_hip"],
  ["left_shoulder", "left_hip"],
  ["right_shoulder", "right_hip"],
];

/** LSP and MPII share the order of the legs and of the arms. */
const MPII_LEGS = ["right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"];
const MPII_ARMS = [
  "right_wrist",
  "right_elbow",
  "right_shoulder",
  "left_shoulder",
  "left_elbow",
  "left_wrist",
];
const MPII_LEG_SIGMAS = [SIGMA.ankle, SIGMA.knee, SIGMA.hip, SIGMA.hip, SIGMA.knee, SIGMA.ankle];
const MPII_ARM_SIGMAS = [SIGMA.wrist, SIGMA.elbow, SIGMA.shoulder, SIGMA.shoulder, SIGMA.elbow, SIGMA.wrist];

const INPUTS: readonly SkeletonInput[] = [
  {
    // Lin et al., "Microsoft COCO"; person keypoints of 2017.
    name: "coco-17",
    keypoints: ["nose", ...leftRight("eye"), ...leftRight("ear"), ...COCO_LIMB_NAMES],
    edges: [
      ...LEG_EDGES,
      ...TRUNK_EDGES,
      ["left_shoulder", "right_shoulder"],
      ...ARM_EDGES,
      ["left_eye", "right_eye"],
      ["nose", "left_eye"],
      ["nose", "right_eye"],
      ["left_eye", "left_ear"],
      ["right_eye", "right_ear"],
      ["left_ear", "left_shoulder"],
      ["right_ear", "right_shoulder"],
    ],
    sigmas: [SIGMA.nose, SIGMA.eye, SIGMA.eye, SIGMA.ear, SIGMA.ear, ...COCO_LIMB_SIGMAS],
    upperBody: ["nose", ...leftRight("eye"), ...leftRight("ear"), ...ARMS],
    lowerBody: LEGS,
  },
  {
    // Andriluka et al., "2D Human Pose Estimation". Measured by PCKh: the σ only serve OKS-NMS and drawing.
    name: "mpii-16",
    keypoints: [...MPII_LEGS, "pelvis", "thorax", "upper_neck", "head_top", ...MPII_ARMS],
    edges: [
      ...LEG_EDGES,
      ["left_hip", "pelvis"],
      ["right_hip", "pelvis"],
      ...chain("pelvis", "thorax", "upper_neck", "head_top"),
      ["thorax", "left_shoulder"],
      ["thorax", "right_shoulder"],
      ...ARM_EDGES,
    ],
    flipPairs: [
      [0, 5],
      [1, 4],
      [2, 3],
      [10, 15],
      [11, 14],
      [12, 13],
    ],
    sigmas: [...MPII_LEG_SIGMAS, SIGMA.hip, SIGMA.head, SIGMA.head, SIGMA.head, ...MPII_ARM_SIGMAS],
    upperBody: ["thorax", "upper_neck", "head_top", ...MPII_ARMS],
    lowerBody: [...MPII_LEGS, "pelvis"],
  },
  {
    // Li et al., "CrowdPose"; σ of its evaluation.
    name: "crowdpose-14",
    keypoints: [...COCO_LIMB_NAMES, "head", "neck"],
    edges: [
      ...LEG_EDGES,
      ...TRUNK_EDGES,
      ...ARM_EDGES,
      ["head", "neck"],
      ["neck", "left_shoulder"],
      ["neck", "right_shoulder"],
    ],
    sigmas: [...COCO_LIMB_SIGMAS, SIGMA.head, SIGMA.head],
    upperBody: [...ARMS, "head", "neck"],
    lowerBody: LEGS,
  },
  {
    // Andriluka et al., "PoseTrack". COCO's channels with the eyes' places taken by the ends of the head; COCO's σ.
    name: "posetrack18-17",
    keypoints: ["nose", "head_bottom", "head_top", ...leftRight("ear"), ...COCO_LIMB_NAMES],
    edges: [
      ...LEG_EDGES,
      ...TRUNK_EDGES,
      ...ARM_EDGES,
      ["nose", "head_bottom"],
      ["nose", "head_top"],
      ["head_bottom", "left_shoulder"],
      ["head_bottom", "right_shoulder"],
    ],
    sigmas: [SIGMA.nose, SIGMA.eye, SIGMA.eye, SIGMA.ear, SIGMA.ear, ...COCO_LIMB_SIGMAS],
    upperBody: ["nose", "head_bottom", "head_top", ...leftRight("ear"), ...ARMS],
    lowerBody: LEGS,
  },
  {
    // Johnson & Everingham, "Clustered Pose and Nonlinear Appearance Models" (LSP, LSP extended). Measured by PCK.
    name: "lsp-14",
    keypoints: [...MPII_LEGS, ...MPII_ARMS, "neck", "head_top"],
    edges: [
      ...LEG_EDGES,
      ...TRUNK_EDGES,
      ...ARM_EDGES,
      ["neck", "head_top"],
      ["neck", "left_shoulder"],
      ["neck", "right_shoulder"],
    ],
    sigmas: [...MPII_LEG_SIGMAS, ...MPII_ARM_SIGMAS, SIGMA.head, SIGMA.head],
    upperBody: [...MPII_ARMS, "neck", "head_top"],
    lowerBody: MPII_LEGS,
  },
  {
    // Wu et al., "AI Challenger"; σ are half the δ of its evaluation.
    name: "aic-14",
    keypoints: [
      ...["shoulder", "elbow", "wrist"].map((part) => `right_${part}`),
      ...["shoulder", "elbow", "wrist"].map((part) => `left_${part}`),
      ...["hip", "knee", "ankle"].map((part) => `right_${part}`),
      ...["hip", "knee", "ankle"].map((part) => `left_${part}`),
      "head_top",
      "neck",
    ],
    edges: [
      ...LEG_EDGES,
      ...TRUNK_EDGES,
      ...ARM_EDGES,
      ["head_top", "neck"],
      ["neck", "left_shoulder"],
      ["neck", "right_shoulder"],
    ],
    sigmas: [
      0.01388152, 0.01515228, 0.01057665, 0.01417709, 0.01497891, 0.01402144, 0.03909642, 0.03686941,
      0.01981803, 0.03843971, 0.03412318, 0.02415081, 0.01291456, 0.01236173,
    ],
    upperBody: [...ARMS, "head_top", "neck"],
    lowerBody: LEGS,
  },
  {
    // Yu et al., "AP-10K" (54 animal species). It publishes no σ; users evaluate with COCO's 17, taken by position.
    name: "ap10k-17",
    keypoints: [
      ...leftRight("eye"),
      "nose",
      "neck",
      "root_of_tail",
      ...["shoulder", "elbow", "front_paw"].map((part) => `left_${part}`),
      ...["shoulder", "elbow", "front_paw"].map((part) => `right_${part}`),
      ...["hip", "knee", "back_paw"].map((part) => `left_${part}`),
      ...["hip", "knee", "back_paw"].map((part) => `right_${part}`),
    ],
    edges: [
      ["left_eye", "right_eye"],
      ["left_eye", "nose"],
      ["right_eye", "nose"],
      ...chain("nose", "neck", "root_of_tail"),
      ...chain("neck", "left_shoulder", "left_elbow", "left_front_paw"),
      ...chain("neck", "right_shoulder", "right_elbow", "right_front_paw"),
      ...chain("root_of_tail", "left_hip", "left_knee", "left_back_paw"),
      ...chain("root_of_tail", "right_hip", "right_knee", "right_back_paw"),
    ],
    sigmas: [...[SIGMA.eye, SIGMA.eye, SIGMA.nose, SIGMA.ear, SIGMA.ear], ...COCO_LIMB_SIGMAS],
    upperBody: [
      ...leftRight("eye"),
      "nose",
      "neck",
      ...["shoulder", "elbow", "front_paw"].flatMap(leftRight),
    ],
    lowerBody: ["root_of_tail", ...["hip", "knee", "back_paw"].flatMap(leftRight)],
  },
];

/** Every published skeleton by name: `coco-17`, `mpii-16`, `crowdpose-14`, `posetrack18-17`, `lsp-14`, `aic-14`, `ap10k-17`. */
export const SKELETONS: ReadonlyMap<string, Skeleton> = new Map(
  INPUTS.map((input) => [input.name, defineSkeleton(input)]),
);

/**
 * A published skeleton.
 * @throws HRNetError `invalid-config` listing the known names.
 */
export function skeletonByName(name: string): Skeleton {
  const skeleton = SKELETONS.get(name);
  if (skeleton === undefined) {
    const known = [...SKELETONS.keys()].join(", ");
    throw new HRNetError(
      "invalid-config",
      `No skeleton is called "${name}". Known are ${known}; others can be given as a JSON file.`,
    );
  }
  return skeleton;
}

/** COCO's 17 keypoints of a person: the default everywhere. */
export const COCO_17: Skeleton = skeletonByName("coco-17");

/** MPII's 16 joints of a person. */
export const MPII_16: Skeleton = skeletonByName("mpii-16");

const OF_PERSONS: ReadonlySet<string> = new Set([...SKELETONS.keys()].filter((name) => name !== "ap10k-17"));

/** Whether a skeleton is a published one of persons. */
export const isOfPersons = ({ name }: Skeleton): boolean => OF_PERSONS.has(name);
