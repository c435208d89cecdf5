// The board: play, turn the dial from habit to exact, change the goal.
//
// All that is shown follows from the address: the task, the moves, the goal, the effort. A change
// of any of them closes the stream of the question before and opens that of the next.

import { offer } from "./actions.js";
import { answers } from "./answers.js";
import { announce, ask, stream } from "./api.js";
import { go } from "./app.js";
import { dial } from "./dial.js";
import { h, titled } from "./dom.js";
import { drawing, shade } from "./draw.js";
import { editing } from "./edit.js";
import { knobs } from "./knobs.js";
import { options } from "./options.js";
import { Line, numbered, Queue } from "./line.js";
import { awaited, flagged, looking, moved, statusOf, summed } from "./saying.js";
import { tree } from "./tree.js";

const EFFORT = 512;
const PATIENCE = 350;
const TRIES = 5, SECOND = 1000;
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
    this.line = new Line();
    this.queue = new Queue();
    this.element = element;
    this.dial = dial((effort) => this.set({ effort }, { quick: true }));
    this.answers = answers();
    this.tree = tree();
    this.knobs = knobs((goal, walls) => this.set({ goal, walls }));
    this.options = options((task) => this.make(task));
    this.edit = editing(this.knobs, (sentence) => this.tell(sentence));
    this.build();
    this.keys = (event) => this.key(event);
    this.sight = () => this.seen();
    addEventListener("keydown", this.keys);
    document.addEventListener("visibilitychange", this.sight);
    this.hello();
  }

  build() {
    this.headline = h("p", { class: "headline", "aria-live": "polite", id: "headline" }, "Getting the board ready…");
    this.select = h("select", { id: "task", onchange: () => this.choose(this.select.value) });
    this.summary = h("p", { class: "quiet small" });
    this.frame = h("div", {
      class: "frame", tabindex: 0, role: "group", id: "board",
      "aria-label": "The board. Arrow keys choose an action, Enter plays it.",
    });
    this.legend = h("p", { class: "legend-flags small quiet" });
    this.status = h("p", { class: "status" });
    this.actions = h("div", { class: "actions", role: "group", "aria-label": "Actions" });
    this.moves = h("input", {
      id: "moves", type: "text", autocomplete: "off", spellcheck: "false",
      onchange: () => this.set({ moves: words(this.moves.value) }, { step: true }),
    });
    this.refused = h("p", { class: "refused", role: "alert" });
    const button = (id, text, act, key) =>
      h("button", { id, type: "button", onclick: () => this.queue.act(act), title: `${text} (${key})`, "aria-keyshortcuts": key }, text);
    this.buttons = {
      undo: button("undo", "Undo", () => this.undo(), "u"),
      redo: button("redo", "Redo", () => this.redo(), "r"),
      step: button("step", "Let search move", () => this.step(), "n"),
      start: button("start", "Start again", () => this.set({ moves: [] }, { step: true }), "s"),
      solved: button("solved", "A solved position", () => this.solved(), "p"),
      link: button("link", "Copy link", () => this.copy(), "l"),
    };
    this.against = h("a", { class: "small", id: "against" }, "Two systems on this task");
    this.element.replaceChildren(
      h("h1", { class: "unseen" }, "Board"), this.headline,
      h("div", { class: "stage" },
        h("section", { class: "left", "aria-label": "Position" },
          h("div", { class: "pick" }, h("label", { for: "task", class: "unseen" }, "Task"), this.select),
          this.summary, this.options.element, this.frame, this.legend, this.status, this.actions,
          h("div", { class: "tools" }, ...Object.values(this.buttons), this.edit.button, this.against),
          h("div", { class: "typed" }, h("label", { for: "moves" }, "Moves"), this.moves),
          this.refused),
        h("div", { class: "right" },
          h("section", { "aria-label": "The goal" }, this.knobs.element),
          h("section", { "aria-label": "Effort" }, this.dial.element),
          h("section", { "aria-label": "Answers" }, this.answers.element),
          h("section", { "aria-label": "The tree" }, this.tree.element))),
      h("details", { class: "keys quiet small" }, h("summary", {}, "Keys"),
        h("p", {}, "Numbers play an action. On the board, arrows choose and Enter plays; where one walks, arrows walk. ",
          "[ and ] turn the dial, g turns the goal round, w changes walls and flags with arrows and Enter, u undoes, r redoes, n lets search move, s starts again, p goes to a solved position, l copies the link.")));
  }

  async hello() {
    try {
      const told = await ask("/api/hello");
      this.select.replaceChildren(...told.tasks.map(({ kind, tasks }) =>
        h("optgroup", { label: kind }, ...tasks.map((t) =>
          h("option", { value: t.name, "data-summary": t.summary }, titled(t.name))))));
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
    const plain = [...this.select.options].find((o) => o.value === task.split("(")[0]);
    const about = plain?.dataset.summary ?? "";
    this.summary.textContent = about === task ? "" : about;
  }

  read(query) {
    this.at = {
      task: query.get("task") ?? "", seed: query.get("seed") ?? "", moves: words(query.get("moves")),
      goal: query.get("goal") ?? "", walls: query.get("walls") ?? "", kept: query.get("kept") ?? "",
      effort: query.get("effort") ?? String(EFFORT),
    };
    this.queue.clear();
    this.load();
  }

  /** Change what the address says, and follow it; `step` makes it a step of the history. */
  set(changes, { step = false, quick = false } = {}) {
    Object.assign(this.at, changes);
    this.link({ silent: !step });
    this.buttons.undo.disabled = this.at.moves.length === 0;
    this.buttons.redo.disabled = this.line.again(this.at.moves) === undefined;
    if (!quick) this.load();
    else if (!this.queue.busy) this.think();  // else it is asked once the position is there
  }

  link(how) {
    const { moves, ...rest } = this.at;
    go("board", new URLSearchParams({ ...rest, moves: moves.join("+") }), how);
  }

  fields() {
    const { moves, effort, ...rest } = this.at;
    if (!moves.length && !Object.values(rest).some(Boolean)) return { first: 1 };  // what one sees first
    return { ...rest, moves: moves.join(" ") };
  }

  async load() {
    const mine = (this.turn = (this.turn ?? 0) + 1);
    this.stop?.();
    clearTimeout(this.retry);
    this.queue.busy = true;
    const wait = setTimeout(() => this.getting(), PATIENCE);
    try {
      const told = await ask("/api/position", this.fields());
      if (mine !== this.turn) return;
      this.show(told);
      this.strip = null;
      this.think();
    } catch (error) {
      if (mine !== this.turn) return;
      this.headline.textContent = "";
      if (this.making && this.making === this.at.task) this.options.tell(error.message);
      else this.refuse(error);
      this.making = "";
      this.queue.clear();
      this.back();
    } finally {
      clearTimeout(wait);
    }
    this.queue.answered();
  }

  /** What is shown is still what was there before: one plays on from it, and asks about it on. */
  back() {
    if (!this.told) return;
    Object.assign(this.at, this.shown, { moves: [...this.told.moves], effort: this.at.effort });
    this.link({ silent: true });
    if (this.missing().length) this.think();
    else this.say();
  }

  /** The server takes its time: say with what. */
  getting() {
    const task = titled(this.at.task || this.select.value || "the board");
    const first = this.told?.task !== this.at.task;
    this.headline.classList.remove("changed");
    this.headline.textContent = first ? `Getting ${task} ready: its rules are compiled, which takes some seconds, once…` : "Playing it…";
    if (!this.told) this.frame.replaceChildren(h("p", { class: "quiet" }, "The board appears here."));
  }

  show(told) {
    this.refused.textContent = this.making = "";
    if (this.told?.task !== told.task) this.line = new Line();
    this.told = told;
    this.at.moves = [...told.moves];
    const named = this.at.task;
    this.at.task = told.task;  // in its one spelling
    if (named && named !== told.task) this.link({ silent: true });
    this.shown = { ...this.at };
    this.line.at(told.moves);
    this.name(told.task);
    this.moves.value = told.moves.join(" ");
    this.moves.placeholder = told.legal.length ? `moves, such as ${told.names[told.legal[told.legal.length >> 1]]}` : "";
    this.cursor = Math.min(this.cursor, Math.max(0, told.legal.length - 1));
    const walks = told.knobs.some((k) => k.name === "step");
    this.svg = drawing(told, {
      worth: this.knobs.worth(told, this.at.goal),
      onAction: (action) => this.play(action),
      onCell: walks ? (i, j) => this.edit.change(i, j) : undefined,
      edits: (event) => walks && (this.edit.on || event.shiftKey),
    });
    this.frame.replaceChildren(this.svg);
    this.legend.textContent = flagged(told, this.knobs.worth(told, this.at.goal, true));
    if (told.text && told.picture === null && told.hidden) this.frame.append(h("p", { class: "quiet small" }, "Something is hidden."));
    this.status.textContent = statusOf(told);
    offer(this.actions, told, (action) => this.play(action), this.frame);
    // Where the board itself is played on, very many buttons would only repeat its cells.
    this.actions.hidden = told.legal.length > 24 && told.legal.every((action) => told.picture?.places[action]);
    this.actions.classList.toggle("many", told.legal.length > 24);
    this.buttons.undo.disabled = told.moves.length === 0;
    this.buttons.redo.disabled = this.line.again(told.moves) === undefined;
    this.buttons.start.disabled = told.moves.length === 0;
    this.buttons.step.disabled = told.over;
    this.buttons.solved.hidden = !told.solved;
    this.options.show(told);
    this.against.href = `#/match?${new URLSearchParams({ task: told.task })}`;
    this.against.hidden = told.players > 2;
    this.knobs.show(told, this.at.goal, this.at.walls);
    this.edit.show(told, this.frame);
    this.dial.show(told.most, Number(this.at.effort));
    this.answers.begin(told);
    this.tree.begin(told);
    this.said = {};
    this.say();
    announce(`${told.moves.length ? `${told.moves.at(-1)} was played. ` : ""}${statusOf(told)}`);
  }

  /** Ask everybody anew; `again`: how often that was tried already, where answers broke off. */
  think(again = 0) {
    this.stop?.();
    clearTimeout(this.retry);
    if (!this.told || this.told.over) return;
    this.said = { ...this.said, search: null, changed: null };
    if (this.at.goal || this.at.walls) this.say();
    this.mover();
    const { effort, exact } = this.dial.asked();
    this.answers.effort(effort, exact);
    if (effort === 0) this.tree.begin(this.told);
    const fields = { ...this.fields(), effort, strip: this.strip ? 0 : 1 };
    const close = stream("/api/think", fields, (name, content) => this.heard(name, content, again));
    this.stop = () => {
      close();
      this.stop = null;
    };
  }

  /** Who has not answered yet, and is to. */
  missing() {
    const { habit, search, exact } = this.said ?? {};
    if (!this.told || this.told.over) return [];
    return [
      ...(habit?.ready || habit?.refused ? [] : ["habit"]),
      ...(search?.final || this.dial.asked().effort === 0 ? [] : ["search"]),
      ...(exact ? [] : ["exact"]),
    ];
  }

  /** The answers have ended. Where some never came they are asked for again, else it is said. */
  ended({ error = "The answers broke off.", status }, again) {
    this.stop = null;
    const left = this.missing(), busy = status === undefined || status === 503;
    if (left.length && busy && again < TRIES) {
      this.tell(`${error} Asking again…`);
      this.retry = setTimeout(() => this.think(again + 1), SECOND * 2 ** again);
      return;
    }
    if (left.length || status !== undefined) this.tell(error);
    this.answers.none(left, "no answer");
    this.say();
    if (left.length) this.headline.textContent = "";
  }

  /** A page that nobody sees keeps no stream: a browser has few for all its pages. */
  seen() {
    if (document.hidden) {
      this.hidden = Boolean(this.stop);
      this.stop?.();
      clearTimeout(this.retry);
    } else if (this.hidden || this.missing().length) {
      this.hidden = false;
      if (!this.queue.busy) this.think();
    }
  }

  heard(name, content, again) {
    if (name === "refused" || name === "end") return this.ended(content, again);
    if (again) this.tell("");
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
    if (this.strip) this.dial.strip(this.strip, this.told, this.said);
    else this.dial.ends(this.said, this.told);
    if (name === "exact") this.dial.known(Boolean(content.best));
    this.mover();
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

  /** How the answers stand, or what another goal came to. */
  say() {
    const { changed } = this.said, other = this.at.goal || this.at.walls;
    const sentence = changed?.sentence || (other ? "" : summed(this.said, this.told.names));
    this.headline.classList.toggle("changed", Boolean(changed?.sentence));
    this.headline.textContent = sentence || looking(this.said, this.told.names) || awaited(this.at, this.told);
    // How far it is, for the eye alone: a screen reader would read it out seven times.
    if (!sentence && changed?.looking) this.headline.append(h("span", { "aria-hidden": "true" }, ` ${changed.looking.join(" of ")}`));
  }

  play(action) {
    const { task } = this.told;
    this.queue.act(() => {
      if (this.told.task !== task) return;  // meant for the board that was shown then
      const { legal, names, moves, over } = this.told;
      if (!legal.includes(action)) return this.tell(over ? "It is over." : `${names[action]} is not legal here.`);
      this.set({ moves: this.line.next(moves, names[action]) }, { step: true });
    });
  }

  undo() {
    if (this.at.moves.length) this.set({ moves: this.at.moves.slice(0, -1) }, { step: true });
  }

  redo() {
    const moves = this.line.again(this.at.moves);
    if (moves) this.set({ moves }, { step: true });
  }

  /** Who moves when asked to, by where the dial is: what they say now, and what the button says. */
  asked() {
    const { effort, exact } = this.dial.asked(), { habit, search, exact: known } = this.said ?? {};
    if (effort === 0 && !exact) return { told: habit, text: "Let the network move" };
    if (exact && known?.best) return { told: known, text: "Play an exact best" };
    return { told: search, text: "Let search move" };
  }

  mover() {
    const { text } = this.asked();
    this.buttons.step.textContent = text;
    this.buttons.step.title = `${text} (n)`;
  }

  step() {
    if (this.queue.busy || this.told.over) return;
    const { told } = this.asked();
    if (told?.action !== undefined) this.play(told.action);
    else this.tell("There is no answer yet.");
  }

  choose(task) {
    this.set({ task, moves: [], goal: "", walls: "", seed: "", kept: "" }, { step: true });
  }

  /** The same from the form of options: a refusal is said beside it. */
  make(task) {
    if (task === this.told?.task) return this.options.tell("That is what is shown already.");
    this.making = task;
    this.options.tell("");
    this.options.busy(`Making ${titled(task)}…`);
    this.choose(task);
  }

  async solved() {
    if (!this.told.solved) return;
    try {
      const told = await ask("/api/solved", { task: this.told.task, number: Math.floor(1e6 * Math.random()) });
      this.set({ moves: words(told.moves), kept: "" }, { step: true });
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
    const typing = event.target.closest("input[type=text], input[type=number], select, textarea");
    if (!this.told || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const slider = event.target.closest("input[type=range]");
    const acts = { u: () => this.queue.act(() => this.undo()), r: () => this.queue.act(() => this.redo()), n: () => this.step(), l: () => this.copy(), p: () => this.solved(),
      s: () => this.queue.act(() => this.set({ moves: [] }, { step: true })), g: () => this.knobs.turn(), w: () => this.edit.turn(),
      "[": () => this.dial.nudge(-1), "]": () => this.dial.nudge(1) };
    const act = acts[event.key];
    if (act) act();
    else if (NUMBERED.test(event.key)) this.number(event.key);
    else if (!slider && event.key in ARROWS && this.frame.contains(event.target)) this.arrow(ARROWS[event.key]);
    else if (["Enter", " "].includes(event.key) && event.target === this.frame && this.edit.on) this.edit.enter();
    else if (event.key === "Enter" && event.target === this.frame) this.play(this.told.legal[this.cursor]);
    else return;
    event.preventDefault();
  }

  number(key) {
    const { names } = this.told;
    const action = numbered(names, key);
    if (action === undefined) return this.tell(`${key} is no action here.`);
    if (names[action] !== key && !this.told.legal.includes(action) && !this.queue.busy)
      return this.tell(`${key} stands for ${names[action]}, which is not legal here.`);
    this.play(action);
  }

  arrow(way) {
    const { legal, names, picture } = this.told;
    if (this.edit.on) return this.edit.go(way);
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
    this.tell(error.message);
  }

  tell(sentence) {
    this.refused.textContent = sentence;
  }

  close() {
    this.closed = true;
    this.turn = (this.turn ?? 0) + 1;
    this.stop?.();
    clearTimeout(this.later);
    clearTimeout(this.retry);
    removeEventListener("keydown", this.keys);
    document.removeEventListener("visibilitychange", this.sight);
  }
}
