// Two runs side by side: what changed, claim by claim.

import { shown } from "./charts.js";
import { h } from "./dom.js";
import { crumbs, fill, titleOf, to, verdict } from "./folder.js";

const CHANGES = { verdict: "another verdict", moved: "moved beyond chance", "only one": "in one run only", same: "no change beyond chance", identical: "the same measurement" };

/** The view of two runs beside each other. */
export function viewCompared(page, run, other) {
  const body = h("div", {});
  page.place.replaceChildren(crumbs(["Runs", to({})], [titleOf(page, run), to({ run })], [`beside ${other}`, ""]),
    h("h1", {}, run, " ", h("small", {}, "beside"), " ", other), body);
  fill(page, "/api/runs/compared", { run, with: other }, (told) => {
    const quiet = { only: false };
    const said = Object.entries(told.counts).filter(([, n]) => n).map(([kind, n]) => `${shown(n)} ${CHANGES[kind]}`).join(", ");
    const table = h("div", {});
    const redraw = () => {
      const found = told.groups.map((g) => groupOf(g, told, quiet.only)).filter(Boolean);
      table.replaceChildren(...(found.length ? found : [h("p", { class: "quiet" }, "No verdict is another one, and no number moved beyond chance.")]));
    };
    redraw();
    const only = h("label", { class: "choice" }, h("input", { type: "checkbox", onchange(e) { quiet.only = e.target.checked; redraw(); } }), " only what changed");
    return [h("div", { class: "controls" }, h("p", { class: "quiet", role: "status" }, said ? `${said}.` : "Nothing is in both."), only), h("p", { class: "quiet small" }, told.what), table];
  }, body);
}

function groupOf(g, told, changed) {
  const is = (l) => l.change === "verdict" || l.change === "moved";
  const lines = changed ? g.lines.filter(is) : g.lines;
  if (!lines.length) return null;
  const counts = Object.keys(CHANGES).map((kind) => [kind, lines.filter((l) => l.change === kind).length]).filter(([, n]) => n);
  const side = (x) => x ? [h("span", { class: "num" }, x.text), verdict(x.verdict)] : [h("span", { class: "quiet" }, "not there")];
  return h("details", { class: "claim compared", open: lines.some(is) },
    h("summary", {}, h("span", { class: "title" }, g.title),
      h("span", { class: "counts quiet" }, counts.map(([kind, n]) => `${shown(n)} ${CHANGES[kind]}`).join(", "))), h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "What"), h("th", { scope: "col" }, told.one), h("th", { scope: "col" }, told.other),
      h("th", { scope: "col" }, "Difference [95 %]"), h("th", { scope: "col" }, "Change"))),
    h("tbody", {}, ...lines.map((l) => h("tr", { class: `change ${l.change.replace(" ", "-")}` },
      h("td", {}, l.what, l.timing ? h("small", {}, "wall time, which no two runs share") : null),
      h("td", { class: "side" }, ...side(l.one)), h("td", { class: "side" }, ...side(l.other)),
      h("td", { class: "num" }, l.difference ? l.difference.text : "–"), h("td", {}, CHANGES[l.change])))))));
}
