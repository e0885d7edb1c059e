// Match: a scan in, its phases out.

import { ask, byId, fillTable, fixed, make, percent, plain, working } from "./common.js";
import { COLOURS, draw, savePicture } from "./plot.js";

const chosen = new Set();
let example = "";
let dropped = null;

/** Rows and columns of the periodic table: group and period of each element, lanthanides and actinides below. */
function place(number) {
  const ends = [2, 10, 18, 36, 54, 86, 118];
  const period = ends.findIndex((end) => number <= end) + 1;
  if (number >= 57 && number <= 71) return [8, number - 57 + 3];
  if (number >= 89 && number <= 103) return [9, number - 89 + 3];
  const left = number - (ends[period - 2] ?? 0);
  const toEnd = ends[period - 1] - number;
  if (period === 1) return [1, left === 1 ? 1 : 18];
  if (left <= 2) return [period, left];
  return [period, 18 - toEnd];
}

function periodicTable(symbols) {
  byId("elements").append(...symbols.slice(0, 103).map((symbol, i) => {
    const [row, column] = place(i + 1);
    const button = make("button", { type: "button", "aria-pressed": "false", onclick: () => toggle(symbol, button) }, symbol);
    button.style.gridRow = row;
    button.style.gridColumn = column;
    button.dataset.symbol = symbol;
    return button;
  }));
}

function toggle(symbol, button) {
  if (!chosen.delete(symbol)) chosen.add(symbol);
  button.setAttribute("aria-pressed", String(chosen.has(symbol)));
  byId("elements-chosen").textContent = chosen.size ? [...chosen].join(", ") : "none chosen";
}

function choose(symbols) {
  chosen.clear();
  for (const button of byId("elements").children) {
    if (symbols.includes(button.dataset.symbol)) chosen.add(button.dataset.symbol);
    button.setAttribute("aria-pressed", String(chosen.has(button.dataset.symbol)));
  }
  byId("elements-chosen").textContent = chosen.size ? [...chosen].join(", ") : "none chosen";
}

function question() {
  const form = new FormData();
  const file = dropped ?? byId("scan-file").files[0];
  if (file) form.set("file", file);
  else if (example) form.set("example_name", example);
  else throw new Error("choose a scan, or one of the examples");
  for (const [name, id] of [["radiation", "match-radiation"], ["axis", "match-axis"], ["scan", "match-scan"]]) {
    if (byId(id).value) form.set(name, byId(id).value);
  }
  return form;
}

/** Show what is understood of the file as soon as it is chosen. */
function understand() {
  byId("match-result").hidden = true;
  return working(byId("scan-file"), byId("scan-status"), "Reading the file …", async () => {
    byId("scan-understood").hidden = byId("scan-plot").hidden = true;
    const scan = await ask("scan", { method: "POST", body: question() });
    byId("scan-understood").hidden = byId("scan-plot").hidden = false;
    byId("scan-understood").open = true;
    byId("scan-text").textContent = [scan.file, ...scan.text].join("\n");
    const trace = { x: scan.points.two_theta_deg, y: scan.points.counts, mode: "lines", line: { color: "#16202a", width: 1 }, name: plain(scan.file) };
    draw("scan-plot", [trace], { yTitle: "Counts" });
  });
}

async function match() {
  const form = question();
  form.set("elements", [...chosen].join(","));
  form.set("formulas", byId("match-formulas").value);
  form.set("unseen", String(byId("match-unseen").checked));
  form.set("most_phases", byId("match-phases").value || "4");
  const answer = await ask("match", { method: "POST", body: form });
  byId("match-result").hidden = false;
  byId("verdict").textContent = answer.verdict;
  byId("verdict").className = answer.confident ? "good" : "";
  byId("match-summary").textContent = [
    `Similarity ${answer.similarity.toFixed(3)}; ${percent(answer.unexplained_share_of_intensity)} of the measured intensity is not explained; ${answer.structures_tried} structures tried.`,
    answer.wavelength_is_assumed ? "The file states no radiation: Cu Kα was taken." : "",
    ...answer.skipped.map(([text, why]) => `Left out: ${text} (${why}).`),
  ].filter(Boolean).join(" ");
  fillTable(byId("phases"), "Phases", ["Phase", "Probability", "Weight", "a, b, c (Å)", "α, β, γ (°)", "Structure"],
    answer.phases.map((each, i) => [
      marked(each.label, i), percent(each.probability), percent(each.weight_fraction),
      ["a_angstrom", "b_angstrom", "c_angstrom"].map((key) => fixed(each.cell[key], 4)).join("  "),
      ["alpha_deg", "beta_deg", "gamma_deg"].map((key) => fixed(each.cell[key], 2)).join("  "),
      make("a", { href: `data:chemical/x-cif;charset=utf-8,${encodeURIComponent(each.cif_text)}`, download: each.cif }, "CIF"),
    ]));
  fillTable(byId("others"), "", ["Phase", "Probability", "Similarity"], answer.others.map((each) => [each.label, percent(each.probability), fixed(each.similarity, 3)]));
  drawFit(answer);
  byId("match-html").href = `api/matches/${answer.id}/report.html`;
  byId("match-json").href = `api/matches/${answer.id}`;
}

function marked(label, i) {
  const mark = make("span", { "aria-hidden": "true" }, "▮ ");
  mark.style.color = COLOURS[(i + 1) % COLOURS.length];
  return make("span", {}, mark, label);
}

function drawFit({ curves, phases }) {
  const x = curves.two_theta_deg;
  const line = (y, name, color, axis = "y") => ({ x, y, name, yaxis: axis, mode: "lines", line: { color, width: 1 }, hovertemplate: "2θ = %{x:.3f}°, %{y:.0f}<extra></extra>" });
  const traces = [
    line(curves.measured, "measured", "#16202a"),
    line(curves.background, "background", "#6b6b6b"),
    line(curves.fit, "fit", COLOURS[0]),
    line(curves.residual, "what is left", "#16202a", "y3"),
    ...curves.ticks.map((angles, i) => ({
      x: angles, y: angles.map(() => -i), yaxis: "y2", name: plain(phases[i].label), mode: "markers",
      marker: { symbol: "line-ns-open", size: 9, color: COLOURS[(i + 1) % COLOURS.length] }, hovertemplate: "%{x:.3f}°<extra></extra>",
    })),
  ];
  const bare = { showticklabels: false, zeroline: false, showgrid: false, fixedrange: true };
  draw("match-plot", traces, { yTitle: "Counts", layout: {
    yaxis: { domain: [0.32, 1], zeroline: false },
    yaxis2: { ...bare, domain: [0.2, 0.3], range: [-Math.max(curves.ticks.length, 1) + 0.4, 0.6] },
    yaxis3: { domain: [0, 0.18], nticks: 3, zeroline: true },
    xaxis: { title: { text: "2θ (degrees)" }, anchor: "y3" },
  } });
}

function startDrop() {
  const drop = byId("drop");
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) {
        [dropped, example] = [event.dataTransfer.files[0], ""];
        understand();
      }
    });
  }
}

export function startMatch({ elements, examples }) {
  periodicTable(elements);
  startDrop();
  byId("scan-file").addEventListener("change", () => { [dropped, example] = [null, ""]; understand(); });
  for (const id of ["match-radiation", "match-axis", "match-scan"]) byId(id).addEventListener("change", () => { if (dropped || example || byId("scan-file").files.length) understand(); });
  byId("scan-examples").append(...examples.flatMap((each) => [
    make("button", { type: "button", class: "link", title: `${each.citation} ${each.licence}`, onclick: () => {
      [example, dropped] = [each.name, null];
      byId("scan-file").value = "";
      choose(each.elements);
      understand();
    } }, each.title), " ",
  ]));
  byId("match-form").addEventListener("submit", (event) => {
    event.preventDefault();
    working(event.target.querySelector("button.main"), byId("match-status"), "Matching … this may take a minute", match);
  });
  byId("match-png").addEventListener("click", () => savePicture("match-plot", "match"));
}
