// The line of moves that is played: back and forth along it, and one act after the other.

/** Moves played so far, and those further on that were taken back. */
export class Line {
  constructor() {
    this.far = [];
  }

  /** What is played is `moves`; what was taken back is kept while the line leads on to it. */
  at(moves) {
    if (!begins(this.far, moves)) this.far = [...moves];
  }

  /** Another move is played: what was taken back is forgotten, unless it is that very move. */
  next(moves, move) {
    const now = [...moves, move];
    this.at(now);
    return now;
  }

  /** The moves with the next one that was taken back, or nothing where there is none. */
  again(moves) {
    if (this.far.length <= moves.length || !begins(this.far, moves)) return undefined;
    return this.far.slice(0, moves.length + 1);
  }
}

function begins(far, moves) {
  return moves.length <= far.length && moves.every((move, i) => move === far[i]);
}

/** Acts that each need the answer to the one before: they wait for it, in order. */
export class Queue {
  constructor() {
    this.waiting = [];
    this.busy = false;
  }

  /** Do it now, or when what is under way has been answered. */
  act(what) {
    if (this.busy) this.waiting.push(what);
    else what();
  }

  /** What was under way is answered: on to the next act that asks something. */
  answered() {
    this.busy = false;
    while (!this.busy && this.waiting.length) this.waiting.shift()();
  }

  /** Nothing that waits is done. */
  clear() {
    this.waiting = [];
  }
}

/**
 * Which action a digit stands for: the one that it names, else the first, second... of the task.
 *
 * The same digit is the same action in every position, legal or not.
 */
export function numbered(names, key) {
  const named = names.indexOf(key);
  if (named >= 0) return named;
  const digits = names.some((name) => /^\d+$/.test(name));
  return !digits && Number(key) >= 1 && Number(key) <= names.length ? Number(key) - 1 : undefined;
}
