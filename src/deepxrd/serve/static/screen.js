// Screen: a table of formulas in, a table of answers out.

import { ask, askJson, byId, fillTable, make, working } from "./common.js";

const EVERY_MS = 1500;
const AT_ONCE = 25;
const MAIN = ["typed", "crystal_system", "space_group_1", "best_probability", "density_g_per_cm3", "expected_f1", "known_phases", "known_id"];
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
  fillTable(byId("jobs"), "", ["Table", "Begun", "State", "Rows", ""], jobs.map((job) => [job.name, new Date(1000 * job.created).toLocaleString(), stateOf(job), rowsOf(job), actions(job)]));
  if (!jobs.length) byId("jobs").replaceChildren(make("caption", {}, "none yet"));
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
  const act = (what, name, run) => make("button", { type: "button", "data-act": `${what} ${job.id}`, "aria-label": `${name} ${job.name}`, onclick: run }, name);
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
  load();
}

async function load() {
  try {
    const { columns, n_rows, rows } = await askJson(`jobs/${open.id}/rows`, asked);
    byId("rows-count").classList.remove("bad");
    byId("rows-count").textContent = n_rows ? `${asked.first + 1} to ${asked.first + rows.length} of ${n_rows} rows` : "no such row";
    byId("all-columns").addEventListener("change", load);
  byId("rows-before").disabled = asked.first === 0;
    byId("rows-after").disabled = asked.first + rows.length >= n_rows;
    if (!byId("least-column").length) byId("least-column").append(make("option", { value: "" }, "—"), ...columns.filter((name) => !["line", "typed", "formula"].includes(name)).map((name) => make("option", { value: name }, name)));
    const shown = byId("all-columns").checked ? ["typed", ...columns.filter((name) => name !== "typed")] : MAIN.filter((name) => columns.includes(name));
    const places = shown.map((name) => columns.indexOf(name));
    fillTable(byId("rows-table"), "", shown.map(heading), rows.map((row) => places.map((place) => row[place])));
  } catch (error) {
    byId("rows-count").classList.add("bad");
    byId("rows-count").textContent = error.message;
  }
}

function heading(name) {
  const sorted = asked.sort === name;
  const mark = sorted ? (asked.descending ? " ▼" : " ▲") : "";
  const sort = () => {
    asked = { ...asked, sort: name, descending: sorted ? !asked.descending : name !== "typed" && name !== "formula" && name !== "line", first: 0 };
    load().then(() => document.querySelector(`[data-sort="${CSS.escape(name)}"]`)?.focus());
  };
  return make("th", { scope: "col", "aria-sort": sorted ? (asked.descending ? "descending" : "ascending") : null },
    make("button", { type: "button", "data-sort": name, onclick: sort }, `${name}${mark}`));
}

export function startScreen({ keep_days: days }) {
  byId("kept").textContent = `Results are kept for ${days} days.`;
  byId("screen-form").addEventListener("submit", (event) => {
    event.preventDefault();
    working(event.target.querySelector("button.main"), byId("screen-status"), "Sending the table …", async () => {
      const file = byId("table-file").files[0];
      if (!file) throw new Error("choose a table first");
      const form = new FormData();
      form.set("file", file);
      await ask("jobs", { method: "POST", body: form });
      refresh();
    });
  });
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
