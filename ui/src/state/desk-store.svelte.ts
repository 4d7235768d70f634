// What the desk holds while it is open: how the door stands, the panel, what was said last.

import type { Section } from '../desk/sections';
import type { GateView, HealthView, PanelAct, PanelView, Problem } from '../generated/view';
import type { DeskHost, Unsubscribe } from '../host/desk';
import type { DeskLock } from './desk-lock.svelte';
import { toProblem } from './snapshot-store.svelte';

/** Milliseconds without a touch after which the desk closes by itself, and the pad where nobody enters anything. */
export const DESK_IDLE_MS = 10 * 60_000;
export const PIN_PAD_IDLE_MS = 60_000;
/** At most this often the program hears that somebody is here without asking it for anything. */
const ACTIVITY_REPORT_MS = 60_000;

/** Acts after which what kept visits from beginning may be gone, or there. */
const ACTIONS_AFFECTING_HEALTH: readonly PanelAct['kind'][] = [
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
export interface Confirmation {
  title: string;
  text: string;
  /** What the button says that does it. */
  confirmLabel: string;
  onConfirm: () => void;
}

/** What came of something that was asked. */
export type CallResult<T> = { ok: true; value: T } | { ok: false; problem: Problem | null };

/** The desk's state. Nothing in it holds a PIN or a credential. */
export class DeskStore {
  /** How the door stands; none before the program said so. */
  lockView = $state.raw<GateView | null>(null);
  /** The panel, as the program said last. */
  panel = $state.raw<PanelView | null>(null);
  /** What was seen of everything that the booth depends on, and when; none before the first look. */
  health = $state.raw<{ parts: HealthView[]; at: number } | null>(null);
  /** Why the program does not answer. */
  connectionProblem = $state.raw<Problem | null>(null);
  /** What is shown. */
  section = $state<Section>('backend');
  /** What was done last, and the field that it was done at. */
  lastResult = $state.raw<{ field: string; words: string } | null>(null);
  /** Why something was not done, beside the field that asked for it. */
  lastRefusal = $state.raw<{ field: string; problem: Problem } | null>(null);
  /** The field whose act is under way. */
  busyField = $state<string | null>(null);
  /** What is asked before it is done. */
  confirmation = $state.raw<Confirmation | null>(null);

  /** Takes the keys of the section that is shown; whether it knew what to do with one. */
  sectionKeyHandler: ((event: KeyboardEvent) => boolean) | null = null;

  readonly desk: DeskHost;
  readonly #deskLock: DeskLock;
  #lastActivity = performance.now();
  #lastActivityReport = performance.now();
  #panelRequest = 0;
  #healthRequest = 0;

  constructor(desk: DeskHost, door: DeskLock) {
    this.desk = desk;
    this.#deskLock = door;
  }

  /** Whether the door is open and something can be shown. */
  get isUnlocked(): boolean {
    return this.lockView?.open === true;
  }

  /** Asks how the door stands. */
  async checkLock(): Promise<void> {
    try {
      await this.applyLockView(await this.desk.readLock());
    } catch (error) {
      this.connectionProblem = toProblem(error, 'window_lost');
    }
  }

  /** The door stands so now. */
  async applyLockView(gate: GateView): Promise<void> {
    this.lockView = gate;
    this.connectionProblem = null;
    if (!gate.open) return;
    await this.refreshPanel();
    void this.#refreshHealth();
  }

  /** Everything that the booth depends on was looked at. */
  setHealth(parts: HealthView[]): void {
    this.#healthRequest += 1;
    this.health = { parts, at: Date.now() };
  }

  /** Reads the panel anew. */
  async refreshPanel(): Promise<void> {
    const turn = ++this.#panelRequest;
    const answer = await this.callProgram(() => this.desk.readPanel());
    // What was done meanwhile is newer.
    if (answer.ok && turn === this.#panelRequest) this.panel = answer.value;
    else if (!answer.ok && answer.problem && !this.panel) this.connectionProblem = answer.problem;
  }

  /** Asks the program something; a door that closed meanwhile brings the pad back. */
  async callProgram<T>(call: () => Promise<T>): Promise<CallResult<T>> {
    try {
      return { ok: true, value: await call() };
    } catch (error) {
      const problem = toProblem(error, 'window_refused');
      if (problem.code !== 'panel_locked') return { ok: false, problem };
      this.#handleLockedOut();
      return { ok: false, problem: null };
    }
  }

  /** Does something for a field, and says there that it is done, or why not. */
  async runPanelAction(field: string, act: PanelAct, words: string): Promise<boolean> {
    const answer = await this.runForField(field, () => this.desk.runPanelAction(act), words);
    this.#panelRequest += 1;
    if (answer) this.panel = answer;
    if (answer && ACTIONS_AFFECTING_HEALTH.includes(act.kind)) void this.#refreshHealth();
    return answer !== null;
  }

  /** The same for what is no act of the panel. One thing at a time: what is asked meanwhile is not done. */
  async runForField<T>(
    field: string,
    call: () => Promise<T>,
    words: string | ((value: T) => string),
  ): Promise<T | null> {
    if (this.busyField !== null) return null;
    this.busyField = field;
    this.lastRefusal = null;
    this.lastResult = null;
    const answer = await this.callProgram(call);
    this.busyField = null;
    if (answer.ok) {
      this.lastResult = { field, words: typeof words === 'string' ? words : words(answer.value) };
      return answer.value;
    }
    this.showProblem(field, answer.problem);
    return null;
  }

  /** Follows what the program tells until the answer is called; a refusal is said at the field. */
  followUpdates<T>(
    field: string,
    begin: (desk: DeskHost, onView: (view: T) => void) => Promise<Unsubscribe>,
    onView: (view: T) => void,
  ): Unsubscribe {
    let over = false;
    let close: Unsubscribe = () => {};
    void this.callProgram(() => begin(this.desk, (view) => over || onView(view))).then((answer) => {
      if (!answer.ok) this.showProblem(field, answer.problem);
      else if (over) answer.value();
      else close = answer.value;
    });
    return () => {
      over = true;
      close();
    };
  }

  /** Says that something was done without the program. */
  showResult(field: string, words: string): void {
    this.lastRefusal = null;
    this.lastResult = { field, words };
  }

  /** Says why something cannot be done, in place of the program. */
  showRefusal(field: string, operator: string, hint: string): void {
    this.lastResult = null;
    const problem = { code: 'unfit', visitor: '', operator, hint, retry_helps: false };
    this.lastRefusal = { field, problem };
  }

  /** Says why the program did not do something, unless it is that the door is closed. */
  showProblem(field: string, problem: Problem | null): void {
    if (problem) this.lastRefusal = { field, problem };
  }

  /** Shows another section. */
  showSection(section: Section): void {
    if (section === this.section) return;
    this.section = section;
    this.lastResult = null;
    this.lastRefusal = null;
  }

  /** Locks the door and goes back to the stage. */
  lockAndLeave(): void {
    if (this.isUnlocked) void this.desk.runPanelAction({ kind: 'lock' }).catch(() => {});
    this.panel = null;
    this.health = null;
    this.lockView = null;
    this.#deskLock.closeDesk();
  }

  /** Somebody touched something. */
  noteActivity(now = performance.now()): void {
    this.#lastActivity = now;
    if (!this.isUnlocked || now - this.#lastActivityReport < ACTIVITY_REPORT_MS) return;
    this.#lastActivityReport = now;
    // Asking how the door stands would not count as being here.
    void this.refreshPanel();
  }

  /** Leaves when nobody has touched anything for long. */
  leaveWhenIdle(now = performance.now()): void {
    if (now - this.#lastActivity >= (this.isUnlocked ? DESK_IDLE_MS : PIN_PAD_IDLE_MS)) this.lockAndLeave();
  }

  /** Nobody asked for it: what the rail warns of is what came of it, and nothing is said where it fails. */
  async #refreshHealth(): Promise<void> {
    const turn = ++this.#healthRequest;
    const answer = await this.callProgram(() => this.desk.checkHealth());
    if (answer.ok && turn === this.#healthRequest && this.isUnlocked) this.setHealth(answer.value);
  }

  #handleLockedOut(): void {
    this.panel = null;
    this.health = null;
    this.confirmation = null;
    this.lastResult = null;
    this.lastRefusal = null;
    this.lockView = { pin_set: true, open: false, wrong: false, wait_seconds: 0 };
    void this.desk
      .readLock()
      .then((gate) => {
        if (!this.isUnlocked) this.lockView = gate.open ? this.lockView : gate;
      })
      .catch(() => {});
  }
}
