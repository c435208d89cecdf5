// Charts of series with their intervals: each point can be reached by keyboard and can be a link.

import { h, s } from "./dom.js";

const HIGH = 330, LEFT = 58, RIGHT = 16, TOP = 12, BOTTOM = 46;
const USUAL = matchMedia("(max-width: 600px)").matches ? 400 : 560;
const MARKS = ["disc", "square", "up", "diamond", "down", "ring"];
const CROWDED = 400, LONGEST = 40;
let charts = 0;

/** Load a style sheet of a part, once. */
export function styled(path) {
  if (document.querySelector(`link[href="${path}"]`)) return;
  document.head.append(h("link", { rel: "stylesheet", href: path }));
}

/** A number in as many digits as it takes, and no more. */
export function shown(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  let text;
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    const [base, power] = value.toExponential(2).split("e");
    return `${Number(base)} × 10^${Number(power)}`.replaceAll("-", "−");
  }
  if (size >= 1000 || Number.isInteger(value))
    text = Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
  else text = Number(value.toPrecision(digits)).toString();
  return text.replace("-", "−");
}

/** An estimate with its interval, where it has one. */
export function spanned(value, low, high) {
  const known = (x) => x !== null && x !== undefined;
  return known(low) && known(high) ? `${shown(value)} [${shown(low)}, ${shown(high)}]` : shown(value);
}

/**
 * A panel (title, x_label, y_label, scales, x_names, series, references, heat) as a figure.
 *
 * `link(series, point)` is where a point leads, or nothing; `current` is the "series.point" that is
 * marked; `wide` is how many units there are across: fewer make words larger.
 */
export function chart(panel, { link, current, wide = USUAL } = {}) {
  const id = `chart-${++charts}`;
  const x = axis(panel.x_scale, xsOf(panel), [LEFT, wide - RIGHT], panel.x_names);
  const y = axis(panel.y_scale, ysOf(panel), [HIGH - BOTTOM, TOP], []);
  const told = h("p", { class: "readout quiet" }, "\u00a0");
  const svg = s("svg", {
    class: "chart", viewBox: `0 0 ${wide} ${HIGH}`, role: "group",
    "aria-label": `${panel.title || panel.y_label}: ${panel.y_label} by ${panel.x_label}`,
  });
  svg.append(
    s("defs", {}, s("clipPath", { id }, s("rect", {
      x: LEFT - 7, y: TOP - 7, width: wide - RIGHT - LEFT + 14, height: HIGH - BOTTOM - TOP + 14,
    }))),
    ...grid(x, y, panel, wide),
  );
  const inside = s("g", { "clip-path": `url(#${id})` });
  if (panel.heat) inside.append(...surface(panel.heat, x, y));
  inside.append(...(panel.references ?? []).map((r) => s("line", {
    class: "reference", x1: LEFT, x2: wide - RIGHT, y1: y.at(r.y), y2: y.at(r.y),
  })));
  panel.series.forEach((series, j) => inside.append(...lines(series, j, x, y)));
  svg.append(inside);
  panel.series.forEach((series, j) => {
    svg.append(dots(panel, series, j, x, y, { link, current, told }));
  });
  svg.append(...referenceNames(panel, y, wide));
  return h("figure", { class: "panel" },
    panel.title ? h("figcaption", {}, panel.title) : null, legend(panel), svg, told);
}

/** The axis of a scale over some values: places, ticks, and words for them. */
export function axis(scale, values, [from, to], names = []) {
  const log = scale === "log2" ? Math.log2 : scale === "log10" ? Math.log10 : null;
  const finite = values.filter((v) => Number.isFinite(v) && (!log || v > 0));
  const turned = finite.map((v) => (log ? log(v) : v));
  let low = Math.min(...turned, ...(turned.length ? [] : [0]));
  let high = Math.max(...turned, ...(turned.length ? [] : [1]));
  if (names.length) [low, high] = [Math.min(low, 0) - 0.35, Math.max(high, names.length - 1) + 0.35];
  if (high - low < 1e-12) [low, high] = [low - (log ? 1 : Math.abs(low) / 2 || 0.5), high + (log ? 1 : Math.abs(high) / 2 || 0.5)];
  const room = names.length ? 0 : (high - low) * 0.04;
  [low, high] = [low - room, high + room];
  const at = (v) => {
    if (v === null || v === undefined || Number.isNaN(v)) return NaN;
    const t = log ? (v > 0 ? log(v) : low - (high - low)) : v;
    const clipped = Math.max(low - (high - low), Math.min(high + (high - low), t));
    return from + ((clipped - low) / (high - low)) * (to - from);
  };
  return { at, ticks: ticks(scale, low, high, names) };
}

function ticks(scale, low, high, names) {
  if (names.length) return names.map((name, i) => ({ value: i, text: name }));
  if (scale === "log2" || scale === "log10") {
    const base = scale === "log2" ? 2 : 10;
    const first = Math.ceil(low - 1e-9), last = Math.floor(high + 1e-9);
    const step = Math.max(1, Math.ceil((last - first + 1) / 7));
    const found = [];
    for (let k = first; k <= last; k += step) found.push({ value: base ** k, text: power(base, k) });
    if (found.length > 1) return found;
    const unit = 10 ** Math.floor(Math.log10(base ** low));
    const near = (steps) => steps.flatMap((m) => [m, 10 * m]).map((m) => m * unit).filter((v) => v >= base ** low && v <= base ** high);
    const few = near([1, 2, 5]);
    return (few.length > 1 ? few : near([1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9])).map((v) => ({ value: v, text: shown(v) }));
  }
  const raw = (high - low) / 5, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * size).find((v) => v >= raw);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + 1e-9 * step; v += step)
    found.push({ value: v, text: shown(Math.abs(v) < step / 1e6 ? 0 : Number(v.toPrecision(6))) });
  return found;
}

function power(base, k) {
  const value = base ** k;
  return value >= 1e-3 && value < 1e6 ? shown(value) : `${base}^${k}`.replace("-", "−");
}

function xsOf(panel) {
  return [...panel.series.flatMap((r) => r.x), ...(panel.heat?.x ?? [])].filter((v) => v !== null);
}

function ysOf(panel) {
  const found = panel.series.flatMap((r) => r.y);
  const middle = found.filter((v) => Number.isFinite(v));
  const span = Math.max(...middle, ...(middle.length ? [] : [1])) - Math.min(...middle, ...(middle.length ? [] : [0]));
  const ends = panel.series.flatMap((r) => [...(r.low ?? []), ...(r.high ?? [])]);
  // An interval that is much wider than all that was found is cut off, so that the rest is seen.
  const near = ends.filter((v) => Number.isFinite(v) && middle.some((m) => Math.abs(m - v) <= 3 * span + Math.abs(m) + 1e-9));
  const told = (panel.references ?? []).map((r) => r.y);
  return [...found, ...near, ...told, ...(panel.heat?.y ?? [])].filter((v) => v !== null);
}

function grid(x, y, panel, wide) {
  const found = [];
  for (const tick of y.ticks) {
    found.push(s("line", { class: "grid", x1: LEFT, x2: wide - RIGHT, y1: y.at(tick.value), y2: y.at(tick.value) }));
    found.push(s("text", { class: "tick end", x: LEFT - 9, y: y.at(tick.value) + 4 }, tick.text));
  }
  const many = x.ticks.length > 8 || x.ticks.some((t) => t.text.length > 14);
  x.ticks.forEach((tick, i) => {
    const text = many && tick.text.length > 12 ? `${tick.text.slice(0, 11)}…` : tick.text;
    found.push(s("text", { class: "tick middle", x: x.at(tick.value), y: HIGH - BOTTOM + 18 + (many && i % 2 ? 12 : 0) }, text));
  });
  found.push(s("text", { class: "axis middle", x: (LEFT + wide - RIGHT) / 2, y: HIGH - 4 }, panel.x_label));
  const lines = folded(panel.y_label), middle = (TOP + HIGH - BOTTOM) / 2;
  lines.forEach((line, i) => found.push(s("text", {
    class: "axis middle", transform: `translate(${lines.length > 1 ? 6 + 13 * i : 12} ${middle}) rotate(-90)`,
  }, line)));
  return found;
}

/** A label of an axis that is longer than the axis, in two lines of about one length. */
function folded(label) {
  if (label.length <= LONGEST) return [label];
  const words = label.split(" ");
  let first = words.shift();
  while (words.length > 1 && first.length + words[0].length < label.length / 2 + 4) first += ` ${words.shift()}`;
  return words.length ? [first, words.join(" ")] : [first];
}

function lines(series, j, x, y) {
  const found = [], colour = `c${(j % MARKS.length) + 1}`;
  const spots = series.x.map((v, k) => [x.at(v), y.at(series.y[k]), k]).filter(([a, b]) => a === a && b === b);
  const has = (k) => series.low && series.high && series.low[k] !== null && series.high[k] !== null
    && series.low[k] !== undefined;
  if (series.kind !== "points") {
    const band = spots.filter(([, , k]) => has(k));
    if (band.length > 1) {
      const top = band.map(([a, , k]) => `${a.toFixed(1)} ${y.at(series.high[k]).toFixed(1)}`);
      const low = band.map(([a, , k]) => `${a.toFixed(1)} ${y.at(series.low[k]).toFixed(1)}`).reverse();
      found.push(s("path", { class: `band ${colour}`, d: `M${[...top, ...low].join("L")}Z` }));
    }
    const path = spots.map(([a, b], i) =>
      i && series.kind === "step" ? `H${a.toFixed(1)}V${b.toFixed(1)}` : `${i ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`);
    if (path.length > 1) found.push(s("path", { class: `line ${colour}`, d: path.join("") }));
  }
  for (const [a, , k] of spots) if (has(k) && (series.kind === "points" || spots.length === 1))
    found.push(s("line", { class: `whisker ${colour}`, x1: a, x2: a, y1: y.at(series.low[k]), y2: y.at(series.high[k]) }));
  return found;
}

function dots(panel, series, j, x, y, { link, current, told }) {
  const group = s("g", { class: `dots c${(j % MARKS.length) + 1}`, role: "list", "aria-label": series.label || panel.title });
  const small = series.x.length > 24 || panel.series.length * series.x.length > CROWDED;
  // A line of many points that lead nowhere is clearer without them; the last one stays.
  const dense = !link && series.kind !== "points" && series.x.length > 24;
  let first = true;
  series.x.forEach((value, k) => {
    const a = x.at(value), b = y.at(series.y[k]);
    if (a !== a || b !== b) return;
    const words = saying(panel, series, k);
    const to = link?.(j, k);
    if (dense && k < series.x.length - 1) return;
    const inside = [s("circle", { class: "reach", cx: a, cy: b, r: 11 }), mark(MARKS[j % MARKS.length], a, b, small ? 2.6 : 4.6)];
    const marked = current === `${j}.${k}` ? " current" : "";
    const el = to
      ? s("a", { class: `dot${marked}`, href: to, "aria-label": words, tabindex: first ? 0 : -1 }, ...inside)
      : s("g", { class: `dot${marked}`, role: "img", "aria-label": words }, ...inside);
    if (marked) el.setAttribute("aria-current", "true");
    first = false;
    for (const name of ["pointerenter", "focus"])
      el.addEventListener(name, () => { told.textContent = words; });
    group.append(s("g", { role: "listitem" }, el));
  });
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step) return;
    const all = [...group.querySelectorAll("a.dot")];
    const next = all[all.indexOf(document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  return group;
}

function saying(panel, series, k) {
  const where = series.names?.[k] ?? [series.label, panel.x_names?.[series.x[k]] ?? `${panel.x_label} ${shown(series.x[k])}`]
    .filter(Boolean).join(", ");
  return `${where}: ${spanned(series.y[k], series.low?.[k], series.high?.[k])}`;
}

function mark(kind, a, b, r) {
  if (kind === "disc") return s("circle", { class: "mark-dot", cx: a, cy: b, r });
  if (kind === "ring") return s("circle", { class: "mark-dot hollow", cx: a, cy: b, r });
  const w = r * 1.05;
  const shapes = {
    square: [[-w, -w], [w, -w], [w, w], [-w, w]],
    up: [[0, -w * 1.25], [w * 1.15, w * 0.9], [-w * 1.15, w * 0.9]],
    down: [[0, w * 1.25], [w * 1.15, -w * 0.9], [-w * 1.15, -w * 0.9]],
    diamond: [[0, -w * 1.35], [w * 1.35, 0], [0, w * 1.35], [-w * 1.35, 0]],
  };
  const points = shapes[kind].map(([dx, dy]) => `${(a + dx).toFixed(1)},${(b + dy).toFixed(1)}`).join(" ");
  return s("polygon", { class: "mark-dot", points });
}

function legend(panel) {
  const named = panel.series.map((series, j) => [series.label, j]).filter(([label]) => label);
  if (!named.length || (named.length === 1 && named[0][0] === panel.title)) return null;
  return h("ul", { class: "legend" }, ...named.map(([label, j]) => h("li", { class: `c${(j % MARKS.length) + 1}` },
    s("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, mark(MARKS[j % MARKS.length], 7, 7, 4.4)), label)));
}

function referenceNames(panel, y, wide) {
  return (panel.references ?? []).map((r) =>
    s("text", { class: "tick end reference-name", x: wide - RIGHT, y: y.at(r.y) - 5 }, r.label));
}

function surface(heat, x, y) {
  const flat = heat.z.flat().filter((v) => Number.isFinite(v));
  const low = Math.min(...flat), span = Math.max(...flat) - low || 1;
  const edges = (values, at) => values.map((v, i) => {
    const before = i ? (at(values[i - 1]) + at(v)) / 2 : at(v) - (at(values[1] ?? v) - at(v)) / 2;
    const after = i < values.length - 1 ? (at(values[i + 1]) + at(v)) / 2 : at(v) + (at(v) - at(values[i - 1] ?? v)) / 2;
    return [Math.min(before, after), Math.max(Math.abs(after - before), 1)];
  });
  const across = edges(heat.x, x.at), up = edges(heat.y, y.at);
  return heat.z.flatMap((row, i) => row.map((value, k) => value === null ? null : s("rect", {
    class: "surface", x: across[k][0], width: across[k][1] + 0.5, y: up[i][0], height: up[i][1] + 0.5,
    "fill-opacity": (0.05 + 0.85 * (value - low) / span).toFixed(3),
  }))).filter(Boolean);
}
