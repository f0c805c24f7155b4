// The review of synthetic sentences, uncertain links and audit sheets: one item at a time, a key for each decision.
import { h, show, say, warn, percent, bar, typing, download } from "./dom.js";
import { t } from "./i18n.js";
import { get, post, getBlob } from "./api.js";
import { searchBox } from "./search.js";
import { conceptLink } from "./concepts.js";
import { pair, labels } from "./audit.js";

const actions = [["a", "accept"], ["c", "correct"], ["r", "reject"], ["s", "skip"], ["u", "undo"]];
let queue = "synthetic";
const choices = () => queue === "audit" ? actions.slice(3) : actions; // there skip and undo only

export function reviewView(main, app) {
  const card = h("section", { id: "item", "aria-live": "polite" }), side = h("section", {});
  const select = h("select", { id: "queue" }, h("option", { value: "synthetic" }, t("synthetic")), h("option", { value: "uncertain" }, t("uncertainlinks")), h("option", { value: "audit" }, t("audit")));
  select.value = queue;
  const v = { app, card, side, items: [], busy: false };
  select.addEventListener("change", () => { queue = select.value; v.items = []; if (app.reviewer()) { next(v); summary(v); } });
  main.append(h("h2", {}, t("review")), h("label", { class: "row" }, t("queue"), select), h("div", { class: "two" }, card, side));
  if (!app.reviewer()) { card.append(h("p", { class: "card" }, t("needname"))); return null; }
  const keys = e => {
    if (typing(e)) return;
    const hit = choices().find(([k]) => k === e.key.toLowerCase());
    if (hit) { e.preventDefault(); act(v, hit[1]); }
    if (e.key.toLowerCase() === "n" && v.note) { e.preventDefault(); v.note.focus(); }
    const n = Number(e.key);
    if (queue === "audit") { if (labels[n - 1]) { e.preventDefault(); verdict(v, labels[n - 1]); } return; }
    if (n >= 1 && v.items[0] && (v.items[0].candidates || [])[n - 1]) { e.preventDefault(); choose(v, v.items[0].candidates[n - 1].code); }
  };
  document.addEventListener("keydown", keys);
  next(v);
  summary(v);
  return () => document.removeEventListener("keydown", keys);
}

// next shows the first item that waits and asks for more when few are left.
async function next(v) {
  if (v.items.length === 0) {
    try { v.items = (await get("/api/v1/review/next", { queue, reviewer: v.app.reviewer(), offsets: "utf16", limit: 20 })).items; } catch (e) { warn(e.message); return; }
  }
  if (v.items.length === 0) { v.note = null; show(v.card, h("p", { class: "card" }, t("empty")), buttons(v, [["u", "undo"]])); return; }
  const it = v.items[0];
  v.note = h("input", { id: "note", maxlength: "4000", class: "wide", onkeydown: e => { if (e.key === "Escape" || e.key === "Enter") { e.preventDefault(); v.note.blur(); } } });
  v.correct = h("div", {});
  if (queue === "audit") return showAudit(v, it);
  show(v.card, h("div", { class: "card" },
    h("p", { class: "text", lang: it.language }, it.text.slice(0, it.start), h("mark", {}, it.text.slice(it.start, it.end)), it.text.slice(it.end)),
    h("p", {}, t(queue === "synthetic" ? "means" : "which", it.mention)),
    it.code ? h("p", {}, h("strong", { id: "proposed" }, conceptLink({ code: it.code, name: it.name || it.code })), " ", h("span", { class: "code" }, it.code), " ", h("span", { class: "soft" }, it.group)) : h("p", {}, t("abstained")),
    it.definition && h("p", { class: "soft" }, it.definition),
    it.parents.length ? h("p", { class: "soft" }, t("broader") + ": ", it.parents.flatMap((p, i) => [i ? " › " : "", conceptLink(p)])) : null,
    (it.candidates || []).length > 1 ? h("ol", { class: "list" }, it.candidates.slice(0, 9).map((c, i) => h("li", { class: "candidate" }, h("kbd", {}, String(i + 1)),
      h("button", { class: "hit", onclick: () => choose(v, c.code) }, c.name, " ", h("span", { class: "code" }, c.code)), h("span", {}, percent(c.probability)), h("div", { class: "more" }, bar(c.probability))))) : null,
    h("label", { class: "row" }, t("note"), " ", h("kbd", {}, "n"), v.note), v.correct), buttons(v, actions));
}

function showAudit(v, it) {
  v.pair = h("div", {});
  show(v.card, h("div", { class: "card" }, h("p", { class: "text", id: "sentence" }, it.text.slice(0, it.start), h("mark", {}, it.text.slice(it.start, it.end)), it.text.slice(it.end)),
    h("p", {}, t("auditmeans", it.mention)), v.pair, h("label", { class: "row" }, t("note"), " ", h("kbd", {}, "n"), v.note)), buttons(v, choices()));
  give(v, []);
}

// give shows the row with the verdicts given so far.
function give(v, given) {
  v.given = given;
  show(v.pair, pair(v.items[0], given, l => verdict(v, l)));
}

// verdict judges the first concept, then the second, and records both together.
function verdict(v, label) {
  const it = v.items[0];
  if (!it || v.busy) return;
  const both = [...v.given, label];
  if (both.length === 2) return decide(v, "judge", both.join("/"));
  give(v, both);
}

function buttons(v, list) {
  return h("div", { class: "row", role: "group", "aria-label": t("keys") }, list.map(([k, a]) =>
    h("button", { "data-action": a, class: a === "accept" ? "main" : null, onclick: () => act(v, a) }, t(a === "skip" ? "skipitem" : a), " ", h("kbd", {}, k))));
}

// choose takes a candidate: the proposed one is accepted, another one corrects it.
const choose = (v, code) => code === v.items[0].code ? act(v, "accept") : decide(v, "correct", code);

function act(v, action) {
  if (action === "undo" && queue === "audit" && v.items[0] && v.given.length) return give(v, []);
  if (action === "undo") return undo(v);
  if (!v.items[0] || action === "accept" && !v.items[0].code) return;
  if (action === "correct") return openCorrect(v);
  return decide(v, action);
}

function openCorrect(v) {
  const it = v.items[0];
  const close = () => { show(v.correct); v.card.querySelector("[data-action=accept]").focus(); };
  const s = searchBox(t("search"), { group: () => it.group, language: () => it.language, cancel: close, pick: x => x.code === it.code ? decide(v, "accept") : decide(v, "correct", x.code) });
  show(v.correct, h("p", { class: "soft" }, t("correcthint")), s.box);
  s.field.focus();
}

// decide records a decision. The request's name makes a repeated call harmless.
async function decide(v, action, code) {
  if (v.busy) return;
  v.busy = true;
  warn();
  try {
    await post("/api/v1/review/decisions", { request: crypto.randomUUID ? crypto.randomUUID() : String(Math.random()) + Date.now(), item: v.items[0].id, reviewer: v.app.reviewer(), action, code, note: v.note.value || undefined });
    v.items.shift();
    await next(v);
    say(t("did." + action, code));
    summary(v);
  } catch (e) { warn(e.message); } finally { v.busy = false; }
}

async function undo(v) {
  if (v.busy) return;
  v.busy = true;
  warn();
  try {
    await post("/api/v1/review/undo", { queue, reviewer: v.app.reviewer() });
    v.items = [];
    await next(v);
    say(t("did.undo"));
    summary(v);
  } catch (e) { warn(e.message); } finally { v.busy = false; }
}

// summary shows counts, agreement, the log on demand, and the export.
async function summary(v) {
  let s;
  try { s = await get("/api/v1/review/summary"); } catch (e) { warn(e.message); return; }
  const q = s.queues.find(x => x.queue === queue);
  const people = Object.entries(q.reviewers).map(([who, n]) => who + " " + n).join(", ");
  const log = h("div", { class: "scroll" }), audit = queue === "audit", agreement = s.agreement.filter(a => (a.queue === "audit") === audit);
  const exported = audit ? ["exportaudit", "audit?" + new URLSearchParams({ reviewer: v.app.reviewer() }), "audit.csv"] : ["exporttraining", "export", "reviewed.jsonl"];
  show(v.side, h("div", { class: "card" }, h("h3", {}, t("progress")), h("p", { id: "progress" }, `${q.decided} / ${q.items} ${t("decided")}, ${q.conflicts} ${t("conflicts")}`), bar(q.items ? q.decided / q.items : 0), people && h("p", { class: "soft" }, people),
    agreement.length ? [h("h3", {}, t("agreement")), h("ul", { class: "list" }, agreement.map(a => h("li", {}, `${a.a} – ${a.b}: ${a.items} ${t("items")}, ${percent(a.observed)} ${t("observed")}, ${t("kappa")} ${a.kappa.toFixed(2)}`)))] : [],
    h("div", { class: "row" }, h("button", { id: exported[0], onclick: () => getBlob("/api/v1/review/" + exported[1]).then(b => download(b, exported[2])).catch(e => warn(e.message)) }, audit ? t("exportaudit") : t("exporttraining")),
      h("button", { id: "showlog", onclick: () => showLog(log) }, t("showlog"))), log));
}

async function showLog(at) {
  try {
    const { decisions } = await get("/api/v1/review/log", { limit: 1000 });
    show(at, h("table", {}, h("caption", {}, t("log")), h("thead", {}, h("tr", {}, ["#", t("time"), t("reviewer"), t("action"), t("item"), t("note")].map(x => h("th", { scope: "col" }, x)))),
      h("tbody", {}, decisions.reverse().map(d => h("tr", {}, h("td", {}, d.seq), h("td", {}, d.at.slice(0, 19).replace("T", " ")), h("td", {}, d.reviewer), h("td", {}, d.action + (d.code ? " " + d.code : "") + (d.undoes ? " #" + d.undoes : "")), h("td", { class: "code" }, d.item), h("td", {}, d.note || ""))))));
  } catch (e) { warn(e.message); }
}
