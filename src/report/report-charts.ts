// Charts of the report: their frames with the latest values, and their data for the script.

import { downsample, MAX_LINE_POINTS, sortedPoints } from "./curves.ts";
import { html, type Markup, raw } from "./markup.ts";
import { LINE_COLOR_COUNT } from "./report-style.ts";
import type { Point, ReportSeries } from "./run-report.ts";

/** A line as the script reads it. */
interface ChartLine {
  readonly color: number;
  readonly faint: boolean;
  readonly x: readonly number[];
  /** null for a gap. */
  readonly y: readonly (number | null)[];
}

/** A chart as the script reads it. */
export interface ChartData {
  readonly log: boolean;
  readonly lines: readonly ChartLine[];
}

/** Points of all charts together: about 2 MB. With many lines each has fewer. */
const MAX_POINTS = 100_000;
const FEWEST_POINTS = 50;
/** More lines than anyone can tell apart. */
const MAX_LINES = 64;

/** Significant digits in the page: more than any screen can show. */
const DIGITS = 6;

/** The data of all charts. */
export function chartData(series: readonly ReportSeries[]): ChartData[] {
  const count = series.reduce((sum, { lines }) => sum + Math.min(lines.length, MAX_LINES), 0);
  const limit = Math.max(FEWEST_POINTS, Math.min(MAX_LINE_POINTS, Math.floor(MAX_POINTS / count)));
  return series.map((one) => oneChart(one, limit));
}

function oneChart(series: ReportSeries, limit: number): ChartData {
  const lines = series.lines.slice(0, MAX_LINES);
  const log =
    series.log === true && lines.some(({ points }) => points.some(([, y]) => y > 0 && y < Infinity));
  const shown = ([, y]: Point): boolean => Number.isFinite(y) && (!log || y > 0);
  let color = 0;
  return {
    log,
    lines: lines.map(({ points, faint = false }) => {
      const kept = downsample(
        sortedPoints(points).map((point): Point => (shown(point) ? point : [point[0], Number.NaN])),
        limit,
      );
      const line = {
        color: color % LINE_COLOR_COUNT,
        faint,
        x: kept.map(([x]) => x),
        y: kept.map(([, y]) => (Number.isNaN(y) ? null : Number(y.toPrecision(DIGITS)))),
      };
      if (!faint) color++;
      return line;
    }),
  };
}

/** The frame of a chart; the script draws into it and keeps the values of its legend. */
export function chartFrame(series: ReportSeries, data: ChartData, index: number): Markup {
  const { title, unit } = series;
  const empty = data.lines.every(({ y }) => y.every((value) => value === null));
  const items = data.lines.map((line, i) => {
    const latest = line.y.findLast((value) => value !== null);
    const swatch = `swatch swatch-${line.color}${line.faint ? " faint" : ""}`;
    return html`<li><i class="${swatch}"></i>${series.lines[i]!.name} <b data-value>${latest ?? "–"}</b></li>`;
  });
  const unitText = unit === undefined ? undefined : html` <span class="quiet">${unit}</span>`;
  return html`<figure class="chart">
<div class="head"><h3>${title}${unitText}</h3><span class="at"></span></div>
<ul class="legend">${items}</ul>
<div class="plot" id="plot-${index}"${empty ? raw(" data-empty") : undefined}>${
    empty ? html`<div class="empty">No values yet</div>` : undefined
  }</div>
</figure>
`;
}
