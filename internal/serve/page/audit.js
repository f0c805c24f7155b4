// One row of a blind audit sheet: two concepts in the sheet's order, a verdict on each. Nothing here tells which one is the gold.
import { h } from "./dom.js";
import { t } from "./i18n.js";

export const labels = ["EXACT", "BROAD", "NARROW", "NO_RELATION"];

// pair shows both concepts; the buttons stand at the one that waits for its verdict.
export function pair(it, given, judge) {
  return it.candidates.map((c, i) => h("section", { class: "card", "aria-label": "AB"[i], "aria-current": i === given.length ? "step" : null },
    h("p", {}, h("strong", {}, "AB"[i] + ". "), h("span", { class: "concept" }, c.name)),
    given[i] ? h("p", { class: "given" }, t("verdict." + given[i])) : null,
    i === given.length ? h("div", { class: "row", role: "group", "aria-label": "AB"[i] }, labels.map((l, k) =>
      h("button", { "data-verdict": l, onclick: () => judge(l) }, t("verdict." + l), " ", h("kbd", {}, String(k + 1))))) : null,
    i === given.length ? h("ul", { class: "soft" }, labels.map(l => h("li", {}, t("verdict." + l), ": ", t("meaning." + l)))) : null));
}
