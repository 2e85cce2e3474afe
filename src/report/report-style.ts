// The style sheet of the report.

/** Colours of the lines, told apart by people who see colours differently too; on white, and on black below. */
const LINE_COLORS = ["#2f7fd1", "#d9782d", "#2f9e77", "#b65fb0", "#c2a11a", "#d05266", "#5f72d6", "#7d8a94"];

const DARK_LINE_COLORS = [
  "#5ea4ee",
  "#ec9a58",
  "#52c49b",
  "#d48bcf",
  "#dcc04a",
  "#ee7f8f",
  "#8f9cf0",
  "#a3afb8",
];

/** How many there are; further lines begin anew. */
export const LINE_COLOR_COUNT = LINE_COLORS.length;

const variables = (colors: readonly string[]): string =>
  colors.map((color, index) => `--line-${index}: ${color};`).join(" ");
const swatches = LINE_COLORS.map((_, index) => `.swatch-${index} { background: var(--line-${index}); }`);

/** Written into the page. Sizes follow the reader's font; the layout is one column on a phone. */
export const REPORT_CSS = `
:root {
  color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --ink: #22262a; --quiet: #69727b; --rule: #e4e5e3; --grid: #ececea;
  --good: #2f855a; --busy: #2b6cb0; --held: #a06a12; --bad: #b83a3a;
  ${variables(LINE_COLORS)}
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #15181b; --card: #1c2024; --ink: #dfe3e6; --quiet: #929ca5; --rule: #2d3338; --grid: #272c31;
    --good: #6bc198; --busy: #7fb3e8; --held: #d8ab5c; --bad: #ec8a86;
    ${variables(DARK_LINE_COLORS)}
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;
}
h1 { font-size: 1.7rem; line-height: 1.2; font-weight: 650; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.1rem; font-weight: 620; margin: 2.75rem 0 0.75rem; }
h3 { font-size: 0.95rem; font-weight: 600; margin: 0; }
p { margin: 0.25rem 0 0; }
.quiet, figcaption { color: var(--quiet); }
header .top { display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem 0.9rem; }
.status { font-size: 0.8rem; font-weight: 600; padding: 0.1rem 0.6rem; border: 1px solid; border-radius: 1rem; }
.status-finished { color: var(--good); } .status-running { color: var(--busy); }
.status-stopped { color: var(--held); } .status-failed { color: var(--bad); }
.figures { display: flex; flex-wrap: wrap; gap: 0.75rem; margin-top: 1.5rem; }
.figures > div {
  background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; padding: 0.7rem 1.1rem; flex: 1 1 9rem;
}
.figures .label { font-size: 0.82rem; color: var(--quiet); }
.figures .value { font-size: 1.65rem; font-weight: 620; line-height: 1.25; }
.figures .note { font-size: 0.82rem; color: var(--quiet); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 0.75rem 2rem; margin: 1.5rem 0 0; }
dt { font-size: 0.82rem; color: var(--quiet); }
dd { margin: 0; }
.notes { margin: 1.5rem 0 0; padding: 0.2rem 0 0.2rem 1rem; border-left: 3px solid var(--rule); list-style: none; }
.notes li + li { margin-top: 0.3rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; }
.chart { background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; padding: 0.9rem 1rem 0.6rem; margin: 0; min-width: 0; }
.chart .head { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; }
.chart .at { font-size: 0.82rem; color: var(--quiet); white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; list-style: none; margin: 0.25rem 0 0.5rem; padding: 0; font-size: 0.82rem; color: var(--quiet); }
.legend b { color: var(--ink); font-weight: 550; }
.swatch { display: inline-block; width: 0.9em; height: 0.22em; border-radius: 0.2em; vertical-align: 0.25em; margin-right: 0.45em; }
.faint { opacity: 0.4; }
${swatches.join("\n")}
.plot { height: 210px; min-width: 0; }
.empty { display: grid; place-items: center; height: 100%; color: var(--quiet); }
.uplot, .uplot * { font-family: inherit; }
.u-select { background: rgba(127, 127, 127, 0.18); }
.u-hz .u-cursor-x, .u-hz .u-cursor-y { border-color: var(--quiet); }
.gallery { display: flex; flex-wrap: wrap; gap: 0.9rem; margin-top: 0.75rem; }
.gallery figure { margin: 0; max-width: 100%; contain: layout; }
.gallery button { display: block; padding: 0; border: 0; background: none; cursor: zoom-in; border-radius: 0.4rem; }
.gallery img { display: block; height: 13rem; width: auto; max-width: 100%; object-fit: contain; border-radius: 0.4rem; background: var(--rule); }
.gallery figcaption { font-size: 0.82rem; line-height: 1.35; margin-top: 0.3rem; width: 0; min-width: 100%; }
dialog { border: 0; padding: 0; background: none; max-width: 96vw; max-height: 96vh; color: #fff; text-align: center; cursor: zoom-out; }
dialog::backdrop { background: rgba(10, 12, 14, 0.85); }
dialog img { display: block; width: min(92vw, 56rem); height: 84vh; object-fit: contain; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; margin-top: 0.75rem; }
table { border-collapse: collapse; width: 100%; overflow-wrap: normal; }
th, td { padding: 0.35rem 1rem; text-align: left; border-top: 1px solid var(--rule); white-space: nowrap; }
thead th { border-top: 0; font-size: 0.82rem; font-weight: 550; color: var(--quiet); }
.number { text-align: right; }
details { margin-top: 0.9rem; }
summary { cursor: pointer; font-size: 1.1rem; font-weight: 620; }
pre { overflow: auto; max-height: 36rem; background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; padding: 0.9rem 1.1rem; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap; }
footer { margin-top: 3rem; font-size: 0.82rem; color: var(--quiet); }
@media (max-width: 40rem) {
  body { padding: 1.25rem 0.9rem 3rem; }
  h1 { font-size: 1.4rem; }
  .figures > div { padding: 0.5rem 0.8rem; flex-basis: 7.5rem; }
  .figures .value { font-size: 1.35rem; }
  .gallery img { height: 10.5rem; }
  dl { grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 0.6rem 1rem; }
  th, td { padding: 0.35rem 0.7rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 11px; }
  .chart, .gallery figure, tr, .figures > div { break-inside: avoid; }
  h2, summary { break-after: avoid; }
  .charts { grid-template-columns: 1fr 1fr; }
  .gallery img { height: 8.5rem; }
  pre { max-height: none; }
  .hint { display: none; }
}
`;
