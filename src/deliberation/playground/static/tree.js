// The tree's first plies as it grows: as high as a move was visited, one column a ply.

import { h, signed } from "./dom.js";

const HIGH = 210, GAP = 3, PLIES = 3;

/** An icicle of the tree. `begin(told)`, then `grow(answer)` with each look at the search. */
export function tree() {
  const field = h("div", { class: "tree", role: "list", "aria-label": "Moves of the tree, each followed by the answers to it" });
  const nodes = h("span", { class: "quiet small" });
  const head = h("div", { class: "dial-head" }, h("span", { class: "title" }, "The tree as it opens"), nodes);
  const element = h("div", { class: "tree-box" }, head, field);
  let told = null, known = new Map();

  function begin(position) {
    told = position;
    known = new Map();
    field.replaceChildren();
    nodes.textContent = "";
    element.hidden = told.over;
  }

  function grow(answer) {
    nodes.textContent = answer.nodes ? `${answer.nodes.toLocaleString("en")} nodes` : "";
    element.hidden = answer.tree.length === 0;
    const seen = new Set();
    lay(answer.tree, 0, HIGH, 0, "", seen);
    for (const [path, node] of known) if (!seen.has(path)) { node.remove(); known.delete(path); }
    // In the order that is seen, for those who read rather than look.
    [...seen].forEach((path, i) => {
      const node = known.get(path);
      if (field.children[i] !== node) field.insertBefore(node, field.children[i] ?? null);
    });
  }

  function lay(children, top, high, ply, path, seen) {
    const total = children.reduce((sum, [, visits]) => sum + visits, 0);
    let y = top;
    for (const [action, visits, value, below] of children) {
      const tall = (high * visits) / total;
      const name = `${path}/${action}`;
      if (tall >= 4) {
        seen.add(name);
        put(name, ply, y, tall - GAP, action, visits / children[0][1], value);
        lay(below, y, tall, ply + 1, name, seen);
      }
      y += tall;
    }
  }

  function put(name, ply, y, high, action, share, value) {
    let node = known.get(name);
    if (!node) {
      node = h("div", { class: `node ply-${told.players > 1 ? ply % 2 : 0}`, role: "listitem" }, h("i"), h("b"), h("span"));
      node.style.left = `${(100 * ply) / PLIES}%`;
      known.set(name, node);
      field.append(node);
    }
    const [ground, text, worth] = node.children;
    node.setAttribute("aria-label", `Move ${ply + 1}: ${told.names[action]}, value ${signed(value)}`);
    node.style.top = `${y.toFixed(1)}px`;
    node.style.height = `${Math.max(1, high).toFixed(1)}px`;
    ground.style.opacity = (0.12 + 0.4 * share).toFixed(3);
    text.textContent = high > 14 ? told.names[action] : "";
    worth.textContent = high > 14 ? signed(value) : "";
  }

  return { element, begin, grow };
}
