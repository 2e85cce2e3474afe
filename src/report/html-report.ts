// Writes the report of a run: one HTML file with everything in it, which needs no network and runs no script but its own.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { readFileWithin } from "../files/read-file.ts";
import { html, type Markup, raw, scriptJson } from "./markup.ts";
import { chartData, chartFrame } from "./report-charts.ts";
import { REPORT_SCRIPT } from "./report-script.ts";
import { REPORT_CSS } from "./report-style.ts";
import type { Fact, ReportGallery, ReportTable, RunReport, RunStatus } from "./run-report.ts";
import { type Thumbnail, thumbnails } from "./thumbnails.ts";

/** Name of the report in a run's folder. */
export const REPORT_FILE = "report.html";

/** Bytes that a report has at most, unless its texts alone have more. */
export const MAX_REPORT_BYTES = 5_000_000;

/** More pictures under one heading than anyone looks at. */
const MAX_GALLERY_ITEMS = 64;
const MAX_TABLE_ROWS = 500;
/** Characters of the recipe. A list of a thousand names fits. */
const MAX_RECIPE = 100_000;
/** Characters of any other text. */
const MAX_TEXT = 1000;
/** Any file of the chart library is far below. */
const MAX_ASSET_BYTES = 2_000_000;
/** Markup around a picture, without its URL and caption. */
const ITEM_BYTES = 200;

const STATUS: Readonly<Record<RunStatus, string>> = {
  running: "running",
  finished: "finished",
  stopped: "stopped early",
  failed: "failed",
};

/**
 * Writes the report to `path`, as a whole or not at all; a page opened earlier shows it when reloaded. Pictures are made
 * smaller, and the last ones left out, to keep the file below {@link MAX_REPORT_BYTES}; long lists are cut, with a note.
 * @throws HRNetError `write-failed`, `invalid-image`
 */
export async function writeReport(path: string, report: RunReport): Promise<void> {
  await writeFileAtomic(path, await renderReport(report));
}

/** The page that {@link writeReport} writes. @throws HRNetError `invalid-image` */
export async function renderReport(report: RunReport): Promise<string> {
  const assets = await chartLibrary();
  const galleries = report.galleries
    .filter(({ items }) => items.length > 0)
    .map((gallery) => ({
      ...gallery,
      items: gallery.items.slice(0, MAX_GALLERY_ITEMS),
      total: gallery.items.length,
    }));
  const [before, after] = shell(report, assets);
  const captions = galleries.flatMap(({ items }) => items.map(({ caption }) => caption));
  // A caption stands twice: below the picture and as its description. An escaped character has up to six bytes.
  const around = captions.reduce((sum, caption) => sum + ITEM_BYTES + 12 * clipped(caption).length, 0);
  const images = galleries.flatMap(({ items }) => items.map(({ image }) => image));
  const room = MAX_REPORT_BYTES - Buffer.byteLength(before) - Buffer.byteLength(after) - around;
  const encoded = await thumbnails(images, room);
  let start = 0;
  const sections = galleries.map((gallery) => {
    const pictures = encoded.slice(start, start + gallery.items.length);
    start += gallery.items.length;
    return galleryHtml(gallery, pictures, gallery.total);
  });
  return before + html`${sections}`.text + after;
}

/** Files of the chart library that go into the page. */
interface Assets {
  readonly script: string;
  readonly style: string;
  readonly license: string;
}

let library: Promise<Assets> | undefined;

function chartLibrary(): Promise<Assets> {
  library ??= loadLibrary().catch((error: unknown) => {
    library = undefined;
    throw error;
  });
  return library;
}

async function loadLibrary(): Promise<Assets> {
  const folder = dirname(createRequire(import.meta.url).resolve("uplot/package.json"));
  const [script, style, license] = await Promise.all(
    ["dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"].map(async (name) =>
      (await readFileWithin(join(folder, name), "part of uPlot", MAX_ASSET_BYTES))
        .toString("utf8")
        .replaceAll("\r\n", "\n"),
    ),
  );
  return { script: script!, style: style!, license: license! };
}

/**
 * The page before and after its galleries. Its policy lets the browser load nothing and run and apply only what carries the right digests, so even a
 * text that slipped through unescaped could do nothing.
 */
function shell(report: RunReport, assets: Assets): [before: string, after: string] {
  const {
    title,
    status,
    subtitle,
    figures = [],
    facts,
    notes = [],
    series,
    tables,
    environment = [],
  } = report;
  // Line ends as the browser will see them, or the digest would not fit.
  const script = `/* uPlot:\n${assets.license.replaceAll("*/", "* /")}*/\n${assets.script}\n${REPORT_SCRIPT}`;
  const style = `${assets.style}\n${REPORT_CSS}`;
  const policy =
    `default-src 'none'; img-src data:; script-src ${digest(script)}; style-src ${digest(style)}; ` +
    "base-uri 'none'; form-action 'none'";
  const charts = chartData(series);
  const recipe = clipped(JSON.stringify(report.recipe, null, 2) ?? "null", MAX_RECIPE);
  const reload =
    status === "running"
      ? html`<span class="quiet hint">reload the page for the latest figures</span>`
      : undefined;
  const tiles = figures.map(
    ({ label, value, note }) => html`<div><div class="label">${clipped(label)}</div>
<div class="value">${clipped(value)}</div><div class="note">${clipped(note ?? "")}</div></div>
`,
  );
  const before = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${clipped(title)}</title>
<style>${raw(style)}</style>
</head>
<body>
<header>
<div class="top"><h1>${clipped(title)}</h1><span class="status status-${status}">${STATUS[status]}</span>${reload}</div>
${subtitle === undefined ? undefined : html`<p class="quiet">${clipped(subtitle)}</p>`}
${tiles.length === 0 ? undefined : html`<div class="figures">${tiles}</div>`}
${factList(facts)}
${notes.length === 0 ? undefined : html`<ul class="notes">${notes.map((note) => html`<li>${clipped(note)}</li>`)}</ul>`}
</header>
<main>
${
  series.length === 0
    ? undefined
    : html`<section>
<h2>Curves</h2>
<div class="charts">
${series.map((one, index) => chartFrame(one, charts[index]!, index))}</div>
<p class="quiet hint">Drag across a chart to enlarge a part of it; double-click to see all again.</p>
</section>
`
}
`;
  const after = html`${tables.map(tableHtml)}
<section>
<h2>Recipe and environment</h2>
${factList(environment)}
<details><summary>Recipe as run</summary><pre>${recipe}</pre></details>
</section>
</main>
<footer>This file is complete in itself. Charts by uPlot, © Leon Sorokin, MIT licence.</footer>
<dialog><img alt=""><p></p></dialog>
<script type="application/json" id="series">${scriptJson(charts)}</script>
<script>${raw(script)}</script>
</body>
</html>
`;
  return [before.text, after.text];
}

const digest = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

function factList(facts: readonly Fact[]): Markup | undefined {
  if (facts.length === 0) return undefined;
  return html`<dl>${facts.map(
    ([label, value]) => html`<div><dt>${clipped(label)}</dt><dd>${clipped(value)}</dd></div>
`,
  )}</dl>`;
}

function noteHtml(note: string | undefined): Markup | undefined {
  return note === undefined ? undefined : html`<p class="quiet">${clipped(note)}</p>`;
}

function galleryHtml(
  { title, note, items }: ReportGallery,
  pictures: readonly (Thumbnail | undefined)[],
  total: number,
): Markup {
  const shown = items.flatMap(({ caption }, index) => {
    const picture = pictures[index];
    if (picture === undefined) return [];
    const { url, width, height } = picture;
    const text = clipped(caption);
    return [
      html`<figure><button type="button"><img src="${url}" width="${width}" height="${height}" alt="${text}"></button>
<figcaption>${text}</figcaption></figure>
`,
    ];
  });
  const cut =
    shown.length < total ? html`<p class="quiet">${shown.length} of ${total} are shown.</p>` : undefined;
  return html`<section>
<h2>${clipped(title)}</h2>
${noteHtml(note)}${cut}<div class="gallery">
${shown}</div>
</section>
`;
}

/** Digits, or the dash that stands for none. */
const LOOKS_NUMERIC = /^\s*(?:[-+−±]?[\d.,]+\s*%?|[–—-]|)\s*$/;

function tableHtml({ title, note, columns, rows }: ReportTable): Markup {
  const shown = rows.slice(0, MAX_TABLE_ROWS);
  const numeric = columns.map((_, c) => c > 0 && shown.every((row) => LOOKS_NUMERIC.test(cellText(row[c]))));
  const right = (column: number) => (numeric[column] ? raw(' class="number"') : undefined);
  const cut =
    shown.length < rows.length
      ? html`<p class="quiet">${shown.length} of ${rows.length} rows are shown.</p>`
      : undefined;
  return html`<section>
<h2>${clipped(title)}</h2>
${noteHtml(note)}${cut}<div class="scroll"><table>
<thead><tr>${columns.map((column, c) => html`<th scope="col"${right(c)}>${clipped(column)}</th>`)}</tr></thead>
<tbody>
${shown.map(
  (row) => html`<tr>${columns.map((_, c) => html`<td${right(c)}>${clipped(cellText(row[c]))}</td>`)}</tr>
`,
)}</tbody>
</table></div>
</section>
`;
}

/** Numbers with four significant digits, whole ones as they are. */
function cellText(value: string | number | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  if (!Number.isFinite(value)) return "–";
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
}

function clipped(text: string, limit = MAX_TEXT): string {
  return text.length <= limit ? text : `${text.slice(0, limit)} … (${text.length - limit} more characters)`;
}
