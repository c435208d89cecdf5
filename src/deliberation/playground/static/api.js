// Asking the server: every refusal comes back as one sentence.

export class Refused extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/** Fetch JSON; `fields` go into the address. Throws `Refused` with the server's sentence. */
export async function ask(path, fields = {}, { signal } = {}) {
  let answer;
  try {
    answer = await fetch(address(path, fields), { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer: is `deliberate serve` still running?");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(told.error ?? `The server answered ${answer.status}.`, answer.status);
  return told;
}

/**
 * Follow a stream of events: `onEvent(name, content)` for each, in order.
 *
 * Returns a function that closes it, which also stops the work behind it. A refusal comes as an
 * event "refused" with {error, status}, without a status where it broke off; the end of the stream
 * as "end".
 */
export function stream(path, fields, onEvent) {
  const control = new AbortController();
  read(path, fields, onEvent, control.signal).catch((error) => {
    if (control.signal.aborted) return;
    if (!(error instanceof Refused)) console.warn(error);
    onEvent("refused", { error: error instanceof Refused ? error.message : "The stream broke off.", status: error.status });
  });
  return () => control.abort();
}

const AGAIN = 2000;

/**
 * Follow a stream for as long as the page is looked at, and anew where it breaks off: a browser has
 * few streams for all its pages, so one that nobody sees keeps none. Returns a function that ends it.
 */
export function live(path, onEvent) {
  let close = null, wait = 0;
  const open = () => {
    close = stream(path, {}, (name, content) => {
      if (name === "end" || (name === "refused" && content.status === undefined)) wait = setTimeout(open, AGAIN);
      else onEvent(name, content);
    });
  };
  const pause = () => { close?.(); clearTimeout(wait); close = null; };
  const seen = () => { if (document.hidden) pause(); else if (!close) open(); };
  document.addEventListener("visibilitychange", seen);
  open();
  return () => { document.removeEventListener("visibilitychange", seen); pause(); };
}

async function read(path, fields, onEvent, signal) {
  const answer = await fetch(address(path, fields), { signal });
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Refused(told.error ?? `The server answered ${answer.status}.`, answer.status);
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (signal.aborted) return;
    if (done) break;
    const parts = (kept + value).split("\n\n");
    kept = parts.pop();
    for (const part of parts) {
      if (signal.aborted) return;
      const [head, body] = part.split("\ndata: ");
      onEvent(head.slice("event: ".length), JSON.parse(body));
    }
  }
  onEvent("end", {});
}

/** A path with its fields; those that are empty are left out. */
export function address(path, fields) {
  const told = Object.entries(fields).filter(([, v]) => v !== "" && v !== undefined && v !== null);
  const query = new URLSearchParams(told).toString();
  return query ? `${path}?${query}` : path;
}

/** Say something to those who listen to the page rather than look at it. */
export function announce(sentence) {
  document.getElementById("announce").textContent = sentence;
}
