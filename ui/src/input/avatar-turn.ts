// Whoever shows something that can be turned listens here; keys and sticks call it.

type Turn = (x: number, y: number) => void;

const listeners = new Set<Turn>();

/** Turns what is on the stage: radians to the right and upwards. */
export function turn(x: number, y: number): void {
  for (const listener of listeners) listener(x, y);
}

/** Follows turns until the answer is called. */
export function onTurn(listener: Turn): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
