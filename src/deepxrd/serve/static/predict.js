// Predict: formulas in, patterns and structures out.

import { ask, askJson, byId, chance, chemical, chemicalInPlot, fileName, fillTable, fixed, group, groupInPlot, make, number, percent, plain, save, working } from "./common.js";
import { anglesOf, COLOURS, draw, savePicture } from "./plot.js";
import { showStructure } from "./structure.js";

const STEP = 110; // between patterns that stand one above the other
let answers = [];
let shown = []; // drawn structures: {answer, structure, known, colour}

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
  byId("understood").replaceChildren(...said.map((each, i) => make("li", {}, ...inWords(texts[i], each))));
}

function inWords(text, { formula, hint, known, others, message }) {
  if (!formula) return [make("span", { class: "bad" }, message)];
  const out = [...(formula === text ? [] : [`${text} is read as `]), chemical(formula), `: ${known} known phase${known === 1 ? "" : "s"}`];
  if (hint) out.push("; did you mean ", chip(hint, () => replaceFormula(text, hint)), "?");
  const more = others.filter((each) => !typed().includes(each)).slice(0, 4);
  if (more.length) out.push(". Of the same elements: ", ...more.flatMap((each) => [chip(each, () => addFormula(each)), " "]));
  return out;
}

const chip = (formula, onclick) => make("button", { type: "button", class: "chip small", onclick }, chemical(formula));

function setFormulas(texts) {
  byId("formulas").value = texts.join(", ");
  byId("formulas").focus();
  understand();
}

const replaceFormula = (text, hint) => setFormulas(typed().map((each) => (each === text ? hint : each)));
const addFormula = (formula) => setFormulas([...typed(), formula]);

async function predict() {
  const numbers = Object.fromEntries(["first", "last", "width"].map((id) => [`${id}_deg`, byId(id).valueAsNumber]));
  if (!typed().length) throw new Error("type a formula, such as SrTiO3");
  if (Object.values(numbers).some(Number.isNaN)) throw new Error("range and width need numbers");
  const answer = await askJson("predict", { formulas: typed(), radiation: byId("radiation").value || "Cu", ...numbers });
  answers = answer.answers;
  shown = [];
  // of each formula the likeliest candidate and the most stable known phase are drawn first
  for (const each of answers) {
    for (const structure of each.known.slice(0, 1)) add(each, structure, true);
    for (const structure of each.candidates.slice(0, 1)) add(each, structure, false);
  }
  byId("predict-result").hidden = false;
  byId("predict-answers").replaceChildren(...answers.map(answerPart));
  redraw();
  const first = shown[0];
  if (first) select(first.answer, first.structure);
  else byId("structure").hidden = true;
}

/** Draw a structure in the first colour that is free, so that those drawn already keep theirs. */
function add(answer, structure, known) {
  const taken = shown.map(({ colour }) => colour);
  const colour = COLOURS.find((each) => !taken.includes(each)) ?? COLOURS[shown.length % COLOURS.length];
  shown.push({ answer, structure, known, colour });
}

const nameOf = (structure, known) => (known ? `known, ${structure.name}` : `${structure.name}, ${percent(structure.probability)}`);
const labelOf = ({ answer, structure, known }) => `${answer.typed}: ${nameOf(structure, known)}, ${structure.symbol}`;
const labelInPlot = ({ answer, structure, known }) => `${chemicalInPlot(answer.typed)} ${plain(nameOf(structure, known))}, ${groupInPlot(structure.symbol)}`;

function redraw() {
  const traces = [];
  const stacked = byId("stacked").checked;
  shown.forEach((each, i) => {
    const raised = stacked ? STEP * (shown.length - 1 - i) : 0;
    const name = labelInPlot(each);
    const line = { color: each.colour, width: 1.4, dash: each.known ? "solid" : "4px,2px" };
    const y = raised ? each.structure.intensity.map((value) => value + raised) : each.structure.intensity;
    traces.push({ x: anglesOf(each.answer.pattern), y, name, mode: "lines", line, hoverinfo: "skip", legendgroup: i });
    const lines = each.structure.lines;
    traces.push({
      x: lines.map(([angle]) => angle),
      y: lines.map(([, intensity]) => intensity + raised),
      text: lines.map(([, intensity, d, hkl]) => `d = ${d.toFixed(4)} Å<br>h k l = ${hkl}<br>intensity ${intensity.toFixed(1)}`),
      name, showlegend: false, legendgroup: i, mode: "markers",
      marker: { color: each.colour, size: 5, symbol: each.known ? "circle" : "circle-open" },
      hovertemplate: `${name}<br>2θ = %{x:.3f}°<br>%{text}<extra></extra>`,
    });
  });
  const layout = { xaxis: { title: { text: `2θ (degrees, λ = ${answers[0]?.wavelength_angstrom ?? ""} Å)` } }, yaxis: { showticklabels: !stacked, showgrid: !stacked } };
  draw("predict-plot", traces, { yTitle: stacked ? "Intensity" : "Intensity (strongest = 100)", layout });
}

/** What all candidates say together. */
function together(answer) {
  const facts = [];
  const line = (name, ...said) => facts.push(make("div", {}, make("dt", {}, name), make("dd", {}, ...said)));
  if (answer.crystal_system) line("Crystal system", `${answer.crystal_system}, ${percent(answer.crystal_system_probability)}`);
  if (answer.space_groups.length) line("Space group", ...answer.space_groups.slice(0, 3).flatMap((each, i) => [i ? "; " : "", group(each.symbol), ` ${percent(each.probability)}`]));
  const [low, , high] = answer.density_g_per_cm3;
  if (low !== null) line("Density, 90 % interval", `${fixed(low, 2)} to ${fixed(high, 2)} g/cm³`);
  if (answer.expected_f1 !== null) line("Expected F1 of the peaks", fixed(answer.expected_f1, 2));
  if (answer.candidates.length) line("None of the candidates", percent(answer.none_of_them));
  return make("dl", { class: "said" }, ...facts);
}

function answerPart(answer) {
  const heading = answer.formula === answer.typed ? [chemical(answer.formula)] : [`${answer.typed}, read as `, chemical(answer.formula)];
  const words = [answer.learned ? "The model has learned from this composition." : "The model has not learned from this composition."];
  if (!answer.candidates.length) words.unshift("No candidates: nothing like this formula is known.");
  if (answer.hint) words.push(`Did you mean ${answer.hint}?`);
  const known = make("table");
  fillTable(known, `Known phases: ${answer.n_known}${answer.n_known > answer.known.length ? `, the ${answer.known.length} most stable of them` : ""}`,
    ["Draw", "In 3-D", "Phase", "Space group", "Cell a b c (Å), α β γ (°)", number("Above hull (eV/atom)", "th")],
    answer.known.map((each) => [drawn(answer, each, true), button(answer, each), phase(each), group(each.symbol, each.space_group), cell(each), number(fixed(each.energy_above_hull_ev_per_atom, 3))]));
  const made = make("table");
  fillTable(made, `Candidates: ${answer.n_candidates}${answer.n_candidates > answer.candidates.length ? `, the ${answer.candidates.length} likeliest of them` : ""}`,
    ["Draw", "In 3-D", "Probability", "Space group", "Cell a b c (Å), α β γ (°)", "Built like"],
    answer.candidates.map((each) => [drawn(answer, each, false), button(answer, each), chance(each.probability), group(each.symbol, each.space_group), cell(each), template(each)]));
  const parts = [["Known phases", answer.known.length ? known : make("p", {}, "Known phases: none in the library.")], ...(answer.candidates.length ? [["Candidates", made]] : [])];
  return make("article", { class: "answer card" }, make("h3", {}, ...heading), together(answer), make("p", { class: "hint" }, words.join(" ")),
    ...parts.map(([name, part]) => make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${name} of ${answer.typed}` }, part)));
}

/** Why nothing of a structure is seen in the plot. */
const flat = ({ no_pattern: why }) => (why ? make("span", { class: "soft" }, `no pattern: ${why}`) : null);

function phase(each) {
  const { name, known_from_experiment: seen } = each;
  const words = { true: "experimental", false: "computed only" }[seen];
  return make("span", {}, name, words ? make("span", { class: "soft" }, words) : null, flat(each));
}

function template(each) {
  const { origin } = each;
  const [, formula, id] = origin.match(/^sites of (.*) \((.*)\)$/) ?? [null, origin, ""];
  return make("span", {}, chemical(formula), make("span", { class: "soft" }, id), each.shared_sites ? make("span", { class: "soft" }, "elements share sites") : null, flat(each));
}

/** Lengths, with the uncertainty of the last digits of a predicted one in brackets; angles below. */
function cell(each) {
  const off = each.cell_deviation;
  const lengths = each.cell.slice(0, 3).map((value, i) => (off ? `${value.toFixed(2)}(${Math.max(1, Math.round(100 * off[i]))})` : value.toFixed(3)));
  return make("span", {}, lengths.join("  "), make("span", { class: "soft" }, each.cell.slice(3).map((value) => value.toFixed(1)).join("  ")));
}

function drawn(answer, structure, known) {
  const box = make("input", { type: "checkbox", "aria-label": `Draw ${structure.name} of ${answer.typed}` });
  box.checked = shown.some((each) => each.structure === structure);
  box.addEventListener("change", () => {
    if (box.checked) add(answer, structure, known);
    else shown = shown.filter((each) => each.structure !== structure);
    redraw();
  });
  return box;
}

const button = (answer, structure) =>
  make("button", { type: "button", class: "small", "aria-label": `Show ${structure.name} of ${answer.typed}`, onclick: () => { select(answer, structure); byId("structure").scrollIntoView({ block: "nearest" }); } }, "Show");

function select(answer, structure) {
  showStructure([chemical(answer.typed), `, ${structure.name}, `, group(structure.symbol, structure.space_group)], structure, fileName(`${answer.formula}_${structure.name}`));
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
    example.replaceChildren(chemical(example.textContent));
    example.addEventListener("click", () => {
      byId("formulas").value = example.textContent;
      understand();
      byId("predict-form").requestSubmit();
    });
  }
  byId("predict-form").addEventListener("submit", (event) => {
    event.preventDefault();
    working(event.target.querySelector("button.main"), byId("predict-status"), "Predicting …", predict, byId("predict-result"));
  });
  byId("stacked").addEventListener("change", redraw);
  byId("predict-png").addEventListener("click", () => savePicture("predict-plot", typed().join("_")));
  byId("predict-csv").addEventListener("click", saveCsv);
  understand();
}
