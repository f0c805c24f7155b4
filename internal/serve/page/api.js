// Calls of the server's API. The key, where one is needed, lives as long as the tab.
import { t } from "./i18n.js";

export const key = {
  get: () => sessionStorage.getItem("syncabel.key") || "",
  set: k => sessionStorage.setItem("syncabel.key", k),
};

async function call(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key.get()) headers.Authorization = "Bearer " + key.get();
  const r = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }).catch(() => { throw new Error(t("unreachable")); });
  if (r.ok) return r;
  const problem = await r.json().catch(() => ({}));
  if (r.status === 401) throw new Error(t("needkey"));
  const details = (problem.errors || []).map(e => e.message).join("; ");
  throw new Error((problem.detail || problem.title || r.statusText) + (details ? ": " + details : ""));
}

export const get = (path, query) => call("GET", path + (query ? "?" + new URLSearchParams(query) : "")).then(r => r.json());
export const post = (path, body) => call("POST", path, body).then(r => r.json());
export const getBlob = path => call("GET", path).then(r => r.blob());
export const postBlob = (path, body) => call("POST", path, body).then(r => r.blob());
