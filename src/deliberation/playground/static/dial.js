// The dial from habit to exact, and under it what is chosen at each notch.

import { count, h } from "./dom.js";
import { apart as toldApart, least } from "./names.js";

const ARROWS = { left: "←", right: "→", up: "↑", down: "↓" };
const MOST = 3, LISTED = 8, ROOM = 48;

/** The dial: notch 0 is habit, then 1, 2, 4... simulations, the last one is exact. */
export function dial(onTurn) {
  const label = h("output", { class: "effort", for: "effort" });
  const slider = h("input", { type: "range", id: "effort", min: 0, max: 15, step: 1, oninput: () => turned() });
  const notches = h("ol", { class: "strip", "aria-label": "What is chosen along the dial" });
  const told = h("p", { class: "small quiet strip-said" });
  const element = h("div", { class: "dial" },
    h("div", { class: "dial-head" }, h("label", { for: "effort", class: "title" }, "Effort"), label),
    h("div", { class: "rail" }, slider), notches, told);
  let most = 16384, cells = [], wait = 0, unknown = false, spelt = null;

  new ResizeObserver(() => { if (spelt) spell(spelt); }).observe(notches);

  const last = () => Number(slider.max);
  const simulations = (notch) => (notch === 0 ? 0 : Math.min(2 ** (notch - 1), most));

  function show(most_, effort) {
    if (most_ !== most || cells.length === 0) {
      most = most_;
      slider.max = Math.log2(most) + 2;
      cells = Array.from({ length: last() + 1 }, (_, notch) => {
        const name = h("span", { class: "chosen", "aria-hidden": "true" }), aloud = h("span", { class: "unseen" });
        const cell = h("li", { onclick: () => { slider.value = notch; turned(); } }, name, aloud,
          h("span", { class: "notch", "aria-hidden": "true" }, short(notch)));
        return { cell, name, aloud };
      });
      notches.replaceChildren(...cells.map((c) => c.cell));
      element.style.setProperty("--notches", cells.length);
    }
    for (const c of cells) {
      c.name.textContent = c.name.style.width = c.aloud.textContent = c.cell.className = c.cell.title = "";
      c.action = c.word = c.best = undefined;
    }
    told.textContent = "";
    unknown = false;
    spelt = null;
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
      if (Number.isInteger(i)) put(i, position.names, action);
    });
    ends(said, position);
    const known = cells.map((c, i) => i).filter((i) => cells[i].action !== undefined);
    const turns = known.filter((i, k) => k > 0 && cells[i].action !== cells[known[k - 1]].action);
    // From one best move to another nothing that matters changes: chance chose among them.
    const best = said.exact?.best ?? [];
    const alike = (i) => best.includes(cells[i].action) && best.includes(cells[known[known.indexOf(i) - 1]].action);
    const apart = turns.filter((i) => !alike(i));
    cells.forEach(({ cell }, i) => cell.classList.toggle("changes", apart.includes(i)));
    const changes = apart.map((i, k) => `${until(known, i, apart[k + 1])} from ${i === last() ? "exact" : count(simulations(i))} on`);
    const part = !proved && cells.slice(1, last()).some((c) => c.action === undefined) ? " so far" : "";
    told.textContent = changes.length ? `The answer of this search changes ${changes.length === 1 ? "once" : `${changes.length} times`}${part}: ${changes.slice(-3).join(", ")}${changes.length > 3 ? " (the last three)" : ""}.`
      : turns.length ? `Along the dial${part} the answer is one of the best moves, which are alike.`
        : part ? "The answer is the same so far." : "The answer is the same along the whole dial.";
    if (proved) told.textContent += " Search has proved its answer.";
  }

  /** What is chosen from a notch to the next change: several answers where these are alike. */
  function until(known, from, to = Infinity) {
    const words = [...new Set(known.filter((i) => from <= i && i < to).map((i) => cells[i].word))];
    if (words.length === 1) return words[0];
    return words.length > MOST ? `any of ${words.length}, which are alike,` : `${words.join(" or ")}, which are alike,`;
  }

  function put(i, names, action, best = [action]) {
    const c = cells[i];
    if (!c) return;
    c.action = action;
    c.word = names[action];
    c.best = best;
    const whole = best.length > 1 ? `${best.length} alike, ${best.slice(0, LISTED).map((a) => names[a]).join(", ")}${best.length > LISTED ? "…" : ""}` : c.word;
    c.cell.title = c.aloud.textContent = `${short(i)}: ${whole}`;
  }

  /** What is chosen, above each notch; words once for as long as the answer stays the same. */
  function spell(names) {
    spelt = names;
    const short = toldApart(names).map((name) => ARROWS[name.replace("…", "").toLowerCase()] ?? name), fewest = least(short);
    const joined = ({ best }) => best.map((a) => short[a]).join(" ");
    const one = (c) => c.best?.length > 1 ? (joined(c).length <= MOST ? joined(c) : `${c.best.length} alike`) : short[c.action] ?? "";
    const drawn = cells.map(one), long = cells.some((c, i) => !(c.best?.length > 1) && drawn[i].length > 2);
    const same = (i, k) => cells[i]?.action !== undefined && cells[i].action === cells[k]?.action && drawn[i] === drawn[k];
    notches.classList.toggle("words", long);
    cells.forEach((c, i) => {
      let run = 1;
      while (long && same(i, i + run)) run++;
      c.name.textContent = long && same(i, i - 1) ? "" : drawn[i];
      c.name.style.width = long ? `${100 * run}%` : "";
      c.name.classList.toggle("alike", c.best?.length > 1 && drawn[i].length > MOST);
      c.name.classList.remove("tight");
    });
    // Where an ellipsis would leave nothing of a word, as little of it as tells it from the others.
    const tight = cells.filter(({ name }) => name.scrollWidth > name.clientWidth && name.clientWidth < ROOM);
    for (const c of tight) c.name.classList.add("tight", ...c.best.length > 1 ? ["alike"] : []);
    for (const c of tight) c.name.textContent = c.best.length > 1 ? `${c.best.length}=` : fewest[c.action];
  }

  /** The two ends: habit and exact. */
  function ends(said, position) {
    if (said.habit?.ready) put(0, position.names, said.habit.action);
    if (said.exact?.best) {
      const before = cells[last() - 1].action, { best } = said.exact;
      put(last(), position.names, best.includes(before) ? before : said.exact.action, best);
    }
    spell(position.names);
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
