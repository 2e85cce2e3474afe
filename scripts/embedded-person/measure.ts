// AP of persons of at least a height: shorter ones are neither to be found nor wrong to find.
// Usage: tsx scripts/embedded-person/measure.ts MODEL ANNOTATIONS.json IMAGES [LEAST_HEIGHT]

import { readDetectionPictures } from "../../src/data/detection-sets.ts";
import { Detector } from "../../src/estimators/detector.ts";
import { evaluateDetector } from "../../src/estimators/evaluate-detection.ts";

const [model, annotations, images, leastText = "32"] = process.argv.slice(2);
if (!model || !annotations || !images) throw new Error("usage: MODEL ANNOTATIONS.json IMAGES [LEAST_HEIGHT]");
const least = Number(leastText);

await using detector = await Detector.load(model, { minScore: 0 });
const { pictures } = await readDetectionPictures({ format: "coco", annotations, images }, ["person"]);
let persons = 0;
const judged = pictures.map((picture) => ({
  ...picture,
  objects: picture.objects.map((object) => {
    const crowd = object.crowd || object.box[3] < least;
    if (!crowd) persons++;
    return { ...object, crowd };
  }),
}));
const { stats } = await evaluateDetector(detector, judged);
const text = Object.entries({ AP: stats.AP, AP50: stats.AP50, AP75: stats.AP75, AR: stats.AR100 })
  .map(([name, value]) => `${name} ${value.toFixed(3)}`)
  .join("  ");
process.stdout.write(
  `${text}  (${persons} persons of ${least} pixels and more on ${judged.length} pictures)\n`,
);
