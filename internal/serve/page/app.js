// The frame of the page: settings, and which part is shown.
import { h, show, save, saved, warn, say } from "./dom.js";
import { t, use, current, languages } from "./i18n.js";
import { get, key } from "./api.js";
import { linkView } from "./link.js";
import { conceptView } from "./concepts.js";
import { reviewView } from "./review.js";
import { runView } from "./runs.js";

const views = { link: linkView, concepts: conceptView, review: reviewView, runs: runView };
const app = { info: { groups: [] }, reviewer: () => document.getElementById("reviewer").value.trim(), language: current };
let leave = null;

// route shows the part that the address names: #link, #concepts/CODE ...
function route() {
  const [name, ...rest] = decodeURIComponent(location.hash.slice(1)).split("/");
  const view = views[name] ? name : "link";
  for (const a of document.querySelectorAll("nav a")) {
    if (a.hash === "#" + view) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
  }
  warn(); say("");
  if (leave) leave();
  const main = show(document.getElementById("main"));
  leave = views[view](main, app, rest.join("/")) || null;
}

function translate() {
  for (const e of document.querySelectorAll("[data-t]")) e.textContent = t(e.dataset.t);
  document.getElementById("language").value = current();
}

function settings() {
  const language = document.getElementById("language"), theme = document.getElementById("theme"), reviewer = document.getElementById("reviewer"), field = document.getElementById("key");
  use(saved("syncabel.language", languages.includes(document.documentElement.lang) ? document.documentElement.lang : "en"));
  language.addEventListener("change", () => { use(language.value); save("syncabel.language", language.value); translate(); route(); });
  const paint = () => { if (theme.value === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme.value; };
  theme.value = saved("syncabel.theme", "auto"); paint();
  theme.addEventListener("change", () => { save("syncabel.theme", theme.value); paint(); });
  reviewer.value = saved("syncabel.reviewer", "");
  reviewer.addEventListener("change", () => { save("syncabel.reviewer", reviewer.value.trim()); route(); });
  field.value = key.get();
  field.addEventListener("change", () => { key.set(field.value.trim()); start(); });
  translate();
}

async function start() {
  try {
    app.info = await get("/api/v1/info");
    if (app.info.you) { const r = document.getElementById("reviewer"); r.value = app.info.you; r.disabled = true; }
    document.getElementById("key-field").hidden = !app.info.keys;
    route();
  } catch (e) {
    document.getElementById("key-field").hidden = false;
    route();
    warn(e.message);
  }
}

settings();
window.addEventListener("hashchange", () => { route(); document.getElementById("main").focus(); });
start();
