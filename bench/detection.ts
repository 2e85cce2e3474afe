// Detectors from pixels to detections, against PyTorch with torchvision's operators.

import { createGraph, type Graph } from "../src/graph/graph.ts";
import { RoiAlign } from "../src/graph/ops/roi-align.ts";
import type { Value } from "../src/graph/value.ts";
import { buildDetector, DETECTOR_TEST, leastScore } from "../src/models/detector-network.ts";
import { openSession } from "../src/runtime/node.ts";
import { type Tensor, tensor } from "../src/tensor/tensor.ts";
import { loadInTorch, rowsAgainstTorch } from "./against-torch.ts";
import type { Group, Row } from "./measure.ts";
import { benchInput, configOf, modelOf, openCompetitor, proceduralWeights, type Size } from "./networks.ts";
import { findPython, Peer, torchVersion } from "./peer.ts";
import { checkEqual } from "./torch-peer.ts";

/** Where there is no torchvision. */
const NO_TORCHVISION =
  "PyTorch with torchvision was not found (set PYTHON to one that has both): rows of detectors are left out.";

/** A new value for each element of the procedural weight of that name. */
type Changes = Readonly<Record<string, (value: number, index: number) => number>>;

/** A detector to be measured. */
interface BenchDetector {
  readonly name: string;
  readonly size: Size;
  /** The layers whose outputs are compared number by number: all that is said before anything is suppressed. */
  readonly layers: readonly string[];
  readonly changes: Changes;
}

const COCO_CLASSES = 80;
const FCOS_LEVELS = [8, 16, 32, 64, 128];

/**
 * Procedural weights alone find nothing (each of 81 classes at 1/81) or everything (each of 80 at 1/2). With these changes suppression has
 * as much to do as in a trained detector. Faster R-CNN: 1633 of 4684 proposals are left, 1000 go on, and 2445 boxes of 12 classes are above
 * the threshold; FCOS: 2514 boxes of 54 classes.
 */
const DETECTORS: readonly BenchDetector[] = [
  {
    name: "faster-rcnn-hrnetv2p-w18",
    size: [800, 1216],
    layers: [
      "rpn_head.rpn_cls",
      "rpn_head.rpn_reg",
      "roi_head.bbox_head.fc_cls",
      "roi_head.bbox_head.fc_reg",
    ],
    changes: {
      // The backbone's maps are in the hundreds.
      "neck.reduction_conv.0.weight": (value) => value / 100,
      "rpn_head.rpn_cls.weight": (value) => 2 * value,
      "rpn_head.rpn_reg.weight": (value) => value / 4,
      "roi_head.bbox_head.fc_cls.weight": (value) => 4 * value,
      // Most regions are background.
      "roi_head.bbox_head.fc_cls.bias": (value, index) => value + (index === COCO_CLASSES ? 5 : 0),
    },
  },
  {
    name: "fcos-lite-hrnet-18",
    size: [416, 416],
    layers: ["bbox_head.conv_cls", "bbox_head.conv_reg", "bbox_head.conv_centerness"],
    changes: {
      "bbox_head.conv_cls.weight": (value) => 2 * value,
      "bbox_head.conv_cls.bias": (value) => value - 6,
      // Distances of about three strides.
      "bbox_head.conv_reg.weight": (value) => value / 4,
      "bbox_head.conv_reg.bias": (value) => value + 1,
      ...Object.fromEntries(
        FCOS_LEVELS.map((stride, l) => [`bbox_head.scales.${l}.scale`, () => Math.log(3 * stride)]),
      ),
    },
  },
];

/** A detector with weights and an input: the graph from pixels to detections. */
interface BuiltDetector {
  readonly name: string;
  readonly graph: Graph;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly input: Tensor;
}

/** The detector as published figures are made with it. */
function build({ name, size, changes }: BenchDetector): BuiltDetector {
  const config = configOf(name);
  const network = buildDetector(config, size, { ...DETECTOR_TEST, minScore: leastScore(config) });
  const weights = proceduralWeights(network);
  for (const [key, change] of Object.entries(changes)) {
    const { shape, data } = weights.get(key)!;
    weights.set(key, tensor("float32", shape, (data as Float32Array).map(change)));
  }
  return { name, graph: network.graph, weights, input: benchInput(1, size) };
}

/** What a detector finds, and what it says on the way. */
interface Answer {
  readonly detections: readonly Detection[];
  /** Outputs of layers: one after the other where a layer is used on several levels. */
  readonly layers: ReadonlyMap<string, Float32Array>;
  /** The regions looked at, R×4; without regions `undefined`. */
  readonly regions: Tensor | undefined;
}

interface Detection {
  /** `x1, y1, x2, y2` in pixels. */
  readonly box: readonly number[];
  readonly score: number;
  readonly class: number;
}

/** Names of outputs for the values, and the values. */
const numbered = (name: string, values: readonly Value[]): [string, Value][] =>
  values.map((value, i) => [`${name}/${i}`, value]);

/** Our answer, from the graph that is timed, with more outputs. */
async function answer(
  { name, graph, weights, input }: BuiltDetector,
  layers: readonly string[],
  threads: number,
): Promise<Answer> {
  const said = new Map(
    layers.map((layer) => {
      const nodes = graph.nodes.filter((node) => node.name === layer);
      const values = nodes.map(({ outputs }) => outputs[0]!);
      return [layer, numbered(layer, values)];
    }),
  );
  const pooled = graph.nodes.filter(({ operator }) => operator === RoiAlign);
  const regions = numbered(
    "regions",
    pooled.map(({ inputs }) => inputs[1]!),
  );
  const more = Object.fromEntries([...said.values(), regions].flat());
  const model = modelOf(name, createGraph(graph.inputs, { ...graph.outputs, ...more }), weights);
  await using session = await openSession(model, { device: "cpu", threads });
  const outputs = await session.run({ input });
  const data = (key: string): Float32Array => outputs[key]!.data as Float32Array;
  const joined = (values: readonly [string, Value][]): Float32Array =>
    Float32Array.from(values.flatMap(([key]) => Array.from(data(key))));
  return {
    detections: detectionsOf(data("boxes"), data("scores"), data("classes")),
    layers: new Map([...said].map(([layer, values]) => [layer, joined(values)])),
    regions: regions.length > 0 ? regionsOf(regions.map(([key]) => data(key))) : undefined,
  };
}

/** Each level sees regions of other levels far outside, below 0: the largest of each number is the region's own. */
function regionsOf(levels: readonly Float32Array[]): Tensor {
  const own = levels[0]!.map((_, i) => Math.max(...levels.map((level) => level[i]!)));
  return tensor("float32", [own.length / 4, 4], own);
}

function detectionsOf(boxes: Float32Array, scores: Float32Array, classes: Float32Array): Detection[] {
  const all = Array.from(scores, (score, i) => ({
    box: Array.from(boxes.subarray(4 * i, 4 * i + 4)),
    score,
    class: classes[i]!,
  }));
  return all.filter(({ score }) => score > 0);
}

/** Detections of PyTorch: D×6, the box, score and class of each. */
function torchDetections(rows: Float32Array): Detection[] {
  return Array.from({ length: rows.length / 6 }, (_, i) => {
    const row = rows.subarray(6 * i, 6 * i + 6);
    return { box: Array.from(row.subarray(0, 4)), score: row[4]!, class: row[5]! };
  });
}

/** Largest differences of detections that count as the same. */
const SAME = { pixels: 0.01, score: 1e-4 } as const;
/** Share of detections that may lack a partner: of two boxes with nearly the same score, rounding decides which one stays. */
const ALONE = 0.02;

const areSame = (a: Detection, b: Detection): boolean =>
  a.class === b.class &&
  Math.abs(a.score - b.score) <= SAME.score &&
  a.box.every((side, k) => Math.abs(side - b.box[k]!) <= SAME.pixels);

/** @throws Error when detections are not the same, or fewer than there may be: then suppression had nothing to do */
function checkDetections(name: string, ours: readonly Detection[], theirs: readonly Detection[]): void {
  const alone = theirs.filter((one) => !ours.some((other) => areSame(one, other))).length;
  if (ours.length !== theirs.length || theirs.length < DETECTOR_TEST.most || alone > ALONE * theirs.length) {
    throw new Error(
      `${name}: ${theirs.length} detections, of which ${alone} are not among our ${ours.length}; nothing was timed.`,
    );
  }
}

/** @throws Error when an output of a layer is not the same */
function checkLayers(name: string, ours: ReadonlyMap<string, Float32Array>, theirs: Float32Array): void {
  let at = 0;
  for (const [layer, values] of ours) {
    checkEqual(`${name} in PyTorch, ${layer}`, values, theirs.subarray(at, at + values.length));
    at += values.length;
  }
  if (at !== theirs.length)
    throw new Error(`${name}: ${at} numbers of ours, ${theirs.length} of PyTorch; nothing was timed.`);
}

/** One detector against PyTorch's: layers first, on our regions, then detections, then time. */
async function compareDetector(
  peer: Peer,
  detector: BenchDetector,
  threads: number,
  rounds: number,
): Promise<Row[]> {
  const { name, size, layers } = detector;
  const built = build(detector);
  const { weights, input } = built;
  const ours = await answer(built, layers, threads);
  const withRegions = new Map([...weights, ...(ours.regions ? [["regions", ours.regions] as const] : [])]);
  const said = await loadInTorch(peer, { network: `${name} outputs`, weights: withRegions, input }, threads);
  checkLayers(name, ours.layers, said);
  const found = await loadInTorch(peer, { network: name, weights, input }, threads);
  checkDetections(name, ours.detections, torchDetections(found));
  const session = await openCompetitor("ours", modelOf(name, built.graph, weights), input, threads);
  const rows = await rowsAgainstTorch(peer, `${name} at ${size.join("×")}`, session, threads, rounds);
  await session.close();
  return rows;
}

/** Both detectors against PyTorch; no rows and a note where there is no torchvision. */
export async function detectionRows(threads: number, rounds: number): Promise<Group> {
  const python = findPython(["torchvision"]);
  if (!python) return { rows: [], notes: [NO_TORCHVISION] };
  const peer = new Peer(python, [], "torch/peer.py");
  try {
    const rows: Row[] = [];
    for (const detector of DETECTORS) rows.push(...(await compareDetector(peer, detector, threads, rounds)));
    const versions = `PyTorch ${torchVersion(python)}, torchvision ${torchVersion(python, "torchvision")}`;
    return { rows, notes: [`${versions}, float32, eval, no_grad; detectors from pixels to detections.`] };
  } finally {
    peer.close();
  }
}
