// The folder of runs: what each found, live while it runs, every point led to the record behind it.

import { address, announce, ask, stream } from "./api.js";
import { chart, shown, styled } from "./charts.js";
import { h } from "./dom.js";
import { drawing } from "./draw.js";

const KINDS = { table: "table", audit: "audit", zoo: "zoo", advice: "advice", other: "measurement", unreadable: "run" };
const AGAIN = 6000;

/** Show this part. */
export function mount(element, query) {
  styled("/static/charts.css");
  styled("/static/runs.css");
  const place = h("div", { class: "runs" });
  element.append(place);
  const page = { place, query, runs: null, view: null, turn: 0, folder: "" };
  const close = stream("/api/runs/watch", {}, (name, told) => {
    if (name === "runs") listArrived(page, told);
    else if (name === "refused") page.place.replaceChildren(problem(told.error));
  });
  show(page);
  return {
    unmount() { close(); page.turn++; },
    changed(next) { page.query = next; show(page); },
  };
}

function show(page) {
  page.turn++;
  page.view = null;
  const q = page.query;
  document.querySelector("main")?.scrollIntoView?.({ block: "start" });
  if (q.get("run") && q.get("with")) viewCompared(page, q.get("run"), q.get("with"));
  else if (q.get("run") && q.get("record")) viewRecord(page, q);
  else if (q.get("run") && q.get("point")) viewPoint(page, q);
  else if (q.get("run")) viewRun(page, q.get("run"));
  else viewList(page);
}

function listArrived(page, told) {
  const before = new Map((page.runs ?? []).map((r) => [r.name, r]));
  page.runs = told.runs;
  page.folder = told.folder;
  for (const run of told.runs) {
    const was = before.get(run.name);
    if (was && was.state !== run.state && ["finished", "broken"].includes(run.state))
      announce(`${run.title}: ${stateWords(run)}`);
  }
  page.view?.list?.();
}

/** Ask, and fill the place unless another view has taken it by then. */
async function fill(page, path, fields, build, place, { patience = "Reading the records…" } = {}) {
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

function problem(sentence) {
  return h("p", { class: "refused", role: "alert" }, sentence);
}

function to(fields) {
  return address("#/runs", fields);
}

function crumbs(...parts) {
  const last = parts.length - 1;
  return h("nav", { class: "crumbs", "aria-label": "Where you are" }, h("ol", {}, ...parts.map(([text, link], i) =>
    h("li", {}, i < last ? h("a", { href: link }, text) : h("span", { "aria-current": "page" }, text)))));
}

// The list.

function viewList(page) {
  const list = h("div", { class: "shelf", role: "list", "aria-label": "Runs" });
  const note = h("p", { class: "quiet" });
  page.place.replaceChildren(h("h1", {}, "Runs"), note, list);
  page.view = {
    list() {
      if (!page.runs) return;
      note.textContent = page.runs.length
        ? `${page.runs.length} in ${page.folder}, the last written first.`
        : `There are no runs in ${page.folder}. Make one, and it appears here: deliberate table tic_tac_toe --effort smoke`;
      const focused = document.activeElement?.dataset?.run;
      list.replaceChildren(...page.runs.map(line));
      if (focused) [...list.querySelectorAll("[data-run]")].find((a) => a.dataset.run === focused)?.focus();
    },
  };
  page.view.list();
}

function line(run) {
  return h("div", { role: "listitem", class: `run ${run.state}` },
    h("a", { href: to({ run: run.name }), "data-run": run.name },
      h("span", { class: "name" }, run.title),
      h("span", { class: "kind" }, KINDS[run.kind]),
      h("span", { class: "about" }, run.trouble || run.about.join(" · ")),
      progress(run)));
}

function progress(run) {
  const share = run.of ? run.done / run.of : null;
  const bar = h("span", { class: "meter", "aria-hidden": "true" }, h("span", {}));
  if (run.state === "finished") bar.classList.add("open");
  else if (share !== null) bar.firstChild.style.width = `${(100 * share).toFixed(1)}%`;
  else bar.classList.add("open");
  return h("span", { class: "state" }, bar, h("span", { class: "words" }, stateWords(run)));
}

function stateWords(run) {
  const unit = run.kind === "audit" ? "probe" : "cell";
  const plural = (n) => `${shown(n)} ${unit}${n === 1 ? "" : "s"}`;
  const failed = run.failed ? `, ${shown(run.failed)} failed` : "";
  const some = run.of ? `${shown(run.done)} of ${plural(run.of)}` : plural(run.done ?? 0);
  if (run.state === "broken") return "cannot be read";
  if (run.state === "running") return `running, ${some}${failed}`;
  if (run.state === "finished") return `finished, ${plural(run.done)}${failed}`;
  if (run.state === "ended") return `ended, ${some}${failed}`;
  if (run.state === "stopped") return `stopped, ${some}${failed}`;
  return `${some}${failed}`;
}

// One run.

function viewRun(page, name) {
  const head = h("header", { class: "head" });
  const body = h("div", { class: "found" });
  page.place.replaceChildren(head, body);
  let before = null, asked = 0, waiting = null;
  const mine = page.turn;
  const load = async () => {
    waiting = null;
    asked = Date.now();
    const open = new Set([...body.querySelectorAll("details[open]")].map((d) => d.dataset.name));
    await fill(page, "/api/runs/one", { run: name }, (told) => foundOf(page, told, open), body);
  };
  page.view = {
    list() {
      const run = page.runs?.find((r) => r.name === name);
      if (page.runs && !run) { head.replaceChildren(crumbs(["Runs", to({})], [name, ""])); return; }
      if (!run) return;
      heading(page, head, run);
      if (before === run.changed) return;
      const first = before === null;
      before = run.changed;
      if (first || waiting) return;
      // Records come in faster than anybody reads: not more often than every few seconds.
      waiting = setTimeout(() => { if (mine === page.turn) load(); }, Math.max(0, asked + AGAIN - Date.now()));
    },
  };
  page.view.list();
  load();
}

function heading(page, head, run) {
  const others = page.runs.filter((r) => r.kind === run.kind && r.name !== run.name && ["table", "audit", "zoo"].includes(r.kind));
  const choice = others.length ? h("label", { class: "choice" }, "beside ",
    h("select", { "aria-label": "Compare with another run", onchange(e) { if (e.target.value) location.hash = to({ run: run.name, with: e.target.value }).slice(1); } },
      h("option", { value: "" }, "another run…"), ...others.map((r) => h("option", { value: r.name }, r.title)))) : null;
  const old = head.querySelector("select");
  if (old && document.activeElement === old) { head.querySelector(".state")?.replaceWith(progress(run)); return; }
  head.replaceChildren(...[
    crumbs(["Runs", to({})], [run.title, ""]),
    h("h1", {}, run.title, " ", h("small", {}, KINDS[run.kind])),
    h("p", { class: "quiet" }, run.about.join(" · ")),
    h("div", { class: `live ${run.state}`, role: "status" }, progress(run)),
    h("p", { class: "doors" }, run.page ? h("a", { href: address("/runs/page", { run: run.name }), target: "_blank", rel: "noopener" }, "Report page") : null, choice),
    run.trouble ? problem(run.trouble) : null,
  ].filter(Boolean));
}

function foundOf(page, run, open) {
  return [found(page, run, open), ["table", "zoo", "advice"].includes(run.kind) ? recordsOf(page, run, open.has("records")) : null].flat();
}

function recordsOf(page, run, open) {
  const inside = h("div", {}), details = h("details", { class: "claim", "data-name": "records" },
    h("summary", {}, h("span", { class: "title" }, "All records"), h("span", { class: "counts quiet" }, shown(run.done))), inside);
  details.addEventListener("toggle", () => {
    if (!details.open || inside.childElementCount) return;
    fill(page, "/api/runs/records", { run: run.name }, (told) => [
      told.of > told.records.length ? h("p", { class: "quiet" }, `The last ${shown(told.records.length)} of ${shown(told.of)}.`) : null,
      recordList(run.name, told.records)], inside);
  });
  details.open = open;
  return details;
}

function found(page, run, open) {
  const failures = run.failures?.length ? h("details", { class: "failures", "data-name": "failures" },
    h("summary", {}, `${run.failures.length} cell${run.failures.length === 1 ? "" : "s"} failed`),
    h("ul", {}, ...run.failures.map((f) => h("li", {}, h("code", {}, f.cell), " ", f.why)))) : null;
  if (run.claims) return [failures, ...run.claims.map((c) => claimOf(page, run, c, open.has(c.name)))];
  if (run.answers) return [failures, ...run.answers.map((a) => answerOf(run, a))];
  if (run.places) return [failures, zooOf(page, run)];
  if (run.records) return [failures, recordList(run.name, run.records)];
  return [failures];
}

const GLYPH = { supported: "●", refuted: "✕", inconclusive: "◌", holds: "✓", fails: "!", responds: "●", none: "○", against: "✕" };

function verdict(word) {
  if (!word) return h("span", { class: "verdict told" }, "");
  return h("span", { class: `verdict ${word.replaceAll(" ", "-")}` },
    h("span", { class: "glyph", "aria-hidden": "true" }, GLYPH[word] ?? "·"), ` ${word}`);
}

function claimOf(page, run, claim, open) {
  const counts = {};
  for (const row of claim.rows) if (row.kind === "claim" || row.kind === "absent") counts[row.verdict] = (counts[row.verdict] ?? 0) + 1;
  const words = Object.entries(counts).map(([word, n]) => h("span", { class: "count" }, n > 1 ? `${n} ` : "", verdict(word)));
  const picture = h("div", { class: "picture" });
  const details = h("details", { class: "claim", "data-name": claim.name },
    h("summary", {}, h("span", { class: "title" }, claim.title), h("span", { class: "counts" }, ...words)),
    h("p", { class: "statement" }, claim.statement), picture, rowsTable(claim.rows));
  let asked = false;
  const draw = () => {
    if (asked || !details.open) return;
    asked = true;
    fill(page, "/api/runs/figure", { run: run.name, claim: claim.name }, (told) => panels(told.panels, (i, j, k) =>
      to({ run: run.name, claim: claim.name, point: `${i}.${j}.${k}` })), picture);
  };
  details.addEventListener("toggle", draw);
  details.open = open;
  return details;
}

function panels(all, link) {
  if (!all.length) return h("p", { class: "quiet" }, "No figure can be drawn of what is measured so far.");
  const points = all.some((p) => p.series.some((r) => r.x.length));
  return [h("div", { class: "panels" }, ...all.map((panel, i) => chart(panel, { link: (j, k) => link(i, j, k, panel) }))),
    points ? h("p", { class: "hint quiet" }, "Each point leads to the record behind it.") : null];
}

function rowsTable(rows) {
  if (!rows.length) return h("p", { class: "quiet" }, "Nothing is measured yet.");
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ...["Task", "What", "Estimate [95 %]", "Verdict"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, ...rows.map((row) => row.kind === "absent"
      ? h("tr", { class: "absent" }, h("td", {}, row.task), h("td", { colspan: 2 }, row.reason), h("td", {}, verdict(row.verdict)))
      : h("tr", { class: row.kind }, h("td", {}, row.task), h("td", {}, `${row.decider}: ${row.quantity}`, row.note ? h("small", {}, row.note) : null),
        h("td", { class: "num" }, row.text, row.unit ? h("small", {}, row.unit) : null), h("td", {}, verdict(row.verdict)))))));
}

function zooOf(page, run) {
  const picture = h("div", { class: "picture" });
  fill(page, "/api/runs/figure", { run: run.name }, (told) => panels(told.panels, (i, j, k, panel) =>
    to({ run: run.name, record: panel.series[j].records[k] })), picture);
  return h("section", { class: "claim plain" }, picture, h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ...["Decider", "Task", "Score [95 %]", "Optimum", "Reached", "Search", "Learning", "ms a decision"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, ...run.places.map((p) => h("tr", {},
      h("td", {}, h("a", { href: to({ run: run.name, record: p.record }) }, p.title)), h("td", {}, p.task),
      ...[p.text, p.optimum, p.reached, p.by_definition ? `(${p.search})` : p.search, p.by_definition ? `(${p.learning})` : p.learning, p.milliseconds]
        .map((t) => h("td", { class: "num" }, t))))))));
}

function answerOf(run, a) {
  const rest = [["Rules out", a.rules_out], ["Error rates", a.errors], ["Could be fooled by", a.fooled_by], ["Note", a.note]];
  return h("details", { class: "claim", "data-name": a.probe },
    h("summary", {}, h("span", { class: "title" }, a.question), h("span", { class: "counts" }, verdict(a.found === "told" ? "measured" : a.named))),
    h("p", { class: "statement" }, a.said),
    a.panel ? h("div", { class: "panels" }, chart(a.panel, { link: () => to({ run: run.name, record: a.probe }) })) : null,
    a.estimate === null ? null : h("p", {}, `${a.statistic}: `, h("b", { class: "num" }, a.text)),
    a.controls.length ? h("ul", { class: "plain-list" }, ...a.controls.map((c) => h("li", {}, `Control: ${c.name}, ${c.text}${c.holds ? "" : " (does not hold: no verdict)"}`))) : null,
    h("dl", { class: "facts" }, ...rest.filter(([, text]) => text).flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])),
    a.cited.length ? h("h3", {}, "The states that it rests on") : null,
    a.cited.length ? h("div", { class: "boards" }, ...a.cited.map((c) => board(c))) : null);
}

function recordList(run, records) {
  return h("div", { class: "scroll" }, h("table", { class: "records" },
    h("thead", {}, h("tr", {}, ...["Record", "Measured", "Settings", "Seconds"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, ...records.map((r) => h("tr", {},
      h("td", {}, h("a", { href: to({ run, record: r.cell }) }, h("code", {}, r.cell.slice(0, 8)))),
      h("td", {}, r.what), h("td", { class: "settings" }, r.settings), h("td", { class: "num" }, shown(r.seconds)))))));
}

// A point, and what is behind it.

function viewPoint(page, q) {
  const run = q.get("run"), claim = q.get("claim"), point = q.get("point");
  const [i, j, k] = point.split(".").map(Number);
  const picture = h("div", { class: "picture" }), head = h("div", { class: "head" }), inside = h("div", { class: "behind" });
  page.place.replaceChildren(crumbs(["Runs", to({})], [run, to({ run })], [claim, to({ run })], ["one point", ""]),
    h("div", { class: "pointed" }, picture, head), inside);
  fill(page, "/api/runs/figure", { run, claim }, (all) => {
    const panel = all.panels[i];
    return panel ? chart(panel, { current: `${j}.${k}`, link: (a, b) => to({ run, claim, point: `${i}.${a}.${b}` }) }) : problem("There is no such figure.");
  }, picture, { patience: "" });
  fill(page, "/api/runs/behind", { run, claim, point }, (b) => {
    const at = `${b.series || b.title}, ${b.x_label} ${b.x_name || shown(b.x)}: ${b.y_label} ${shown(b.y)}`;
    const many = b.records.length;
    const word = b.exact
      ? `It rests on ${many === 1 ? "one record" : `${many} records`}: moving ${many === 1 ? "its" : "their"} numbers a little moves the point, and moving any other's does not.`
      : `Which records it rests on could not be told apart; it is one of the figure's, which rests on ${many === 1 ? "this record" : `these ${many}`}.`;
    if (many === 1) recordInto(page, run, b.records[0].cell, b.x, inside);
    else {
      const links = recordList(run, b.records);
      for (const a of links.querySelectorAll("a")) a.setAttribute("href", `${a.getAttribute("href")}&at=${b.x}`);
      inside.append(links);
    }
    return [h("h1", { class: "minor" }, at), h("p", { class: "quiet" }, word)];
  }, head, { patience: "Finding out which records this point rests on…" });
}

// A record.

function viewRecord(page, q) {
  const run = q.get("run"), place = h("div", {});
  page.place.replaceChildren(crumbs(["Runs", to({})], [run, to({ run })], ["record", ""]), place);
  recordInto(page, run, q.get("record"), q.get("at"), place);
}

function recordInto(page, run, cell, at, place) {
  return fill(page, "/api/runs/record", { run, record: cell }, (r) => recordOf(page, run, r, at), place);
}

function recordOf(page, run, r, at) {
  const pairs = (object) => Object.entries(object).flatMap(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")),
    h("dd", {}, value?.cell ? h("a", { href: to({ run, record: value.cell }) }, h("code", {}, value.text)) : value?.text ?? value)]);
  return [
    h("section", { class: "record", "aria-label": "Record" },
      h("h2", {}, r.what, " ", h("small", {}, h("code", {}, r.cell))),
      r.cited?.length ? group("The states that it rests on", h("div", { class: "boards" }, ...r.cited.map((c) => board(c)))) : null,
      r.positions ? boardsOf(page, run, r, at) : r.cited?.length ? null : h("p", { class: "quiet" }, "No positions were kept with this record: what is there is told below."),
      h("div", { class: "columns" }, ...[["What was asked", r.settings], ["What was found", r.outcomes],
        ["What it spent, by its own word", r.spent], ["Where it comes from", r.provenance]]
        .filter(([, object]) => Object.keys(object).length)
        .map(([title, object]) => group(title, h("dl", { class: "facts" }, ...pairs(object))))),
      r.columns.length ? group("Arrays beside it", h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, ...r.columns.map((c) =>
        h("tr", {}, h("th", { scope: "row" }, c.name), h("td", {}, c.axes), h("td", {}, c.unit), h("td", { class: "num" }, c.span))))))) : null,
      r.needs.length ? group("It builds on", recordList(run, r.needs)) : null,
      h("details", {}, h("summary", {}, "As it is written"), h("pre", { class: "raw" }, r.raw))),
  ];
}

function group(title, inside) {
  return h("section", { class: "group" }, h("h3", {}, title), inside);
}

function boardsOf(page, run, r, at) {
  const budgets = r.budgets, chosen = budgets.includes(Number(at)) ? Number(at) : budgets[budgets.length - 1];
  const state = { at: chosen, start: 0, order: "costliest" };
  const place = h("div", { class: "positions" });
  const load = () => fill(page, "/api/runs/positions", { run, record: r.cell, ...state }, (told) => {
    const end = Math.min(told.start + told.boards.length, told.of);
    const said = told.erred === null ? `${shown(told.of)} positions.` : `Of ${shown(told.of)} positions it gave something up in ${shown(told.erred)}.`;
    return [
      h("div", { class: "controls" },
        h("p", { class: "quiet", role: "status" }, `${said} Shown: ${told.boards.length ? told.start + 1 : 0} to ${end}.`),
        budgets.length > 1 ? pick("simulations", budgets, state.at, (v) => { state.at = Number(v); state.start = 0; load(); }) : null,
        told.erred === null ? null : pick("order", ["costliest", "recorded"], state.order, (v) => { state.order = v; state.start = 0; load(); }),
        h("button", { type: "button", disabled: told.start === 0, onclick() { state.start = Math.max(0, state.start - 6); load(); } }, "Earlier"),
        h("button", { type: "button", disabled: end >= told.of, onclick() { state.start += 6; load(); } }, "More")),
      h("div", { class: "boards" }, ...told.boards.map((b) => board(b))),
    ];
  }, place);
  load();
  return group("The positions behind it", place);
}

function pick(label, values, current, then) {
  return h("label", { class: "choice" }, `${label} `, h("select", { onchange(e) { then(e.target.value); } },
    ...values.map((v) => h("option", { value: v, selected: String(v) === String(current) }, typeof v === "number" ? shown(v) : v))));
}

function board(one) {
  const legal = one.values ? one.values.map((v) => v.action) : one.legal;
  const told = { ...one, legal, movers: [], moves: [], task: "Position", over: false, mover: one.mover ?? 0, players: one.players ?? 1 };
  const errs = one.lost !== null && one.lost > 1e-6;
  const words = one.chosen === null ? `best is ${one.best_names}`
    : errs ? `chose ${one.chosen_name}; best is ${one.best_names}` : `chose ${one.chosen_name}, which is best`;
  const svg = drawing(told, { label: `${one.text}. ${words}` });
  for (const el of svg.querySelectorAll?.("[data-heat]") ?? []) {
    const action = Number(el.dataset.heat);
    if (one.best.includes(action)) el.classList.add("is-best");
    if (action === one.chosen && errs) el.classList.add("is-chosen");
  }
  return h("figure", { class: `position${errs ? " errs" : ""}` }, svg,
    h("figcaption", {}, words, errs ? h("span", { class: "lost" }, `gives up ${shown(one.lost)} of return`) : null));
}

// Two runs.

const CHANGES = { verdict: "another verdict", moved: "moved beyond chance", "only one": "in one run only", same: "no change beyond chance", identical: "the same measurement" };

function viewCompared(page, run, other) {
  const body = h("div", {});
  page.place.replaceChildren(crumbs(["Runs", to({})], [run, to({ run })], [`beside ${other}`, ""]),
    h("h1", {}, run, " ", h("small", {}, "beside"), " ", other), body);
  fill(page, "/api/runs/compared", { run, with: other }, (told) => {
    const quiet = { only: false };
    const said = Object.entries(told.counts).filter(([, n]) => n).map(([kind, n]) => `${shown(n)} ${CHANGES[kind]}`).join(", ");
    const table = h("div", {});
    const redraw = () => table.replaceChildren(...told.groups.map((g) => groupOf(g, told, quiet.only)).filter(Boolean));
    redraw();
    const only = h("label", { class: "choice" }, h("input", { type: "checkbox", onchange(e) { quiet.only = e.target.checked; redraw(); } }), " only what changed");
    return [h("div", { class: "controls" }, h("p", { class: "quiet", role: "status" }, said ? `${said}.` : "Nothing is in both."), only), h("p", { class: "quiet small" }, told.what), table];
  }, body);
}

function groupOf(g, told, changed) {
  const lines = changed ? g.lines.filter((l) => !["same", "identical"].includes(l.change)) : g.lines;
  if (!lines.length) return null;
  const side = (x) => x ? [h("span", { class: "num" }, x.text), verdict(x.verdict)] : [h("span", { class: "quiet" }, "not there")];
  return h("section", { class: "compared" }, h("h2", {}, g.title), h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "What"), h("th", { scope: "col" }, told.one), h("th", { scope: "col" }, told.other),
      h("th", { scope: "col" }, "Difference [95 %]"), h("th", { scope: "col" }, "Change"))),
    h("tbody", {}, ...lines.map((l) => h("tr", { class: `change ${l.change.replace(" ", "-")}` },
      h("td", {}, l.what, l.timing ? h("small", {}, "wall time, which no two runs share") : null),
      h("td", { class: "side" }, ...side(l.one)), h("td", { class: "side" }, ...side(l.other)),
      h("td", { class: "num" }, l.difference ? l.difference.text : "–"), h("td", {}, CHANGES[l.change])))))));
}

