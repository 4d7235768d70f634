// What the desk holds while it is open: how the door stands, the panel, what was said last.
import type { GateView, HealthView, PanelAct, PanelView, Problem } from '../generated/view';
import type { Close, Desk } from '../host/desk';
import { asProblem } from './snapshot-store.svelte';
import type { Door } from './desk-lock.svelte';
import type { Section } from '../desk/sections';

/** Milliseconds without a touch after which the desk closes by itself, and the pad where nobody enters anything. */
export const AWAY = 10 * 60_000;
export const PAD_AWAY = 60_000;
/** At most this often the program hears that somebody is here without asking it for anything. */
const SIGN_OF_LIFE = 60_000;

/** Acts after which what kept visits from beginning may be gone, or there. */
const MENDING: readonly PanelAct['kind'][] = [
  'use_profile',
  'set_credential',
  'remove_credential',
  'unlock_keychain',
  'set_keep',
  'wipe_now',
  'forget_visit',
  'set_display',
];

/** Something that wants a second look before it is done. */
export interface Question {
  title: string;
  text: string;
  /** What the button says that does it. */
  yes: string;
  run: () => void;
}

/** What came of something that was asked. */
export type Answer<T> = { ok: true; value: T } | { ok: false; problem: Problem | null };

/** The desk's state. Nothing in it holds a PIN or a credential. */
export class Bench {
  /** How the door stands; none before the program said so. */
  gate = $state.raw<GateView | null>(null);
  /** The panel, as the program said last. */
  panel = $state.raw<PanelView | null>(null);
  /** What was seen of everything that the booth depends on, and when; none before the first look. */
  health = $state.raw<{ parts: HealthView[]; at: number } | null>(null);
  /** Why the program does not answer. */
  lost = $state.raw<Problem | null>(null);
  /** What is shown. */
  section = $state<Section>('backend');
  /** What was done last, and the field that it was done at. */
  done = $state.raw<{ field: string; words: string } | null>(null);
  /** Why something was not done, beside the field that asked for it. */
  refused = $state.raw<{ field: string; problem: Problem } | null>(null);
  /** The field whose act is under way. */
  busy = $state<string | null>(null);
  /** What is asked before it is done. */
  question = $state.raw<Question | null>(null);

  /** Takes the keys of the section that is shown; whether it knew what to do with one. */
  onKey: ((event: KeyboardEvent) => boolean) | null = null;

  readonly desk: Desk;
  readonly #door: Door;
  #touched = performance.now();
  #signed = performance.now();
  #turn = 0;
  #look = 0;

  constructor(desk: Desk, door: Door) {
    this.desk = desk;
    this.#door = door;
  }

  /** Whether the door is open and something can be shown. */
  get open(): boolean {
    return this.gate?.open === true;
  }

  /** Asks how the door stands. */
  async knock(): Promise<void> {
    try {
      await this.entered(await this.desk.gate());
    } catch (error) {
      this.lost = asProblem(error, 'window_lost');
    }
  }

  /** The door stands so now. */
  async entered(gate: GateView): Promise<void> {
    this.gate = gate;
    this.lost = null;
    if (!gate.open) return;
    await this.refresh();
    void this.#lookAtHealth();
  }

  /** Everything that the booth depends on was looked at. */
  seen(parts: HealthView[]): void {
    this.#look += 1;
    this.health = { parts, at: Date.now() };
  }

  /** Reads the panel anew. */
  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    const answer = await this.ask(() => this.desk.panel());
    // What was done meanwhile is newer.
    if (answer.ok && turn === this.#turn) this.panel = answer.value;
    else if (!answer.ok && answer.problem && !this.panel) this.lost = answer.problem;
  }

  /** Asks the program something; a door that closed meanwhile brings the pad back. */
  async ask<T>(call: () => Promise<T>): Promise<Answer<T>> {
    try {
      return { ok: true, value: await call() };
    } catch (error) {
      const problem = asProblem(error, 'window_refused');
      if (problem.code !== 'panel_locked') return { ok: false, problem };
      this.#lockedOut();
      return { ok: false, problem: null };
    }
  }

  /** Does something for a field, and says there that it is done, or why not. */
  async act(field: string, act: PanelAct, words: string): Promise<boolean> {
    const answer = await this.run(field, () => this.desk.act(act), words);
    this.#turn += 1;
    if (answer) this.panel = answer;
    if (answer && MENDING.includes(act.kind)) void this.#lookAtHealth();
    return answer !== null;
  }

  /** The same for what is no act of the panel. One thing at a time: what is asked meanwhile is not done. */
  async run<T>(
    field: string,
    call: () => Promise<T>,
    words: string | ((value: T) => string),
  ): Promise<T | null> {
    if (this.busy !== null) return null;
    this.busy = field;
    this.refused = null;
    this.done = null;
    const answer = await this.ask(call);
    this.busy = null;
    if (answer.ok) {
      this.done = { field, words: typeof words === 'string' ? words : words(answer.value) };
      return answer.value;
    }
    this.tell(field, answer.problem);
    return null;
  }

  /** Follows what the program tells until the answer is called; a refusal is said at the field. */
  follow<T>(
    field: string,
    begin: (desk: Desk, onView: (view: T) => void) => Promise<Close>,
    onView: (view: T) => void,
  ): Close {
    let over = false;
    let close: Close = () => {};
    void this.ask(() => begin(this.desk, (view) => over || onView(view))).then((answer) => {
      if (!answer.ok) this.tell(field, answer.problem);
      else if (over) answer.value();
      else close = answer.value;
    });
    return () => {
      over = true;
      close();
    };
  }

  /** Says that something was done without the program. */
  say(field: string, words: string): void {
    this.refused = null;
    this.done = { field, words };
  }

  /** Says why something cannot be done, in place of the program. */
  refuse(field: string, operator: string, hint: string): void {
    this.done = null;
    const problem = { code: 'unfit', visitor: '', operator, hint, retry_helps: false };
    this.refused = { field, problem };
  }

  /** Says why the program did not do something, unless it is that the door is closed. */
  tell(field: string, problem: Problem | null): void {
    if (problem) this.refused = { field, problem };
  }

  /** Shows another section. */
  go(section: Section): void {
    if (section === this.section) return;
    this.section = section;
    this.done = null;
    this.refused = null;
  }

  /** Locks the door and goes back to the stage. */
  leave(): void {
    if (this.open) void this.desk.act({ kind: 'lock' }).catch(() => {});
    this.panel = null;
    this.health = null;
    this.gate = null;
    this.#door.leave();
  }

  /** Somebody touched something. */
  touch(now = performance.now()): void {
    this.#touched = now;
    if (!this.open || now - this.#signed < SIGN_OF_LIFE) return;
    this.#signed = now;
    // Asking how the door stands would not count as being here.
    void this.refresh();
  }

  /** Leaves when nobody has touched anything for long. */
  look(now = performance.now()): void {
    if (now - this.#touched >= (this.open ? AWAY : PAD_AWAY)) this.leave();
  }

  /** Nobody asked for it: what the rail warns of is what came of it, and nothing is said where it fails. */
  async #lookAtHealth(): Promise<void> {
    const turn = ++this.#look;
    const answer = await this.ask(() => this.desk.health());
    if (answer.ok && turn === this.#look && this.open) this.seen(answer.value);
  }

  #lockedOut(): void {
    this.panel = null;
    this.health = null;
    this.question = null;
    this.done = null;
    this.refused = null;
    this.gate = { pin_set: true, open: false, wrong: false, wait_seconds: 0 };
    void this.desk
      .gate()
      .then((gate) => {
        if (!this.open) this.gate = gate.open ? this.gate : gate;
      })
      .catch(() => {});
  }
}
