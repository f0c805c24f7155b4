// The playground: a text, its mentions, what they may mean and why.
import { h, show, say, warn, percent, bar, download } from "./dom.js";
import { t, current } from "./i18n.js";
import { post, postBlob } from "./api.js";
import { searchBox } from "./search.js";
import { conceptLink } from "./concepts.js";

const examples = {
  en: "The patient has a history of [heart attack]{Disorders} and was given [aspirin]{Chemicals & Drugs}.",
  fr: "Le patient a eu un [infarctus du myocarde]{Disorders} et reçoit de l'[aspirine]{Chemicals & Drugs}.",
  es: "El paciente tuvo un [infarto de miocardio]{Disorders} y toma [aspirina]{Chemicals & Drugs}.",
};

// kept survives a look at another part of the page.
const kept = { text: null, language: null, marks: [], result: null };

export function linkView(main, app) {
  kept.language ??= current();
  kept.text ??= examples[kept.language];
  const area = h("textarea", { id: "text", spellcheck: "false", "aria-describedby": "texthint" });
  area.value = kept.text;
  const language = h("select", {}, ["en", "fr", "es"].map(l => h("option", { value: l }, l)));
  language.value = kept.language;
  const group = h("select", {}, h("option", { value: "" }, t("guess")), app.info.groups.map(g => h("option", {}, g)));
  const chips = h("div", { class: "row", "aria-label": t("marked"), role: "group" });
  const output = h("section", {});
  const view = { app, area, language, group, chips, output };

  area.addEventListener("input", () => { shift(kept.text, area.value); kept.text = area.value; drawChips(view); });
  area.addEventListener("keydown", e => { if (e.altKey && e.key.toLowerCase() === "m") { e.preventDefault(); mark(view); } if (e.ctrlKey && e.key === "Enter") link(view); });
  language.addEventListener("change", () => { kept.language = language.value; });
  main.append(h("h2", {}, t("link")), h("p", { class: "soft", id: "texthint" }, t("texthint")),
    h("label", { for: "text" }, t("text")), area,
    h("div", { class: "row" }, h("label", {}, t("textlanguage") + " ", language), h("label", {}, t("group") + " ", group),
      h("button", { id: "mark", onclick: () => mark(view) }, t("mark")), h("button", { id: "dolink", class: "main", onclick: () => link(view) }, t("dolink")),
      app.info.detects && h("button", { id: "detect", onclick: () => link(view, true) }, t("detect")),
      h("button", { onclick: () => { kept.language = language.value; kept.text = area.value = examples[language.value]; kept.marks = []; drawChips(view); } }, t("example"))),
    chips, output);
  drawChips(view);
  if (kept.result) draw(view);
}

// mark makes a mention of what is selected, without the white space around it.
function mark(view) {
  let a = view.area.selectionStart, b = view.area.selectionEnd;
  const s = view.area.value;
  while (a < b && /\s/.test(s[a])) a++;
  while (b > a && /\s/.test(s[b - 1])) b--;
  if (a >= b) { say(t("nothing")); return; }
  kept.marks = kept.marks.filter(m => m.end <= a || m.start >= b);
  kept.marks.push({ start: a, end: b, group: view.group.value });
  kept.marks.sort((x, y) => x.start - y.start);
  drawChips(view);
}

// shift moves marks behind a change of the text and drops those it touched.
function shift(before, after) {
  let p = 0, q = 0;
  while (p < before.length && p < after.length && before[p] === after[p]) p++;
  while (q < before.length - p && q < after.length - p && before[before.length - 1 - q] === after[after.length - 1 - q]) q++;
  const from = before.length - q, by = after.length - before.length;
  kept.marks = kept.marks.filter(m => m.end <= p || m.start >= from).map(m => m.start >= from && from >= p && m.end > p ? { ...m, start: m.start + by, end: m.end + by } : m);
}

function drawChips(view) {
  show(view.chips, kept.marks.map(m => {
    const word = kept.text.slice(m.start, m.end);
    return h("span", { class: "chip" }, word, m.group && h("span", { class: "soft" }, m.group),
      h("button", { "aria-label": t("remove", word), onclick: () => { kept.marks = kept.marks.filter(x => x !== m); drawChips(view); view.area.focus(); } }, "×"));
  }));
}

const asked = detect => {
  const d = { text: kept.text, language: kept.language, offsets: "utf16" };
  if (detect) d.marked = false;
  else if (kept.marks.length) d.mentions = kept.marks.map(m => ({ start: m.start, end: m.end, group: m.group || undefined }));
  return d;
};

async function link(view, detect) {
  warn();
  try {
    kept.result = await post("/api/v1/link?k=10", asked(detect));
    kept.result.links.forEach(l => { l.pick = l.candidates[0] || null; });
    kept.open = 0;
    draw(view);
    say(t("linked", kept.result.links.length, kept.result.links.filter(l => l.uncertain).length));
  } catch (e) { warn(e.message); }
}

// draw shows the linked text, the candidates of one mention beside it, and what can be done with the result.
function draw(view) {
  const r = kept.result, parts = [];
  let at = 0;
  r.links.forEach((l, i) => {
    if (l.start < at) return;
    parts.push(r.text.slice(at, l.start), h("button", { class: "mention" + (l.uncertain ? " uncertain" : ""), "aria-pressed": String(i === kept.open), "data-mention": i,
      title: (l.pick ? l.pick.preferred + " " + l.pick.code : t("abstained")) + (l.uncertain ? " – " + t("uncertain") : ""), onclick: () => { kept.open = i; draw(view); view.output.querySelector(`[data-mention="${i}"]`).focus(); } }, r.text.slice(l.start, l.end)));
    at = l.end;
  });
  parts.push(r.text.slice(at));
  const side = h("section", { "aria-label": t("candidates", "") });
  show(view.output, h("div", { class: "two" }, h("div", {}, h("div", { class: "card text", lang: r.language }, parts), table(r), actions(view)), side));
  if (r.links[kept.open]) candidates(view, side, r.links[kept.open]); else side.append(h("p", { class: "soft" }, t("choose")));
}

function table(r) {
  return h("ul", { class: "list" }, r.links.map(l => h("li", {}, h("strong", {}, l.text), " → ", l.pick ? [l.pick.preferred, " ", h("span", { class: "code" }, l.pick.code), " ", h("span", { class: "soft" }, percent(l.pick.probability) + (l.uncertain ? " · " + t("uncertain") : ""))] : t("abstained"))));
}

function candidates(view, side, l) {
  const name = "pick" + l.id;
  const pick = c => { l.pick = c; say(t("picked", c.preferred, l.text)); draw(view); };
  const item = c => {
    const radio = h("input", { type: "radio", name, value: c.code, "aria-label": c.preferred + ", " + percent(c.probability), onchange: () => { pick(c); const again = view.output.querySelector(`input[value="${CSS.escape(c.code)}"]`); if (again) again.focus(); } });
    radio.checked = l.pick && l.pick.code === c.code;
    return h("li", { class: "candidate", "data-code": c.code }, radio, h("span", {}, conceptLink({ code: c.code, name: c.preferred }), c.name !== c.preferred ? " (" + c.name + ")" : "", " ", h("span", { class: "code" }, c.code)), h("span", {}, percent(c.probability)),
      h("div", { class: "more" }, bar(c.probability), c.definition && h("p", { class: "soft" }, c.definition), h("div", { class: "why" })));
  };
  const all = l.pick && !l.candidates.some(c => c.code === l.pick.code) ? [l.pick, ...l.candidates] : l.candidates;
  const other = searchBox(t("otherconcept"), { group: () => l.group, language: () => kept.language, pick: x => pick({ code: x.code, name: x.name, preferred: x.preferred, probability: 1, source: ["reviewer"], definition: x.definition, chosen: true }) });
  const list = h("ul", { class: "list", id: "candidates" }, all.map(item));
  side.append(h("h3", {}, t("candidates", l.text)), h("p", { class: "soft" }, l.group + (l.nil_probability ? " · " + t("nil", percent(l.nil_probability)) : "")), all.length ? list : h("p", {}, t("abstained")), other.box);
  explain(l, list);
}

// explain adds hierarchy, path in the trie and earlier mentions to the candidates of a mention.
async function explain(l, list) {
  const r = kept.result;
  l.why ??= post("/api/v1/candidates?k=10", { text: r.text, language: r.language, offsets: "utf16", mentions: [{ start: l.start, end: l.end, group: l.group }] });
  const answer = await l.why.catch(() => null);
  if (!answer) return;
  for (const c of answer.candidates) {
    const at = list.querySelector(`[data-code="${CSS.escape(c.code)}"] .why`);
    if (!at) continue;
    const before = r.links.filter(x => x.start < l.start && x.pick && x.pick.code === c.code).map(x => x.text);
    show(at, c.parents.length ? h("p", { class: "soft" }, t("broader") + ": ", c.parents.flatMap((p, i) => [i ? " › " : "", conceptLink(p)])) : null,
      before.length ? h("p", { class: "soft" }, t("earlier") + ": " + before.join(", ")) : null,
      c.source && h("p", { class: "soft" }, t("sources") + ": " + c.source.map(s => t("source." + s)).join(", ")),
      c.path.length ? h("details", {}, h("summary", { class: "soft" }, t("path")), h("div", { class: "path" }, c.path.map(p =>
        h("span", { class: p.ways > 1 ? "choice" : null, title: t("pathhint", p.ways, p.names) }, (p.token || "■") + (p.ways > 1 ? " " + percent(p.probability) : ""))))) : null);
  }
}

function actions(view) {
  const format = h("select", { id: "format" }, view.app.info.formats.map(f => h("option", { value: f }, f)));
  const confirm = h("input", { type: "checkbox", id: "confirm" });
  return h("div", { class: "row" }, h("label", {}, t("exportas") + " ", format), h("button", { id: "doexport", onclick: () => exportLinks(view, format.value, confirm.checked) }, t("doexport")),
    h("label", {}, confirm, " " + t("confirm")), h("button", { id: "sendreview", onclick: () => send() }, t("sendreview")));
}

async function exportLinks(view, format, confirmed) {
  const r = kept.result, who = view.app.reviewer();
  warn();
  if (confirmed && !who) { warn(t("needname")); return; }
  const mentions = r.links.map(l => ({ id: l.id, start: l.start, end: l.end, group: l.group, code: l.pick ? l.pick.code : undefined, name: l.pick ? l.pick.name : undefined,
    probability: l.pick ? l.pick.probability : undefined, reviewer: confirmed && l.pick ? who : undefined }));
  try {
    const b = await postBlob("/api/v1/export", { format, documents: [{ text: r.text, language: r.language, offsets: "utf16", mentions }] });
    const ending = { fhir: "json", omop: "csv", bioc: "xml", "bioc-json": "json", brat: "zip", "cas-xmi": "zip", "cas-json": "zip", labelstudio: "json", pubtator: "txt", csv: "csv", table: "tsv", "bigbio-parquet": "parquet" }[format] || "jsonl";
    download(b, "links." + ending);
  } catch (e) { warn(e.message); }
}

// send puts the mentions that are uncertain, or all when none is, into the review queue.
async function send() {
  const r = kept.result, some = r.links.some(l => l.uncertain);
  const items = r.links.filter(l => l.uncertain || !some).map(l => ({ language: r.language, text: r.text, start: l.start, end: l.end, group: l.group,
    candidates: l.candidates.map(c => ({ code: c.code, name: c.preferred, probability: c.probability })) }));
  if (!items.length) return;
  try { say(t("sent", (await post("/api/v1/review/items", { offsets: "utf16", items })).added)); } catch (e) { warn(e.message); }
}
