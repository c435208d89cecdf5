// Names of actions where there is little room: what tells them apart.

const HEAD = /^([A-Za-z]{2,})(?:[-_ .:/]+|(?<=[a-z])(?=[A-Z]))(?=.)/;
const SAME = 4, LEFT = 2;

/**
 * For each name its part that tells it from the others: "go-up" and "go-down" are "up" and "down".
 *
 * Beginnings that names share are left out, whole words first, then letters of long names. Names
 * that would no longer differ stay as they are.
 */
export function apart(names) {
  let found = [...names];
  for (let before = ""; before !== found.join("\n");) {
    before = found.join("\n");
    found = without(found, (name) => HEAD.exec(name)?.[1] ?? "", (name) => name.replace(HEAD, ""));
  }
  const start = (name) => name.length >= SAME + LEFT && /^\p{L}+$/u.test(name) ? name.slice(0, SAME) : "";
  const shared = (name) => {
    const some = found.filter((other) => start(other) === start(name));
    let at = SAME;
    while (some.every((other) => other.length > at && other[at] === name[at])) at++;
    return some.every((other) => other.length >= at + LEFT) ? at : 0;
  };
  return without(found, start, (name) => shared(name) ? `…${name.slice(shared(name))}` : name);
}

/** Names cut where more than one of them begins alike, and all still differ. */
function without(names, beginning, cut) {
  const groups = new Map();
  for (const name of new Set(names)) if (beginning(name)) groups.set(beginning(name), [...(groups.get(beginning(name)) ?? []), name]);
  let found = names;
  for (const some of groups.values()) {
    if (some.length < 2) continue;
    const tails = some.map(cut), others = names.filter((name) => !some.includes(name));
    // "up-left" and "up-right" are not "left" and "right" where there is "down-left".
    if (tails.some((tail) => others.some((name) => name.toLowerCase().endsWith(tail.replace("…", "").toLowerCase())))) continue;
    const next = found.map((name, i) => some.includes(names[i]) ? cut(names[i]) : name);
    if (new Set(next).size === new Set(found).size) found = next;
  }
  return found;
}

/** For each name the fewest letters that no other begins with. */
export function least(names) {
  return names.map((name) => {
    let letters = 1;
    while (letters < name.length && names.some((other) => other !== name && other.startsWith(name.slice(0, letters)))) letters++;
    return name.slice(0, letters);
  });
}
