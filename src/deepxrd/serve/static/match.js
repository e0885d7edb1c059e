// Match: a scan in, its phases out.

import { ask, byId, chance, chemical, chemicalInPlot, fillTable, fixed, group, groupInPlot, make, number, percent, plain, working } from "./common.js";
import { COLOURS, draw, savePicture } from "./plot.js";

const chosen = new Set();
let example = "";
let dropped = null;
let matched = null; // the answer that is drawn

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

/** Buttons in their places; Tab comes to one of them, and the arrow keys move between them. */
function periodicTable(symbols) {
  const table = byId("elements");
  table.append(...symbols.slice(0, 103).map((symbol, i) => {
    const [row, column] = place(i + 1);
    const button = make("button", { type: "button", "aria-pressed": "false", tabindex: i ? -1 : 0, onclick: () => toggle(symbol) }, symbol);
    [button.style.gridRow, button.style.gridColumn] = [row, column];
    Object.assign(button.dataset, { symbol, row, column });
    return button;
  }));
  table.addEventListener("focusin", ({ target }) => {
    for (const button of table.children) button.tabIndex = button === target ? 0 : -1;
  });
  table.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const from = event.target.dataset;
    if (!step || !from.symbol) return;
    event.preventDefault();
    next(table, Number(from.row), Number(from.column), step)?.focus();
  });
}

/** The next button in a direction, over gaps. */
function next(table, row, column, [down, right]) {
  const at = (r, c) => [...table.children].find((each) => Number(each.dataset.row) === r && Number(each.dataset.column) === c);
  for (let i = 1; i <= 18; i++) {
    const found = at(row + i * down, column + i * right);
    if (found) return found;
  }
  return null;
}

function toggle(symbol) {
  if (!chosen.delete(symbol)) chosen.add(symbol);
  byId("element-names").value = [...chosen].join(", ");
  showChosen();
}

function choose(symbols) {
  chosen.clear();
  for (const symbol of symbols) chosen.add(symbol);
  byId("element-names").value = [...chosen].join(", ");
  showChosen();
}

/** Take symbols as they are typed; a formula will do. */
function typedElements() {
  const known = new Set([...byId("elements").children].map(({ dataset }) => dataset.symbol));
  const words = byId("element-names").value.match(/[A-Z][a-z]?/g) ?? [];
  chosen.clear();
  for (const word of words) if (known.has(word)) chosen.add(word);
  showChosen(words.filter((word) => !known.has(word)));
}

function showChosen(unknown = []) {
  for (const button of byId("elements").children) button.setAttribute("aria-pressed", String(chosen.has(button.dataset.symbol)));
  const words = chosen.size ? `chosen: ${[...chosen].join(", ")}` : "none chosen";
  byId("elements-chosen").textContent = unknown.length ? `${words}; ${unknown.join(", ")}: no such element` : words;
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
    // each line is a name of thirteen characters and what is said of it
    const rows = scan.text.map((line) => line.match(/^(\S.{0,11}?)\s{2,}(.*)$/)?.slice(1) ?? ["", line]);
    const body = [["file", scan.file], ...rows].map(([name, said]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, said)));
    byId("scan-text").replaceChildren(make("tbody", {}, ...body));
    const trace = { x: scan.points.two_theta_deg, y: scan.points.counts, mode: "lines", line: { color: "#17222d", width: 1 }, name: plain(scan.file), hovertemplate: "2θ = %{x:.3f}°, %{y:.0f}<extra></extra>" };
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
  matched = answer;
  byId("match-result").hidden = false;
  byId("verdict").textContent = answer.verdict.charAt(0).toUpperCase() + answer.verdict.slice(1);
  byId("verdict-box").className = `verdict ${answer.confident ? "yes" : answer.verdict.startsWith("part") ? "partly" : ""}`;
  byId("match-summary").textContent = [
    `Similarity ${answer.similarity.toFixed(3)}; ${percent(answer.unexplained_share_of_intensity)} of the measured intensity is not explained; ${answer.structures_tried} structures tried.`,
    ...answer.notes.map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`),
    ...answer.skipped.map(([text, why]) => `Left out: ${text} (${why}).`),
  ].filter(Boolean).join(" ");
  fillTable(byId("phases"), "", ["Phase", "Probability", "Space group", number("Weight", "th"), "Refined cell a b c (Å), α β γ (°)", "Structure"],
    answer.phases.map((each, i) => [
      named(each, i), chance(each.probability), group(each.symbol, each.space_group), number(percent(each.weight_fraction)), cellOf(each.cell),
      make("a", { class: "button small", href: `data:chemical/x-cif;charset=utf-8,${encodeURIComponent(each.cif_text)}`, download: each.cif }, "CIF"),
    ]));
  byId("others-box").hidden = !answer.others.length;
  fillTable(byId("others"), "", ["Compound", "Probability", "Space group", number("Similarity", "th")],
    answer.others.map((each) => [named(each), chance(each.probability), group(each.symbol, each.space_group), number(fixed(each.similarity, 3))]));
  drawFit();
  byId("match-html").href = `api/matches/${answer.id}/report.html`;
  byId("match-json").href = `api/matches/${answer.id}`;
  byId("match-result").scrollIntoView({ block: "nearest" });
}

/** Formula and id of a phase, with the mark of its ticks. */
function named({ formula, material_id: id }, i = null) {
  const mark = i === null ? null : make("span", { class: "plain-mark", "aria-hidden": "true" }, "▮");
  if (mark) mark.style.color = COLOURS[(i + 1) % COLOURS.length];
  return make("span", {}, mark, chemical(formula), make("span", { class: "soft" }, id));
}

function cellOf(cell) {
  const row = (names, digits) => names.map((name) => fixed(cell[name], digits)).join("  ");
  return make("span", {}, row(["a_angstrom", "b_angstrom", "c_angstrom"], 4), make("span", { class: "soft" }, row(["alpha_deg", "beta_deg", "gamma_deg"], 2)));
}

function drawFit() {
  const { curves, phases } = matched;
  const log = byId("match-log").checked;
  const x = curves.two_theta_deg;
  const line = (y, name, color, axis = "y") => ({ x, y, name, yaxis: axis, mode: "lines", line: { color, width: 1.1 }, hovertemplate: "2θ = %{x:.3f}°, %{y:.0f}<extra></extra>" });
  const traces = [
    line(curves.measured, "measured", "#17222d"),
    line(curves.background, "background", "#8a949e"),
    line(curves.fit, "fit", COLOURS[0]),
    line(curves.residual, "measured − fit", "#5b6670", "y3"),
    ...curves.ticks.map((angles, i) => ({
      x: angles, y: angles.map(() => -i), yaxis: "y2", name: `${chemicalInPlot(phases[i].formula)}, ${groupInPlot(phases[i].symbol)}`, mode: "markers",
      marker: { symbol: "line-ns-open", size: 9, color: COLOURS[(i + 1) % COLOURS.length] }, hovertemplate: "%{x:.3f}°<extra></extra>",
    })),
  ];
  const bare = { showticklabels: false, zeroline: false, showgrid: false, fixedrange: true };
  draw("match-plot", traces, { yTitle: "Counts", layout: {
    yaxis: { domain: [0.32, 1], type: log ? "log" : "linear" },
    yaxis2: { ...bare, domain: [0.2, 0.3], range: [-Math.max(curves.ticks.length, 1) + 0.4, 0.6] },
    yaxis3: { domain: [0, 0.18], nticks: 3, zeroline: true, zerolinecolor: "#b5bec6", gridcolor: "#e8ecf0" },
    xaxis: { anchor: "y3" },
  } });
}

function startDrop() {
  const drop = byId("drop");
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) {
        byId("scan-file").value = "";
        takeFile(event.dataTransfer.files[0]);
      }
    });
  }
}

/** Take an example; its button stays marked. */
function takeExample(each, button) {
  [example, dropped] = [each.name, null];
  byId("scan-file").value = "";
  mark(button);
  choose(each.elements);
  understand();
}

function mark(button) {
  for (const each of byId("scan-examples").querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
}

function takeFile(file) {
  [dropped, example] = [file, ""];
  mark(null);
  understand();
}

export function startMatch({ elements, examples }) {
  periodicTable(elements);
  startDrop();
  byId("scan-file").addEventListener("change", () => takeFile(null));
  for (const id of ["match-radiation", "match-axis", "match-scan"]) byId(id).addEventListener("change", () => { if (dropped || example || byId("scan-file").files.length) understand(); });
  for (const each of examples) {
    const button = make("button", { type: "button", class: "chip", "aria-pressed": "false", onclick: () => takeExample(each, button) }, each.title);
    byId("scan-examples").append(button, " ");
  }
  byId("scan-sources").textContent = [...new Set(examples.map((each) => `Examples: ${each.source}, ${each.licence}.`))].join(" ");
  byId("element-names").addEventListener("input", typedElements);
  byId("no-elements").addEventListener("click", () => choose([]));
  byId("match-form").addEventListener("submit", (event) => {
    event.preventDefault();
    working(event.target.querySelector("button.main"), byId("match-status"), "Matching … this may take a minute", match, byId("match-result"));
  });
  byId("match-log").addEventListener("change", drawFit);
  byId("match-png").addEventListener("click", () => savePicture("match-plot", "match"));
}
