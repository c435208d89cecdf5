// What the network says at once, what search says, and the exact answer: side by side by action.

import { count, h, signed } from "./dom.js";
import { apart } from "./names.js";

const MOST = 12, SHORT = 3;

/** The three columns. `begin(told)`, then `heard(name, answer)` as often as answers come. */
export function answers() {
  const heads = {}, says = {}, notes = {};
  const columns = ["habit", "search", "exact"];
  const titles = { habit: "At once", search: "Search", exact: "Exact" };
  const element = h("div", { class: "answers", role: "table", "aria-label": "Answers by action" });
  let told = null, rows = new Map(), said = {};
  const head = h("div", { class: "row head", role: "row" }, h("span", { role: "columnheader" }, h("span", { class: "unseen" }, "Action")));
  for (const name of columns) {
    says[name] = h("strong", { class: "says", "data-says": name }, "…");
    notes[name] = h("span", { class: "small quiet", "data-note": name });
    heads[name] = h("div", { class: `column ${name}`, role: "columnheader" },
      h("span", { class: "title" }, titles[name]), says[name], notes[name]);
    head.append(heads[name]);
  }
  const body = h("div", { role: "rowgroup" });
  const line = h("p", { class: "line small quiet" }), about = h("p", { class: "small quiet", "data-about": "search" });
  const whole = h("div", {}, element, line, about);
  element.append(head, body);

  function begin(position) {
    told = position;
    heads.search.firstChild.title = position.searcher ?? "";
    about.textContent = position.searcher ? `Search is ${position.searcher}.` : "";
    said = {};
    for (const name of columns) {
      says[name].textContent = told.over ? "–" : "…";
      says[name].setAttribute("aria-busy", String(!told.over));
      notes[name].textContent = "";
    }
    line.textContent = "";
    element.classList.toggle("long", told.legal.some((action) => told.names[action].length > SHORT));
    fill(told.legal.length > MOST ? [] : told.legal);
  }

  function fill(actions) {
    const names = apart(told.names);
    rows = new Map();
    body.replaceChildren(...actions.map((action) => {
      const cells = Object.fromEntries(columns.map((name) => [name, cell(name)]));
      const row = h("div", { class: "row", role: "row" },
        h("span", { class: "name", role: "rowheader", title: told.names[action], "aria-label": told.names[action] }, names[action]),
        ...columns.map((name) => cells[name].element));
      rows.set(action, { row, cells });
      return row;
    }));
  }

  function heard(name, answer) {
    said[name] = answer;
    if (told.legal.length > MOST) choose();
    if (name === "habit") habit(answer);
    else if (name === "search") search(answer);
    else exact(answer);
    for (const [action, { cells }] of rows)
      for (const column of columns) cells[column].element.classList.toggle("best", isBest(said[column], action));
  }

  /** Nothing more will come of those that have not answered: say so, and why. */
  function none(names, sentence) {
    for (const name of names) {
      if (says[name].textContent === "…") says[name].textContent = "–";
      notes[name].textContent = sentence;
    }
  }

  /** Of many actions those that most is made of. */
  function choose() {
    const weight = (a) => (said.habit?.weights?.[a] ?? 0) + (said.search?.weights?.[a] ?? 0) + (said.exact?.best?.includes(a) ? 1 : 0);
    const best = [...told.legal].sort((a, b) => weight(b) - weight(a)).slice(0, MOST).sort((a, b) => a - b);
    if (best.join() === [...rows.keys()].join()) return;
    fill(best);
    for (const name of columns) if (said[name]) ({ habit, search, exact })[name](said[name]);
  }

  function habit(answer) {
    if (!answer.ready) {
      says.habit.setAttribute("aria-busy", String(!answer.refused));
      says.habit.textContent = answer.refused ? "–" : `${Math.round(100 * answer.share)} %`;
      notes.habit.textContent = answer.refused || `training: ${answer.stage}`;
      return;
    }
    says.habit.textContent = told.names[answer.action];
    says.habit.setAttribute("aria-busy", "false");
    notes.habit.textContent = `a ${answer.kind}, ${answer.about}`;
    for (const [action, { cells }] of rows) {
      const share = answer.weights[action];
      cells.habit.set(share, `${Math.round(100 * share)} %`, `probability ${Math.round(100 * share)} per cent`);
    }
  }

  function search(answer) {
    says.search.textContent = told.names[answer.action];
    says.search.setAttribute("aria-busy", String(!answer.final)); // it may change its mind until then
    const proved = answer.proved ? ", proved" : "";
    notes.search.textContent = `${count(answer.simulations)} simulation${answer.simulations === 1 ? "" : "s"}, value ${signed(answer.value)}${proved}`;
    const visits = answer.visits ?? answer.weights, most = Math.max(...visits, 1);
    for (const [action, { cells }] of rows) {
      const value = answer.values?.[action];
      cells.search.set(visits[action] / most, signed(value), `${count(visits[action])} visits, value ${signed(value)}`);
    }
    const words = (answer.line ?? []).map((a) => told.names[a]);
    line.textContent = words.length > 1 ? `Expected: ${words.join(" → ")}` : "";
  }

  function exact(answer) {
    says.exact.setAttribute("aria-busy", "false");
    if (answer.refused) {
      says.exact.textContent = "–";
      notes.exact.textContent = answer.refused;
      return;
    }
    says.exact.textContent = answer.best.length > 3 ? `${answer.best.length} alike` : answer.best.map((a) => told.names[a]).join(" ");
    const far = answer.plies?.[answer.action];
    notes.exact.textContent = `value ${signed(answer.value)}${far ? `, the end ${moves(far)} away` : ""}, ${answer.how}`;
    const legal = told.legal.map((a) => answer.values[a]).filter((v) => v !== null);
    const low = Math.min(...legal), wide = Math.max(...legal) - low;
    for (const [action, { cells }] of rows) {
      const value = answer.values[action];
      const plies = answer.plies?.[action];
      if (value !== null) cells.exact.set(wide > 1e-9 ? 0.04 + 0.96 * (value - low) / wide : 1,
        signed(value) + (plies ? ` in ${plies}` : ""), `value ${signed(value)}${plies ? `, the end ${moves(plies)} away` : ""}`);
    }
  }

  /** Show which column the dial points to. */
  function effort(simulations, atEnd) {
    const name = atEnd ? "exact" : simulations === 0 ? "habit" : "search";
    for (const column of columns) heads[column].classList.toggle("asked", column === name);
    if (simulations === 0) {
      says.search.textContent = "–";
      says.search.setAttribute("aria-busy", "false");
      notes.search.textContent = "no simulations: only habit";
      for (const { cells } of rows.values()) {
        cells.search.set(0, "", "not searched");
        cells.search.element.classList.remove("best");
      }
    }
  }

  return { element: whole, begin, heard, effort, none };
}

function moves(plies) { return `${plies} move${plies === 1 ? "" : "s"}`; }

function isBest(answer, action) {
  return answer?.best ? answer.best.includes(action) : answer?.action === action && answer.ready !== false;
}

function cell(name) {
  const bar = h("span", { class: "bar" }), number = h("span", { class: "number" });
  const element = h("div", { class: `cell-answer ${name}`, role: "cell" }, h("span", { class: "track", "aria-hidden": "true" }, bar), number);
  return {
    element,
    set(share, text, label) {
      bar.style.transform = `scaleX(${Math.max(0, Math.min(1, share)).toFixed(4)})`;
      number.textContent = text;
      element.setAttribute("aria-label", label);
    },
  };
}
