// Lines for charts: sorted, thinned out, smoothed, and the usual charts of a training run from its log.

import type { MetricsRecord, StepRecord, ValidationRecord } from "./metrics-log.ts";
import type { Point, ReportSeries } from "./run-report.ts";

/** More points than a chart has pixels show nothing more. */
export const MAX_LINE_POINTS = 2000;

/** Share of a line's points that the smoothing looks back over: fine enough for trends, coarse enough for noise. */
const SMOOTHING_SHARE = 0.01;

/** Points by rising x, the last of those with one x. Points whose x is not finite are dropped. */
export function sortedPoints(points: readonly Point[]): Point[] {
  const byX = new Map(points.filter(([x]) => Number.isFinite(x)).map((point) => [point[0], point]));
  return [...byX.values()].sort((a, b) => a[0] - b[0]);
}

/**
 * At most `limit` (≥ 4) of sorted points: the first, the last, and of each equal stretch between its lowest and its
 * highest, so that peaks stay as high as they were. A stretch without a finite value stays as a gap.
 */
export function downsample(points: readonly Point[], limit = MAX_LINE_POINTS): Point[] {
  if (points.length <= limit) return [...points];
  const inner = points.slice(1, -1);
  const stretches = Math.floor((limit - 2) / 2);
  const kept: Point[] = [points[0]!];
  for (let i = 0; i < stretches; i++) {
    const from = Math.floor((i * inner.length) / stretches);
    const stretch = inner.slice(from, Math.floor(((i + 1) * inner.length) / stretches));
    const finite = stretch.filter(([, y]) => Number.isFinite(y));
    if (finite.length === 0) {
      kept.push(stretch[0]!);
      continue;
    }
    const low = finite.reduce((best, point) => (point[1] < best[1] ? point : best));
    const high = finite.reduce((best, point) => (point[1] > best[1] ? point : best));
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  }
  kept.push(points.at(-1)!);
  return kept;
}

/**
 * Exponential moving average of sorted points, right from the first one on (divided by the weights given so far, as
 * Adam's bias correction). Values that are not finite are passed over.
 * @param span points after which a value's weight has fallen to 1/e; default 1 % of the points
 */
export function smoothed(points: readonly Point[], span = points.length * SMOOTHING_SHARE): Point[] {
  const share = 1 - Math.exp(-1 / Math.max(span, 1e-9));
  let sum = 0;
  let weight = 0;
  return points.flatMap(([x, y]): Point[] => {
    if (!Number.isFinite(y)) return [];
    sum += share * (y - sum);
    weight += share * (1 - weight);
    return [[x, sum / weight]];
  });
}

/** Options of {@link trainingSeries}. */
export interface TrainingSeriesOptions {
  /** Validation metrics to draw, in this order. Default: all, in the order of their first appearance. */
  readonly metrics?: readonly string[];
}

/**
 * The charts of a training run: loss, validation metrics (those between 0 and 1 together, others each alone), learning
 * rate, accuracy on training batches, gradient norm, images/s, share of time spent waiting for data. A chart without
 * values is left out, except for the loss.
 */
export function trainingSeries(
  records: readonly MetricsRecord[],
  options: TrainingSeriesOptions = {},
): ReportSeries[] {
  const steps = records.filter((record) => record.kind === "step");
  const validations = records.filter((record) => record.kind === "validation");
  const line = (value: (record: StepRecord) => number | undefined): Point[] =>
    sortedPoints(steps.map((record) => [record.step, value(record) ?? Number.NaN]));
  const rawAndSmoothed = (name: string, points: readonly Point[]) => [
    { name, points, faint: true },
    { name: `${name}, smoothed`, points: smoothed(points) },
  ];
  const percent = (value: number | undefined) => (value === undefined ? undefined : 100 * value);
  const charts: ReportSeries[] = [
    ...validationSeries(validations, options.metrics),
    { title: "Learning rate", lines: [{ name: "learning rate", points: line((r) => r.learningRate) }] },
    {
      title: "Accuracy on training batches",
      unit: "%",
      lines: rawAndSmoothed(
        "accuracy",
        line((r) => percent(r.accuracy)),
      ),
    },
    {
      title: "Gradient norm",
      log: true,
      lines: rawAndSmoothed(
        "norm",
        line((r) => r.gradientNorm),
      ),
    },
    {
      title: "Speed",
      unit: "images/s",
      lines: rawAndSmoothed(
        "images/s",
        line((r) => r.imagesPerSecond),
      ),
    },
    {
      title: "Waiting for data",
      unit: "% of the time",
      lines: rawAndSmoothed(
        "waiting",
        line((r) => percent(r.waitShare)),
      ),
    },
  ];
  const loss: ReportSeries = {
    title: "Loss",
    log: true,
    lines: rawAndSmoothed(
      "loss",
      line((r) => r.loss),
    ),
  };
  const hasValues = ({ lines }: ReportSeries) =>
    lines.some(({ points }) => points.some(([, y]) => Number.isFinite(y)));
  return [loss, ...charts.filter(hasValues)];
}

function validationSeries(
  validations: readonly ValidationRecord[],
  chosen: readonly string[] | undefined,
): ReportSeries[] {
  const names = chosen ?? [...new Set(validations.flatMap(({ metrics }) => Object.keys(metrics)))];
  const lines = names.map((name) => ({
    name,
    points: sortedPoints(validations.map(({ step, metrics }) => [step, metrics[name] ?? Number.NaN])),
  }));
  const isShare = ({ name, points }: { name: string; points: readonly Point[] }) =>
    !/loss/i.test(name) && points.every(([, y]) => !(y < 0 || y > 1));
  const shares = lines.filter(isShare);
  const others = lines.filter((line) => !isShare(line));
  return [
    ...(shares.length > 0 ? [{ title: "Validation", lines: shares }] : []),
    ...others.map((line) => ({ title: `Validation: ${line.name}`, lines: [line] })),
  ];
}
