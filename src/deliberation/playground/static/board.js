// The board: play, turn the dial, change the goal.

import { announce, ask } from "./api.js";
import { go } from "./app.js";
import { h } from "./dom.js";
import { drawing } from "./draw.js";

/** Show this part. */
export function mount(element, query) {
  const place = h("div", { class: "place" });
  element.append(place);
  let asked = query;
  async function load() {
    try {
      const told = await ask("/api/position", Object.fromEntries(asked));
      place.replaceChildren(drawing(told, { onAction: (a) => play(told, a) }));
      announce(told.over ? "The game is over." : "");
    } catch (error) {
      place.replaceChildren(h("p", { class: "refused", role: "alert" }, error.message));
    }
  }
  function play(told, action) {
    asked = new URLSearchParams(asked);
    asked.set("moves", [...told.moves, told.names[action]].join("+"));
    go("board", asked);
    load();
  }
  load();
  return { unmount() {}, changed(q) { asked = q; load(); } };
}
