// Two systems against each other: the games, and what the lead costs, as both accumulate.

import { announce, ask, stream } from "./api.js";
import { go } from "./app.js";
import { chart, shown, spanned, styled } from "./charts.js";
import { h, signed, titled } from "./dom.js";
import { drawing } from "./draw.js";

const MOST = 12;
const USUAL = { task: "connect_four", a: "search", b: "search", a_effort: "64", b_effort: "32", pairs: "50", opening: "2", seed: "0" };
const UNITS = { pairs: "pairs of games", seconds: "seconds of deciding", simulations: "simulations", flops: "FLOPs of networks", model_steps: "model steps" };
const SIDES = ["a", "b"];

/** Show this part. */
export function mount(element, query) {
  styled("/static/charts.css");
  styled("/static/match.css");
  const match = new Match(element);
  match.open(query);
  return { unmount() { match.close(); }, changed(next) { match.open(next); } };
}

class Match {
  constructor(element) {
    this.asked = { ...USUAL };
    this.unit = "pairs";
    this.stopStream = null;
    this.turn = 0;
    this.setup = h("section", { class: "setup", "aria-label": "Who plays" });
    this.board = h("div", { class: "arena" });
    this.lead = h("div", { class: "lead", role: "status" });
    this.charts = h("div", { class: "charts" });
    this.costs = h("div", { class: "scroll" });
    this.told = h("p", { class: "quiet", role: "status" });
    element.append(h("div", { class: "match" }, h("h1", { class: "unseen" }, "Match"), this.setup, this.told,
      h("div", { class: "floor" }, this.board, h("div", { class: "sheet" }, this.lead, this.charts, this.costs))));
    this.reset();
  }

  async open(query) {
    for (const name of Object.keys(USUAL)) this.asked[name] = query.get(name) ?? USUAL[name];
    this.stop();
    this.reset();
    const turn = ++this.turn;
    try {
      this.hello ??= await ask("/api/hello");
      this.offered = await ask("/api/match/systems", { task: this.asked.task });
    } catch (error) {
      if (turn === this.turn) this.problem(error.message);
      return;
    }
    if (turn !== this.turn) return;
    this.drawSetup();
    this.told.textContent = this.explained();
  }

  close() { this.turn++; this.stop(); }

  stop() { this.stopStream?.(); this.stopStream = null; }

  reset() {
    this.pairs = [];
    this.planned = null;
    this.done = false;
    this.board.replaceChildren();
    this.lead.replaceChildren();
    this.charts.replaceChildren();
    this.costs.replaceChildren();
  }

  problem(sentence) {
    this.told.replaceChildren(h("span", { class: "refused", role: "alert" }, sentence));
  }

  explained() {
    return this.offered.players === 2
      ? "Each pair is two games from the same opening, with seats swapped."
      : "Each pair is one episode from the same start and with the same chance, played by either.";
  }

  // Who plays.

  drawSetup() {
    const tasks = h("select", { id: "match-task", onchange: (e) => this.change("task", e.target.value) },
      ...this.hello.tasks.map((g) => h("optgroup", { label: g.kind }, ...g.tasks.map((t) =>
        h("option", { value: t.name, selected: t.name === this.asked.task }, titled(t.name))))));
    if (!this.hello.tasks.some((g) => g.tasks.some((t) => t.name === this.asked.task)))
      tasks.append(h("option", { value: this.asked.task, selected: true }, this.asked.task));
    this.buttons = {
      start: h("button", { type: "button", class: "main", onclick: () => this.start() }, "Play"),
      stop: h("button", { type: "button", disabled: true, onclick: () => this.end() }, "Stop"),
    };
    this.setup.replaceChildren(
      h("div", { class: "sides" }, this.side("a"), h("span", { class: "against", "aria-hidden": "true" }, "against"), this.side("b")),
      h("div", { class: "terms" },
        h("label", {}, "Task ", tasks),
        this.field("pairs", "Pairs", 1, 1000), this.offered.openings ? this.field("opening", "Drawn first moves", 0, MOST) : null,
        this.field("seed", "Seed", 0, 1e9),
        h("span", { class: "buttons" }, this.buttons.start, this.buttons.stop)));
  }

  field(name, label, least, most) {
    return h("label", {}, `${label} `, h("input", { type: "number", min: least, max: most, step: 1, value: this.asked[name],
      onchange: (e) => this.change(name, e.target.value) }));
  }

  side(side) {
    const known = this.offered.groups.flatMap((g) => g.systems);
    const mine = known.find((s) => s.name === this.asked[side]) ?? known[0];
    const out = h("output", {}, mine.dial ? `${shown(Number(this.asked[`${side}_effort`]))} simulations` : "no dial: it answers at once");
    const slider = h("input", { type: "range", min: 0, max: MOST, step: 1, value: Math.round(Math.log2(Number(this.asked[`${side}_effort`]) || 1)),
      disabled: !mine.dial, "aria-label": `Effort of ${name(side)}`,
      "aria-valuetext": mine.dial ? `${2 ** Math.round(Math.log2(Number(this.asked[`${side}_effort`])))} simulations` : "none",
      oninput: (e) => { out.textContent = `${shown(2 ** e.target.value)} simulations`; e.target.setAttribute("aria-valuetext", out.textContent); },
      onchange: (e) => this.change(`${side}_effort`, String(2 ** e.target.value)) });
    return h("div", { class: `side ${side}` },
      h("label", {}, h("span", { class: "letter", "aria-hidden": "true" }, name(side)), h("select", {
        "aria-label": `System ${name(side)}`, onchange: (e) => this.change(side, e.target.value) },
        ...this.offered.groups.map((g) => h("optgroup", { label: g.kind }, ...g.systems.map((s) =>
          h("option", { value: s.name, selected: s.name === mine.name }, s.title)))))),
      h("div", { class: "dial" }, slider, out));
  }

  change(field, value) {
    this.asked[field] = value;
    if (field === "task") for (const side of SIDES) this.asked[side] = "search";
    const focused = document.activeElement?.getAttribute("aria-label");
    go("match", new URLSearchParams(this.asked), { silent: true });
    this.open(new URLSearchParams(this.asked)).then(() => {
      if (focused) this.setup.querySelector(`[aria-label="${focused}"]`)?.focus();
    });
  }

  // Playing.

  start() {
    if (this.stopStream) { this.pause(); return; }
    if (this.done) this.reset();
    const past = new Map();
    for (const p of this.pairs) { const k = p.scores.join("_"); past.set(k, (past.get(k) ?? 0) + 1); }
    const told = [...past].map(([k, n]) => `${k}*${n}`).join(",");
    go("match", new URLSearchParams(this.asked), { silent: true });
    this.buttons.start.textContent = "Pause";
    this.buttons.stop.disabled = false;
    this.told.textContent = "";
    const close = stream("/api/match/play", { ...this.asked, from: this.pairs.length || "", past: told, alike: this.pairs.at(-1)?.alike ?? "" }, (event, content) => {
      if (this.stopStream === close) this.arrived(event, content);
    });
    this.stopStream = close;
  }

  pause() {
    this.stop();
    this.buttons.start.textContent = "Go on";
    this.told.textContent = `Paused after ${this.count()}.`;
  }

  end() {
    this.stop();
    this.done = true;
    this.buttons.start.textContent = "Play again";
    this.buttons.stop.disabled = true;
    this.told.textContent = `Stopped after ${this.count()}.`;
  }

  count() { return `${shown(this.pairs.length)} pair${this.pairs.length === 1 ? "" : "s"}`; }

  arrived(event, content) {
    if (event === "making") this.told.textContent = `Getting ${this.title(content.side)} ready: ${content.stage || "what learns is trained, and programs are compiled"}…`;
    else if (event === "board") this.drawBoard(content);
    else if (event === "pair") { this.pairs.push(content); this.drawFound(); }
    else if (event === "refused") { this.stop(); this.buttons.start.textContent = this.pairs.length ? "Go on" : "Play"; this.buttons.stop.disabled = true; this.problem(content.error); }
    else if (event === "finished") {
      this.stop();
      this.done = true;
      this.buttons.start.textContent = "Play again";
      this.buttons.stop.disabled = true;
      this.told.textContent = `${this.count()} played.`;
      this.planned = content.planned;
      this.drawFound();
      announce(this.lead.textContent);
    } else if (event === "end" && !this.done) { this.stop(); this.buttons.start.textContent = "Go on"; this.told.textContent = "The match broke off: go on where it was."; }
  }

  title(side) {
    const known = this.offered.groups.flatMap((g) => g.systems).find((s) => s.name === this.asked[side]);
    const effort = known?.dial ? ` at ${shown(Number(this.asked[`${side}_effort`]))}` : "";
    return `${known?.title ?? this.asked[side]}${effort}`;
  }

  drawBoard(told) {
    if (told.ply > 0 && this.told.textContent) this.told.textContent = "";
    const who = told.seats.map((side, player) => h("li", { class: `seat ${!told.over && told.mover === player ? "moves" : ""} ${side}` },
      told.players === 2 && told.picture && !told.picture.here ? h("span", { class: `token ${player ? "o" : "x"}`, "aria-hidden": "true" }) : null,
      h("b", {}, name(side)), " ", this.title(side),
      told.over ? h("span", { class: "return" }, signed(told.returns[player])) : null));
    this.board.replaceChildren(drawing(told, { label: `Game of pair ${told.pair + 1}. ${told.picture ? told.text : ""}` }),
      h("ul", { class: "seats" }, ...who),
      h("p", { class: "quiet" }, `Pair ${told.pair + 1} of ${this.asked.pairs}, move ${told.ply}${told.move ? `: ${told.move}` : ""}`));
  }

  drawFound() {
    const last = this.pairs.at(-1), d = last.difference;
    const range = (e) => `[${signed(e.low)}, ${signed(e.high)}]`;
    const over = last.repeated ? "" : `, mean over ${this.count()}${d.low === null ? "" : ", with a 95 % interval that holds at every number of pairs at once (Waudby-Smith and Ramdas 2024)"}`;
    this.lead.replaceChildren(
      h("p", { class: "figure" }, signed(d.estimate), h("span", { class: "interval" }, d.low === null ? "" : ` ${range(d)}`)),
      h("p", { class: "quiet" }, `What A scores above B${over}. ${last.said}`),
      ...(this.planned?.low == null ? [] : [h("p", { class: "quiet" },
        `The planned number of pairs is played: the 95 % interval for that number alone is ${range(this.planned)}.`)]));
    this.drawCharts();
    this.drawCosts();
  }

  /** What both have spent up to each pair in a unit; null from where it is unknown. */
  spentUntil(unit) {
    let sum = 0;
    return this.pairs.map((p, i) => {
      if (unit === "pairs") return i + 1;
      const both = SIDES.map((s) => p.spent[s][unit]);
      sum = sum === null || both.includes(null) ? null : sum + both[0] + both[1];
      return sum;
    });
  }

  perDecision(side, unit) {
    const parts = this.pairs.map((p) => p.spent[side]);
    const decisions = parts.reduce((n, p) => n + p.decisions, 0);
    if (!decisions || parts.some((p) => p[unit] === null)) return null;
    return parts.reduce((n, p) => n + p[unit], 0) / decisions;
  }

  drawCharts() {
    const usable = Object.keys(UNITS).filter((u) => u === "pairs" || this.spentUntil(u).at(-1) > 0);
    if (!usable.includes(this.unit)) this.unit = "pairs";
    const picker = h("div", { class: "units", role: "radiogroup", "aria-label": "Cost in", onkeydown: (e) => this.walkUnits(e, usable) }, ...Object.entries(UNITS).map(([unit, words]) =>
      h("button", { type: "button", role: "radio", "data-unit": unit, "aria-checked": String(unit === this.unit), tabindex: unit === this.unit ? 0 : -1, disabled: !usable.includes(unit),
        title: usable.includes(unit) ? words : `${words}: none, or unknown`,
        onclick: () => { this.unit = unit; this.drawCharts(); this.charts.querySelector(`[data-unit=${unit}]`)?.focus(); } }, words)));
    const many = this.pairs.length > 160 ? Math.ceil(this.pairs.length / 160) : 1;
    const keep = this.pairs.map((_, i) => i).filter((i) => i % many === 0 || i === this.pairs.length - 1);
    const x = this.spentUntil(this.unit);
    const pick = (f) => keep.map(f);
    const lead = chart({
      title: "The difference as it accumulates", x_label: UNITS[this.unit], y_label: "A’s score above B’s", x_scale: "linear", y_scale: "linear",
      references: [{ label: "even", y: 0 }],
      series: [{ label: "A above B", kind: "line", x: pick((i) => x[i]), y: pick((i) => this.pairs[i].difference.estimate),
        low: pick((i) => this.pairs[i].difference.low), high: pick((i) => this.pairs[i].difference.high) }],
    }, { wide: 430 });
    const unit = this.unit === "pairs" ? "seconds" : this.unit, last = this.pairs.at(-1);
    const costs = SIDES.map((s) => this.perDecision(s, unit)).map((c) => (unit === "seconds" ? 1000 * c : c));
    const apart = Math.max(...costs) / Math.min(...costs);
    const scatter = chart({
      title: "Score against the cost of a decision", x_label: `${unit === "seconds" ? "milliseconds" : UNITS[unit]} a decision`, y_label: "mean score",
      x_scale: apart > 20 && Number.isFinite(apart) ? "log10" : "linear", y_scale: "linear", references: [],
      series: SIDES.map((s, i) => ({ label: `${name(s)}: ${this.title(s)}`, kind: "points", x: [costs[i]], y: [last[s].estimate], low: [last[s].low], high: [last[s].high] })),
    }, { wide: 430 });
    this.charts.replaceChildren(picker, h("div", { class: "pair" }, lead, scatter));
  }

  /** Arrows go from one unit to the next, as among radio buttons. */
  walkUnits(event, usable) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.unit = usable[(usable.indexOf(this.unit) + by + usable.length) % usable.length];
    this.drawCharts();
    this.charts.querySelector(`[data-unit=${this.unit}]`).focus();
  }

  drawCosts() {
    const last = this.pairs.at(-1);
    const wins = { a: 0, b: 0, even: 0 };
    for (const p of this.pairs) for (const g of p.games) if (g.seats.length === 2) {
      const apart = g.returns[g.seats.indexOf("a")] - g.returns[g.seats.indexOf("b")];
      wins[apart > 0 ? "a" : apart < 0 ? "b" : "even"] += 1;
    }
    const two = wins.a + wins.b + wins.even > 0;
    const counted = [["seconds", "ms", 1000], ["simulations", "Simulations"], ["model_steps", "Model steps"], ["network_evaluations", "Evaluations"], ["flops", "FLOPs"]]
      .filter(([unit]) => SIDES.some((s) => this.perDecision(s, unit) !== 0));
    const heads = ["", "Mean score [95 %]", ...(two ? ["Won", "Drawn"] : []), ...counted.map(([, words]) => words)];
    const cell = (side, unit, times = 1) => { const v = this.perDecision(side, unit); return h("td", { class: "num" }, v === null ? "unknown" : shown(v * times)); };
    this.costs.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, ...heads.map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...SIDES.map((s) => h("tr", {}, h("th", { scope: "row" }, h("b", {}, name(s)), ` ${this.title(s)}`),
        h("td", { class: "num" }, spanned(last[s].estimate, last[s].low, last[s].high)),
        ...(two ? [h("td", { class: "num" }, shown(wins[s])), h("td", { class: "num" }, shown(wins.even))] : []),
        ...counted.map(([unit, , times]) => cell(s, unit, times)))))),
    h("p", { class: "quiet fine" }, "Costs are those of a decision, on average. Milliseconds are measured here, while others may be using the machine; counts are each system’s own word. Intervals hold at every number of pairs at once, one quantity at a time: looking on, and stopping because of what one sees, keeps them true."));
  }
}

function name(side) { return side.toUpperCase(); }
