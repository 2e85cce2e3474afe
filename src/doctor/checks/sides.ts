// Checks for exchanged left and right.

import { percent, personHit, trainable } from "../describe.ts";
import { bodyParts, readSides, type SideEvidence, type SideReading } from "../left-right.ts";
import type { Check, DoctorAnnotation, DoctorDataset, Hit } from "../types.ts";

/** Below, a finding is more often an odd pose than an exchange. */
const MIN_CONFIDENCE = 0.5;

/** A person and what it says about its sides. */
type Read = readonly [annotation: DoctorAnnotation, reading: SideReading];

/** Five checks ask the same of every person: it is worked out once. */
const readings = new WeakMap<DoctorDataset, readonly Read[]>();

function readAll(dataset: DoctorDataset): readonly Read[] {
  const known = readings.get(dataset);
  if (known) return known;
  const parts = bodyParts(dataset.skeleton?.keypoints ?? []);
  const all = trainable(dataset).map(
    (annotation): Read => [annotation, readSides(annotation.keypoints!, parts)],
  );
  readings.set(dataset, all);
  return all;
}

type Texts = Readonly<Partial<Record<SideEvidence["kind"], string>>>;

/** A hit for each certain enough piece of evidence of the kinds that have a text. */
function* withEvidence(dataset: DoctorDataset, texts: Texts): Iterable<Hit> {
  for (const [annotation, { evidence }] of readAll(dataset)) {
    for (const { kind, confidence } of evidence) {
      const text = texts[kind];
      if (text === undefined || confidence < MIN_CONFIDENCE) continue;
      yield personHit(annotation, dataset, `${text} (confidence ${confidence.toFixed(1)})`, confidence);
    }
  }
}

/** How many persons say something, and how many say the unusual. */
function counts(dataset: DoctorDataset) {
  const count = (holds: (reading: SideReading) => boolean): number =>
    readAll(dataset).filter(([, reading]) => holds(reading)).length;
  return {
    faces: count(({ face }) => face !== "unknown"),
    exchanged: count(({ face }) => face === "exchanged"),
    trunks: count(({ trunk }) => trunk !== "unknown"),
    behind: count(({ trunk }) => trunk === "back"),
  };
}

const WHY =
  "The network is told both ways and settles in between: heatmaps with a peak on either side, and low AP on limbs.";

export const SIDE_CHECKS: readonly Check[] = [
  {
    id: "sides-all-exchanged",
    severity: "error",
    unit: "dataset",
    title: "left and right seem to be the viewer's, not the person's, in the whole set",
    why: "Published sets and weights mean the person's own left. Flip pairs still work, but pretrained weights contradict all labels.",
    fix: "Exchange left and right of all keypoints (look at the sheet first: blue is left, orange is right).",
    *find({ dataset }) {
      const { faces, exchanged } = counts(dataset);
      if (faces >= 10 && exchanged > 0.6 * faces)
        yield {
          text: `${exchanged} of ${faces} faces seen from the front have the left eye on the right eye's side`,
        };
    },
  },
  {
    id: "sides-mostly-behind",
    severity: "warning",
    unit: "dataset",
    title: "by the names of shoulders and hips most persons are seen from behind",
    why: "In photographs most people face the camera: more likely, left and right are the viewer's in the whole set.",
    fix: "Look at the sheet: blue is the person's left, orange the right. Exchange all names' sides if it is so.",
    *find({ dataset }) {
      const { trunks, behind } = counts(dataset);
      if (trunks >= 20 && behind > 0.65 * trunks)
        yield { text: `${behind} of ${trunks} (${percent(behind, trunks)})` };
    },
  },
  {
    id: "sides-face",
    severity: "warning",
    unit: "annotations",
    title: "left and right eye seem exchanged (heuristic)",
    why: WHY,
    fix: "Look at the sheet. Eyes and nose go round the other way than in any face seen from the front: exchanged (ears and body perhaps too), or placed on the back of a head.",
    find: ({ dataset }) => withEvidence(dataset, { face: "left eye on the right eye's side" }),
  },
  {
    id: "sides-body",
    severity: "warning",
    unit: "annotations",
    title: "left and right of the body seem exchanged (heuristic)",
    why: WHY,
    fix: "Look at the sheet. The face looks at the camera, shoulders and hips are named as if seen from behind: exchanged, or a look over the shoulder.",
    find: ({ dataset }) => withEvidence(dataset, { body: "face from the front, body named from behind" }),
  },
  {
    id: "sides-limbs",
    severity: "warning",
    unit: "annotations",
    title: "one pair of joints seems exchanged (heuristic)",
    why: WHY,
    fix: "Look at the sheet, and exchange the pair.",
    find: ({ dataset }) =>
      withEvidence(dataset, {
        trunk: "the sides of the trunk cross: shoulders or hips exchanged",
        elbows: "upper and lower arms both cross: elbows exchanged",
        knees: "thighs and shins both cross: knees exchanged",
      }),
  },
];
