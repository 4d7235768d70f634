import type { Problem, Screen, Snapshot } from '../generated/view';
import type { ExpectedScreen, Host, HostAction, HostActionWithoutArguments } from '../host/host';
import type { AvatarStatistics } from '../reveal/avatar-statistics';
import { visitorPresenceTimer } from './visitor-presence-timer';

/** A question to the visitor: whether to leave the screen, or to delete the avatar. */
export type Question = 'leave' | 'forget';

type ForgettingScreen = Extract<Screen, { kind: 'forgetting' }>;

/** The store of the program's newest snapshot. Also runs the visitor's actions, and keeps their problems. */
export class SnapshotStore {
  /** The newest snapshot; null before the first. */
  snapshot = $state.raw<Snapshot | null>(null);
  /** The kind of the screen before this one. */
  previousScreenKind = $state.raw<Screen['kind'] | null>(null);
  /** The question that was opened last, and the key of the screen that it is about. */
  #question = $state.raw<{ kind: Question; screenKey: string } | null>(null);
  /** Whether the operator's detail is shown over the screen. */
  isDetailOpen = $state(false);
  /** Statistics of the avatar on the stage. */
  avatarStatistics = $state.raw<AvatarStatistics | null>(null);
  /** Why the avatar is not shown in 3D, for the operator. */
  renderFailure = $state.raw<string | null>(null);
  /** Why the visitor's last action failed. */
  actionProblem = $state.raw<Problem | null>(null);
  /** Why the program does not answer. */
  connectionProblem = $state.raw<Problem | null>(null);

  /**
   * Shown in place of the snapshot's screen while the visit is being forgotten, until the program reports the result.
   */
  #forgettingScreen = $state.raw<ForgettingScreen | null>(null);

  readonly #host: Host;
  readonly #pendingActions = new Set<HostAction>();
  #unsubscribe: (() => void) | null = null;
  #isDisconnected = false;
  #isConnecting = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** The question that the visitor is asked about the screen that is shown. */
  get openQuestion(): Question | null {
    const asked = this.#question;
    return asked && asked.screenKey === screenKeyOf(this.snapshot?.screen ?? null) ? asked.kind : null;
  }

  set openQuestion(question: Question | null) {
    this.#question = question && { kind: question, screenKey: screenKeyOf(this.snapshot?.screen ?? null) };
  }

  /** Whether the avatar is shown only on request, because its visitor may have left. */
  needsRevealConsent = $state(false);

  /** The screen to show; null before the first snapshot and while the program does not answer. */
  get screen(): Screen | null {
    if (this.connectionProblem || !this.snapshot) return null;
    return this.#forgettingScreen ?? this.snapshot.screen;
  }

  /** The problem to show now, from whichever source. */
  get currentProblem(): Problem | null {
    if (this.connectionProblem) return this.connectionProblem;
    const { screen } = this;
    if (this.actionProblem) return this.actionProblem;
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

  /** Whether no phone but the one on the screen takes part: the demo, which is reachable on this computer alone. */
  get isPhoneDrawn(): boolean {
    const backend = this.snapshot?.backend;
    return backend?.sandbox === true && backend.phones_at === null;
  }

  /**
   * Whether the QR code is shown to staff only: the demo is reachable on this computer alone until the operator lets
   * phones in.
   */
  get isQrCodeHidden(): boolean {
    const { screen } = this;
    if (!this.isPhoneDrawn) return false;
    if (screen?.kind === 'invite') return !screen.expired;
    return screen?.kind === 'making' && screen.can_play_phone;
  }

  /** Starts to follow the program. Can be called again after a failure. */
  async connect(): Promise<void> {
    if (this.#isConnecting || this.#unsubscribe) return;
    this.#isConnecting = true;
    try {
      const close = await this.#host.subscribe((snapshot) => this.acceptSnapshot(snapshot));
      if (this.#isDisconnected) close();
      else this.#unsubscribe = close;
      this.connectionProblem = null;
    } catch (error) {
      this.connectionProblem = problemFromRejectedCall(error, 'window_lost');
    } finally {
      this.#isConnecting = false;
    }
  }

  /** Stops following the program. */
  disconnect(): void {
    this.#isDisconnected = true;
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  /** Takes over a snapshot, unless a newer one is shown. */
  acceptSnapshot(snapshot: Snapshot): void {
    if (this.#isDisconnected) return;
    if (this.snapshot && snapshot.revision < this.snapshot.revision) return;
    visitorPresenceTimer.noteScreenChange(this.snapshot?.screen ?? null, snapshot.screen);
    if (screenKeyOf(snapshot.screen) !== screenKeyOf(this.snapshot?.screen ?? null)) {
      this.actionProblem = null;
      this.openQuestion = null;
      this.#forgettingScreen = null;
      // The detail of one visit is not shown to the next visitor.
      if (snapshot.screen.kind === 'attract') this.isDetailOpen = false;
      this.previousScreenKind = this.snapshot?.screen.kind ?? null;
      this.needsRevealConsent = snapshot.screen.kind === 'reveal' && visitorPresenceTimer.hasLapsed;
    }
    this.connectionProblem = null;
    this.snapshot = snapshot;
  }

  /** Runs a command on the screen that is shown. A command is not sent again before its answer: a new code costs money. */
  runAction(
    action: HostActionWithoutArguments,
    target: ExpectedScreen | undefined = this.#commandTarget,
  ): Promise<void> {
    return this.#callHost(action, () => this.#host[action](target));
  }

  /** Agrees to the text that the visitor has read, whatever the program would show by now. */
  agreeToConsent(to: string): Promise<void> {
    return this.#callHost('agreeToConsent', () => this.#host.agreeToConsent(to, this.#commandTarget));
  }

  /** Shows the code entry of a ticket. */
  chooseTicket(ticket: string): Promise<void> {
    return this.#callHost('chooseTicket', () => this.#host.chooseTicket(ticket, this.#commandTarget));
  }

  /** Enters the pickup code of the ticket on the screen. */
  enterPickupCode(code: string): Promise<void> {
    return this.#callHost('enterPickupCode', () => this.#host.enterPickupCode(code, this.#commandTarget));
  }

  get #commandTarget(): ExpectedScreen | undefined {
    if (!this.snapshot) return undefined;
    const { revision, screen } = this.snapshot;
    return 'visit' in screen ? { visit: screen.visit, revision } : { revision };
  }

  async #callHost(action: HostAction, call: () => Promise<void>): Promise<void> {
    if (this.#pendingActions.has(action)) return;
    this.#pendingActions.add(action);
    this.actionProblem = null;
    this.openQuestion = null;
    try {
      await call();
    } catch (error) {
      this.actionProblem = problemFromRejectedCall(error, 'window_refused');
    } finally {
      this.#pendingActions.delete(action);
    }
  }

  /** Leaves the screen, and begins another visit at once. */
  async startAnotherVisit(): Promise<void> {
    await this.leaveScreen();
    if (this.actionProblem) return;
    // No target: the snapshot of Attract may not have come yet.
    await this.#callHost('startVisit', () => this.#host.startVisit());
  }

  /** Asks the program to leave the screen, for whoever comes next. */
  leaveScreen(): Promise<void> {
    const over = ['reveal', 'ended', 'forgetting', 'ticket', 'pick_up'].includes(this.screen?.kind ?? '');
    return this.runAction(over ? 'returnToAttract' : 'cancelVisit');
  }

  /**
   * Asks the program to forget the visit. Nothing of the visitor is to be seen from this moment on, whatever comes of
   * it: a face whose owner wants it gone does not come back because a disk is full.
   */
  async forgetVisit(): Promise<void> {
    const { screen } = this;
    if (!screen || !('visit' in screen) || screen.kind === 'forgetting') return;
    const { visit } = screen;
    this.#forgettingScreen = { kind: 'forgetting', visit, stand: { kind: 'working' } };
    await this.runAction('forgetVisit');
    const problem = this.actionProblem;
    if (!problem || !this.#forgettingScreen) return;
    this.actionProblem = null;
    this.#forgettingScreen = { kind: 'forgetting', visit, stand: { kind: 'failed', problem } };
  }
}

/**
 * Identifies a screen: its kind and its visit. What a page keeps of one screen is not for another one, also if the operator
 * opens the avatar of another visitor over it.
 */
export function screenKeyOf(screen: Screen | null): string {
  if (!screen) return 'waking';
  return 'visit' in screen ? `${screen.kind} ${screen.visit}` : screen.kind;
}

/**
 * Converts a rejected call into a `Problem`: the program's own if it sent one, otherwise one with `code` and the
 * error's text.
 */
export function problemFromRejectedCall(error: unknown, code: 'window_lost' | 'window_refused'): Problem {
  if (isProblem(error)) return error;
  const operator = error instanceof Error ? error.message : String(error);
  return { code, visitor: '', operator, hint: '', retry_helps: true };
}

/** Whether a value has the fields of a `Problem`. */
function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null) return false;
  return ['code', 'visitor', 'operator', 'hint'].every(
    (key) => typeof (value as Record<string, unknown>)[key] === 'string',
  );
}
