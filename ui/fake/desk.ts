// A scripted program behind the PIN, which refuses, waits and grows like the real one.
import type {
  CheckRunOptions,
  ChecksPlan,
  ChecksView,
  CheckView,
  InspectorView,
  LocalizedTextView,
  OperatorTicketView,
  PanelAction,
  PanelView,
  PartHealthView,
  PastVisit,
  PinLockView,
  Timeline,
} from '../src/generated/view';
import type { DeskHost, Unsubscribe } from '../src/host/desk';
import { planBackendChecks } from './checks-plan';
import {
  createPastVisits,
  createProblem,
  DATA_FOLDER,
  healthParts,
  lockedProblem,
  panelView,
  recordedVerdict,
  unjudgedChecks,
} from './desk-fixtures';
import { createTimeline, FULL_VISIT_EXCHANGES, inspectedVisitOf } from './desk-timeline';
import { exportLink, qrSvg } from './fixtures';

/** The name of a call. */
type DeskCall = keyof DeskHost;

const WATCHING_AVATAR = 'watch an avatar from the scan to its files';
/** The activity that is reported while a check is judged, by the prefix of its id. */
const ACTIVITY_BY_CHECK = [
  ['login.', 'log in'],
  ['generate.', 'make an Export Token'],
  ['fresh.', 'redeem a token that nobody has scanned'],
  ['redeem.', 'redeem what is no active token'],
  ['files.', 'fetch each file, twice'],
] as const;

/** Wrong PINs before a waiting time. */
const FREE_WRONG_PINS = 2;

/** A desk that records its calls. It forgets secrets at once, except for their last characters. */
export class FakeDesk implements DeskHost {
  /** Every action in order, without secrets. */
  readonly panelActions: PanelAction[] = [];
  /** Every other call in order. */
  readonly calls: DeskCall[] = [];
  /** Makes the next call, or the next action of a kind, fail with this. */
  readonly refusals = new Map<DeskCall | PanelAction['kind'], unknown>();
  /** The PIN; null when none was ever set. */
  pin: string | null = '1234';
  /** Whether it is too late to set the first PIN: kiosk mode, ten minutes after the start. */
  isFirstPinLate = false;
  /** Whether the lock is open. */
  isOpen = false;
  /** The panel data. */
  panelView: PanelView = structuredClone(panelView);
  /** The history. */
  pastVisits: PastVisit[];
  /** The result of a health check. */
  healthParts: PartHealthView[] = healthParts;
  /** The inspector's visits, newest first. */
  timelines: Timeline[];
  /** The number of dropped exchanges. */
  dropped = 0;
  /** The state of the checks. */
  checksView: ChecksView = {
    target: '127.0.0.1:8787',
    stand: { kind: 'idle' },
    checks: unjudgedChecks(),
    doing: null,
    invitation: null,
    requests: 0,
    tokens: 0,
    summary: null,
    notes: [],
    saved: null,
  };

  #wrongPins = 0;
  #waitUntil = 0;
  #inspected: { visit: string | null; onView: (view: InspectorView) => void } | null = null;
  #checksFollowers = new Set<(view: ChecksView) => void>();
  #checksRequest: CheckRunOptions | null = null;

  constructor(now = Date.now()) {
    this.pastVisits = createPastVisits(now);
    // The visits since the program's start.
    const [live, second, third] = this.pastVisits.map(
      ({ visit, started_at }) => [visit, Date.parse(started_at)] as const,
    );
    this.timelines = [
      ...(live ? [createTimeline(...live, 40, { whole: false })] : []),
      ...(second ? [createTimeline(...second, 64)] : []),
      ...(third ? [createTimeline(...third, 61, { breaks: false })] : []),
    ];
  }

  async readLock(): Promise<PinLockView> {
    this.#recordCall('readLock', false);
    return this.#currentLock(false);
  }

  async enterPin(pin: string): Promise<PinLockView> {
    this.#recordCall('enterPin', false);
    if (Date.now() < this.#waitUntil) return this.#currentLock(false);
    if (pin !== this.pin) {
      this.#wrongPins += 1;
      if (this.#wrongPins > FREE_WRONG_PINS)
        this.#waitUntil = Date.now() + 1000 * 5 * 2 ** (this.#wrongPins - FREE_WRONG_PINS - 1);
      return this.#currentLock(true);
    }
    this.#wrongPins = 0;
    this.isOpen = true;
    return this.#currentLock(false);
  }

  async setFirstPin(pin: string): Promise<PinLockView> {
    this.#recordCall('setFirstPin', false);
    if (this.pin !== null || this.isFirstPinLate) throw lockedProblem;
    this.#checkPin(pin);
    this.pin = pin;
    this.isOpen = true;
    return this.#currentLock(false);
  }

  async readPanel(): Promise<PanelView> {
    this.#recordCall('readPanel');
    return structuredClone(this.panelView);
  }

  async runPanelAction(act: PanelAction): Promise<PanelView> {
    this.panelActions.push('value' in act ? { ...act, value: '' } : act);
    const refused = this.refusals.get(act.kind);
    this.refusals.delete(act.kind);
    if (!this.isOpen) throw lockedProblem;
    if (refused !== undefined) throw refused;
    this.#applyAction(act);
    return structuredClone(this.panelView);
  }

  async checkHealth(): Promise<PartHealthView[]> {
    this.#recordCall('checkHealth');
    return this.healthParts;
  }

  async listPastVisits(): Promise<PastVisit[]> {
    this.#recordCall('listPastVisits');
    return this.pastVisits;
  }

  async followVisit(visit: string | null, onView: (view: InspectorView) => void): Promise<Unsubscribe> {
    this.#recordCall('followVisit');
    const inspected = { visit, onView };
    this.#inspected = inspected;
    this.notifyInspector();
    return () => {
      if (this.#inspected === inspected) this.#inspected = null;
    };
  }

  async saveHar(visit: string): Promise<string> {
    this.#recordCall('saveHar');
    const day = this.pastVisits.find((one) => one.visit === visit)?.started_at.slice(0, 10);
    return `${DATA_FOLDER}/inspector/${day}-${visit}.har`;
  }

  async followBackendChecks(onView: (view: ChecksView) => void): Promise<Unsubscribe> {
    this.#recordCall('followBackendChecks');
    this.#checksFollowers.add(onView);
    // Before a run, the target is the backend in use.
    if (this.checksView.stand.kind === 'idle')
      this.checksView = { ...this.checksView, target: this.panelView.backend.host };
    onView(this.checksView);
    return () => this.#checksFollowers.delete(onView);
  }

  async planBackendChecks(ask: CheckRunOptions): Promise<ChecksPlan> {
    this.#recordCall('planBackendChecks');
    return planBackendChecks(ask, this.panelView.backend.sandbox, this.panelView.visits_live);
  }

  async startBackendChecks(ask: CheckRunOptions): Promise<void> {
    this.#recordCall('startBackendChecks');
    this.#checksRequest = ask;
    this.#updateChecks({
      stand: { kind: 'running' },
      target: this.panelView.backend.host,
      checks: unjudgedChecks(),
      doing: 'log in',
      invitation: null,
      requests: 1,
      tokens: 0,
      summary: null,
      notes: [],
      saved: null,
    });
  }

  async stopBackendChecks(): Promise<void> {
    this.#recordCall('stopBackendChecks');
    const problem = createProblem(
      'checks_stopped',
      'The run was stopped early.',
      'What was judged by then is kept; start again for the rest',
    );
    this.#updateChecks({ stand: { kind: 'broken', problem }, doing: null, invitation: null });
  }

  async skipCheck(): Promise<void> {
    this.#recordCall('skipCheck');
    if (!this.checksView.invitation) throw createProblem('configuration', 'Nothing waits for a phone', '');
    const skipped = { verdict: 'skipped', findings: ['left out by hand'] };
    this.#setVerdicts(({ id }) => /^(visit|progress|delivery|files|avatar)\./.test(id), skipped);
    this.#updateChecks({ invitation: null, doing: 'redeem a token whose time is over' });
  }

  async saveReport(): Promise<string> {
    this.#recordCall('saveReport');
    const host = this.checksView.target.replace(':', '-');
    const saved = `${DATA_FOLDER}/reports/${new Date().toISOString().slice(0, 10)}-${host}`;
    this.#updateChecks({ saved });
    return saved;
  }

  /** Locks the desk, as the program does after ten minutes without activity. */
  lockByTimeout(): void {
    this.isOpen = false;
  }

  /** Adds an exchange to the visit in progress. */
  addExchange(): void {
    const newest = this.timelines[0];
    if (!newest || newest.visit.ended !== null) return;
    const { visit, started_ms, exchanges } = newest.visit;
    const whole = exchanges >= FULL_VISIT_EXCHANGES;
    this.timelines = [
      createTimeline(visit, started_ms, exchanges + 1, { whole }),
      ...this.timelines.slice(1),
    ];
    this.notifyInspector();
  }

  /** Sends the inspector its current view. */
  notifyInspector(): void {
    if (!this.#inspected) return;
    const { visit, onView } = this.#inspected;
    onView({
      visits: this.timelines.map(inspectedVisitOf),
      shown: this.timelines.find((one) => one.visit.visit === visit) ?? this.timelines[0] ?? null,
      dropped: this.dropped,
    });
  }

  /** Gives the next check its verdict. Returns false when the run waits or is over. */
  judgeNextCheck(): boolean {
    if (this.checksView.stand.kind !== 'running') return false;
    const next = this.checksView.checks.find((check) => check.verdict === null);
    if (!next) {
      this.#endRun();
      return false;
    }
    // The sandbox simulates the phone.
    const asks =
      next.id === 'visit.associated' && this.#checksRequest?.with_phone && !this.panelView.backend.sandbox;
    if (asks && !this.checksView.invitation) {
      const invitation = {
        link: exportLink,
        qr_svg: qrSvg,
        purpose: 'the avatar whose making and files are checked',
        status: null,
      };
      this.#updateChecks({ invitation, doing: WATCHING_AVATAR });
      return false;
    }
    this.#setVerdicts((check) => check.id === next.id, recordedVerdict(next.id));
    const { requests, tokens } = this.checksView;
    const made = next.id.startsWith('generate.')
      ? Math.min(this.#checksRequest?.most_tokens ?? 2, 2)
      : tokens;
    const doing = ACTIVITY_BY_CHECK.find(([of]) => next.id.startsWith(of))?.[1] ?? WATCHING_AVATAR;
    this.#updateChecks({ requests: requests + 1, tokens: made, doing, invitation: null });
    return true;
  }

  #setVerdicts(which: (check: CheckView) => boolean, as: Pick<CheckView, 'verdict' | 'findings'>): void {
    const checks = this.checksView.checks.map((check) =>
      check.verdict === null && which(check) ? { ...check, ...as } : check,
    );
    this.#updateChecks({ checks });
  }

  #endRun(): void {
    const judged = this.checksView.checks.filter(({ verdict }) => verdict === 'pass' || verdict === 'fail');
    const required = judged.filter(({ level }) => level === 'must');
    const failed = required.filter(({ verdict }) => verdict === 'fail').length;
    this.#updateChecks({
      stand: { kind: 'ended', passed: failed === 0 },
      doing: null,
      summary:
        failed === 0
          ? `Passed: all ${required.length} required checks`
          : `Failed: ${failed} of ${required.length} required checks`,
    });
  }

  #updateChecks(change: Partial<ChecksView>): void {
    this.checksView = { ...this.checksView, ...change };
    for (const follower of this.#checksFollowers) follower(this.checksView);
  }

  #recordCall(call: DeskCall, needsOpen = true): void {
    this.calls.push(call);
    const refused = this.refusals.get(call);
    this.refusals.delete(call);
    if (needsOpen && !this.isOpen) throw lockedProblem;
    if (refused !== undefined) throw refused;
  }

  #currentLock(wrong: boolean): PinLockView {
    const wait_seconds = Math.max(0, Math.ceil((this.#waitUntil - Date.now()) / 1000));
    const pin_set = this.pin !== null;
    return {
      pin_set,
      first_pin_late: !pin_set && this.isFirstPinLate,
      open: this.isOpen,
      wrong,
      wait_seconds,
    };
  }

  #checkPin(pin: string): void {
    if (pin.length < 4 || pin.length > 32)
      throw createProblem('pin_length', 'A PIN must have 4 to 32 digits.', 'Choose another one');
  }

  #applyAction(act: PanelAction): void {
    const { panelView: view } = this;
    const { sandbox } = view;
    switch (act.kind) {
      case 'use_profile': {
        const profile = view.profiles.find(({ name }) => name === act.name);
        if (!profile || profile.flaw)
          throw createProblem(
            'configuration',
            `Profile “${act.name}”: ${profile?.flaw ?? 'unknown'}`,
            'Fix it',
          );
        const embedded = profile.host === null;
        const host = profile.host ?? panelView.backend.host;
        view.backend = { ...view.backend, profile: act.name, host, sandbox: embedded };
        view.sandbox = embedded ? structuredClone(panelView.sandbox) : null;
        view.credentials = embedded ? [] : panelView.credentials;
        return;
      }
      case 'set_credential':
        if (act.value.trim() === '')
          throw createProblem('credential_unfit', 'The value is empty', 'Enter one');
        this.#setCredential(act.slot, act.value.slice(-2), 'keychain');
        return;
      case 'remove_credential':
        this.#setCredential(act.slot, null, null);
        return;
      case 'retry_credentials':
        view.refused_credentials = null;
        return;
      case 'unlock_keychain':
        view.keychain = null;
        return;
      case 'set_scenario':
        if (sandbox) sandbox.scenario = act.name;
        return;
      case 'set_speed':
        if (!(act.speed >= 0.1 && act.speed <= 1000))
          throw createProblem('configuration', `A speed of ${act.speed}`, 'Choose 0.1 to 1000');
        if (sandbox) sandbox.speed = act.speed;
        return;
      case 'add_fault':
        sandbox?.faults.push({
          on: act.on,
          kind: act.fault,
          when: act.every ? 'every request' : 'the next request',
          struck: 0,
        });
        return;
      case 'end_faults':
        if (sandbox) sandbox.faults = [];
        return;
      case 'let_phones_in': {
        const at = act.on ? 'http://192.168.1.20:8787' : null;
        view.backend = { ...view.backend, phones_at: at };
        if (sandbox) sandbox.phones_at = at;
        return;
      }
      case 'set_kiosk_mode':
        view.kiosk_mode = { ...view.kiosk_mode, on: act.on, set: act.on };
        return;
      case 'set_display':
        view.display = {
          ...act.display,
          attract_text: trimTexts(act.display.attract_text),
          consent: trimTexts(act.display.consent),
        };
        return;
      case 'set_logo':
        if (!atob(act.png).startsWith('\x89PNG'))
          throw createProblem(
            'logo_unfit',
            'That file cannot be the logo (it is not a complete PNG)',
            'Choose a PNG of at most 2 MiB',
          );
        view.display = { ...view.display, logo: true };
        return;
      case 'set_keep':
        view.keep_hours = act.hours;
        return;
      case 'set_lanes':
        view.lanes.settings = act.lanes;
        return;
      case 'open_ticket':
      case 'forget_ticket':
        this.#checkTicket(act.visit);
        view.lanes.tickets = view.lanes.tickets.filter(({ ticket }) => ticket.visit !== act.visit);
        return;
      case 'move_ticket': {
        const moved = this.#checkTicket(act.visit);
        view.lanes.tickets = view.lanes.tickets.filter((one) => one !== moved).toSpliced(act.place, 0, moved);
        return;
      }
      case 'wipe_now':
        this.#retainVisits(({ live }) => live);
        return;
      case 'forget_visit':
        this.#retainVisits(({ visit }) => visit !== act.visit);
        return;
      case 'change_pin':
        if (act.current !== this.pin)
          throw createProblem(
            'pin_wrong',
            'That is not the current PIN.',
            'Enter the current PIN, then the new one',
          );
        this.#checkPin(act.new);
        this.pin = act.new;
        return;
      case 'lock':
        this.isOpen = false;
        return;
      case 'quit':
        this.isOpen = false;
    }
  }

  #checkTicket(visit: string): OperatorTicketView {
    const found = this.panelView.lanes.tickets.find(({ ticket }) => ticket.visit === visit);
    if (!found) throw createProblem('ticket_unknown', 'There is no such ticket', 'Look at the list again');
    return found;
  }

  #setCredential(slot: string, ends_in: string | null, origin: string | null): void {
    this.panelView.credentials = this.panelView.credentials.map((one) =>
      one.slot === slot ? { slot, ends_in, set: origin !== null, origin } : one,
    );
  }

  #retainVisits(kept: (visit: PastVisit) => boolean): void {
    this.pastVisits = this.pastVisits.filter(kept);
    this.panelView.visits_kept = this.pastVisits.length;
  }
}

/** Texts as the program stores them: trimmed, without empty ones. */
function trimTexts(texts: LocalizedTextView): LocalizedTextView {
  const tidied = Object.entries(texts).map(([tag, text]) => [tag, text.trim()] as const);
  return Object.fromEntries(tidied.filter(([, text]) => text !== ''));
}
