// To come.

import { h } from "./dom.js";

/** Show this part. */
export function mount(element) {
  element.append(h("p", { class: "quiet" }, "There is nothing here yet."));
  return {};
}
