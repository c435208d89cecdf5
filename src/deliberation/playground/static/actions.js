// The buttons of a position's legal actions.

import { h } from "./dom.js";

/**
 * Offer the actions of a position in a group: `play(action)` plays one.
 *
 * Buttons of actions that stay legal stay themselves, so that they keep the focus; where the one
 * that has it goes, the next one gets it, or `instead` where there is none.
 */
export function offer(group, { legal, names, task }, play, instead) {
  const old = [...group.children], focused = old.indexOf(document.activeElement);
  if (task !== group.dataset.task) old.forEach((button) => button.remove());
  group.dataset.task = task;
  const kept = new Map([...group.children].map((button) => [Number(button.dataset.play), button]));
  const made = legal.map((action) => kept.get(action) ?? h("button", {
    type: "button", class: "action", "data-play": action, "aria-label": `Play ${names[action]}`,
    onclick: () => play(action),
  }, names[action]));
  for (const button of kept.values()) if (!made.includes(button)) button.remove();
  made.forEach((button, i) => {
    if (group.children[i] !== button) group.insertBefore(button, group.children[i] ?? null);
  });
  if (focused >= 0 && document.activeElement !== old[focused])
    (made[Math.min(focused, made.length - 1)] ?? instead).focus();
}
