import { attendance } from './attendance-timer';
import type { Problem, Screen, Snapshot } from '../generated/view';
import type { Action, Host } from '../host/host';
import type { Statistics } from '../reveal/avatar-statistics';

type Forgetting = Extract<Screen, { kind: 'forgetting' }>;

/** What is on the stage: the newest snapshot, and what went wrong between window and program. */
export class Show {
  /** The newest snapshot; none before the first came. */
  snapshot = $state.raw<Snapshot | null>(null);
  /** The screen that stood before this one. */
  before = $state.raw<Screen['kind'] | null>(null);
  /** What the visitor is asked to confirm. */
  asking = $state<'leave' | 'forget' | null>(null);
  /** Whether the operator's detail lies over the screen. */
  detail = $state(false);
  /** What the avatar on the stage is made of. */
  statistics = $state.raw<Statistics | null>(null);
  /** Why the avatar on the stage is not shown in 3D, for the operator. */
  flat = $state.raw<string | null>(null);
  /** Why the last thing that the visitor asked for did not happen. */
  refusal = $state.raw<Problem | null>(null);
  /** The program does not answer at all. */
  lost = $state.raw<Problem | null>(null);

  /** What stands in place of the screen while the visitor is being forgotten, until the program says how it went. */
  #vanished = $state.raw<Forgetting | null>(null);

  readonly #host: Host;
  readonly #underway = new Set<Action>();
  #close: (() => void) | null = null;
  #closed = false;
  #opening = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Whether the avatar waits for somebody who asks for it: its visitor may have gone. */
  gated = $state(false);

  /** What is on the screen; none before the first snapshot came, and when none comes any more. */
  get screen(): Screen | null {
    if (this.lost || !this.snapshot) return null;
    return this.#vanished ?? this.snapshot.screen;
  }

  /** What stands in the way just now, whoever says so. */
  get problem(): Problem | null {
    if (this.lost) return this.lost;
    const { screen } = this;
    if (this.refusal) return this.refusal;
    switch (screen?.kind) {
      case 'attract':
        return this.snapshot?.booth.closed ?? null;
      case 'preparing':
      case 'invite':
      case 'making':
      case 'saving':
        return screen.trouble;
      case 'forgetting':
        return screen.stand.kind === 'failed' ? screen.stand.problem : null;
      case 'ended':
        return screen.problem;
      default:
        return null;
    }
  }

  /**
   * Whether the code that is out is shown to the staff alone, because no phone can open it: the demo is reached on this
   * computer only, until the operator lets phones in.
   */
  get hidesCode(): boolean {
    const { screen } = this;
    const backend = this.snapshot?.backend;
    if (!backend?.sandbox || backend.phones_at !== null) return false;
    if (screen?.kind === 'invite') return !screen.expired;
    return screen?.kind === 'making' && screen.can_play_phone;
  }

  /** Begins to follow the program; where it does not answer, this may be tried again. */
  async open(): Promise<void> {
    if (this.#opening || this.#close) return;
    this.#opening = true;
    try {
      const close = await this.#host.subscribe((snapshot) => this.accept(snapshot));
      if (this.#closed) close();
      else this.#close = close;
      this.lost = null;
    } catch (error) {
      this.lost = asProblem(error, 'window_lost');
    } finally {
      this.#opening = false;
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
    attendance.follows(this.snapshot?.screen ?? null, snapshot.screen);
    if (snapshot.screen.kind !== this.snapshot?.screen.kind) {
      this.refusal = null;
      this.asking = null;
      this.#vanished = null;
      this.before = this.snapshot?.screen.kind ?? null;
      this.gated = snapshot.screen.kind === 'reveal' && attendance.lapsed;
    }
    this.lost = null;
    this.snapshot = snapshot;
  }

  /** Asks the program; the same thing is not asked twice at a time (a new code costs money). */
  act(action: Exclude<Action, 'agree'>): Promise<void> {
    return this.#ask(action, () => this.#host[action]());
  }

  /** Agrees to the words that are on the screen: to those that the visitor reads, whatever the program tells by now. */
  agree(to: string): Promise<void> {
    return this.#ask('agree', () => this.#host.agree(to));
  }

  async #ask(action: Action, call: () => Promise<void>): Promise<void> {
    if (this.#underway.has(action)) return;
    this.#underway.add(action);
    this.refusal = null;
    this.asking = null;
    try {
      await call();
    } catch (error) {
      this.refusal = asProblem(error, 'window_refused');
    } finally {
      this.#underway.delete(action);
    }
  }

  /** Leaves the screen, and begins another visit at once. */
  async onceMore(): Promise<void> {
    await this.leave();
    if (!this.refusal) await this.act('start');
  }

  /** Asks the program to leave the screen, for whoever comes next. */
  leave(): Promise<void> {
    const over = ['reveal', 'ended', 'forgetting'].includes(this.screen?.kind ?? '');
    return this.act(over ? 'again' : 'cancel');
  }

  /**
   * Asks the program to forget the visit. Nothing of the visitor is to be seen from this moment on, whatever comes of
   * it: a face whose owner wants it gone does not come back because a disk is full.
   */
  async forget(): Promise<void> {
    const { screen } = this;
    if (!screen || !('visit' in screen) || screen.kind === 'forgetting') return;
    const { visit } = screen;
    this.#vanished = { kind: 'forgetting', visit, stand: { kind: 'working' } };
    await this.act('forget');
    const problem = this.refusal;
    if (!problem || !this.#vanished) return;
    this.refusal = null;
    this.#vanished = { kind: 'forgetting', visit, stand: { kind: 'failed', problem } };
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
