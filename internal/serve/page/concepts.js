// The browser of the knowledge base.
import { h, show, warn } from "./dom.js";
import { t, current } from "./i18n.js";
import { get } from "./api.js";
import { searchBox } from "./search.js";

export function conceptView(main, app, code) {
  const group = h("select", {}, h("option", { value: "" }, t("allgroups")), app.info.groups.map(g => h("option", {}, g)));
  const detail = h("section", { "aria-live": "polite" });
  const open = async c => {
    try { show(detail, concept(await get("/api/v1/concepts/" + encodeURIComponent(c), { language: current() }))); } catch (e) { warn(e.message); }
  };
  const s = searchBox(t("searchconcepts"), { group: () => group.value, walk: x => open(x.code), pick: x => { history.replaceState(null, "", "#concepts/" + encodeURIComponent(x.code)); open(x.code); } }); // no hashchange: the hits stay
  group.addEventListener("change", s.search);
  main.append(h("h2", {}, t("concepts")), h("p", { class: "soft" }, t("searchhint")), h("div", { class: "two" }, h("div", {}, h("label", { class: "row" }, t("group"), group), s.box), detail));
  if (code) open(code); else s.field.focus();
}

// conceptLink leads to a concept.
export const conceptLink = c => h("a", { href: "#concepts/" + encodeURIComponent(c.code) }, c.name);

function concept(c) {
  const byLanguage = new Map();
  for (const n of c.names) {
    const l = n.language || "–";
    if (!byLanguage.has(l)) byLanguage.set(l, []);
    byLanguage.get(l).push(n);
  }
  const refs = (title, list) => list.length ? [h("h3", {}, t(title)), h("p", {}, list.flatMap((x, i) => [i ? ", " : "", conceptLink(x)]))] : [];
  return h("article", { class: "card" },
    h("h2", {}, c.preferred, " ", h("span", { class: "code" }, c.code)),
    h("p", { class: "soft" }, c.types.map(x => x.name + (x.name === x.group ? "" : " (" + x.group + ")")).join(", ")),
    c.definitions.map(d => h("p", { lang: d.language }, d.text)),
    h("h3", {}, t("names")),
    h("dl", {}, [...byLanguage].flatMap(([l, names]) => [h("dt", { class: "soft" }, l), h("dd", { lang: l === "–" ? null : l },
      names.flatMap((n, i) => [i ? "; " : "", n.preferred ? h("strong", { title: t("preferred") }, n.text) : n.text]))])),
    refs("broader", c.ancestors), refs("narrower", c.children),
    c.xrefs && c.xrefs.length ? [h("h3", {}, t("xrefs")), h("p", { class: "code" }, c.xrefs.join(", "))] : []);
}
