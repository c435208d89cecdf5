// A record: what was asked and found, its numbers, and the positions that it was measured on.

import { shown } from "./charts.js";
import { h } from "./dom.js";
import { drawing } from "./draw.js";
import { address } from "./api.js";
import { crumbs, fill, recordList, titleOf, to } from "./folder.js";

/** The view of one record. */
export function viewRecord(page, q) {
  const run = q.get("run"), place = h("div", {});
  page.place.replaceChildren(crumbs(["Runs", to({})], [titleOf(page, run), to({ run })], ["record", ""]), place);
  recordInto(page, run, q.get("record"), { x: q.get("at"), heading: "h1" }, place);
}

/** A record put into a place; `point` is what led to it. */
export function recordInto(page, run, cell, point, place) {
  return fill(page, "/api/runs/record", { run, record: cell }, (r) => recordOf(page, run, r, point, point.heading), place);
}

function recordOf(page, run, r, point, heading = "h2") {
  const group = (title, inside) => section(title, inside, heading === "h1" ? "h2" : "h3");
  const pairs = (object) => Object.entries(object).flatMap(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")),
    h("dd", {}, value?.cell ? h("a", { href: to({ run, record: value.cell }) }, h("code", {}, value.text)) : (value?.text ?? value) || "(empty)")]);
  return [
    h("section", { class: "record", "aria-label": "Record" },
      h(heading, { class: "minor" }, r.what, " ", h("small", {}, h("code", {}, r.cell))),
      r.cited?.length ? group("The states that it rests on", h("div", {}, h("div", { class: "boards" }, ...r.cited.map((c) => board(c))),
        r.leads ? h("p", { class: "instead quiet" }, r.leads) : null)) : null,
      r.instead ? h("p", { class: "instead quiet" }, r.instead) : null,
      r.positions ? group("The positions behind it", boardsOf(page, run, r, point.x)) : null,
      h("div", { class: "columns" }, ...[["What was asked", r.settings], ["What was found", r.outcomes],
        ["What it spent, by its own word", r.spent], ["Where it comes from", r.provenance]]
        .filter(([, object]) => Object.keys(object).length)
        .map(([title, object]) => group(title, h("dl", { class: "facts" }, ...pairs(object))))),
      r.columns.length ? group("Arrays beside it", h("div", {}, ...r.columns.map((c) => columnOf(c, r, point)))) : null,
      r.needs.length ? group("It builds on", recordList(run, r.needs)) : null,
      h("details", {}, h("summary", {}, "As it is written"), h("pre", { class: "raw" }, r.raw))),
  ];
}

/** An array: its range, and its numbers row by row where they are few; those of the point stand out. */
function columnOf(c, r, point) {
  const about = h("span", { class: "quiet small" }, ` ${[c.axes, c.unit, c.span].filter(Boolean).join(" · ")}`);
  if (!c.rows) return h("p", {}, h("b", {}, c.name), about);
  const at = point.x === undefined || point.x === null ? -1 : r.budgets.indexOf(Number(point.x));
  const hit = (value) => point.y !== undefined && value !== null && Math.abs(value - point.y) <= 1e-6 * Math.max(1, Math.abs(point.y));
  const marked = at >= 0 || c.rows.some((row) => row.some(hit));
  const name = (i) => r.budgets.length === c.rows.length ? shown(r.budgets[i]) : String(i + 1);
  return h("details", { class: "array", open: marked },
    h("summary", {}, h("b", {}, c.name), about),
    marked ? h("p", { class: "quiet small" }, at >= 0 ? "The row of the point is marked." : "Numbers that are the point's are marked.") : null,
    h("div", { class: "scroll" }, h("table", { class: "numbers" }, h("tbody", {}, ...c.rows.map((row, i) =>
      h("tr", { class: i === at ? "hit" : null }, h("th", { scope: "row" }, name(i)),
        ...row.map((value) => h("td", { class: `num${at < 0 && hit(value) ? " hit" : ""}` }, shown(value)))))))));
}

function section(title, inside, heading) {
  return h("section", { class: "group" }, h(heading, { class: "least" }, title), inside);
}

function boardsOf(page, run, r, at) {
  const budgets = r.budgets, chosen = budgets.includes(Number(at)) ? Number(at) : budgets[budgets.length - 1];
  const state = { at: chosen, start: 0, order: "costliest" };
  const place = h("div", { class: "positions" });
  const load = () => fill(page, "/api/runs/positions", { run, record: r.cell, ...state }, (told) => {
    const end = told.start + told.boards.length;
    const few = told.kept < told.of;
    const said = few ? `Measured in ${shown(told.of)}; ${shown(told.kept)} of these were kept: where most was given up, and one where nothing was, as far as that is known.`
      : told.erred === null ? `${shown(told.of)} position${told.of === 1 ? "" : "s"}.` : `Of ${shown(told.of)} positions it gave something up in ${shown(told.erred)}.`;
    return [
      h("div", { class: "controls" },
        h("p", { class: "quiet", role: "status" }, `${said} Shown: ${told.boards.length ? told.start + 1 : 0} to ${end}.`),
        budgets.length > 1 && told.erred !== null ? pick("simulations", budgets, state.at, (v) => { state.at = Number(v); state.start = 0; load(); }) : null,
        told.erred === null ? null : pick("order", ["costliest", "recorded"], state.order, (v) => { state.order = v; state.start = 0; load(); }),
        h("button", { type: "button", disabled: told.start === 0, onclick() { state.start = Math.max(0, state.start - 6); load(); } }, "Earlier"),
        h("button", { type: "button", disabled: end >= told.kept, onclick() { state.start += 6; load(); } }, "More")),
      h("div", { class: "boards" }, ...told.boards.map((b) => board(b))),
    ];
  }, place);
  load();
  return place;
}

function pick(label, values, current, then) {
  return h("label", { class: "choice" }, `${label} `, h("select", { onchange(e) { then(e.target.value); } },
    ...values.map((v) => h("option", { value: v, selected: String(v) === String(current) }, typeof v === "number" ? shown(v) : v))));
}

/** One position, with what was chosen and what is best. */
export function board(one) {
  const legal = one.values ? one.values.map((v) => v.action) : one.legal;
  const told = { ...one, legal, movers: [], moves: [], task: "Position", over: false, mover: one.mover ?? 0, players: one.players ?? 1 };
  const errs = one.lost !== null && one.lost > 1e-6;
  const words = one.chosen === null ? (one.best_names ? `best is ${one.best_names}` : "asked here")
    : one.lost === null ? `chose ${one.chosen_name}`
      : errs ? `chose ${one.chosen_name}; best is ${one.best_names}` : `chose ${one.chosen_name}, which is best`;
  const svg = drawing(told, { label: one.picture ? `${one.text}. ${words}` : words });
  for (const el of svg.querySelectorAll?.("[data-heat]") ?? []) {
    const action = Number(el.dataset.heat);
    if (one.best.includes(action)) el.classList.add("is-best");
    if (action === one.chosen && (errs || !one.best.length)) el.classList.add("is-chosen");
  }
  return h("figure", { class: `position${errs ? " errs" : ""}` }, svg,
    h("figcaption", {}, one.said ? h("span", { class: "said" }, one.said) : null, words,
      errs ? h("span", { class: "lost" }, `gives up ${shown(one.lost)} ${one.unit ?? "of return"}`) : null,
      one.returned === null || one.returned === undefined ? null : h("span", { class: "returned" }, `${one.players > 1 ? "the first player's" : "the episode's"} return: ${shown(one.returned)}`),
      one.spot ? h("a", { class: "to-board", href: boardAt(one.spot) }, "On the board") : null));
}

/** The board page at a position: by its moves, or by the record that keeps it. */
function boardAt({ task, seed, moves, kept }) {
  return address("#/board", { task, seed: seed || "", moves: moves?.join(" "), kept });
}
