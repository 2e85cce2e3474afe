// hrnet doctor: checks data sets and explains what it finds.

import { Command } from "commander";
import { examineDatasets } from "../doctor/examine.ts";
import { countSeverity, reportData, reportText, verdict } from "../doctor/report.ts";
import { interruptSignal } from "./interrupt.ts";
import { wholeNumber } from "./options.ts";
import { createProgress } from "./progress.ts";

interface Options {
  readonly images?: string | boolean;
  readonly against?: readonly string[];
  readonly out?: string;
  readonly quick?: boolean;
  readonly examples?: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** Examples of each finding, unless said otherwise: to read, and to work with. */
const EXAMPLES = { text: 3, json: 100 } as const;

export function command(): Command {
  return new Command("hrnet doctor")
    .description(
      "Checks data sets of keypoints and explains what it finds: what it means, what it does to training or figures,\n" +
        "what to do. Exit code 1 when there are errors.",
    )
    .argument("<data...>", "annotation files (COCO keypoints, MPII), or folders with annotations/ or annot/")
    .option("--images <dir>", "folder of the pictures (default: found near the annotations)")
    .option("--no-images", "check the annotations alone")
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
  hrnet doctor my/annotations.json --images my/photos
  hrnet doctor train.json --against val.json --quick
  hrnet doctor annotations.json --no-images --json`,
    )
    .action(async (paths: readonly string[], options: Options) => {
      const { images, against = [], out, quick, seed, json = false } = options;
      const examples = options.examples ?? (json ? EXAMPLES.json : EXAMPLES.text);
      const progress = createProgress({ label: "doctor", unit: "images", quiet: json });
      const { signal, release } = interruptSignal();
      let started = false;
      try {
        const examinations = await examineDatasets([...paths, ...against], {
          images: images === true ? undefined : images,
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
