// Changing the goal: a toggle or slider for each feature of the objective, and walls.

import { h, signed } from "./dom.js";

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
    goal = Object.fromEntries(goalText.split(",").filter(Boolean).map((p) => p.split(":")).map(([n, v]) => [n, Number(v)]));
    walls = wallsText.split(".").filter(Boolean).map(Number);
    const mine = JSON.stringify(offered);
    if (mine !== built) build();
    built = mine;
    for (const knob of offered) set(knob, goal[knob.name] ?? knob.usual);
    reset.hidden = Object.keys(goal).length === 0 && walls.length === 0;
    const grid = told.picture?.here && offered.some((k) => k.name === "step");
    const flags = told.picture?.cells.flat().filter((c) => c === "g" || c === "G").length;
    hint.textContent = !grid ? "" : `${flags > 1 ? "Click a flag of the board to move the goal there. " : ""}Click a free cell to put up a wall, or a wall to take it away.`;
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
    /** The goal moved to an exit, by its number: that one pays, and the one that is shown does not. */
    move(exit) {
      const usual = offered.find((k) => k.name === "goal").usual;
      const name = `exit_${exit}`;
      if (goal[name] !== undefined) change({}, walls);
      else change({ goal: 0, [name]: usual }, walls);
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
