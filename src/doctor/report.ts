// The doctor's report: text for the terminal, plain data for programs.

import type { Examination } from "./examine.ts";
import type { SegmentationExamination } from "./segmentation/examine-segmentation.ts";
import type { Finding, Severity } from "./types.ts";

/** What was found in a data set of either kind. */
export type AnyExamination = Examination | SegmentationExamination;

/** Width of the text in characters. */
const WIDTH = 110;
const INDENT = "    ";
/** Classes in the summary. */
const MOST_SHARES = 20;

const HEADINGS: Readonly<Record<Severity, string>> = { error: "ERROR", warning: "WARNING", note: "note" };

/** How many findings of a severity. */
export function countSeverity(examinations: readonly AnyExamination[], severity: Severity): number {
  return examinations.flatMap(({ findings }) => findings).filter((finding) => finding.severity === severity)
    .length;
}

/** One annotation file's report. @param examples shown of each finding */
export function reportText(examination: AnyExamination, examples: number): string {
  const { source, findings, sheets } = examination;
  const blocks = findings.map((finding) => findingText(finding, examples));
  return [
    [source, ...summary(examination)].join("\n"),
    ...(blocks.length > 0 ? blocks : ["Nothing to complain about."]),
    ...(sheets.length > 0 ? [`To look at: ${sheets.join(", ")}`] : []),
  ].join("\n\n");
}

/** The last line, over all files. */
export function verdict(examinations: readonly AnyExamination[]): string {
  const count = (severity: Severity, word: string): string => {
    const n = countSeverity(examinations, severity);
    return `${n} ${word}${n === 1 ? "" : "s"}`;
  };
  const counts = `${count("error", "error")}, ${count("warning", "warning")}, ${count("note", "note")}.`;
  if (countSeverity(examinations, "error") > 0) return `${counts} Correct the errors before training.`;
  return `${counts} ${countSeverity(examinations, "warning") > 0 ? "Good to train after a look at the warnings." : "Good to train."}`;
}

function summary(examination: AnyExamination): string[] {
  if (examination.format === "segmentation") return segmentationSummary(examination);
  const { format, skeleton, imageFolder, counts } = examination;
  if (format === "other") return [];
  const { images, annotations, persons, labelledKeypoints, possibleKeypoints, medianSide, picturesRead } =
    counts;
  const looked =
    imageFolder === undefined
      ? "Pictures were not looked at."
      : `${n(picturesRead)} pictures looked at in ${imageFolder}`;
  const side = medianSide === null ? "" : `; median longer side ${Math.round(medianSide)} px`;
  if (counts.objects) {
    const { all, masks, byClass } = counts.objects;
    const text = `${n(images)} pictures, ${n(all)} objects (${masks === all ? "all" : masks === 0 ? "none" : n(masks)} with masks), ${n(annotations - all)} crowds`;
    return [`Objects: ${text}${side}`, ...classLine(byClass, n), looked];
  }
  const share = Math.round((100 * labelledKeypoints) / Math.max(1, possibleKeypoints));
  const kind = format === "mpii" ? "MPII" : "COCO keypoints";
  return [
    `${kind}, ${skeleton ?? "unknown keypoints"}: ${n(images)} pictures, ${n(annotations)} annotations, ${n(persons)} persons with ` +
      `keypoints (${share} % labelled)${side}`,
    looked,
  ];
}

const n = (value: number): string => value.toLocaleString("en");

/** Classes with what each has, the most first. */
function classLine(values: Readonly<Record<string, number>>, text: (value: number) => string): string[] {
  const sorted = Object.entries(values).sort((a, b) => b[1] - a[1]);
  if (sorted.length === 0) return [];
  const shown = sorted.slice(0, MOST_SHARES).map(([name, value]) => `${name} ${text(value)}`);
  const more = sorted.length > MOST_SHARES ? `, and ${sorted.length - MOST_SHARES} more` : "";
  return wrap(`${shown.join(", ")}${more}`, "", "");
}

function segmentationSummary({ layout, classes, counts }: SegmentationExamination): string[] {
  const { images, pairs, ignored, shares } = counts;
  const percent = (share: number): string => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
  return [
    `Pictures and label maps (${layout === "folder" ? "folders" : layout}), ` +
      `${classes === undefined ? "unknown classes" : `${Object.keys(shares).length} classes of ${classes}`}: ${images} pictures, ${pairs} with labels, ` +
      `${percent(ignored)} of the pixels ignored`,
    ...classLine(shares, percent),
  ];
}

function findingText(finding: Finding, examples: number): string {
  const { id, severity, unit, count, total, title, why, fix } = finding;
  const amount = unit === "dataset" ? "" : `${count} of ${total} ${unit}: `;
  const shown = finding.examples.slice(0, examples).map(({ text }) => `- ${text}`);
  const more = count - shown.length;
  return [
    ...wrap(`${HEADINGS[severity]} ${id}  ${amount}${title}`, "", INDENT),
    ...wrap(`Why: ${why}`, INDENT, `${INDENT}     `),
    ...wrap(`Do:  ${fix}`, INDENT, `${INDENT}     `),
    ...shown.flatMap((line) => wrap(line, INDENT, `${INDENT}  `)),
    ...(more > 0 && shown.length > 0 ? [`${INDENT}  and ${more} more`] : []),
  ].join("\n");
}

/** Breaks a text at spaces. */
function wrap(text: string, first: string, rest: string): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  // Control characters in a file's name must not move the cursor.
  for (const word of text.replaceAll(/\p{Cc}/gu, "?").split(/ (?=\S)/)) {
    if (!empty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = rest + word;
    } else {
      line += empty ? word : ` ${word}`;
    }
    empty = false;
  }
  return [...lines, line];
}

/** An examination as plain data: findings with their examples' ids and files instead of whole entries. */
export function reportData(examination: AnyExamination) {
  return {
    ...examination,
    findings: examination.findings.map(({ examples, ...finding }) => ({
      ...finding,
      examples: examples.map(({ text, annotation, image }) => ({
        text,
        ...(annotation && { annotation: annotation.id ?? null, place: annotation.index }),
        ...(image && { image: image.id ?? null, file: image.fileName ?? null }),
      })),
    })),
  };
}
