// Making elements without a template: text is text, and nothing is parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("button", { class: "quiet", onclick }, "Undo")`. */
export function h(tag, told = {}, ...inside) {
  return filled(document.createElement(tag), told, inside);
}

/** The same within a drawing. */
export function s(tag, told = {}, ...inside) {
  return filled(document.createElementNS(SVG, tag), told, inside);
}

function filled(element, told, inside) {
  for (const [name, value] of Object.entries(told)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...inside.filter((x) => x !== null && x !== undefined));
  return element;
}

/** A number as people read it: a real minus, two digits. */
export function signed(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return (0).toFixed(digits);
  return (value < 0 ? "−" : "+") + text;
}

/** A task's name as people read it; that of others' tasks as it is typed. */
export function titled(name) {
  return name.includes(":") ? name : name.replaceAll("_", " ");
}

/** Whole numbers with thin spaces. */
export function count(value) {
  return Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
}
