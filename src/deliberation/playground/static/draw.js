// A position as a drawing: cells, stones, walls; and over it what somebody makes of its actions.

import { h, s } from "./dom.js";

const CELL = 64, WIDEST = 60;
const STONES = /^(\d+)([XO])$/;
const MARKS = { "#": "wall", "?": "unseen-cell", P: "pit", H: "pit", "~": "mud", G: "goal", g: "exit" };
const WORDS = { X: "first player's stone", O: "second player's stone", "#": "wall", "?": "not seen",
  P: "pit", H: "hole", "~": "mud", G: "goal", g: "exit", "": "free" };

/**
 * The drawing of a position as the server tells it.
 *
 * `onAction(action)` is called when the cell of an action is clicked, `onCell(row, column)` when
 * any other is, or that of an action while `edits(event)`. `worth` is what each flag is worth where
 * that is not as usual. `shade(el, weights, best)` shades it afterwards, as often as one likes.
 */
export function drawing(told, { onAction, onCell, edits, worth, label } = {}) {
  const picture = told.picture;
  if (!picture) return plain(told, label);
  const { cells, lean, here } = picture;
  const rows = cells.length, columns = Math.max(...cells.map((r) => r.length));
  const left = picture.rows.length ? 30 : 6, below = picture.columns.length ? 30 : 6;
  const wide = columns * CELL + lean * CELL * (rows - 1) + left + 6;
  const high = rows * CELL + below + 6;
  const svg = s("svg", {
    class: "board", viewBox: `${-left} -6 ${wide} ${high}`, role: "img",
    "aria-label": label ?? described(told, worth),
  });
  const grounds = s("g"), heats = s("g", { class: "heats" }), stones = s("g"), over = s("g");
  const actions = byPlace(told);
  const flags = new Map(flagsOf(told).map((f, k) => [f.place.join(), k]));
  cells.forEach((row, i) => row.forEach((mark, j) => {
    const x = (j + lean * i) * CELL, y = i * CELL;
    grounds.append(s("rect", {
      class: `cell ${MARKS[mark] ?? ""}`, x: x + 1.5, y: y + 1.5, width: CELL - 3,
      height: CELL - 3, rx: 9,
    }));
    stones.append(...marked(mark, x + CELL / 2, y + CELL / 2, here && here[0] === i && here[1] === j,
      worth?.[flags.get(`${i},${j}`)]));
    if (!onAction && !onCell) return;
    const action = actionAt(told, actions, i, j);
    const spot = s("rect", {
      class: action === undefined ? "spot" : "spot live", x, y, width: CELL, height: CELL,
      "data-cell": `${i},${j}`, ...(action === undefined ? {} : { "data-action": action }),
    });
    spot.addEventListener("click", (event) => {
      if (action !== undefined && onAction && !edits?.(event)) onAction(action);
      else onCell?.(i, j, mark);
    });
    over.append(spot);
  }));
  for (const action of told.legal) {
    const place = picture.places[action];
    if (!place) continue;
    heats.append(here ? arrow(here, place, lean, action) : s("rect", {
      class: "heat", "data-heat": action, rx: 9, width: CELL - 3, height: CELL - 3,
      x: (place[1] + lean * place[0]) * CELL + 1.5, y: place[0] * CELL + 1.5,
    }));
  }
  svg.append(grounds, heats, stones);
  svg.append(...labels(picture, rows), over);
  return svg;
}

/** Shade the actions of a drawing by how much is made of each (0 to 1), and mark the best. */
export function shade(svg, weights, best) {
  const most = Math.max(...Object.values(weights), 1e-9);
  for (const el of svg.querySelectorAll("[data-heat]")) {
    const share = (weights[el.dataset.heat] ?? 0) / most;
    el.style.fillOpacity = share > 0 ? (0.06 + 0.5 * share).toFixed(3) : "0";
    el.classList.toggle("best", Number(el.dataset.heat) === best);
  }
}

/** The flags of a board in their order, row by row: each with its place and its mark. */
export function flagsOf(told) {
  return (told.picture?.cells ?? []).flatMap((row, i) =>
    row.map((mark, j) => ({ mark, place: [i, j] })).filter(({ mark }) => told.picture.here && (mark === "g" || mark === "G")));
}

/** A position in words, for those who do not see it. */
export function described(told, worth) {
  const who = told.over ? "The game is over." : told.players > 1 ? `Player ${told.mover + 1} to move.` : "";
  if (!told.picture) return `${told.table?.length ? told.table.map((row) => row.join(": ")).join(". ") : told.text} ${who}`;
  const { cells, rows, here, note } = told.picture;
  let flags = 0;
  const word = (mark, i, j) => {
    const many = STONES.exec(mark);
    if (many) return `${many[1]} of ${many[2]}`;
    const is = mark === "g" || mark === "G" ? exit(mark, worth?.[flags++]) : WORDS[mark] ?? mark;
    return here && here[0] === i && here[1] === j ? `you${mark === "" ? "" : ` on ${is}`}` : is;
  };
  const exit = (mark, paid) => paid === undefined ? WORDS[mark] : paid > 0 ? "goal" : mark === "G" ? "exit that was the goal" : "exit";
  const said = cells.map((row, i) => `Row ${rows[i] ?? i + 1}: ` + row.map((mark, j) => word(mark, i, j)).join(", "));
  const stands = here ? `You stand in row ${here[0] + 1}, column ${here[1] + 1}. ` : "";
  return `${told.task}. ${stands}${said.join(". ")}. ${note} ${who}`;
}

/** What is observed, row by row; a text only where nothing else was kept. */
function plain(told, label) {
  if (told.table?.length) {
    const rows = told.table.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)));
    return h("table", { class: "board seen-table", "aria-label": label },
      h("caption", {}, told.over ? "How it ended" : "What is observed"), h("tbody", {}, ...rows));
  }
  // A board in letters keeps its columns: its letters are as large as the longest line allows.
  const wide = Math.max(1, ...told.text.split("\n").map((line) => line.length));
  const el = h("pre", { class: `board plain${wide <= WIDEST ? " whole" : ""}`, "aria-label": label ?? told.task, role: "group", tabindex: wide <= WIDEST ? "0" : null }, told.text);
  el.style.setProperty("--wide", wide);
  return el;
}

function byPlace(told) {
  const found = new Map();
  for (const action of told.legal) {
    const place = told.picture.places[action];
    if (place) found.set(`${place[0]},${place[1]}`, action);
  }
  return found;
}

/** The action of a cell; where stones fall, of the whole column above the cell it falls to. */
function actionAt(told, actions, i, j) {
  const here = actions.get(`${i},${j}`);
  if (here !== undefined || !falls(told)) return here;
  for (const action of told.legal) if (told.picture.places[action]?.[1] === j) return action;
  return undefined;
}

/** Whether there is one action to a column: stones that fall. */
export function falls(told) {
  const { picture } = told;
  return !picture.here && picture.rows.length === 0
    && picture.places.length === picture.cells[0].length && picture.cells.length > 1;
}

function marked(mark, x, y, here, worth) {
  const found = [];
  if (here) found.push(s("circle", { class: "here", cx: x, cy: y, r: 15 }));
  if (mark === "X") found.push(s("circle", { class: "stone x", cx: x, cy: y, r: 22 }));
  else if (mark === "O") found.push(s("circle", { class: "stone o", cx: x, cy: y, r: 19.5 }));
  else if (STONES.test(mark)) {
    const [, number, side] = STONES.exec(mark), kind = side === "X" ? "x" : "o";
    found.push(s("circle", { class: `stone ${kind}`, cx: x, cy: y, r: kind === "x" ? 22 : 19.5 }),
      s("text", { class: `mark stone-count ${kind}`, x, y: y + 7 }, number));
  } else if (mark === "G" || mark === "g") found.push(flag(x, y, mark, worth));
  else if (mark === "P" || mark === "H") found.push(s("circle", { class: "hole", cx: x, cy: y, r: 15 }));
  else if (mark !== "" && mark !== "#" && mark !== "~" && mark !== "?")
    found.push(s("text", { class: "mark", x, y: y + 7, "font-size": mark.length < 3 ? 22 : 16 }, mark));
  return found;
}

function flag(x, y, mark, worth) {
  const usual = mark === "G" ? "flag" : "flag dim";
  return s("path", {
    class: worth === undefined ? usual : worth > 0 ? "flag wanted" : "flag dim",
    d: `M${x - 9} ${y + 16}V${y - 15}H${x + 12}L${x + 5} ${y - 7.5}L${x + 12} ${y}H${x - 9}`,
  });
}

function arrow(here, to, lean, action) {
  const x = (here[1] + lean * here[0] + 0.5) * CELL, y = (here[0] + 0.5) * CELL;
  const u = (to[1] + lean * to[0] + 0.5) * CELL - x, v = (to[0] + 0.5) * CELL - y;
  const far = Math.hypot(u, v) || 1, a = u / far, b = v / far;
  const at = [[20, 7], [33, 7], [33, 15], [50, 0], [33, -15], [33, -7], [20, -7]];
  const points = at.map(([d, w]) => `${(x + a * d - b * w).toFixed(1)},${(y + b * d + a * w).toFixed(1)}`);
  return s("polygon", { class: "heat arrow", "data-heat": action, points: points.join(" ") });
}

function labels(picture, rows) {
  const shift = picture.lean * (rows - 1);
  return [
    ...picture.rows.map((name, i) => s("text", { class: "label", x: -15, y: i * CELL + 37 }, name)),
    ...picture.columns.map((name, j) =>
      s("text", { class: "label", x: (j + shift + 0.5) * CELL, y: rows * CELL + 19 }, name)),
  ];
}
