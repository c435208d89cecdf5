// The folder of runs: what each found, live while it runs, every point led to the record behind it.

import { address, announce, live } from "./api.js";
import { chart, shown, styled } from "./charts.js";
import { viewCompared } from "./compared.js";
import { h } from "./dom.js";
import { crumbs, fill, problem, recordList, titleOf, to, verdict } from "./folder.js";
import { board, recordInto, viewRecord } from "./record.js";

const KINDS = { table: "table", audit: "audit", zoo: "zoo", advice: "advice", other: "measurement", unreadable: "run" };
const AGAIN = 6000;

/** Show this part. */
export function mount(element, query) {
  styled("/static/charts.css");
  styled("/static/runs.css");
  const place = h("div", { class: "runs" });
  element.append(place);
  const page = { place, query, runs: null, view: null, turn: 0, folder: "", places: new Map() };
  // Where one was on a page is kept, so that the way back leads there.
  place.addEventListener("click", (event) => {
    if (event.target.closest("a[href^='#']")) page.places.set(location.hash, scrollY);
  });
  const close = live("/api/runs/watch", (name, told) => {
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
  else if (q.get("run")) viewRun(page, q.get("run"), new Set((q.get("open") ?? "").split(",").filter(Boolean)));
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
        : `There are no runs in ${page.folder}, nor in the folders right inside it (deeper ones are not looked into). Make one, and it appears here: deliberate table tic_tac_toe --effort smoke`;
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
  return run.done ? `${some}${failed}; how many it was to have is not known` : `nothing recorded${failed}`;
}

// One run.

function viewRun(page, name, opened) {
  const head = h("header", { class: "head" });
  const body = h("div", { class: "found" });
  page.place.replaceChildren(head, body);
  let before = null, asked = 0, waiting = null;
  const mine = page.turn;
  const load = async () => {
    waiting = null;
    asked = Date.now();
    const open = body.childElementCount ? new Set(openIn(body)) : opened;
    page.drawn = [];
    await fill(page, "/api/runs/one", { run: name }, (told) => foundOf(page, told, open), body);
    await Promise.all(page.drawn);
    if (mine !== page.turn || !page.places.has(location.hash)) return;
    scrollTo(0, page.places.get(location.hash));
    page.places.delete(location.hash);
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

function openIn(body) {
  return [...body.querySelectorAll("details[open][data-name]")].map((d) => d.dataset.name);
}

/** What is open is kept in the address, so that the way back finds it open. */
function kept(page, details) {
  if (page.query.get("point") || page.query.get("record") || !details.isConnected) return;
  const hash = to({ run: page.query.get("run"), open: openIn(details.parentElement).join(",") });
  if (hash !== location.hash) history.replaceState(null, "", hash);
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
  page.titles = new Map((run.claims ?? []).map((c) => [c.name, c.title]));
  return [found(page, run, open), ["table", "zoo", "advice"].includes(run.kind) ? recordsOf(page, run, open.has("records")) : null].flat();
}

function recordsOf(page, run, open) {
  const inside = h("div", {}), details = h("details", { class: "claim", "data-name": "records" },
    h("summary", {}, h("span", { class: "title" }, "All records"), h("span", { class: "counts quiet" }, shown(run.done))), inside);
  details.addEventListener("toggle", () => {
    kept(page, details);
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
  const gaps = missing(run);
  if (!run.done && !run.running && (run.claims || run.places)?.length === 0)
    return [failures, gaps, h("p", { class: "quiet" }, "Nothing was measured in this run: it has no records.")];
  if (run.claims) return [failures, gaps, ...run.claims.map((c) => claimOf(page, run, c, open.has(c.name)))];
  if (run.answers) return [failures, ...run.answers.map((a) => answerOf(run, a))];
  if (run.places) return [failures, gaps, zooOf(page, run)];
  if (run.records) return [failures, recordList(run.name, run.records)];
  return [failures];
}

/** Which cells a run that has stopped lacks, and why as far as can be told. */
function missing(run) {
  const gone = run.missing;
  if (!gone?.of || run.running) return null;
  const other = gone.other ? ` ${shown(gone.other)} of its records are of cells that this version does not ask for.` : "";
  const why = gone.other || run.page
    ? `The run ended without them: the version of the code that made it did not ask for them.${other} The same call measures them.`
    : "It was stopped before they were measured. The same call goes on with them.";
  return h("details", { class: "failures", "data-name": "missing" },
    h("summary", {}, `${shown(gone.of)} cell${gone.of === 1 ? " is" : "s are"} missing`), h("p", { class: "quiet" }, why),
    h("ul", {}, ...gone.cells.map((c) => h("li", {}, c.what, " ", h("span", { class: "quiet small" }, c.settings)))));
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
    page.drawn.push(fill(page, "/api/runs/figure", { run: run.name, claim: claim.name }, (told) => panels(told.panels, (i, j, k) =>
      to({ run: run.name, claim: claim.name, point: `${i}.${j}.${k}` })), picture));
  };
  details.addEventListener("toggle", () => { kept(page, details); draw(); });
  details.open = open;
  draw();
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
    a.controls.length ? h("ul", { class: "plain-list" }, ...a.controls.map((c) => h("li", {}, `Control: ${c.name}, ${c.text}${c.remark ? ` (${c.remark})` : ""}`))) : null,
    h("dl", { class: "facts" }, ...rest.filter(([, text]) => text).flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])),
    a.cited.length ? h("h2", { class: "least" }, "The states that it rests on") : null,
    a.cited.length ? h("div", { class: "boards" }, ...a.cited.map((c) => board(c))) : null);
}

// A point, and what is behind it.

function viewPoint(page, q) {
  const run = q.get("run"), claim = q.get("claim"), point = q.get("point");
  const [i, j, k] = point.split(".").map(Number);
  const picture = h("div", { class: "picture" }), head = h("div", { class: "head" }), inside = h("div", { class: "behind" });
  const way = h("div", {});
  const crumb = (title) => way.replaceChildren(crumbs(["Runs", to({})], [titleOf(page, run), to({ run })], [title, to({ run, open: claim })], ["one point", ""]));
  crumb(page.titles?.get(claim) ?? claim.replaceAll("_", " "));
  page.place.replaceChildren(way, h("div", { class: "pointed" }, picture, head), inside);
  const link = (a, b) => to({ run, claim, point: `${i}.${a}.${b}` });
  fill(page, "/api/runs/figure", { run, claim }, (all) => {
    if (all.title) crumb(all.title);
    const panel = all.panels[i];
    return panel ? [chart(panel, { current: `${j}.${k}`, link }), heap(panel, j, k, link)] : problem("There is no such figure.");
  }, picture, { patience: "" });
  fill(page, "/api/runs/behind", { run, claim, point }, (b) => {
    const at = `${b.series || b.title}, ${b.x_label} ${b.x_name || shown(b.x)}: ${b.y_label} ${shown(b.y)}`;
    const many = b.records.length;
    const word = b.exact
      ? `It rests on ${many === 1 ? "one record" : `${many} records`}: moving ${many === 1 ? "its" : "their"} numbers a little moves the point, and moving any other's does not.`
      : `Which records it rests on could not be told apart; it is one of the figure's, which rests on ${many === 1 ? "this record" : `these ${many}`}.`;
    if (many === 1) recordInto(page, run, b.records[0].cell, { x: b.x, y: b.y }, inside);
    else {
      const links = recordList(run, b.records);
      for (const a of links.querySelectorAll("a")) a.setAttribute("href", `${a.getAttribute("href")}&at=${b.x}`);
      inside.append(links);
    }
    return [h("h1", { class: "minor" }, at), h("p", { class: "quiet" }, word)];
  }, head, { patience: "Finding out which records this point rests on…" });
}

/** Where points lie on one another: how many, and a way to each. */
function heap(panel, j, k, link) {
  const x = panel.series[j]?.x[k], y = panel.series[j]?.y[k];
  const same = panel.series.flatMap((s, a) => s.x.map((v, b) => (v === x && s.y[b] === y ? [a, b] : null)).filter(Boolean));
  if (same.length < 2) return null;
  const name = ([a, b]) => panel.series[a].names?.[b] ?? (panel.series[a].label || `point ${b + 1}`);
  return h("details", { class: "heap" }, h("summary", {}, `${same.length} points lie at this place; this is ${name([j, k])}`),
    h("ul", { class: "plain-list" }, ...same.map(([a, b]) => h("li", {}, a === j && b === k ? h("b", {}, name([a, b])) : h("a", { href: link(a, b) }, name([a, b]))))));
}
