// What all parts of the page share. Texts reach the page by textContent alone, so that none of them is ever HTML.

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; a text child is text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/** Ask the server; an error is one sentence. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`api/${path}`, options);
  } catch {
    throw new Error("the server does not answer: is it still running?");
  }
  if (response.status === 204) return null;
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Error(`the server answered with ${response.status} and no more`);
  }
  if (!response.ok) throw new Error(answer.error || `the server answered with ${response.status}`);
  return answer;
}

export const askJson = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Run something while its button waits; say what happens, for how long, and what went wrong, without an earlier result. */
export async function working(button, status, said, run, result = null) {
  const begun = Date.now();
  const seconds = make("span", { "aria-hidden": "true" });
  const count = setInterval(() => { seconds.textContent = ` ${Math.round((Date.now() - begun) / 1000)} s`; }, 1000);
  button.disabled = true;
  status.classList.remove("bad");
  status.classList.add("busy");
  status.replaceChildren(said, seconds);
  try {
    await run();
    status.textContent = "";
  } catch (error) {
    status.classList.add("bad");
    status.textContent = error.message;
    if (result) result.hidden = true;
  } finally {
    clearInterval(count);
    status.classList.remove("busy");
    button.disabled = false;
  }
}

export const percent = (value) => (value === null || value === undefined ? "" : `${Math.round(100 * value)} %`);
export const fixed = (value, digits) => (value === null || value === undefined ? "" : value.toFixed(digits));

/** A probability as a number and a bar. */
export function chance(value) {
  const bar = make("span");
  bar.style.width = `${100 * (value ?? 0)}%`;
  return make("span", { class: "chance" }, make("i", { "aria-hidden": "true" }, bar), percent(value));
}

const AMOUNT = /([A-Za-z)\]])(\d+(?:\.\d+)?)/g;

/** A formula with its amounts set low; the 2 of "·2H2O" stays as it is. */
export const chemical = (text) => make("span", {}, ...lowered(String(text).replaceAll(AMOUNT, "$1_{$2}")));

/** A space group as it is printed: P6₃/mmc with a low 3, and a stroke over the 3 of Pm-3m. */
export const group = (symbol, number) => make("span", {}, ...lowered(closeUp(symbol)), number ? ` (${number})` : "");

const closeUp = (symbol) => symbol.replaceAll(" ", "").replaceAll(/_(\d)/g, "_{$1}").replaceAll(/-(\d)/g, "$1\u0304");

function lowered(text) {
  return text.split(/_\{([\d.]+)\}/).map((part, i) => (i % 2 ? make("sub", {}, part) : part)).filter((part) => part !== "");
}

/** The same for Plotly, which reads <sub>. */
export const chemicalInPlot = (text) => plain(text).replaceAll(AMOUNT, "$1<sub>$2</sub>");
export const groupInPlot = (symbol) => closeUp(plain(symbol)).replaceAll(/_\{(\d)\}/g, "<sub>$1</sub>");

/** A cell, or a heading, of a column of numbers. */
export const number = (text, tag = "td") => make(tag, { class: "number", scope: tag === "th" ? "col" : null }, text);

/** Fill a table: a caption, headings, and rows whose cells are texts or elements; numbers stand to the right. */
export function fillTable(table, caption, headings, rows) {
  table.replaceChildren(
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...headings.map((heading) => (heading instanceof Node ? heading : make("th", { scope: "col" }, heading))))),
    make("tbody", {}, ...rows.map((row) => (row instanceof Node ? row : make("tr", {}, ...row.map((cell) => (cell instanceof HTMLTableCellElement ? cell : make("td", {}, cell ?? ""))))))),
  );
}

/** Let the browser save a text under a name. */
export function save(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = make("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export const fileName = (text) => text.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 60);

/** Texts for Plotly, which reads some tags in them. */
export const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
