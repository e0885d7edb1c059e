// Drawing with Plotly: one look for all plots.

import { byId, fileName } from "./common.js";

export const COLOURS = ["#0b57a4", "#b3261e", "#00695c", "#6a1b9a", "#8a5a00", "#37474f", "#ad1457", "#2e7d32"];

const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "toImage"] };

/** Draw traces over 2θ. */
export function draw(id, traces, { yTitle = "Intensity", layout = {} } = {}) {
  const narrow = window.innerWidth < 640;
  return Plotly.react(
    byId(id),
    traces,
    {
      margin: { l: narrow ? 42 : 65, r: 12, t: 10, b: 45 },
      font: { family: "system-ui, Segoe UI, DejaVu Sans, sans-serif", size: narrow ? 12 : 13, color: "#17222d" },
      hovermode: "closest",
      hoverlabel: { bgcolor: "#fff", bordercolor: "#74808c", font: { color: "#17222d", size: 13 } },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: narrow ? 11 : 13 } },
      ...layout,
      xaxis: { title: { text: "2θ (degrees)" }, zeroline: false, gridcolor: "#e8ecf0", ...layout.xaxis },
      yaxis: { zeroline: false, gridcolor: "#e8ecf0", ...layout.yaxis, title: { text: narrow ? "" : yTitle } },
    },
    config,
  );
}

/** Save a plot as a picture. */
export const savePicture = (id, name) =>
  Plotly.downloadImage(byId(id), { format: "png", width: 1200, height: 600, scale: 2, filename: fileName(name) });

/** Angles of an even grid. */
export const anglesOf = ({ first_deg: first, last_deg: last, n_points: n }) =>
  Array.from({ length: n }, (_, i) => first + ((last - first) * i) / (n - 1));
