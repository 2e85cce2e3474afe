// The report: complete, self-contained, safe against what names and captions hold, and bounded in size.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { expect, test } from "vitest";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { MAX_REPORT_BYTES, renderReport, writeReport } from "../../src/report/html-report.ts";
import type { RunReport } from "../../src/report/run-report.ts";
import { thumbnails } from "../../src/report/thumbnails.ts";

const EMPTY: RunReport = {
  title: "run",
  status: "running",
  facts: [],
  series: [],
  galleries: [],
  tables: [],
  recipe: null,
};

/** Pixels that no codec can make small. */
function noise(width: number, height: number, seed = 1) {
  const data = new Uint8Array(width * height * 3);
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return rgbImage(width, height, data);
}

/** Contents of all elements of a kind whose tag has these attributes. */
const contents = (page: string, element: string, attributes = "") =>
  [...page.matchAll(new RegExp(`<${element}${attributes}>([\\s\\S]*?)</${element}>`, "g"))].map(
    (match) => match[1]!,
  );

const charts = (page: string) =>
  JSON.parse(contents(page, "script", ' type="application/json" id="series"')[0]!) as {
    log: boolean;
    lines: { color: number; faint: boolean; x: number[]; y: (number | null)[] }[];
  }[];

/** What a browser would read as text: no scripts, no styles, no tags. */
const visible = (page: string) =>
  page
    .replace(/<(script|style)\b[\s\S]*?<\/\1>/g, "")
    .replace(/<[^>]*>/g, "\n")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

const FULL: RunReport = {
  title: "Tiny network on synthetic people",
  status: "finished",
  subtitle: "a subtitle",
  figures: [{ label: "Best AP", value: "71.2", note: "step 900" }],
  facts: [["Device", "cpu, 2 threads"]],
  notes: ["The head was initialised anew."],
  series: [
    {
      title: "Loss",
      unit: "mean",
      log: true,
      lines: [
        {
          name: "loss",
          points: [
            [2, 0.5],
            [1, 1],
            [3, Number.NaN],
            [4, 0],
          ],
          faint: true,
        },
        {
          name: "smoothed",
          points: [
            [1, 1],
            [2, 0.75],
          ],
        },
        { name: "validation", points: [[2, 0.6]] },
      ],
    },
    { title: "Nothing yet", log: true, lines: [{ name: "empty", points: [] }] },
  ],
  galleries: [
    { title: "Worst cases", note: "OKS below", items: [{ image: noise(30, 20), caption: "OKS 0.01" }] },
    { title: "No pictures", items: [] },
  ],
  tables: [
    {
      title: "By keypoint",
      columns: ["keypoint", "PCK", "remark"],
      rows: [
        ["nose", 0.123456789, "good"],
        ["left_eye", Number.NaN, ""],
      ],
    },
  ],
  recipe: { name: "tiny", optimizer: { learningRate: 0.001 } },
  environment: [["Node.js", "v20"]],
};

test("everything given is on the page", async () => {
  const page = await renderReport(FULL);
  const text = visible(page);
  for (const part of [
    "Tiny network on synthetic people",
    "finished",
    "a subtitle",
    "Best AP",
    "71.2",
    "step 900",
    "cpu, 2 threads",
    "The head was initialised anew.",
    "Loss",
    "smoothed",
    "No values yet",
    "Worst cases",
    "OKS below",
    "OKS 0.01",
    "By keypoint",
    "0.1235",
    '"learningRate": 0.001',
    "v20",
  ]) {
    expect(text).toContain(part);
  }
  expect(text).not.toContain("No pictures");
  expect(page).toContain('<td class="number">0.1235</td>');
  expect(page).toContain("<td>good</td>");
});

test("charts: sorted lines, gaps for what a logarithmic axis cannot show, pale lines in the colour of the next", async () => {
  expect(charts(await renderReport(FULL))).toEqual([
    {
      log: true,
      lines: [
        { color: 0, faint: true, x: [1, 2, 3, 4], y: [1, 0.5, null, null] },
        { color: 0, faint: false, x: [1, 2], y: [1, 0.75] },
        { color: 1, faint: false, x: [2], y: [0.6] },
      ],
    },
    { log: false, lines: [{ color: 0, faint: false, x: [], y: [] }] },
  ]);
});

test("the page loads nothing, and its policy lets only its own script and style in", async () => {
  const page = await renderReport(FULL);
  const references = [...page.matchAll(/<[^>]*\b(?:src|href|srcset|action|data|poster)="([^"]*)"/g)].map(
    (m) => m[1]!,
  );
  expect(references.length).toBe(1);
  expect(references.every((reference) => reference.startsWith("data:image/jpeg;base64,"))).toBe(true);
  expect(page).not.toMatch(/<(?:link|iframe|object|embed|base)\b/i);
  const [style] = contents(page, "style");
  expect(style).not.toMatch(/@import|url\(/);
  const [script] = contents(page, "script");
  expect(script).not.toMatch(/\bfetch\(|XMLHttpRequest|\bimport\(|WebSocket|sendBeacon/);

  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/
    .exec(page)![1]!
    .replaceAll("&#39;", "'");
  const digest = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain(`script-src ${digest(script!)};`);
  expect(policy).toContain(`style-src ${digest(style!)};`);
  // Styles in attributes and handlers would be blocked.
  expect(page.replace(/<script[\s\S]*?<\/script>/g, "")).not.toMatch(/<[^>]*\s(?:style|on\w+)=/);
});

test("the script compiles, and carries the licence of what it includes", async () => {
  const [script] = contents(await renderReport(FULL), "script");
  new Script(script!);
  expect(script).toContain("Permission is hereby granted, free of charge");
});

test("nothing given is taken as HTML or script", async () => {
  const evil = `</script></style><img src=x onerror="alert('1')">&amp;<!--\u2028\u0000`;
  const page = await renderReport({
    title: evil,
    status: "failed",
    subtitle: evil,
    figures: [{ label: evil, value: evil, note: evil }],
    facts: [[evil, evil]],
    notes: [evil],
    series: [{ title: evil, unit: evil, lines: [{ name: evil, points: [[1, 1]] }] }],
    galleries: [{ title: evil, note: evil, items: [{ image: noise(8, 8), caption: evil }] }],
    tables: [{ title: evil, note: evil, columns: [evil], rows: [[evil]] }],
    recipe: { [evil]: evil },
    environment: [[evil, evil]],
  });
  const plain = await renderReport({ ...FULL, galleries: FULL.galleries.slice(0, 1) });
  const tags = (text: string, kind: string) => text.split(kind).length - 1;
  for (const kind of ["<script", "</script", "<style", "</style", "<!--"]) {
    expect(tags(page, kind), kind).toBe(tags(plain, kind));
  }
  // One picture, and the one for enlarging.
  expect(tags(page, "<img")).toBe(2);
  expect(page).not.toContain("\u0000");
  expect(visible(page)).toContain(`</script></style><img src=x onerror="alert('1')">&amp;<!--`);
});

test("pictures become smaller, then fewer, until the page is below its limit", async () => {
  const image = noise(900, 700);
  const items = Array.from({ length: 70 }, (_, i) => ({ image, caption: `picture ${i}` }));
  const page = await renderReport({
    ...FULL,
    galleries: [
      { title: "one", items },
      { title: "two", items },
    ],
  });
  expect(Buffer.byteLength(page)).toBeLessThanOrEqual(MAX_REPORT_BYTES);
  expect(Buffer.byteLength(page)).toBeGreaterThan(0.5 * MAX_REPORT_BYTES);
  expect(visible(page)).toContain("64 of 70 are shown.");
}, 30_000);

test("of pictures that do not fit at all the last are left out", async () => {
  const images = [noise(200, 100, 1), noise(200, 100, 2), noise(200, 100, 3)];
  const [one] = await thumbnails(images.slice(0, 1), 1e6);
  expect([one!.width, one!.height]).toEqual([200, 100]);
  const [small] = await thumbnails(images.slice(0, 1), one!.url.length - 1);
  expect([small!.width, small!.height]).toEqual([160, 80]);
  const fitting = await thumbnails(images, Math.round(2.5 * small!.url.length));
  expect(fitting.map((picture) => picture?.width)).toEqual([160, 160, undefined]);
  expect(await thumbnails(images, -1)).toEqual([undefined, undefined, undefined]);
});

test("long lines, many lines, long tables and recipes are cut", async () => {
  const points = Array.from({ length: 6000 }, (_, x) => [x, Math.random()] as const);
  const page = await renderReport({
    ...EMPTY,
    series: Array.from({ length: 40 }, (_, i) => ({
      title: `chart ${i}`,
      lines: Array.from({ length: 5 }, (_, j) => ({ name: `line ${j}`, points })),
    })),
    tables: [{ title: "rows", columns: ["n"], rows: points.map(([x]) => [x]) }],
    recipe: "x".repeat(1e6),
  });
  const data = charts(page);
  expect(data.length).toBe(40);
  expect(Math.max(...data.flatMap(({ lines }) => lines.map(({ x }) => x.length)))).toBeLessThanOrEqual(500);
  expect(visible(page)).toContain("500 of 6000 rows are shown.");
  expect(Buffer.byteLength(page)).toBeLessThan(MAX_REPORT_BYTES);
});

test("the file is the page, also of a run that has nothing to show yet", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "report-")), "run", "report.html");
  await writeReport(path, EMPTY);
  const page = readFileSync(path, "utf8");
  expect(page).toBe(await renderReport(EMPTY));
  expect(page.startsWith("<!doctype html>")).toBe(true);
  expect(visible(page)).toContain("running");
});
