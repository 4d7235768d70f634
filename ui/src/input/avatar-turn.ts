// Whoever shows something that can be turned listens here; keys and sticks call it.

type TurnListener = (x: number, y: number) => void;

const listeners = new Set<TurnListener>();

/** Turns what is on the stage: radians to the right and upwards. */
export function turnAvatar(x: number, y: number): void {
  for (const listener of listeners) listener(x, y);
}

/** Follows turns until the answer is called. */
export function onAvatarTurn(listener: TurnListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
