// Changing the goal: a toggle or slider for each feature of the objective, and walls.

import { h, signed } from "./dom.js";
import { flagsOf } from "./draw.js";

function read(goalText) {
  return Object.fromEntries(goalText.split(",").filter(Boolean).map((p) => p.split(":")).map(([n, v]) => [n, Number(v)]));
}

/** The knobs of a task. `onTurn(goal, walls)` gets what is to stand in the address. */
export function knobs(onTurn) {
  const list = h("div", { class: "knobs" });
  const reset = h("button", { type: "button", class: "plain", id: "usual", onclick: () => change({}, []) }, "The usual goal");
  const exits = h("details", { class: "small exits" }, h("summary", {}, "What each exit is worth"));
  const hint = h("p", { class: "small quiet" });
  const element = h("div", { class: "goal" },
    h("div", { class: "dial-head" }, h("span", { class: "title" }, "Change the goal"), reset), list, exits, hint);
  let offered = [], goal = {}, walls = [], built = "", wait = 0;

  function show(told, goalText, wallsText) {
    offered = told.knobs;
    goal = read(goalText);
    walls = wallsText.split(".").filter(Boolean).map(Number);
    const mine = JSON.stringify(offered);
    if (mine !== built) build();
    built = mine;
    for (const knob of offered) set(knob, goal[knob.name] ?? knob.usual);
    reset.hidden = Object.keys(goal).length === 0 && walls.length === 0;
    const grid = told.picture?.here && offered.some((k) => k.name === "step");
    const many = flagsOf(told).length > 1 && offered.some((k) => k.name === "exit_0");
    hint.textContent = !grid ? "" : `${many ? "Click a flag of the board to move the goal there. " : ""}Click a free cell to put up a wall, or a wall to take it away; a click next to you is a step, so hold Shift there, or turn on “Walls and flags” (w), which works with arrows and Enter too.`;
    const moved = Object.entries(goal).some(([name, value]) => name.startsWith("exit_") && value > 0);
    const label = element.querySelector("label[for=knob-goal] span");
    if (label) label.textContent = moved ? "goal, where it was" : "goal";
  }

  function build() {
    const made = offered.map((knob) => {
      const id = `knob-${knob.name}`;
      if (knob.kind === "toggle")
        return h("label", { class: "knob toggle", for: id },
          h("input", { type: "checkbox", id, role: "switch", onchange: (e) => turned(knob, e.target.checked ? 1 : 0) }),
          h("span", { class: "switch", "aria-hidden": "true" }), h("span", {}, knob.label));
      return h("label", { class: "knob", for: id }, h("span", { class: "small" }, knob.label),
        h("output", { class: "small", id: `${id}-value` }),
        h("input", { type: "range", id, min: knob.low, max: knob.high, step: knob.step, oninput: (e) => turned(knob, Number(e.target.value)) }));
    });
    const many = offered.filter((k) => k.name.startsWith("exit_")).length > 1;
    const apart = made.filter((_, i) => many && offered[i].name.startsWith("exit_"));
    list.replaceChildren(...made.filter((m) => !apart.includes(m)));
    exits.replaceChildren(exits.firstChild, h("div", { class: "knobs" }, ...apart));
    exits.hidden = apart.length === 0;
  }

  function set(knob, value) {
    const input = element.querySelector(`#knob-${knob.name}`);
    if (!input) return;
    if (knob.kind === "toggle") input.checked = value >= 0.5;
    else {
      input.value = value;
      element.querySelector(`#knob-${knob.name}-value`).textContent = signed(value);
    }
  }

  function turned(knob, value) {
    const next = { ...goal, [knob.name]: value };
    if (Math.abs(value - knob.usual) < (knob.step ?? 0.5) / 2) delete next[knob.name];
    if (knob.kind !== "toggle") element.querySelector(`#knob-${knob.name}-value`).textContent = signed(value);
    goal = next;
    cancelAnimationFrame(wait);
    wait = requestAnimationFrame(() => change(next, walls));
  }

  function change(next, moved) {
    const text = Object.entries(next).map(([name, value]) => `${name}:${Number(value.toFixed(4))}`).join(",");
    onTurn(text, moved.join("."));
  }

  return {
    element, show,
    /** What each flag is worth by a goal; null where that is not changed and need not be told. */
    worth(told, goalText, always = false) {
      const numbers = read(goalText), usual = Object.fromEntries(told.knobs.map((k) => [k.name, k.usual]));
      if (usual.exit_0 === undefined || !(always || Object.keys(numbers).some((n) => n === "goal" || n.startsWith("exit_")))) return null;
      const is = (name) => numbers[name] ?? usual[name] ?? 0;
      return flagsOf(told).map(({ mark }, k) => (mark === "G" ? is("goal") : 0) + is(`exit_${k}`));
    },
    /** Move the goal to an exit by its number; false where it is there already. `marks`: of all exits. */
    move(exit, marks) {
      const usual = offered.find((k) => k.name === "goal").usual;
      const paid = marks.map((mark, k) => (mark === "G" ? goal.goal ?? usual : 0) + (goal[`exit_${k}`] ?? 0));
      if (paid[exit] > 0 && paid[exit] === Math.max(...paid)) return false;
      const rest = Object.fromEntries(Object.entries(goal).filter(([n]) => n !== "goal" && !n.startsWith("exit_")));
      change(marks[exit] === "G" ? rest : { ...rest, goal: 0, [`exit_${exit}`]: usual }, walls);
      return true;
    },
    wall(cell) {
      change(goal, walls.includes(cell) ? walls.filter((c) => c !== cell) : [...walls, cell]);
    },
    turn() {
      const knob = offered.find((k) => k.kind === "toggle");
      if (knob) turned(knob, goal[knob.name] ? 0 : 1);
    },
  };
}
