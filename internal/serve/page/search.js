// A field that searches concepts as one types, with a list that arrow keys move through. It serves the browser of concepts, the
// choice of another candidate and the correction of a review item.
import { h, show } from "./dom.js";
import { t, current } from "./i18n.js";
import { get } from "./api.js";

let made = 0;

// searchBox returns {box, field}. options: group() and language() narrow the search, pick(hit) is called with the choice,
// cancel() on Escape, always: show hits as they are walked through.
export function searchBox(label, options) {
  const id = "hits" + ++made;
  const list = h("ul", { class: "list", id, role: "listbox", "aria-label": label });
  const count = h("p", { class: "soft", role: "status" });
  const field = h("input", { type: "search", class: "wide", role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", maxlength: "200" });
  const box = h("div", {}, h("label", { class: "row" }, h("span", {}, label), field), count, list);
  let hits = [], at = -1, asked = 0;

  function move(to) {
    at = Math.max(0, Math.min(hits.length - 1, to));
    [...list.children].forEach((li, i) => { li.setAttribute("aria-selected", i === at); li.firstChild.setAttribute("aria-current", i === at); });
    if (list.children[at]) { field.setAttribute("aria-activedescendant", list.children[at].id); list.children[at].scrollIntoView({ block: "nearest" }); }
    if (options.walk && hits[at]) options.walk(hits[at]);
  }

  async function search() {
    const q = field.value.trim(), turn = ++asked;
    if (!q) { hits = []; show(list); count.textContent = ""; field.setAttribute("aria-expanded", "false"); return; }
    const query = { q, limit: 20, language: options.language ? options.language() : current() };
    if (options.group && options.group()) query.group = options.group();
    const answer = await get("/api/v1/search", query).catch(e => { count.textContent = e.message; return null; });
    if (!answer || turn !== asked) return; // a later letter has asked anew
    hits = answer.hits;
    count.textContent = hits.length ? t("hits", hits.length) : t("nohits");
    field.setAttribute("aria-expanded", String(hits.length > 0));
    show(list, hits.map((x, i) => h("li", { role: "option", id: id + "-" + i, "aria-selected": "false" },
      h("button", { class: "hit", type: "button", tabindex: "-1", onclick: () => { move(i); options.pick(hits[i]); } },
        h("strong", {}, x.name), x.preferred !== x.name ? " → " + x.preferred : "", " ", h("span", { class: "code" }, x.code),
        h("span", { class: "soft" }, " " + x.groups.join(", ") + " · " + t("match." + x.match))))));
    at = -1;
    field.removeAttribute("aria-activedescendant");
  }

  let timer = 0;
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 60); });
  field.addEventListener("keydown", e => {
    if (e.key === "ArrowDown") { e.preventDefault(); move(at + 1); }
    else if (e.key === "ArrowUp") { e.preventDefault(); move(at - 1); }
    else if (e.key === "Enter") { e.preventDefault(); if (hits.length) { if (at < 0) move(0); options.pick(hits[at]); } }
    else if (e.key === "Escape" && options.cancel) { e.preventDefault(); options.cancel(); }
  });
  return { box, field, search };
}
