// Predict: formulas in, patterns and structures out.

import { ask, askJson, byId, fileName, fillTable, fixed, make, percent, plain, save, working } from "./common.js";
import { anglesOf, COLOURS, draw, savePicture } from "./plot.js";
import { showStructure } from "./structure.js";

let answers = [];
let shown = []; // drawn structures: {answer, structure, known}

// a comma ends a formula; a blank, as in "CaSO4 · 2H2O", does not
const typed = () => byId("formulas").value.split(/[,;]+/).map((text) => text.trim()).filter(Boolean);

/** Say what is understood while somebody types, once they rest. */
let asked = 0;
async function understand() {
  const mine = ++asked;
  await new Promise((done) => setTimeout(done, 250));
  if (mine !== asked) return;
  const texts = typed().slice(0, 8);
  let said;
  try {
    said = await Promise.all(texts.map((text) => ask(`formula?text=${encodeURIComponent(text)}`)));
  } catch (error) {
    said = [{ message: error.message }];
  }
  if (mine !== asked) return;
  byId("understood").replaceChildren(...said.flatMap((each, i) => [...(i ? ["; "] : []), ...inWords(texts[i], each)]));
}

function inWords(text, { formula, hint, known, message }) {
  if (!formula) return [make("span", { class: "bad" }, message)];
  const read = formula === text ? formula : `${text} is read as ${formula}`;
  const out = [`${read}: ${known} known phase${known === 1 ? "" : "s"}`];
  if (hint) out.push(" — did you mean ", make("button", { type: "button", class: "link", onclick: () => replaceFormula(text, hint) }, hint), "?");
  return out;
}

function replaceFormula(text, hint) {
  byId("formulas").value = typed().map((each) => (each === text ? hint : each)).join(", ");
  byId("formulas").focus();
  understand();
}

async function predict() {
  const numbers = Object.fromEntries(["first", "last", "width"].map((id) => [`${id}_deg`, byId(id).valueAsNumber]));
  if (!typed().length) throw new Error("type a formula, such as SrTiO3");
  if (Object.values(numbers).some(Number.isNaN)) throw new Error("range and width need numbers");
  const answer = await askJson("predict", { formulas: typed(), radiation: byId("radiation").value || "Cu", ...numbers });
  answers = answer.answers;
  // of each formula the likeliest candidate and the most stable known phase are drawn first
  shown = answers.flatMap((each) => [
    ...each.known.slice(0, 1).map((structure) => ({ answer: each, structure, known: true })),
    ...each.candidates.slice(0, 1).map((structure) => ({ answer: each, structure, known: false })),
  ]);
  byId("predict-result").hidden = false;
  byId("predict-answers").replaceChildren(...answers.map(answerPart));
  redraw();
  const first = shown[0];
  if (first) select(first.answer, first.structure);
  else byId("structure").hidden = true;
}

const labelOf = ({ answer, structure, known }) =>
  `${answer.typed}: ${known ? `known, ${structure.name}` : `${structure.name}, ${percent(structure.probability)}`}, ${structure.symbol}`;

function redraw() {
  const traces = [];
  shown.forEach((each, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const line = { color: colour, width: 1.3, dash: each.known ? "solid" : "dash" };
    traces.push({ x: anglesOf(each.answer.pattern), y: each.structure.intensity, name: plain(labelOf(each)), mode: "lines", line, hoverinfo: "skip", legendgroup: i });
    const lines = each.structure.lines;
    traces.push({
      x: lines.map(([angle]) => angle),
      y: lines.map(([, intensity]) => intensity),
      text: lines.map(([, , d, hkl]) => `d = ${d.toFixed(4)} Å, hkl = ${hkl}`),
      name: plain(labelOf(each)), showlegend: false, legendgroup: i, mode: "markers",
      marker: { color: colour, size: 6, symbol: each.known ? "circle" : "circle-open" },
      hovertemplate: "2θ = %{x:.3f}°, %{y:.1f}<br>%{text}<extra></extra>",
    });
  });
  const zoomed = { xaxis: { title: { text: `2θ (degrees, λ = ${answers[0]?.wavelength_angstrom ?? ""} Å)` } }, yaxis: { title: { text: "Intensity (strongest = 100)" } } };
  draw("predict-plot", traces, { layout: zoomed });
}

function answerPart(answer) {
  const heading = answer.formula === answer.typed ? answer.formula : `${answer.typed} (read as ${answer.formula})`;
  const words = [];
  if (answer.crystal_system) words.push(`Predicted: ${answer.crystal_system} (${percent(answer.crystal_system_probability)}).`);
  if (answer.density_g_per_cm3[1] !== null) words.push(`Density ${fixed(answer.density_g_per_cm3[0], 2)} to ${fixed(answer.density_g_per_cm3[2], 2)} g/cm³ (90 %).`);
  if (answer.candidates.length) words.push(`None of the candidates: ${percent(answer.none_of_them)}.`);
  else words.push("No candidates: nothing like this formula is known.");
  words.push(answer.learned ? "The model has learned from this composition." : "The model has not learned from this composition.");
  if (answer.hint) words.push(`Did you mean ${answer.hint}?`);
  const known = make("table");
  fillTable(known, `Known phases: ${answer.n_known}${answer.n_known > answer.known.length ? `, the ${answer.known.length} most stable of them` : ""}`,
    ["Draw", "Phase", "Space group", "a, b, c (Å)", "α, β, γ (°)", "Above hull (eV/atom)", "Structure"],
    answer.known.map((each) => [drawn(answer, each, true), each.name, group(each), ...cells(each), fixed(each.energy_above_hull_ev_per_atom, 3), button(answer, each)]));
  const made = make("table");
  fillTable(made, `Candidates: ${answer.n_candidates}${answer.n_candidates > answer.candidates.length ? `, the ${answer.candidates.length} likeliest of them` : ""}`,
    ["Draw", "Probability", "Space group", "a, b, c (Å)", "α, β, γ (°)", "Like", "Structure"],
    answer.candidates.map((each) => [drawn(answer, each, false), percent(each.probability), group(each), ...cells(each), each.origin.replace("sites of ", ""), button(answer, each)]));
  const parts = [answer.known.length ? known : make("p", {}, "Known phases: none in the library."), ...(answer.candidates.length ? [made] : [])];
  return make("article", { class: "answer" }, make("h3", {}, heading), make("p", {}, words.join(" ")),
    ...parts.map((part) => make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Structures of ${answer.typed}` }, part)));
}

const group = (each) => `${each.symbol} (${each.space_group})`;

function cells(each) {
  const off = each.cell_deviation;
  const lengths = each.cell.slice(0, 3).map((value, i) => (off ? `${value.toFixed(2)}±${off[i].toFixed(2)}` : value.toFixed(3)));
  return [lengths.join("  "), each.cell.slice(3).map((value) => value.toFixed(1)).join("  ")];
}

function drawn(answer, structure, known) {
  const box = make("input", { type: "checkbox", "aria-label": `Draw ${structure.name} of ${answer.typed}` });
  box.checked = shown.some((each) => each.structure === structure);
  box.addEventListener("change", () => {
    shown = box.checked ? [...shown, { answer, structure, known }] : shown.filter((each) => each.structure !== structure);
    redraw();
  });
  return box;
}

const button = (answer, structure) =>
  make("button", { type: "button", "aria-label": `Show ${structure.name} of ${answer.typed}`, onclick: () => { select(answer, structure); byId("structure").scrollIntoView({ block: "nearest" }); } }, "Show");

function select(answer, structure) {
  showStructure(`${answer.typed}: ${structure.name}, ${structure.symbol}`, structure, fileName(`${answer.formula}_${structure.name}`));
}

function saveCsv() {
  if (!shown.length) return;
  const x = anglesOf(shown[0].answer.pattern);
  const heads = ["two_theta_deg", ...shown.map((each) => `"${labelOf(each).replaceAll('"', "'")}"`)];
  const rows = x.map((angle, i) => [angle.toFixed(4), ...shown.map((each) => each.structure.intensity[i])].join(","));
  save(`${fileName(typed().join("_"))}.csv`, `${heads.join(",")}\n${rows.join("\n")}\n`, "text/csv");
}

export function startPredict() {
  byId("formulas").addEventListener("input", understand);
  for (const example of document.querySelectorAll("#predict .examples button")) {
    example.addEventListener("click", () => {
      byId("formulas").value = example.textContent;
      understand();
      byId("predict-form").requestSubmit();
    });
  }
  byId("predict-form").addEventListener("submit", (event) => {
    event.preventDefault();
    working(event.target.querySelector("button.main"), byId("predict-status"), "Predicting …", predict);
  });
  byId("predict-png").addEventListener("click", () => savePicture("predict-plot", typed().join("_")));
  byId("predict-csv").addEventListener("click", saveCsv);
  understand();
}
