// Elements are built from text, never from HTML, so nothing a text or a concept's name holds can become markup.
export function h(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (k === "class") e.className = v;
    else if (k in e && typeof v === "boolean") e[k] = v;
    else e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
  return e;
}

// show replaces what an element holds.
export function show(e, ...children) { e.replaceChildren(...children.flat().filter(Boolean)); return e; }

export const say = text => { document.getElementById("status").textContent = text; };
export const warn = text => { document.getElementById("alert").textContent = text || ""; };

// percent writes a probability.
export const percent = p => (100 * p).toFixed(p > 0.995 || p < 0.005 ? 1 : 0) + " %";

// bar shows a probability to eyes; its figure stands beside it.
export function bar(p) {
  const i = h("i");
  i.style.width = 100 * p + "%";
  return h("div", { class: "bar", "aria-hidden": "true" }, i);
}

// typing reports whether a key belongs to a field.
export const typing = e => /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) || e.ctrlKey || e.metaKey || e.altKey;

export function saved(name, fallback) { try { return localStorage.getItem(name) ?? fallback; } catch { return fallback; } }
export function save(name, value) { try { localStorage.setItem(name, value); } catch { /* private mode: the setting lasts as long as the page */ } }

// download hands a file to the browser.
export function download(blob, name) {
  const a = h("a", { href: URL.createObjectURL(blob), download: name });
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}
