// The dial from habit to exact, and under it what is chosen at each notch.

import { count, h } from "./dom.js";

const ARROWS = { left: "←", right: "→", up: "↑", down: "↓" };

/** The dial: notch 0 is habit, then 1, 2, 4... simulations, the last one is exact. */
export function dial(onTurn) {
  const label = h("output", { class: "effort", for: "effort" });
  const slider = h("input", { type: "range", id: "effort", min: 0, max: 15, step: 1, oninput: () => turned() });
  const notches = h("ol", { class: "strip", "aria-label": "What is chosen along the dial" });
  const told = h("p", { class: "small quiet strip-said" });
  const element = h("div", { class: "dial" },
    h("div", { class: "dial-head" }, h("label", { for: "effort", class: "title" }, "Effort"), label),
    h("div", { class: "rail" }, slider), notches, told);
  let most = 16384, cells = [], wait = 0, unknown = false;

  const last = () => Number(slider.max);
  const simulations = (notch) => (notch === 0 ? 0 : Math.min(2 ** (notch - 1), most));

  function show(most_, effort) {
    if (most_ !== most || cells.length === 0) {
      most = most_;
      slider.max = Math.log2(most) + 2;
      cells = Array.from({ length: last() + 1 }, (_, notch) => {
        const name = h("span", { class: "chosen" });
        const cell = h("li", { onclick: () => { slider.value = notch; turned(); } }, name,
          h("span", { class: "notch", "aria-hidden": "true" }, short(notch)));
        return { cell, name };
      });
      notches.replaceChildren(...cells.map((c) => c.cell));
      element.style.setProperty("--notches", cells.length);
    }
    for (const c of cells) {
      c.name.textContent = c.cell.className = c.cell.title = "";
      c.action = undefined;
    }
    told.textContent = "";
    unknown = false;
    if (!Number.isNaN(effort)) slider.value = effort === -1 ? last() : effort === 0 ? 0 : Math.min(Math.round(Math.log2(effort)) + 1, last() - 1);
    named();
  }

  const short = (notch) => notch === 0 ? "habit" : notch === last() ? "exact" : simulations(notch) >= 1024 ? `${simulations(notch) / 1024}k` : String(simulations(notch));

  function named() {
    const notch = Number(slider.value);
    const text = notch === 0 ? "habit: no simulation" : notch === last() ? (unknown ? `exact is not known here: ${count(most)} simulations` : "exact") : `${count(simulations(notch))} simulation${notch === 1 ? "" : "s"}`;
    label.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    cells.forEach(({ cell }, i) => cell.classList.toggle("now", i === notch));
  }

  function turned() {
    named();
    cancelAnimationFrame(wait);
    wait = requestAnimationFrame(() => onTurn(Number(slider.value) === last() ? "-1" : String(simulations(Number(slider.value)))));
  }

  /** What search chose at each doubling. */
  function strip({ chosen, proved }, position, said) {
    chosen.forEach(([at, action]) => {
      const i = Math.log2(at) + 1;
      if (Number.isInteger(i)) put(i, position.names[action], action);
    });
    ends(said, position);
    const changes = [];
    for (let i = 1; i < cells.length; i++) {
      const before = cells[i - 1].action, now = cells[i].action;
      if (before !== undefined && now !== undefined && before !== now) changes.push(`${cells[i].word} from ${i === last() ? "exact" : i === 0 ? "habit" : count(simulations(i))} on`);
    }
    told.textContent = changes.length === 0 ? "The answer is the same along the whole dial."
      : `The answer changes ${changes.length === 1 ? "once" : `${changes.length} times`}: ${changes.slice(-3).join(", ")}${changes.length > 3 ? " (the last three)" : ""}.`;
    if (proved) told.textContent += " Search has proved its answer.";
  }

  function put(i, name, action) {
    const c = cells[i];
    if (!c) return;
    c.action = action;
    c.word = name;
    c.name.textContent = ARROWS[name] ?? name.slice(0, 5);
    c.cell.title = `${short(i)}: ${name}`;
    for (const k of [i, i + 1]) {
      const a = cells[k - 1]?.action, b = cells[k]?.action;
      cells[k]?.cell.classList.toggle("changes", a !== undefined && b !== undefined && a !== b);
    }
  }

  /** The two ends: habit and exact. */
  function ends(said, position) {
    if (said.habit?.ready) put(0, position.names[said.habit.action], said.habit.action);
    if (said.exact?.best) {
      const before = cells[last() - 1].action;
      const action = said.exact.best.includes(before) ? before : said.exact.action;
      put(last(), position.names[action], action);
    }
  }

  return {
    element, show, strip, ends,
    /** Whether the exact answer is known; where it is not, the end of the dial is a search. */
    known(is) {
      unknown = !is;
      named();
    },
    asked() {
      const notch = Number(slider.value);
      return { effort: notch === last() ? most : simulations(notch), exact: notch === last() };
    },
    nudge(by) {
      slider.value = Number(slider.value) + by;
      turned();
    },
  };
}
