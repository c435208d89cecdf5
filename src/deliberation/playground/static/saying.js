// What the board says in words: how things stand, who has answered what, and what is awaited.

import { falls, flagsOf } from "./draw.js";
import { signed } from "./dom.js";

/** What is said while nobody has answered yet. */
export function awaited({ goal, walls, effort }, told) {
  if (told?.over) return "";
  const who = effort === "0" ? "the network" : "search and the network";
  return `Asking ${who}${goal || walls ? " again, with what is wanted now" : ""}…`;
}

/** What is said while search is asked again about a change: only then is that more than chance. */
export function looking({ changed, search }, names) {
  if (!changed?.looking || !search) return "";
  return `Search now says ${names[search.action]}. Asking it ${changed.looking[1]} more times whether that is more than chance…`;
}

/** One sentence on how the answers stand, put together from them; nothing before the first. */
export function summed({ habit, search, exact }, names) {
  const parts = [], name = (told) => names[told.action];
  if (habit?.ready) parts.push(`At once the ${habit.kind} chooses ${name(habit)}`);
  if (search?.final) parts.push(`${parts.length ? "search" : "Search"} at ${search.simulations.toLocaleString("en")} simulation${search.simulations === 1 ? "" : "s"}${parts.length ? "" : " chooses"} ${name(search)}`);
  if (exact?.best) parts.push(`${exact.best.length > 1 ? "the best are" : "the best is"} ${exact.best.map((a) => names[a]).join(", ")}`);
  return parts.length ? `${parts.join("; ")}.` : "";
}

/** Which legal action the cursor comes to: the nearest one that way. */
export function moved(told, cursor, way) {
  const { legal, picture } = told;
  const back = way === "left" || way === "up";
  if (!picture || falls(told) || !picture.places.some(Boolean)) return Math.max(0, Math.min(legal.length - 1, cursor + (back ? -1 : 1)));
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

/** What the flags of a board are worth, in a line. */
export function flagged(told, worth) {
  const flags = worth ? flagsOf(told) : [];
  if (!flags.length) return "";
  const best = Math.max(...worth);
  const others = [...new Set(worth.filter((w) => w !== best).map((w) => signed(w)))];
  const goal = best > 0 ? `Filled flag: the goal, worth ${signed(best)}.` : `No flag is worth more than ${signed(best)}.`;
  const was = flags.findIndex((f) => f.mark === "G");
  const moved = was >= 0 && worth[was] < best ? ` The goal was in row ${flags[was].place[0] + 1}, column ${flags[was].place[1] + 1}, which is worth ${signed(worth[was])} now.` : "";
  return `${goal}${others.length ? ` Hollow: exits worth ${others.join(", ")}.` : ""}${moved}`;
}

/** Whether each stone stands by itself, so that its shape says whose it is. */
function onlyStones({ picture }) {
  return Boolean(picture) && !picture.here && picture.cells.flat().every((mark) => ["", "X", "O"].includes(mark));
}

/** Whose turn it is, or how it ended. */
export function statusOf(told) {
  const returns = told.returns.map((x) => (Number.isInteger(x) ? x : x.toFixed(2)));
  if (told.over) return `It is over: ${told.players > 1 ? `returns ${returns.join(" and ")}` : `return ${returns[0]}`}.`;
  const note = told.picture?.note ? `${told.picture.note}. ` : "";
  if (told.players === 1) return note + (told.moves.length ? `Return so far ${returns[0]}.` : "");
  const both = told.hidden ? " You play both seats, and see only what the one to move sees." : "";
  return `${note}${told.mover === 0 ? "First" : "Second"} player to move${onlyStones(told) ? (told.mover === 0 ? " (●)" : " (○)") : ""}.${both}`;
}
