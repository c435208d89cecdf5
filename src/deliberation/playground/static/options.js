// A task's options: sizes and rules, each with its usual value, in a form that makes another task.

import { h } from "./dom.js";

/** The form; `choose(task)` gets the name of the task with the options that were set. */
export function options(choose) {
  const fields = h("div", { class: "option-fields" });
  const usual = h("button", { type: "button", id: "options-usual", onclick: () => choose(base) }, "As usual");
  const refused = h("p", { class: "amiss", id: "options-refused", role: "alert" });
  const status = h("p", { class: "quiet", role: "status" });
  // Its own words in place of the browser's, which some browsers do not show, or not for long.
  const form = h("form", { id: "options", novalidate: true, onsubmit: (event) => { event.preventDefault(); send(); } },
    fields, h("div", { class: "tools" }, h("button", { type: "submit", class: "main" }, "Make it"), usual), status, refused);
  const element = h("details", { class: "small options", hidden: true }, h("summary", {}, "Size and rules"), form);
  let base = "", offered = [], built = "";

  function send() {
    const wrong = offered.filter((option) => amiss(option));
    for (const option of offered) input(option).setAttribute("aria-invalid", String(wrong.includes(option)));
    if (!wrong.length) return choose(named());
    tell(wrong.map(amiss).join(" "));
    input(wrong[0]).focus();
  }

  /** What is wrong with a field, by its number; nothing where it can be sent. */
  function amiss(option) {
    const { validity, value } = input(option), label = option.name.replaceAll("_", " ");
    if (validity.valid) return "";
    const is = validity.badInput ? "is no number" : value === "" ? "is empty" : `is ${value}`;
    const wanted = option.kind === "whole" ? "a whole number" : option.kind === "real" ? "a number" : "some text";
    return `${label} ${is}: give ${wanted}, usually ${worded(option.usual)}.`;
  }

  function input(option) {
    return form.querySelector(`#option-${option.name}`);
  }

  /** A refusal, beside the form. */
  function tell(sentence) {
    status.textContent = "";
    refused.textContent = sentence;
    if (sentence) refused.scrollIntoView({ block: "nearest" });
  }

  function busy(sentence) {
    status.textContent = sentence;
  }

  function show(told) {
    tell("");
    const mine = JSON.stringify([told.task, told.options]);
    base = told.task.split("(")[0];
    offered = told.options;
    element.hidden = offered.length === 0;
    usual.disabled = offered.every((o) => o.value === o.usual);
    if (mine === built) return;
    built = mine;
    fields.replaceChildren(...offered.map(field));
  }

  function field(option) {
    const id = `option-${option.name}`, label = option.name.replaceAll("_", " ");
    const hint = h("span", { class: "quiet", id: `${id}-usual` }, `usually ${worded(option.usual)}`);
    const shared = { id, "aria-describedby": `${id}-usual` };
    if (option.kind === "toggle")
      return h("div", { class: "option" }, h("label", { for: id }, label), h("input", { ...shared, type: "checkbox", checked: option.value }), hint);
    const number = option.kind !== "text";
    return h("div", { class: "option" }, h("label", { for: id }, label), h("input", {
      ...shared, type: number ? "number" : "text", step: option.kind === "whole" ? 1 : number ? "any" : null,
      value: option.value ?? "", required: !option.none, autocomplete: "off",
      placeholder: option.none ? "none" : null,
    }), hint);
  }

  /** The name as Python writes a call: gridworld(size=7). */
  function named() {
    const told = offered.map((option) => [option, read(option)])
      .filter(([option, value]) => value !== option.usual)
      .map(([option, value]) => `${option.name}=${written(option, value)}`);
    return told.length ? `${base}(${told.join(", ")})` : base;
  }

  function read(option) {
    const { checked, value } = input(option);
    if (option.kind === "toggle") return checked;
    if (option.none && value.trim() === "") return null;
    return option.kind === "text" ? value : Number(value);
  }

  return { element, show, tell, busy };
}

function written({ kind }, value) {
  if (value === null) return "None";
  if (kind === "toggle") return value ? "True" : "False";
  return kind === "text" ? JSON.stringify(value) : String(value);
}

function worded(value) {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  return value.length > 24 ? `${value.slice(0, 24)}…` : value;
}
