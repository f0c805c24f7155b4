// Runs, their figures and reports.
import { h, download, warn } from "./dom.js";
import { t } from "./i18n.js";
import { get, getBlob } from "./api.js";

export function runView(main, app) {
  main.append(h("h2", {}, t("runs")));
  get("/api/v1/runs").then(a => main.append(...a.runs.map((r, i) => run(r, i, app)))).catch(e => warn(e.message));
}

const p1 = x => (100 * x).toFixed(1);

function interval(row) {
  const i = h("i"), b = h("b");
  i.style.left = 100 * row.low + "%"; i.style.width = 100 * (row.high - row.low) + "%"; b.style.left = 100 * row.recall_at_1 + "%";
  return h("div", { class: "interval", "aria-hidden": "true" }, i, b);
}

function run(r, i, app) {
  const path = "/api/v1/runs/" + i + "/report";
  const report = app.info.keys // a link cannot carry a key
    ? h("button", { onclick: () => getBlob(path).then(b => download(b, "report.html")).catch(e => warn(e.message)) }, t("openreport"))
    : h("a", { href: path, target: "_blank", rel: "noopener" }, t("openreport"));
  return h("section", { class: "card" }, h("h2", {}, r.name), h("p", {}, report, " ", h("span", { class: "soft" }, t("program") + " " + (r.program || "–") + (r.models ? " · " + r.models.join(", ") : ""))),
    r.rows.length ? h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("system")), h("th", { scope: "col", class: "n" }, t("recall") + " %"), h("th", { scope: "col", class: "n" }, t("interval")), h("th", {}), h("th", { scope: "col", class: "n" }, t("mentions")))),
      h("tbody", {}, r.rows.map(x => h("tr", {}, h("th", { scope: "row" }, x.system), h("td", { class: "n" }, p1(x.recall_at_1)), h("td", { class: "n" }, p1(x.low) + " – " + p1(x.high)), h("td", {}, interval(x)), h("td", { class: "n" }, x.n)))))) : h("p", {}, t("noruns")),
    h("p", { class: "soft" }, t("counts") + ": " + Object.entries(r.counts || {}).map(([k, v]) => k + " " + v).join(", ")));
}
