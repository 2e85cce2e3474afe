// Checks of the set of keypoints: names, edges, mirror partners, sigmas.

import { flipPairsFromNames, sideOfName } from "../../skeleton/sides.ts";
import { DEFAULT_SIGMA } from "../../skeleton/skeleton.ts";
import { SKELETONS } from "../../skeleton/skeletons.ts";
import { short } from "../describe.ts";
import { edgeBase } from "../read-coco.ts";
import type { Check, DoctorCategory, DoctorDataset } from "../types.ts";
import { COCO } from "./formats.ts";

type WithKeypoints = DoctorCategory & { readonly keypoints: readonly string[] };

function withKeypoints({ categories }: DoctorDataset): WithKeypoints[] {
  return categories.filter((category): category is WithKeypoints => category.keypoints !== undefined);
}

const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name, k) => name === b[k]);

function publishedNames(names: readonly string[]): string | undefined {
  return [...SKELETONS.values()].find(({ keypoints }) => sameNames(keypoints, names))?.name;
}

/** Pairs by 0-based index; an index that is out of range or an unknown name is -1. */
function resolvePairs({ keypoints, flipPairs }: WithKeypoints): number[][] {
  return flipPairs.map((pair) =>
    pair.map((ref) => {
      if (typeof ref === "string") return keypoints.indexOf(ref);
      return Number.isInteger(ref) && ref >= 0 && ref < keypoints.length ? ref : -1;
    }),
  );
}

export const SKELETON_CHECKS: readonly Check[] = [
  {
    id: "keypoint-names-missing",
    severity: "warning",
    unit: "dataset",
    formats: COCO,
    title: "the categories do not name the keypoints",
    why: "The set of keypoints is then guessed from their number.",
    fix: 'Put "keypoints": [names] (and "skeleton") into the category, as person_keypoints_val2017.json has them.',
    *find({ dataset }) {
      if (withKeypoints(dataset).length === 0 && dataset.skeleton)
        yield { text: `51 numbers a person, read as ${dataset.skeleton.name}` };
    },
  },
  {
    id: "skeleton-unknown",
    severity: "error",
    unit: "dataset",
    formats: COCO,
    title: "no category names its keypoints, and their number is not COCO's 17",
    why: "It is not known what the numbers mean: nothing about keypoints could be checked, and the file is refused.",
    fix: 'Put "keypoints": [names] into the category, in the order of the numbers.',
    *find({ dataset }) {
      if (dataset.skeleton) return;
      const numbers = dataset.annotations.find((one) => one.keypointNumbers !== undefined)?.keypointNumbers;
      const text =
        numbers === undefined
          ? "no list of keypoints"
          : `${numbers} numbers: ${short(numbers / 3)} keypoints`;
      yield { text };
    },
  },
  {
    id: "keypoint-names-differ",
    severity: "error",
    unit: "categories",
    formats: COCO,
    title: "categories have different sets of keypoints",
    why: "A network has one set of heatmaps; which keypoint channel 5 means must not depend on the category.",
    fix: "Train one model per set, or bring all categories to one list of names.",
    *find({ dataset }) {
      const [first, ...others] = withKeypoints(dataset);
      for (const other of others) {
        if (first && !sameNames(first.keypoints, other.keypoints)) {
          yield {
            text: `"${other.name}" has ${other.keypoints.length} names, "${first.name}" ${first.keypoints.length}, not the same list`,
          };
        }
      }
    },
  },
  {
    id: "keypoint-name-twice",
    severity: "error",
    unit: "categories",
    formats: COCO,
    title: "a keypoint name is there twice",
    why: "Names tell left from right and find mirror partners; the skeleton is refused.",
    fix: "Give each keypoint a name of its own.",
    *find({ dataset }) {
      for (const { name, keypoints } of withKeypoints(dataset)) {
        const twice = keypoints.filter((keypoint, k) => keypoints.indexOf(keypoint) !== k);
        if (twice.length > 0) yield { text: `"${name}": ${[...new Set(twice)].join(", ")}` };
      }
    },
  },
  {
    id: "edge-out-of-range",
    severity: "error",
    unit: "categories",
    formats: COCO,
    title: "skeleton edges name keypoints that do not exist",
    why: "The skeleton is refused, or lines are drawn between the wrong keypoints.",
    fix: "Edges count from 1 in COCO's format; correct or empty the list.",
    *find({ dataset }) {
      for (const category of withKeypoints(dataset)) {
        if (publishedNames(category.keypoints)) continue; // its own edges are used
        const base = edgeBase(category);
        const K = category.keypoints.length;
        const bad = category.edges.filter((edge) =>
          edge.some((k) => !Number.isInteger(k) || k < base || k >= K + base),
        );
        if (bad.length === 0) continue;
        yield { text: `"${category.name}" has ${K} keypoints: ${bad.map((edge) => `[${edge}]`).join(" ")}` };
      }
    },
  },
  {
    id: "edge-not-published",
    severity: "note",
    unit: "categories",
    formats: COCO,
    title: "skeleton edges do not fit the keypoints, and are not used",
    why: "Harmless here: the names are a published set, and its edges are drawn. CrowdPose's own files carry COCO's edges.",
    fix: "Nothing.",
    *find({ dataset }) {
      for (const category of withKeypoints(dataset)) {
        const published = publishedNames(category.keypoints);
        const K = category.keypoints.length;
        const bad = category.edges.filter((edge) => edge.some((k) => k < edgeBase(category) || k > K));
        if (published === undefined || bad.length === 0) continue;
        yield {
          text: `${published}: ${bad.length} of ${category.edges.length} edges name keypoints above ${K}`,
        };
      }
    },
  },
  {
    id: "edge-from-zero",
    severity: "warning",
    unit: "categories",
    formats: COCO,
    title: "skeleton edges count from 0, COCO counts from 1",
    why: "Read here as meant; other tools draw every line one keypoint off.",
    fix: "Add 1 to each number.",
    *find({ dataset }) {
      for (const category of withKeypoints(dataset)) {
        if (category.edges.length > 0 && edgeBase(category) === 0)
          yield { text: `"${category.name}" has an edge with 0` };
      }
    },
  },
  {
    id: "edge-to-itself",
    severity: "error",
    unit: "categories",
    formats: COCO,
    title: "a skeleton edge joins a keypoint with itself",
    why: "The skeleton is refused.",
    fix: "Remove the edge.",
    *find({ dataset }) {
      for (const { name, edges } of withKeypoints(dataset)) {
        const bad = edges.filter(([a, b]) => a === b);
        if (bad.length > 0) yield { text: `"${name}": ${bad.map((edge) => `[${edge}]`).join(" ")}` };
      }
    },
  },
  {
    id: "flip-pairs-not-mutual",
    severity: "error",
    unit: "categories",
    formats: COCO,
    title: "mirror partners are not mutual",
    why: "Flip augmentation and the flip test swap channels by them: with a wrong pair, left learns right's place.",
    fix: "Each keypoint is in one pair at most, both partners exist, and a pair does not join a keypoint with itself.",
    *find({ dataset }) {
      for (const category of withKeypoints(dataset)) {
        const partner = new Map<number, number>();
        const name = (k: number | undefined): string => category.keypoints[k ?? -1] ?? "(none)";
        for (const [i, [a, b]] of resolvePairs(category).entries()) {
          const written = `"${category.name}": pair [${category.flipPairs[i]}]`;
          if (a === undefined || b === undefined || a < 0 || b < 0) {
            yield { text: `${written} names a keypoint that does not exist` };
            continue;
          }
          if (a === b) yield { text: `${written} joins ${name(a)} with itself` };
          for (const [from, to] of [[a, b] as const, [b, a] as const]) {
            const known = partner.get(from);
            if (known !== undefined && known !== to)
              yield {
                text: `${written}: ${name(from)} ↔ ${name(to)}, but before ${name(from)} ↔ ${name(known)}`,
              };
            else partner.set(from, to);
          }
        }
      }
    },
  },
  {
    id: "side-without-partner",
    severity: "warning",
    unit: "categories",
    formats: COCO,
    title: "a left or right keypoint has no partner on the other side",
    why: "Mirror partners are found by name. A keypoint without one keeps its channel in a mirrored picture: left is trained as right.",
    fix: "Names of a pair differ in left/right alone (left_wrist, right_wrist). Check the spelling.",
    *find({ dataset }) {
      for (const { name, keypoints } of withKeypoints(dataset)) {
        const paired = new Set(flipPairsFromNames(keypoints).flat());
        const alone = keypoints.filter((keypoint, k) => sideOfName(keypoint) !== "center" && !paired.has(k));
        if (alone.length > 0) yield { text: `"${name}": ${alone.join(", ")}` };
      }
    },
  },
  {
    id: "no-flip-pairs",
    severity: "note",
    unit: "categories",
    formats: COCO,
    title: "no keypoint name says left or right",
    why: "Every keypoint keeps its channel in a mirrored picture. Right for an object without sides, wrong for a body.",
    fix: "If there are sides, name them (left_…, right_…), or train without flips.",
    *find({ dataset }) {
      for (const { name, keypoints } of withKeypoints(dataset)) {
        if (keypoints.length > 1 && keypoints.every((keypoint) => sideOfName(keypoint) === "center"))
          yield {
            text: `"${name}": ${keypoints.slice(0, 6).join(", ")}${keypoints.length > 6 ? ", …" : ""}`,
          };
      }
    },
  },
  {
    id: "keypoint-order",
    severity: "warning",
    unit: "categories",
    formats: COCO,
    title: "the names are those of a published set, in another order",
    why: "Pretrained heads have the published order: loaded as they are, every channel means another keypoint.",
    fix: "Bring names and keypoints into the published order, or train a new head.",
    *find({ dataset }) {
      for (const { name, keypoints } of withKeypoints(dataset)) {
        if (publishedNames(keypoints)) continue;
        const sorted = [...keypoints].sort();
        const twin = [...SKELETONS.values()].find((known) => sameNames([...known.keypoints].sort(), sorted));
        const at = twin?.keypoints.findIndex((keypoint, k) => keypoint !== keypoints[k]) ?? 0;
        if (twin)
          yield {
            text: `"${name}": ${twin.name} has ${twin.keypoints[at]} at place ${at + 1}, here it is ${keypoints[at]}`,
          };
      }
    },
  },
  {
    id: "sigmas-default",
    severity: "note",
    unit: "categories",
    formats: COCO,
    title: "a set of keypoints of its own, without measured σ",
    why: `OKS then takes ${DEFAULT_SIGMA} for every keypoint: AP compares runs on this set, and nothing else.`,
    fix: "For figures to publish, measure how far annotators differ and pass --sigmas.",
    *find({ dataset }) {
      for (const { name, keypoints } of withKeypoints(dataset)) {
        if (!publishedNames(keypoints)) yield { text: `"${name}", ${keypoints.length} keypoints` };
      }
    },
  },
];
