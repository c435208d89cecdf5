// Changing a world by mouse or by keys: walls put up and taken away, the goal moved to another flag.

import { announce } from "./api.js";
import { h } from "./dom.js";
import { flagsOf } from "./draw.js";

const STEPS = { left: [0, -1], right: [0, 1], up: [-1, 0], down: [1, 0] };
const SAID = { "": "free", "#": "wall", G: "flag", g: "flag", P: "pit", "~": "mud", "?": "not seen" };

/** Editing of a board. `tell(sentence)` says what cannot be; `knobs` is what changes the world. */
export function editing(knobs, tell) {
  const button = h("button", {
    type: "button", id: "edit", "aria-pressed": "false", "aria-keyshortcuts": "w",
    title: "Walls and flags (w)", onclick: () => turn(),
  }, "Walls and flags");
  let told = null, frame = null, cell = null, on = false;

  /** A position is shown in this frame. */
  function show(position, element) {
    told = position;
    frame = element;
    const can = Boolean(told.picture?.here) && told.knobs.some((k) => k.name === "step");
    button.hidden = !can;
    if (!can) turn(false);
    else if (on) put(cell ?? told.picture.here);
  }

  function turn(to = !on) {
    if (to === on || (to && button.hidden)) return;
    on = to;
    button.setAttribute("aria-pressed", String(on));
    frame?.classList.toggle("editing", on);
    if (on) {
      put(told.picture.here);
      announce("Arrows go from cell to cell, Enter changes one. w ends it.");
    } else for (const spot of frame?.querySelectorAll(".spot.cursor") ?? []) spot.classList.remove("cursor");
  }

  function put(to) {
    cell = to;
    for (const spot of frame.querySelectorAll(".spot")) spot.classList.toggle("cursor", spot.dataset.cell === cell.join());
  }

  function go(way) {
    const { cells, here } = told.picture;
    const [i, j] = [cell[0] + STEPS[way][0], cell[1] + STEPS[way][1]];
    if (cells[i]?.[j] === undefined) return;
    put([i, j]);
    const mark = cells[i][j], there = here[0] === i && here[1] === j ? ", where you stand" : "";
    announce(`Row ${i + 1}, column ${j + 1}: ${SAID[mark] ?? mark}${there}.`);
  }

  /** Change a cell: move the goal to a flag, put up a wall, take one away. */
  function change(i, j) {
    const { cells, here } = told.picture, mark = cells[i][j];
    if (mark === "g" || mark === "G") {
      const flags = flagsOf(told);
      if (flags.length < 2 || !told.knobs.some((k) => k.name === "exit_0")) return tell("There is no other flag that the goal could move to.");
      const done = knobs.move(flags.findIndex((f) => f.place[0] === i && f.place[1] === j), flags.map((f) => f.mark));
      if (!done) tell("The goal is there already: nothing is changed.");
    } else if (here[0] === i && here[1] === j) tell("You stand there: no wall can be put up.");
    else if (mark !== "" && mark !== "#") tell("A wall can only stand on a free cell.");
    else knobs.wall(i * cells[0].length + j);
  }

  return { button, show, turn, go, change, get on() { return on; }, enter: () => change(...cell) };
}
