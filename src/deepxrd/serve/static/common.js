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

/** Run something while its button waits; say what happens, and what went wrong. */
export async function working(button, status, said, run) {
  button.disabled = true;
  status.classList.remove("bad");
  status.textContent = said;
  try {
    await run();
    status.textContent = "";
  } catch (error) {
    status.classList.add("bad");
    status.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

export const percent = (value) => (value === null || value === undefined ? "" : `${Math.round(100 * value)} %`);
export const fixed = (value, digits) => (value === null || value === undefined ? "" : value.toFixed(digits));

/** Fill a table: a caption, headings, and rows whose cells are texts or elements. */
export function fillTable(table, caption, headings, rows) {
  table.replaceChildren(
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...headings.map((heading) => (heading instanceof Node ? heading : make("th", { scope: "col" }, heading))))),
    make("tbody", {}, ...rows.map((row) => (row instanceof Node ? row : make("tr", {}, ...row.map((cell) => make("td", {}, cell ?? "")))))),
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
