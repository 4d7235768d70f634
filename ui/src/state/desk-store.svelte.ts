// The state of the open desk: lock, panel data, and the last result.

import { englishLanguageName } from '../desk/format';
import { messages } from '../desk/messages';
import type { Section } from '../desk/sections';
import type { PanelAction, PanelView, PartHealthView, PinLockView, Problem } from '../generated/view';
import type { DeskHost, Unsubscribe } from '../host/desk';
import { type DeskOverlay, isTextDraftUnsaved } from './desk-overlay.svelte';
import { problemFromRejectedCall } from './snapshot-store.svelte';

/** Milliseconds without input after which the desk and the PIN pad close. */
export const DESK_IDLE_MS = 10 * 60_000;
export const PIN_PAD_IDLE_MS = 60_000;
/** Minimum milliseconds between two reports of activity to the program. */
const ACTIVITY_REPORT_MS = 60_000;

/** Actions that can change what the health check finds. */
const ACTIONS_AFFECTING_HEALTH: readonly PanelAction['kind'][] = [
  'use_profile',
  'set_credential',
  'remove_credential',
  'retry_credentials',
  'unlock_keychain',
  'set_keep',
  'wipe_now',
  'forget_visit',
  'set_display',
];

/** An action that needs a confirmation. */
export interface PendingConfirmation {
  title: string;
  text: string;
  /** The label of the button that confirms. */
  confirmLabel: string;
  onConfirm: () => void;
}

/** The result of a call to the program. */
export type CallResult<T> = { ok: true; value: T } | { ok: false; problem: Problem | null };

/** The desk's state. It holds no PIN and no credential. */
export class DeskStore {
  /** The state of the lock; null before the program has reported it. */
  lockView = $state.raw<PinLockView | null>(null);
  /** The panel data that the program reported last. */
  panel = $state.raw<PanelView | null>(null);
  /** The last health check and its time; null before the first. */
  health = $state.raw<{ parts: PartHealthView[]; at: number } | null>(null);
  /** Why the program does not answer. */
  connectionProblem = $state.raw<Problem | null>(null);
  /** The section that is shown. */
  section = $state<Section>('backend');
  /** The result of the last action, and the field that it belongs to. */
  lastResult = $state.raw<{ field: string; words: string } | null>(null);
  /** Why an action was refused, and the field that it belongs to. */
  lastRefusal = $state.raw<{ field: string; problem: Problem } | null>(null);
  /** The fields whose actions run or wait, in their order. */
  #pendingFields = $state.raw<readonly string[]>([]);
  /** The action that waits for a confirmation. */
  confirmation = $state.raw<PendingConfirmation | null>(null);

  /** Handles keys of the section that is shown. Returns whether it has handled the key. */
  sectionKeyHandler: ((event: KeyboardEvent) => boolean) | null = null;

  readonly desk: DeskHost;
  readonly #deskOverlay: DeskOverlay;
  #lastActivity = performance.now();
  #lastActivityReport = performance.now();
  readonly #lastRequests = new Map<string, string>();
  #lastCall: Promise<unknown> | null = null;
  /** Counts the times that the desk was locked. */
  #session = 0;
  #panelRequest = 0;
  #healthRequest = 0;

  constructor(desk: DeskHost, deskOverlay: DeskOverlay) {
    this.desk = desk;
    this.#deskOverlay = deskOverlay;
  }

  /** Whether the lock is open and the desk can be shown. */
  get isUnlocked(): boolean {
    return this.lockView?.open === true;
  }

  /** Asks the program for the state of the lock. */
  async checkLock(): Promise<void> {
    try {
      await this.applyLockView(await this.desk.readLock());
    } catch (error) {
      this.connectionProblem = problemFromRejectedCall(error, 'window_lost');
    }
  }

  /** Takes over the state of the lock; reads the panel when it is open. */
  async applyLockView(gate: PinLockView): Promise<void> {
    this.lockView = gate;
    this.connectionProblem = null;
    if (!gate.open) return;
    await this.refreshPanel();
    void this.#refreshHealth();
  }

  /** Takes over the result of a health check. */
  setHealth(parts: PartHealthView[]): void {
    this.#healthRequest += 1;
    this.health = { parts, at: Date.now() };
  }

  /** Reads the panel again. */
  async refreshPanel(): Promise<void> {
    const turn = ++this.#panelRequest;
    const answer = await this.callProgram(() => this.desk.readPanel());
    // The result of an action that ran meanwhile is newer.
    if (answer.ok && turn === this.#panelRequest) this.panel = answer.value;
    else if (!answer.ok && answer.problem && !this.panel) this.connectionProblem = answer.problem;
  }

  /** Calls the program. When the lock has closed meanwhile, the PIN pad is shown. */
  async callProgram<T>(call: () => Promise<T>): Promise<CallResult<T>> {
    try {
      return { ok: true, value: await call() };
    } catch (error) {
      const problem = problemFromRejectedCall(error, 'window_refused');
      if (problem.code !== 'panel_locked') return { ok: false, problem };
      this.#handleLockedOut();
      return { ok: false, problem: null };
    }
  }

  /** Whether an action runs or waits: of a field, or of any. */
  isPending(field?: string): boolean {
    return field === undefined ? this.#pendingFields.length > 0 : this.#pendingFields.includes(field);
  }

  /**
   * Runs an action for a field, and shows the result or the refusal there. An action that is made from the panel data
   * is made when its turn comes, so that it contains what the actions before it have changed.
   */
  async runPanelAction(
    field: string,
    act: PanelAction | (() => PanelAction),
    words: string,
    request: unknown = act,
  ): Promise<boolean> {
    const session = this.#session;
    const run = async () => {
      const action = typeof act === 'function' ? act() : act;
      const view = await this.desk.runPanelAction(action);
      if (session === this.#session) {
        // A panel that is being read is older than this one.
        this.#panelRequest += 1;
        this.panel = view;
        if (ACTIONS_AFFECTING_HEALTH.includes(action.kind)) void this.#refreshHealth();
      }
      return true;
    };
    return (await this.runForField(field, run, words, request)) ?? false;
  }

  /**
   * The same for a call that is no panel action. Calls run one at a time, in the order of the presses. A call is left
   * out when the field waits for the same `request` already. When the desk locks, what waits is dropped.
   */
  async runForField<T>(
    field: string,
    call: () => Promise<T>,
    words: string | ((value: T) => string),
    request: unknown = field,
  ): Promise<T | null> {
    const key = JSON.stringify(request);
    if (this.isPending(field) && this.#lastRequests.get(field) === key) return null;
    this.#lastRequests.set(field, key);
    this.#pendingFields = [...this.#pendingFields, field];
    const session = this.#session;
    const before = this.#lastCall;
    const turn = (async () => {
      if (before) await before;
      return session === this.#session ? await this.#runAndShowResult(field, call, words) : null;
    })();
    this.#lastCall = turn;
    const value = await turn;
    if (this.#lastCall === turn) this.#lastCall = null;
    if (session === this.#session)
      this.#pendingFields = this.#pendingFields.toSpliced(this.#pendingFields.indexOf(field), 1);
    return value;
  }

  async #runAndShowResult<T>(
    field: string,
    call: () => Promise<T>,
    words: string | ((value: T) => string),
  ): Promise<T | null> {
    this.lastRefusal = null;
    this.lastResult = null;
    const answer = await this.callProgram(call);
    if (answer.ok) {
      this.lastResult = { field, words: typeof words === 'string' ? words : words(answer.value) };
      return answer.value;
    }
    this.showProblem(field, answer.problem);
    return null;
  }

  /** Follows updates from the program until the returned function is called. A refusal is shown at the field. */
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

  /** Shows the result of something that the page has done itself. */
  showResult(field: string, words: string): void {
    this.lastRefusal = null;
    this.lastResult = { field, words };
  }

  /** Shows why the page refuses an input, without asking the program. */
  showRefusal(field: string, operator: string, hint: string): void {
    this.lastResult = null;
    const problem = { code: 'unfit', visitor: '', operator, hint, retry_helps: false };
    this.lastRefusal = { field, problem };
  }

  /** Shows why the program refused, unless the reason is the closed lock. */
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

  /** Locks the desk and returns to the stage. With unsaved texts, asks before. */
  leave(): void {
    const languages = this.#languagesWithUnsavedTexts();
    if (languages.length === 0) {
      this.lockAndLeave();
      return;
    }
    this.confirmation = {
      title: messages.texts.leaveTitle,
      text: messages.texts.leaveText(languages.map(englishLanguageName)),
      confirmLabel: messages.texts.discard,
      onConfirm: () => {
        this.#deskOverlay.discardTextDrafts();
        this.lockAndLeave();
      },
    };
  }

  #languagesWithUnsavedTexts(): string[] {
    const { panel } = this;
    if (!panel) return [];
    const { textDrafts } = this.#deskOverlay;
    return panel.languages.filter((tag) =>
      (['attract_text', 'consent'] as const).some((key) =>
        isTextDraftUnsaved(textDrafts[key][tag], panel.display[key][tag]),
      ),
    );
  }

  /** Locks the desk and returns to the stage. Unsaved texts are kept. */
  lockAndLeave(): void {
    this.#dropWaitingCalls();
    if (this.isUnlocked) void this.desk.runPanelAction({ kind: 'lock' }).catch(() => {});
    this.panel = null;
    this.health = null;
    this.lockView = null;
    this.#deskOverlay.closeDesk();
  }

  /** Notes an input. */
  noteActivity(now = performance.now()): void {
    this.#lastActivity = now;
    if (!this.isUnlocked || now - this.#lastActivityReport < ACTIVITY_REPORT_MS) return;
    this.#lastActivityReport = now;
    // Only a call behind the PIN counts as activity for the program.
    void this.refreshPanel();
  }

  /** Leaves when there was no input for the idle time. */
  leaveWhenIdle(now = performance.now()): void {
    if (now - this.#lastActivity >= (this.isUnlocked ? DESK_IDLE_MS : PIN_PAD_IDLE_MS)) this.lockAndLeave();
  }

  /** Runs in the background for the badge in the navigation: a failure is not shown. */
  async #refreshHealth(): Promise<void> {
    const turn = ++this.#healthRequest;
    const answer = await this.callProgram(() => this.desk.checkHealth());
    if (answer.ok && turn === this.#healthRequest && this.isUnlocked) this.setHealth(answer.value);
  }

  #dropWaitingCalls(): void {
    this.#session += 1;
    this.#pendingFields = [];
  }

  #handleLockedOut(): void {
    this.#dropWaitingCalls();
    this.panel = null;
    this.health = null;
    this.confirmation = null;
    this.lastResult = null;
    this.lastRefusal = null;
    this.lockView = { pin_set: true, first_pin_late: false, open: false, wrong: false, wait_seconds: 0 };
    void this.desk
      .readLock()
      .then((gate) => {
        if (!this.isUnlocked) this.lockView = gate.open ? this.lockView : gate;
      })
      .catch(() => {});
  }
}
