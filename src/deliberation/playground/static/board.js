// The board: play, turn the dial from habit to exact, change the goal.
//
// All that is shown follows from the address: the task, the moves, the goal, the effort. A change
// of any of them closes the stream of the question before and opens that of the next.

import { announce, ask, stream } from "./api.js";
import { go } from "./app.js";
import { answers } from "./answers.js";
import { dial } from "./dial.js";
import { h } from "./dom.js";
import { drawing, falls, shade } from "./draw.js";
import { knobs } from "./knobs.js";
import { tree } from "./tree.js";

const EFFORT = 512;
const NUMBERED = /^[0-9]$/;
const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

/** Show this part. */
export function mount(element, query) {
  const board = new Board(element);
  board.read(query);
  return { unmount: () => board.close(), changed: (q) => board.read(q) };
}

/** The words of a line of moves. */
function words(text) {
  return (text ?? "").split(/[\s,+]+/).filter(Boolean);
}

class Board {
  constructor(element) {
    this.at = null;
    this.told = null;
    this.cursor = 0;
    this.undone = [];
    this.element = element;
    this.dial = dial((effort) => this.set({ effort }, { quick: true }));
    this.answers = answers();
    this.tree = tree();
    this.knobs = knobs((goal, walls) => this.set({ goal, walls }));
    this.build();
    this.keys = (event) => this.key(event);
    addEventListener("keydown", this.keys);
    this.hello();
  }

  build() {
    this.headline = h("p", { class: "headline", "aria-live": "polite", id: "headline" });
    this.select = h("select", { id: "task", onchange: () => this.choose(this.select.value) });
    this.summary = h("p", { class: "quiet small" });
    this.frame = h("div", {
      class: "frame", tabindex: 0, role: "group", id: "board",
      "aria-label": "The board. Arrow keys choose an action, Enter plays it.",
    });
    this.status = h("p", { class: "status" });
    this.actions = h("div", { class: "actions", role: "group", "aria-label": "Actions" });
    this.moves = h("input", {
      id: "moves", type: "text", autocomplete: "off", spellcheck: "false",
      placeholder: "moves, such as 3 3 2",
      onchange: () => this.set({ moves: words(this.moves.value) }, { step: true }),
    });
    this.refused = h("p", { class: "refused", role: "alert" });
    const button = (id, text, act, key) =>
      h("button", { id, type: "button", onclick: act, title: `${text} (${key})`, "aria-keyshortcuts": key }, text);
    this.buttons = {
      undo: button("undo", "Undo", () => this.undo(), "u"),
      redo: button("redo", "Redo", () => this.redo(), "r"),
      step: button("step", "Let search move", () => this.step(), "n"),
      start: button("start", "Start again", () => this.set({ moves: [] }, { step: true }), "s"),
      solved: button("solved", "A solved position", () => this.solved(), "p"),
      link: button("link", "Copy link", () => this.copy(), "l"),
    };
    this.element.replaceChildren(
      this.headline,
      h("div", { class: "stage" },
        h("section", { class: "left", "aria-label": "Position" },
          h("div", { class: "pick" }, h("label", { for: "task", class: "unseen" }, "Task"), this.select),
          this.summary, this.frame, this.status, this.actions,
          h("div", { class: "tools" }, ...Object.values(this.buttons)),
          h("div", { class: "typed" }, h("label", { for: "moves" }, "Moves"), this.moves),
          this.refused),
        h("div", { class: "right" },
          h("section", { "aria-label": "The goal" }, this.knobs.element),
          h("section", { "aria-label": "Effort" }, this.dial.element),
          h("section", { "aria-label": "Answers" }, this.answers.element),
          h("section", { "aria-label": "The tree" }, this.tree.element))),
      h("details", { class: "keys quiet small" }, h("summary", {}, "Keys"),
        h("p", {}, "Numbers play an action. On the board, arrows choose and Enter plays; where one walks, arrows walk. ",
          "[ and ] turn the dial, g turns the goal round, u undoes, r redoes, n lets search move, s starts again, p goes to a solved position, l copies the link.")));
  }

  async hello() {
    try {
      const told = await ask("/api/hello");
      this.select.replaceChildren(...told.tasks.map(({ kind, tasks }) =>
        h("optgroup", { label: kind }, ...tasks.map((t) =>
          h("option", { value: t.name, "data-summary": t.summary }, t.name.replaceAll("_", " "))))));
      if (this.at) this.name(this.at.task || told.first);
      this.first = told.first;
      const note = document.getElementById("note");
      note.textContent = told.notes[0] ?? "";
      if (told.notes.length && !this.closed) this.later = setTimeout(() => this.hello(), 1000);
    } catch (error) {
      this.refuse(error);
    }
  }

  name(task) {
    if (![...this.select.options].some((o) => o.value === task))
      this.select.append(h("option", { value: task }, task));
    this.select.value = task;
    this.summary.textContent = this.select.selectedOptions[0]?.dataset.summary ?? "";
  }

  read(query) {
    this.at = {
      task: query.get("task") ?? "", seed: query.get("seed") ?? "", moves: words(query.get("moves")),
      goal: query.get("goal") ?? "", walls: query.get("walls") ?? "",
      effort: query.get("effort") ?? String(EFFORT),
    };
    this.load();
  }

  /** Change what the address says, and follow it; `step` makes it a step of the history. */
  set(changes, { step = false, quick = false } = {}) {
    if (changes.moves && !changes.redo) this.undone = [];
    delete changes.redo;
    Object.assign(this.at, changes);
    const { moves, ...rest } = this.at;
    go("board", new URLSearchParams({ ...rest, moves: moves.join("+") }), { silent: !step });
    if (quick) this.think();
    else this.load();
  }

  fields() {
    const { moves, effort, ...rest } = this.at;
    return { ...rest, moves: moves.join(" ") };
  }

  async load() {
    const mine = (this.turn = (this.turn ?? 0) + 1);
    this.stop?.();
    try {
      const told = await ask("/api/position", this.fields());
      if (mine !== this.turn) return;
      this.show(told);
    } catch (error) {
      if (mine === this.turn) this.refuse(error);
      return;
    }
    this.strip = null;
    this.think();
  }

  show(told) {
    this.refused.textContent = "";
    this.told = told;
    this.name(told.task);
    this.moves.value = told.moves.join(" ");
    this.cursor = Math.min(this.cursor, Math.max(0, told.legal.length - 1));
    this.svg = drawing(told, {
      onAction: (action) => this.play(action),
      onCell: told.knobs.some((k) => k.name === "step") ? (i, j, mark) => this.wall(i, j, mark) : undefined,
    });
    const flags = this.svg.querySelectorAll(".flag");
    for (const [, exit] of this.at.goal.matchAll(/exit_(\d+):(?=0*\.?0*[1-9])/g)) flags[exit]?.classList.add("wanted");
    this.frame.replaceChildren(this.svg);
    if (told.text && told.picture === null && told.hidden) this.frame.append(h("p", { class: "quiet small" }, "Something is hidden."));
    this.status.textContent = statusOf(told);
    this.actions.replaceChildren(...told.legal.map((action) =>
      h("button", { type: "button", class: "action", "data-play": action,
        "aria-label": `Play ${told.names[action]}`, onclick: () => this.play(action) }, told.names[action])));
    this.actions.hidden = told.legal.length > 24;
    this.buttons.undo.disabled = told.moves.length === 0;
    this.buttons.redo.disabled = this.undone.length === 0;
    this.buttons.start.disabled = told.moves.length === 0;
    this.buttons.step.disabled = told.over;
    this.buttons.solved.hidden = !told.solved;
    this.knobs.show(told, this.at.goal, this.at.walls);
    this.dial.show(told.most, Number(this.at.effort));
    this.answers.begin(told);
    this.tree.begin(told);
    this.headline.textContent = "";
    this.said = {};
    announce(`${told.moves.length ? `${told.moves.at(-1)} was played. ` : ""}${statusOf(told)}`);
  }

  /** Ask everybody anew. */
  think() {
    this.stop?.();
    if (!this.told || this.told.over) return;
    this.said = { ...this.said, search: null, changed: null };
    const { effort, exact } = this.dial.asked();
    this.answers.effort(effort, exact);
    if (effort === 0) this.tree.begin(this.told);
    const fields = { ...this.fields(), effort, strip: this.strip ? 0 : 1 };
    this.stop = stream("/api/think", fields, (name, content) => this.heard(name, content));
  }

  heard(name, content) {
    if (name === "refused") return this.refuse(new Error(content.error));
    if (name === "strip") {
      this.strip = content;
      this.dial.strip(content, this.told, this.said);
      return;
    }
    if (!["habit", "search", "exact", "changed"].includes(name)) return;
    this.said[name] = content;
    if (name === "changed") return this.say();
    this.answers.heard(name, content);
    if (name === "search") this.tree.grow(content);
    this.dial.ends(this.said, this.told);
    this.paint();
    this.say();
  }

  /** Shade the board by the answer that the dial points to. */
  paint() {
    if (!this.svg || !this.told.picture) return;
    const { effort, exact } = this.dial.asked();
    const { habit, search, exact: known } = this.said;
    if (exact && known?.best) {
      const share = Object.fromEntries(known.best.map((a) => [a, 1]));
      shade(this.svg, share, known.action);
    } else if (effort === 0 && habit?.ready) shade(this.svg, { ...habit.weights }, habit.action);
    else if (search) shade(this.svg, { ...(search.visits ?? search.weights) }, search.action);
  }

  /** One sentence on how the answers stand, put together from them. */
  say() {
    const { habit, search, exact, changed } = this.said;
    const name = (told) => this.told.names[told.action];
    if (changed?.sentence) {
      this.headline.textContent = changed.sentence;
      this.headline.classList.add("changed");
      return;
    }
    this.headline.classList.remove("changed");
    if (this.at.goal || this.at.walls) return;
    const parts = [];
    if (habit?.ready) parts.push(`At once the network chooses ${name(habit)}`);
    if (search?.final) parts.push(`${parts.length ? "search" : "Search"} at ${search.simulations.toLocaleString("en")} simulations${parts.length ? "" : " chooses"} ${name(search)}`);
    if (exact?.best) parts.push(`${exact.best.length > 1 ? "the best are" : "the best is"} ${exact.best.map((a) => this.told.names[a]).join(", ")}`);
    if (parts.length) this.headline.textContent = `${parts.join("; ")}.`;
  }

  play(action) {
    if (!this.told.legal.includes(action)) return;
    this.set({ moves: [...this.told.moves, this.told.names[action]] }, { step: true });
  }

  undo() {
    if (!this.told?.moves.length) return;
    const left = [...this.undone, this.told.moves.at(-1)];
    this.set({ moves: this.told.moves.slice(0, -1) }, { step: true });
    this.undone = left;
    this.buttons.redo.disabled = false;
  }

  redo() {
    if (!this.undone.length) return;
    const move = this.undone.pop(), left = this.undone;
    this.set({ moves: [...this.told.moves, move] }, { step: true });
    this.undone = left;
  }

  step() {
    const { effort, exact } = this.dial.asked();
    const said = exact ? this.said.exact?.best && this.said.exact : effort === 0 ? this.said.habit : this.said.search;
    if (said?.action !== undefined) this.play(said.action);
  }

  choose(task) {
    this.set({ task, moves: [], goal: "", walls: "", seed: "" }, { step: true });
  }

  wall(i, j, mark) {
    if (mark === "g" || mark === "G") {
      const flags = this.told.picture.cells.flatMap((row, y) => row.map((c, x) => (c === "g" || c === "G" ? `${y},${x}` : null)).filter(Boolean));
      if (flags.length > 1 && this.told.knobs.some((k) => k.name === "exit_0")) this.knobs.move(flags.indexOf(`${i},${j}`));
      return;
    }
    if (mark !== "" && mark !== "#") return;
    const cell = i * this.told.picture.cells[0].length + j;
    this.knobs.wall(cell);
  }

  async solved() {
    if (!this.told.solved) return;
    try {
      const told = await ask("/api/solved", { task: this.told.task, number: Math.floor(1e6 * Math.random()) });
      this.set({ moves: words(told.moves) }, { step: true });
    } catch (error) {
      this.refuse(error);
    }
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      announce("The link is copied.");
      this.buttons.link.textContent = "Copied";
    } catch {
      this.buttons.link.textContent = "Copy it from the address bar";
    }
    setTimeout(() => { this.buttons.link.textContent = "Copy link"; }, 1500);
  }

  key(event) {
    const typing = event.target.closest("input[type=text], select, textarea");
    if (!this.told || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const slider = event.target.closest("input[type=range]");
    const acts = { u: () => this.undo(), r: () => this.redo(), n: () => this.step(), l: () => this.copy(), p: () => this.solved(),
      s: () => this.set({ moves: [] }, { step: true }), g: () => this.knobs.turn(),
      "[": () => this.dial.nudge(-1), "]": () => this.dial.nudge(1) };
    const act = acts[event.key];
    if (act) act();
    else if (NUMBERED.test(event.key)) this.number(event.key);
    else if (!slider && event.key in ARROWS && this.frame.contains(event.target)) this.arrow(ARROWS[event.key]);
    else if (event.key === "Enter" && event.target === this.frame) this.play(this.told.legal[this.cursor]);
    else return;
    event.preventDefault();
  }

  number(key) {
    const named = this.told.legal.find((a) => this.told.names[a] === key);
    const action = named ?? this.told.legal[Number(key) - 1];
    if (action !== undefined) this.play(action);
  }

  arrow(way) {
    const { legal, names, picture } = this.told;
    if (picture?.here) {
      const action = legal.find((a) => names[a] === way);
      if (action !== undefined) this.play(action);
      return;
    }
    this.cursor = moved(this.told, this.cursor, way);
    const action = legal[this.cursor];
    for (const spot of this.frame.querySelectorAll(".spot")) spot.classList.toggle("cursor", Number(spot.dataset.action) === action && spot.dataset.action !== undefined);
    announce(names[action]);
  }

  refuse(error) {
    this.refused.textContent = error.message;
  }

  close() {
    this.closed = true;
    this.turn = (this.turn ?? 0) + 1;
    this.stop?.();
    clearTimeout(this.later);
    removeEventListener("keydown", this.keys);
  }
}

/** Which legal action the cursor comes to: the nearest one that way. */
function moved(told, cursor, way) {
  const { legal, picture } = told;
  const back = way === "left" || way === "up";
  if (!picture || falls(told)) return Math.max(0, Math.min(legal.length - 1, cursor + (back ? -1 : 1)));
  const from = picture.places[legal[cursor]];
  const axis = way === "left" || way === "right" ? 1 : 0;
  let best = cursor, least = Infinity;
  legal.forEach((action, i) => {
    const to = picture.places[action];
    if (!from || !to) return;
    const along = (to[axis] - from[axis]) * (back ? -1 : 1), aside = Math.abs(to[1 - axis] - from[1 - axis]);
    if (along > 0 && along + 3 * aside < least) [best, least] = [i, along + 3 * aside];
  });
  return best;
}

function statusOf(told) {
  const returns = told.returns.map((x) => (Number.isInteger(x) ? x : x.toFixed(2)));
  if (told.over) return `It is over: ${told.players > 1 ? `returns ${returns.join(" and ")}` : `return ${returns[0]}`}.`;
  const note = told.picture?.note ? `${told.picture.note}. ` : "";
  if (told.players === 1) return note + (told.moves.length ? `Return so far ${returns[0]}.` : "");
  return `${note}${told.mover === 0 ? "First" : "Second"} player to move${told.picture && !told.picture.here ? (told.mover === 0 ? " (●)" : " (○)") : ""}.`;
}
