// Screen: a table of formulas in, a table of answers out.

import { ask, askJson, byId, chance, chemical, fillTable, group, make, number, working } from "./common.js";

const EVERY_MS = 1500;
const AT_ONCE = 25;
const MAIN = {
  typed: "Formula", crystal_system: "Crystal system", space_group_1: "Space group", best_probability: "Best candidate",
  density_g_per_cm3: "Density (g/cm³)", expected_f1: "Expected F1", known_phases: "Known phases", known_id: "Most stable known",
};
const EXAMPLE = ["Ca", "Sr", "Ba", "Pb"].flatMap((a) => ["Ti", "Zr", "Hf"].map((b) => `${a}${b}O3`));
let symbols = []; // of the space groups
let open = null; // the job whose rows are shown
let asked = { sort: "", descending: false, contains: "", least: {}, first: 0, n: AT_ONCE };
let timer = 0;

/** Show all jobs, and look again while one of them waits or runs. */
async function refresh() {
  clearTimeout(timer);
  if (byId("screen").hidden) return;
  let jobs = [];
  try {
    jobs = await ask("jobs");
  } catch (error) {
    byId("screen-status").textContent = error.message;
    timer = setTimeout(refresh, 4 * EVERY_MS);
    return;
  }
  const focused = document.activeElement?.dataset?.act;
  fillTable(byId("jobs"), "", ["Table", "Begun", "State", "Rows", "Actions"], jobs.map((job) => [job.name, new Date(1000 * job.created).toLocaleString(), stateOf(job), rowsOf(job), actions(job)]));
  if (!jobs.length) byId("jobs").replaceChildren(make("caption", {}, "None yet."));
  if (focused) document.querySelector(`[data-act="${CSS.escape(focused)}"]`)?.focus();
  if (jobs.some(({ state }) => state === "waiting" || state === "running")) timer = setTimeout(refresh, EVERY_MS);
}

function stateOf(job) {
  return make("span", { class: job.state === "failed" ? "bad" : job.state === "done" ? "good" : null }, job.state, job.message && job.state !== job.message ? `: ${job.message}` : "");
}

function rowsOf(job) {
  if (!job.n_rows) return "";
  const words = `${job.n_done} of ${job.n_rows}${job.n_skipped ? `, ${job.n_skipped} skipped` : ""}`;
  return job.state === "running" ? make("span", {}, make("progress", { max: job.n_rows, value: job.n_done, "aria-label": `Progress of ${job.name}` }), ` ${words}`) : words;
}

function actions(job) {
  const act = (what, name, run) => make("button", { type: "button", class: "small", "data-act": `${what} ${job.id}`, "aria-label": `${name} ${job.name}`, onclick: run }, name);
  const running = job.state === "waiting" || job.state === "running";
  const parts = [];
  if (job.state === "done") parts.push(act("show", "Show", () => show(job)));
  if (running) parts.push(act("cancel", "Cancel", () => then(ask(`jobs/${job.id}/cancel`, { method: "POST" }))));
  else parts.push(act("delete", "Delete", () => remove(job)));
  return make("span", {}, ...parts.flatMap((part) => [part, " "]));
}

function remove(job) {
  if (!window.confirm(`Delete the screening of ${job.name} and its results?`)) return;
  if (open?.id === job.id) byId("rows").hidden = true;
  then(ask(`jobs/${job.id}`, { method: "DELETE" }));
}

async function then(promise) {
  try {
    await promise;
  } catch (error) {
    byId("screen-status").textContent = error.message;
  }
  refresh();
}

function show(job) {
  open = job;
  asked = { sort: "", descending: false, contains: "", least: {}, first: 0, n: AT_ONCE };
  byId("rows-form").reset();
  byId("least-column").replaceChildren();
  byId("rows").hidden = false;
  byId("rows-title").textContent = `Results of ${job.name}`;
  for (const [id, name] of [["rows-parquet", "results.parquet"], ["rows-csv", "results.csv"], ["rows-skipped", "skipped.csv"]]) byId(id).href = `api/jobs/${job.id}/files/${name}`;
  byId("rows-skipped").hidden = !job.n_skipped;
  load().then(() => byId("rows").scrollIntoView({ block: "nearest" }));
}

async function load() {
  try {
    const { columns, n_rows, rows } = await askJson(`jobs/${open.id}/rows`, asked);
    byId("rows-count").classList.remove("bad");
    byId("rows-count").textContent = n_rows ? `${asked.first + 1} to ${asked.first + rows.length} of ${n_rows} rows` : "no such row";
    byId("rows-before").disabled = asked.first === 0;
    byId("rows-after").disabled = asked.first + rows.length >= n_rows;
    if (!byId("least-column").length) byId("least-column").append(make("option", { value: "" }, "any"), ...columns.filter((name, i) => name !== "line" && rows.some((row) => typeof row[i] === "number")).map((name) => make("option", { value: name }, MAIN[name] ?? name)));
    const all = byId("all-columns").checked;
    const shown = all ? ["typed", ...columns.filter((name) => name !== "typed")] : Object.keys(MAIN).filter((name) => columns.includes(name));
    const places = shown.map((name) => columns.indexOf(name));
    const numeric = places.map((place) => rows.some((row) => typeof row[place] === "number"));
    fillTable(byId("rows-table"), "", shown.map((name, i) => heading(name, all ? name : MAIN[name], numeric[i] && !asText(name, all))),
      rows.map((row) => shown.map((name, i) => (all ? plainCell(row[places[i]]) : cell(name, row[places[i]])))));
  } catch (error) {
    byId("rows-count").classList.add("bad");
    byId("rows-count").textContent = error.message;
  }
}

/** Whether a column of numbers is shown as something else. */
const asText = (name, all) => !all && (name === "space_group_1" || name === "best_probability");

const plainCell = (value) => (typeof value === "number" ? number(Number.isInteger(value) ? value : Number(value.toPrecision(4))) : String(value ?? ""));

function cell(name, value) {
  if (value === null || value === undefined) return "";
  if (name === "typed") return chemical(value);
  if (name === "space_group_1") return value ? group(symbols[value - 1], value) : "";
  if (name === "best_probability") return chance(value);
  if (name === "known_phases") return number(value);
  return typeof value === "number" ? number(value.toFixed(2)) : value;
}

function heading(name, shownAs, isNumber) {
  const sorted = asked.sort === name;
  const mark = sorted ? (asked.descending ? " ▼" : " ▲") : "";
  const sort = () => {
    asked = { ...asked, sort: name, descending: sorted ? !asked.descending : name !== "typed" && name !== "formula" && name !== "line", first: 0 };
    load().then(() => document.querySelector(`[data-sort="${CSS.escape(name)}"]`)?.focus());
  };
  return make("th", { scope: "col", class: isNumber ? "number" : null, "aria-sort": sorted ? (asked.descending ? "descending" : "ascending") : null },
    make("button", { type: "button", "data-sort": name, onclick: sort }, `${shownAs}${mark}`));
}

/** Send a table, and look at the jobs. */
function send(file) {
  return working(byId("screen-form").querySelector("button.main"), byId("screen-status"), "Sending the table …", async () => {
    if (!file) throw new Error("choose a table first");
    const form = new FormData();
    form.set("file", file);
    await ask("jobs", { method: "POST", body: form });
    refresh();
  });
}

export function startScreen({ keep_days: days, space_groups: groups }) {
  symbols = groups;
  byId("kept").textContent = `Results are kept for ${days} days.`;
  byId("all-columns").addEventListener("change", load);
  byId("screen-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send(byId("table-file").files[0]);
  });
  byId("screen-example").addEventListener("click", () => send(new File([`formula\n${EXAMPLE.join("\n")}\n`], "perovskites.csv")));
  byId("rows-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [column, value] = [byId("least-column").value, byId("least").valueAsNumber];
    asked = { ...asked, contains: byId("contains").value, least: column && !Number.isNaN(value) ? { [column]: value } : {}, first: 0 };
    load();
  });
  byId("rows-before").addEventListener("click", () => { asked.first = Math.max(0, asked.first - AT_ONCE); load(); });
  byId("rows-after").addEventListener("click", () => { asked.first += AT_ONCE; load(); });
  return refresh;
}
