// The script of the report, which runs in the reader's browser: charts, values under the cursor, enlarged pictures.

/**
 * Written into the page behind uPlot. It finds the charts' data in the element `series`: a list of
 * `{ log, unit, lines: [{ color, faint, x: [...], y: [...] }] }`, y null for a gap.
 */
export const REPORT_SCRIPT = `
(() => {
  "use strict";
  const series = JSON.parse(document.getElementById("series").textContent);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const HEIGHT = 210;
  /** Distances between ticks of steps, which are whole numbers. */
  const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

  const format = (value) => {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-3 || size >= 1e6) return value.toExponential(2).replace(/\\.?0+e/, "e").replace("e+", "e");
    return String(Number(value.toPrecision(4)));
  };
  const formatStep = (value) =>
    value >= 1e6 ? Number((value / 1e6).toPrecision(4)) + "M"
    : value >= 1e4 ? Number((value / 1e3).toPrecision(4)) + "k"
    : String(value);

  /** A logarithmic axis from and to a number of one digit: the ticks start from the lower end. */
  const logRange = (plot, low, high) => {
    if (!(low > 0)) return [0.1, 1];
    const unit = (value) => 10 ** Math.floor(Math.log10(value));
    const from = Math.floor(low / unit(low) + 1e-9) * unit(low);
    const to = Math.ceil(high / unit(high) - 1e-9) * unit(high);
    return from < to ? [from, to] : [from / 2, from * 2];
  };

  const latest = (values, index) => {
    for (let i = index; i >= 0; i--) if (values[i] != null) return values[i];
    return undefined;
  };

  const draw = (chart, index) => {
    const place = document.getElementById("plot-" + index);
    if (place === null || place.dataset.empty !== undefined) return undefined;
    const figure = place.closest("figure");
    const values = figure.querySelectorAll("[data-value]");
    const at = figure.querySelector(".at");
    const tables = chart.lines.map(({ x, y }) => [x, y]);
    const data = tables.length === 1 ? tables[0] : uPlot.join(tables);
    const show = (plot) => {
      const hovered = plot.cursor.idx;
      const idx = hovered ?? data[0].length - 1;
      values.forEach((element, line) => {
        const value = latest(data[line + 1], idx);
        element.textContent = value === undefined ? "–" : format(value);
      });
      at.textContent = hovered == null ? "" : "step " + data[0][hovered].toLocaleString("en");
    };
    const axis = {
      stroke: style("--quiet"),
      font: "12px system-ui, sans-serif",
      grid: { stroke: style("--grid"), width: 1 },
      ticks: { show: false },
    };
    return new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: { y: false, sync: { key: "steps", scales: ["x", null] }, points: { size: 6 } },
        scales: {
          x: { time: false },
          y: chart.log ? { distr: 3, range: logRange } : {},
        },
        axes: [
          { ...axis, size: 30, incrs: WHOLE, values: (plot, splits) => splits.map(formatStep) },
          { ...axis, size: 62, values: (plot, splits) => splits.map((v) => (v == null ? "" : format(v))) },
        ],
        series: [
          {},
          ...chart.lines.map(({ color, faint }) => ({
            stroke: style("--line-" + color),
            alpha: faint ? 0.3 : 1,
            width: faint ? 1 : 1.75,
            points: { size: 5, fill: style("--card") },
          })),
        ],
        hooks: { setCursor: [show], ready: [show] },
      },
      data,
      place,
    );
  };

  let plots = [];
  const drawAll = () => {
    for (const plot of plots) plot?.destroy();
    plots = series.map(draw);
  };
  drawAll();
  const fit = () => {
    for (const plot of plots) {
      const width = plot?.root.parentElement.clientWidth;
      if (plot && width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  };
  addEventListener("resize", fit);
  matchMedia("print").addEventListener("change", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });

  const dialog = document.querySelector("dialog");
  for (const button of document.querySelectorAll(".gallery button")) {
    button.addEventListener("click", () => {
      const small = button.querySelector("img");
      const large = dialog.querySelector("img");
      large.src = small.src;
      large.alt = small.alt;
      dialog.querySelector("p").textContent = small.alt;
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", () => dialog.close());
})();
`;
