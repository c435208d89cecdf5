// The page: one tab at a time, chosen by what stands behind # in the address.
//
// A tab is a module that exports `mount(element, query)`; it returns an object with `unmount()` and
// maybe `changed(query)`, for when only the query changed. Where there is none, it is mounted anew.

const TABS = {
  board: () => import("./board.js"),
  match: () => import("./match.js"),
  runs: () => import("./runs.js"),
};
const page = document.getElementById("page");
let current = null;
let shown = null;
let turn = 0;

/** The tab and the query that an address asks for. */
export function route(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { tab: path in TABS ? path : "board", query: new URLSearchParams(query) };
}

/** Change the query of the address; `silent`: without a step in the history. */
export function go(tab, query, { silent = false } = {}) {
  const told = [...query].filter(([, value]) => value !== "");
  const text = new URLSearchParams(told).toString().replace(/%(2B|2C|28|29|3A|3D)/g, decodeURIComponent);
  const hash = `#/${tab}${text ? `?${text}` : ""}`;
  if (hash === location.hash) return;
  if (silent) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
}

async function show() {
  const { tab, query } = route();
  if (tab === current && shown?.changed) {
    shown.changed(query);
    return;
  }
  const mine = ++turn;
  shown?.unmount?.();
  shown = null;
  current = tab;
  for (const link of document.querySelectorAll("[data-tab]")) {
    if (link.dataset.tab === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  page.replaceChildren();
  const module = await TABS[tab]();
  if (mine !== turn) return;
  shown = module.mount(page, query) ?? {};
}

addEventListener("hashchange", show);
addEventListener("popstate", show);
show();
