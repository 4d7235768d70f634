// Connects keys and sticks that turn the avatar with the stage that shows it.

type TurnListener = (x: number, y: number) => void;

const listeners = new Set<TurnListener>();

/** Turns the avatar by radians, to the right and upwards. */
export function turnAvatar(x: number, y: number): void {
  for (const listener of listeners) listener(x, y);
}

/** Calls the listener on every `turnAvatar` until the returned function is called. */
export function subscribeToAvatarTurns(listener: TurnListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
