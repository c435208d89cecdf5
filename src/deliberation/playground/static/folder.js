// What the views of the folder of runs share: filling a place, links, crumbs, verdicts, records.

import { address, ask } from "./api.js";
import { shown } from "./charts.js";
import { h } from "./dom.js";

/** Ask, and fill the place unless another view has taken it by then. */
export async function fill(page, path, fields, build, place, { patience = "Reading the records…" } = {}) {
  const turn = page.turn;
  const wait = setTimeout(() => {
    if (patience && turn === page.turn && !place.childElementCount) place.replaceChildren(h("p", { class: "quiet", role: "status" }, patience));
  }, 250);
  try {
    const told = await ask(path, fields);
    if (turn === page.turn) place.replaceChildren(...[build(told)].flat().filter(Boolean));
  } catch (error) {
    if (turn === page.turn) place.replaceChildren(problem(error.message));
  } finally {
    clearTimeout(wait);
  }
}

/** What is wrong, said at once. */
export function problem(sentence) {
  return h("p", { class: "refused", role: "alert" }, sentence);
}

/** The address of a view. */
export function to(fields) {
  return address("#/runs", fields);
}

/** What a run is called, where the list has come. */
export function titleOf(page, name) {
  return page.runs?.find((run) => run.name === name)?.title ?? name;
}

/** The way here. */
export function crumbs(...parts) {
  const last = parts.length - 1;
  return h("nav", { class: "crumbs", "aria-label": "Where you are" }, h("ol", {}, ...parts.map(([text, link], i) =>
    h("li", {}, i < last ? h("a", { href: link }, text) : h("span", { "aria-current": "page" }, text)))));
}

const GLYPH = { supported: "●", refuted: "✕", inconclusive: "◌", holds: "✓", fails: "!", responds: "●", none: "○", against: "✕" };

/** A verdict with its sign. */
export function verdict(word) {
  if (!word) return h("span", { class: "verdict told" }, "");
  return h("span", { class: `verdict ${word.replaceAll(" ", "-")}` },
    h("span", { class: "glyph", "aria-hidden": "true" }, GLYPH[word] ?? "·"), ` ${word}`);
}

/** Records in a line each, or a sentence that there are none. */
export function recordList(run, records) {
  if (!records.length) return h("p", { class: "quiet" }, "No records are kept here: nothing was measured yet, or what was is kept elsewhere.");
  return h("div", { class: "scroll" }, h("table", { class: "records" },
    h("thead", {}, h("tr", {}, ...["Record", "Measured", "Settings", "Seconds"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, ...records.map((r) => h("tr", {},
      h("td", {}, h("a", { href: to({ run, record: r.cell }) }, h("code", {}, r.cell.slice(0, 8)))),
      h("td", {}, r.what), h("td", { class: "settings" }, r.settings), h("td", { class: "num" }, shown(r.seconds)))))));
}
