import type { Problem, Screen, Snapshot } from './generated/view';
import type { Action, Host } from './host/host';

/** What is on the stage: the newest snapshot, and what went wrong between window and program. */
export class Show {
  /** The newest snapshot; none before the first came. */
  snapshot = $state.raw<Snapshot | null>(null);
  /** The screen that stood before this one. */
  before = $state.raw<Screen['kind'] | null>(null);
  /** Whether the visitor is asked if leaving is meant. */
  leaving = $state(false);
  /** Why the last thing that the visitor asked for did not happen. */
  refusal = $state.raw<Problem | null>(null);
  /** The program does not answer at all. */
  lost = $state.raw<Problem | null>(null);

  readonly #host: Host;
  readonly #underway = new Set<Action>();
  #close: (() => void) | null = null;
  #closed = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Begins to follow the program. */
  async open(): Promise<void> {
    try {
      const close = await this.#host.subscribe((snapshot) => this.accept(snapshot));
      if (this.#closed) close();
      else this.#close = close;
    } catch (error) {
      this.lost = asProblem(error, 'window_lost');
    }
  }

  /** Stops to follow it. */
  close(): void {
    this.#closed = true;
    this.#close?.();
    this.#close = null;
  }

  /** Takes a snapshot in, unless a newer one is shown already. */
  accept(snapshot: Snapshot): void {
    if (this.#closed) return;
    if (this.snapshot && snapshot.revision < this.snapshot.revision) return;
    if (snapshot.screen.kind !== this.snapshot?.screen.kind) {
      this.refusal = null;
      this.leaving = false;
      this.before = this.snapshot?.screen.kind ?? null;
    }
    this.lost = null;
    this.snapshot = snapshot;
  }

  /** Asks the program; the same thing is not asked twice at a time (a new code costs money). */
  async act(action: Action): Promise<void> {
    if (this.#underway.has(action)) return;
    this.#underway.add(action);
    this.refusal = null;
    this.leaving = false;
    try {
      await this.#host[action]();
    } catch (error) {
      this.refusal = asProblem(error, 'window_refused');
    } finally {
      this.#underway.delete(action);
    }
  }
}

/** The program's own words for a failure; ours where it sent none. */
export function asProblem(error: unknown, code: 'window_lost' | 'window_refused'): Problem {
  if (isProblem(error)) return error;
  const operator = error instanceof Error ? error.message : String(error);
  return { code, visitor: '', operator, hint: '', retry_helps: true };
}

function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null) return false;
  return ['code', 'visitor', 'operator', 'hint'].every(
    (key) => typeof (value as Record<string, unknown>)[key] === 'string',
  );
}
