// Start: what the server is, and which of the three parts is shown.

import { ask, byId, make } from "./common.js";
import { startMatch } from "./match.js";
import { startPredict } from "./predict.js";
import { startScreen } from "./screen.js";
import { startStructure } from "./structure.js";

const PARTS = ["predict", "match", "screen"];
let refreshJobs = () => {};

/** Show the part that the address names. */
function show() {
  const asked = location.hash.slice(1);
  if (asked && !PARTS.includes(asked)) return; // a link within a part
  const part = asked || PARTS[0];
  for (const name of PARTS) byId(name).hidden = name !== part;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${part}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (part === "screen") refreshJobs();
  window.scrollTo(0, 0);
  window.dispatchEvent(new Event("resize")); // plots that were hidden have no width yet
}

async function start() {
  let about;
  try {
    about = await ask("about");
  } catch (error) {
    byId("main").prepend(make("p", { class: "status bad", role: "alert" }, error.message));
    return;
  }
  byId("version").textContent = about.version;
  byId("tubes").append(...about.radiations.map((name) => make("option", { value: name })));
  startStructure();
  startPredict();
  startMatch(about);
  refreshJobs = startScreen(about);
  window.addEventListener("hashchange", show);
  show();
  if (!byId("predict").hidden) byId("predict-form").requestSubmit(); // a first answer, to show what there is
  document.body.dataset.ready = "yes";
}

start();
