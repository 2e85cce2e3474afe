// hrnet doctor: checks data sets and explains what it finds.

import { Command } from "commander";
import { segmentationSplits } from "../data/segmentation-layout.ts";
import { type ExamineOptions, examineDatasets } from "../doctor/examine.ts";
import { type AnyExamination, countSeverity, reportData, reportText, verdict } from "../doctor/report.ts";
import { examineSegmentationSets } from "../doctor/segmentation/examine-segmentation.ts";
import { HRNetError } from "../errors.ts";
import { interruptSignal } from "./interrupt.ts";
import { wholeNumber } from "./options.ts";
import { createProgress } from "./progress.ts";

interface Options {
  readonly images?: string | boolean;
  readonly labels?: string;
  readonly classes?: string;
  readonly against?: readonly string[];
  readonly out?: string;
  readonly quick?: boolean;
  readonly examples?: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** Examples of each finding, unless said otherwise: to read, and to work with. */
const EXAMPLES = { text: 3, json: 100 } as const;

/** Examines every path as what it is: folders of pictures and label maps, or annotations. */
async function examine(
  paths: readonly string[],
  { images, labels, classes }: Options,
  shared: ExamineOptions,
): Promise<AnyExamination[]> {
  const folder = typeof images === "string" ? images : undefined;
  if (labels !== undefined && folder === undefined)
    throw new HRNetError("usage", "--labels belongs together with --images: give both folders.");
  if (labels !== undefined && folder !== undefined) {
    return examineSegmentationSets(paths, { ...shared, folders: { images: folder, labels }, classes });
  }
  const splits = await Promise.all(paths.map(segmentationSplits));
  const segmentation = paths.filter((_, index) => splits[index]!.length > 0);
  const others = paths.filter((_, index) => splits[index]!.length === 0);
  if (classes !== undefined && segmentation.length === 0)
    throw new HRNetError("usage", "--classes is for pictures and label maps; none of the data sets has any.");
  return [
    ...(others.length > 0
      ? await examineDatasets(others, { ...shared, images: images === true ? undefined : images })
      : []),
    ...(segmentation.length > 0 ? await examineSegmentationSets(segmentation, { ...shared, classes }) : []),
  ];
}

export function command(): Command {
  return new Command("hrnet doctor")
    .description(
      "Checks data sets of keypoints, of boxes and masks, or of pictures and label maps, and explains what it finds: what it means, what it does to training or figures,\n" +
        "what to do. Exit code 1 when there are errors.",
    )
    .argument(
      "<data...>",
      "annotation files (COCO keypoints or instances, MPII), folders with annotations/, annot/ or Pascal VOC's Annotations/, folders of pictures and label maps",
    )
    .option("--images <dir>", "folder of the pictures (default: found near the annotations)")
    .option("--no-images", "check the annotations alone")
    .option("--labels <dir>", "folder of the label maps, with --images")
    .option(
      "--classes <name|file>",
      "what the numbers in label maps mean (default: classes.json, or the layout's)",
    )
    .option("--against <file...>", "other sets, such as the test set: pictures in both are leaks")
    .option("--out <dir>", "also draw contact sheets: a sample of persons, and what was found")
    .option("--quick", "read the pictures' headers alone (no damaged pixels, no copies)")
    .option(
      "--examples <n>",
      `of each finding (default: ${EXAMPLES.text}, ${EXAMPLES.json} with --json)`,
      wholeNumber(0),
    )
    .option("--seed <n>", "of the sample of persons", wholeNumber(0), 1)
    .option("--json", "findings as JSON on stdout")
    .addHelpText(
      "after",
      `
Examples:
  hrnet doctor coco --out sheets
  hrnet doctor streets --out sheets
  hrnet doctor cells/annotations/instances_train.json --out sheets
  hrnet doctor my/annotations.json --images my/photos
  hrnet doctor train.json --against val.json --quick
  hrnet doctor annotations.json --no-images --json`,
    )
    .action(async (paths: readonly string[], options: Options) => {
      const { against = [], out, quick, seed, json = false } = options;
      const examples = options.examples ?? (json ? EXAMPLES.json : EXAMPLES.text);
      const progress = createProgress({ label: "doctor", unit: "images", quiet: json });
      const { signal, release } = interruptSignal();
      let started = false;
      try {
        const examinations = await examine([...paths, ...against], options, {
          quick,
          // The sheet of findings shows more than the text.
          examples: Math.max(examples, 6),
          out,
          seed,
          signal,
          onProgress: (done, total) => {
            started = true;
            progress.update(done, "", total);
          },
        });
        if (started) progress.finish();
        started = false;
        const text = json
          ? JSON.stringify(examinations.map(reportData), null, 2)
          : [...examinations.map((one) => reportText(one, examples)), verdict(examinations)].join("\n\n");
        process.stdout.write(`${text}\n`);
        if (countSeverity(examinations, "error") > 0) process.exitCode = 1;
      } finally {
        if (started) progress.finish();
        release();
      }
    });
}
