// A scripted program behind the PIN: it refuses, waits and grows as the real one does.
import type {
  ChecksAsk,
  ChecksPlan,
  ChecksView,
  CheckView,
  GateView,
  HealthView,
  InspectorView,
  PanelAct,
  PanelView,
  PastVisit,
  Texts,
  Timeline,
} from '../src/generated/view';
import type { Close, Desk } from '../src/host/desk';
import { checksToRun, DATA, health, judged, locked, panel, pastVisits, refusal } from './desk-fixtures';
import { planOf } from './checks-plan';
import { summary, timeline, USUAL } from './desk-timeline';
import { link, qr } from './fixtures';

/** What a call of the desk is named. */
type Call = keyof Desk;

const WATCHING = 'watch an avatar from the scan to its files';
/** What is being done while checks are judged, by the beginning of their ids. */
const DOES = [
  ['login.', 'log in'],
  ['generate.', 'make an Export Token'],
  ['fresh.', 'redeem a token that nobody has scanned'],
  ['redeem.', 'redeem what is no active token'],
  ['files.', 'fetch each file, twice'],
] as const;

/** Wrong PINs that are forgiven before it waits. */
const FORGIVEN = 2;

/** A desk that behaves, and remembers what it was asked. Values of secrets it forgets at once, but for their ends. */
export class FakeDesk implements Desk {
  /** Every act, in order; without the values of secrets. */
  readonly acts: PanelAct[] = [];
  /** Every other call, in order. */
  readonly calls: Call[] = [];
  /** Makes the next call, or the next act of a kind, fail with this. */
  readonly refusals = new Map<Call | PanelAct['kind'], unknown>();
  /** The PIN; none was ever set. */
  pin: string | null = '1234';
  /** Whether the door is open. */
  open = false;
  /** The panel as it stands. */
  view: PanelView = structuredClone(panel);
  /** The history. */
  past: PastVisit[];
  /** What a look at everything tells. */
  healthView: HealthView[] = health;
  /** The visits that the inspector knows, the newest first. */
  timelines: Timeline[];
  /** Exchanges let go. */
  dropped = 0;
  /** The checks as they stand. */
  checks: ChecksView = {
    target: '127.0.0.1:8787',
    stand: { kind: 'idle' },
    checks: checksToRun(),
    doing: null,
    invitation: null,
    requests: 0,
    tokens: 0,
    summary: null,
    notes: [],
    saved: null,
  };

  #wrong = 0;
  #waitUntil = 0;
  #inspected: { visit: string | null; onView: (view: InspectorView) => void } | null = null;
  #followers = new Set<(view: ChecksView) => void>();
  #ask: ChecksAsk | null = null;

  constructor(now = Date.now()) {
    this.past = pastVisits(now);
    // Those since the program's start.
    const [live, second, third] = this.past.map(
      ({ visit, started_at }) => [visit, Date.parse(started_at)] as const,
    );
    this.timelines = [
      ...(live ? [timeline(...live, 40, { whole: false })] : []),
      ...(second ? [timeline(...second, 64)] : []),
      ...(third ? [timeline(...third, 61, { breaks: false })] : []),
    ];
  }

  async gate(): Promise<GateView> {
    this.#take('gate', false);
    return this.#gate(false);
  }

  async enter(pin: string): Promise<GateView> {
    this.#take('enter', false);
    if (Date.now() < this.#waitUntil) return this.#gate(false);
    if (pin !== this.pin) {
      this.#wrong += 1;
      if (this.#wrong > FORGIVEN) this.#waitUntil = Date.now() + 1000 * 5 * 2 ** (this.#wrong - FORGIVEN - 1);
      return this.#gate(true);
    }
    this.#wrong = 0;
    this.open = true;
    return this.#gate(false);
  }

  async setFirstPin(pin: string): Promise<GateView> {
    this.#take('setFirstPin', false);
    if (this.pin !== null) throw locked;
    this.#checkPin(pin);
    this.pin = pin;
    this.open = true;
    return this.#gate(false);
  }

  async panel(): Promise<PanelView> {
    this.#take('panel');
    return structuredClone(this.view);
  }

  async act(act: PanelAct): Promise<PanelView> {
    this.acts.push('value' in act ? { ...act, value: '' } : act);
    const refused = this.refusals.get(act.kind);
    this.refusals.delete(act.kind);
    if (!this.open) throw locked;
    if (refused !== undefined) throw refused;
    this.#do(act);
    return structuredClone(this.view);
  }

  async health(): Promise<HealthView[]> {
    this.#take('health');
    return this.healthView;
  }

  async history(): Promise<PastVisit[]> {
    this.#take('history');
    return this.past;
  }

  async inspect(visit: string | null, onView: (view: InspectorView) => void): Promise<Close> {
    this.#take('inspect');
    const inspected = { visit, onView };
    this.#inspected = inspected;
    this.tellInspector();
    return () => {
      if (this.#inspected === inspected) this.#inspected = null;
    };
  }

  async saveHar(visit: string): Promise<string> {
    this.#take('saveHar');
    const day = this.past.find((one) => one.visit === visit)?.started_at.slice(0, 10);
    return `${DATA}/inspector/${day}-${visit}.har`;
  }

  async followChecks(onView: (view: ChecksView) => void): Promise<Close> {
    this.#take('followChecks');
    this.#followers.add(onView);
    // Before a run, what is checked is what is in use.
    if (this.checks.stand.kind === 'idle') this.checks = { ...this.checks, target: this.view.backend.host };
    onView(this.checks);
    return () => this.#followers.delete(onView);
  }

  async planChecks(ask: ChecksAsk): Promise<ChecksPlan> {
    this.#take('planChecks');
    return planOf(ask, this.view.backend.sandbox, this.view.visits_live);
  }

  async startChecks(ask: ChecksAsk): Promise<void> {
    this.#take('startChecks');
    this.#ask = ask;
    this.#tellChecks({
      stand: { kind: 'running' },
      target: this.view.backend.host,
      checks: checksToRun(),
      doing: 'log in',
      invitation: null,
      requests: 1,
      tokens: 0,
      summary: null,
      notes: [],
      saved: null,
    });
  }

  async stopChecks(): Promise<void> {
    this.#take('stopChecks');
    const problem = refusal(
      'checks_stopped',
      'The run was stopped early.',
      'What was judged by then is kept; start again for the rest',
    );
    this.#tellChecks({ stand: { kind: 'broken', problem }, doing: null, invitation: null });
  }

  async skipCheck(): Promise<void> {
    this.#take('skipCheck');
    if (!this.checks.invitation) throw refusal('configuration', 'Nothing waits for a phone', '');
    const skipped = { verdict: 'skipped', findings: ['left out by hand'] };
    this.#judge(({ id }) => /^(visit|progress|delivery|files|avatar)\./.test(id), skipped);
    this.#tellChecks({ invitation: null, doing: 'redeem a token whose time is over' });
  }

  async saveReport(): Promise<string> {
    this.#take('saveReport');
    const host = this.checks.target.replace(':', '-');
    const saved = `${DATA}/reports/${new Date().toISOString().slice(0, 10)}-${host}`;
    this.#tellChecks({ saved });
    return saved;
  }

  /** Closes the door, as ten quiet minutes do. */
  lock(): void {
    this.open = false;
  }

  /** The visit that goes on makes another exchange. */
  grow(): void {
    const newest = this.timelines[0];
    if (!newest || newest.visit.ended !== null) return;
    const { visit, started_ms, exchanges } = newest.visit;
    const whole = exchanges >= USUAL;
    this.timelines = [timeline(visit, started_ms, exchanges + 1, { whole }), ...this.timelines.slice(1)];
    this.tellInspector();
  }

  /** Tells whoever inspects how it stands. */
  tellInspector(): void {
    if (!this.#inspected) return;
    const { visit, onView } = this.#inspected;
    onView({
      visits: this.timelines.map(summary),
      shown: this.timelines.find((one) => one.visit.visit === visit) ?? this.timelines[0] ?? null,
      dropped: this.dropped,
    });
  }

  /** The next check gets its verdict; false once the run waits or is over. */
  runOne(): boolean {
    if (this.checks.stand.kind !== 'running') return false;
    const next = this.checks.checks.find((check) => check.verdict === null);
    if (!next) {
      this.#end();
      return false;
    }
    // At the sandbox the phone is played.
    const asks = next.id === 'visit.associated' && this.#ask?.with_phone && !this.view.backend.sandbox;
    if (asks && !this.checks.invitation) {
      const invitation = {
        link,
        qr_svg: qr,
        purpose: 'the avatar whose making and files are checked',
        status: null,
      };
      this.#tellChecks({ invitation, doing: WATCHING });
      return false;
    }
    this.#judge((check) => check.id === next.id, judged(next.id));
    const { requests, tokens } = this.checks;
    const made = next.id.startsWith('generate.') ? Math.min(this.#ask?.most_tokens ?? 2, 2) : tokens;
    const doing = DOES.find(([of]) => next.id.startsWith(of))?.[1] ?? WATCHING;
    this.#tellChecks({ requests: requests + 1, tokens: made, doing, invitation: null });
    return true;
  }

  #judge(which: (check: CheckView) => boolean, as: Pick<CheckView, 'verdict' | 'findings'>): void {
    const checks = this.checks.checks.map((check) =>
      check.verdict === null && which(check) ? { ...check, ...as } : check,
    );
    this.#tellChecks({ checks });
  }

  #end(): void {
    const judged = this.checks.checks.filter(({ verdict }) => verdict === 'pass' || verdict === 'fail');
    const required = judged.filter(({ level }) => level === 'must');
    const failed = required.filter(({ verdict }) => verdict === 'fail').length;
    this.#tellChecks({
      stand: { kind: 'ended', passed: failed === 0 },
      doing: null,
      summary:
        failed === 0
          ? `Passed: all ${required.length} required checks`
          : `Failed: ${failed} of ${required.length} required checks`,
    });
  }

  #tellChecks(change: Partial<ChecksView>): void {
    this.checks = { ...this.checks, ...change };
    for (const follower of this.#followers) follower(this.checks);
  }

  #take(call: Call, needsOpen = true): void {
    this.calls.push(call);
    const refused = this.refusals.get(call);
    this.refusals.delete(call);
    if (needsOpen && !this.open) throw locked;
    if (refused !== undefined) throw refused;
  }

  #gate(wrong: boolean): GateView {
    const wait_seconds = Math.max(0, Math.ceil((this.#waitUntil - Date.now()) / 1000));
    return { pin_set: this.pin !== null, open: this.open, wrong, wait_seconds };
  }

  #checkPin(pin: string): void {
    if (pin.length < 4 || pin.length > 32)
      throw refusal('pin_length', 'A PIN must have 4 to 32 digits.', 'Choose another one');
  }

  #do(act: PanelAct): void {
    const { view } = this;
    const { sandbox } = view;
    switch (act.kind) {
      case 'use_profile': {
        const profile = view.profiles.find(({ name }) => name === act.name);
        if (!profile || profile.flaw)
          throw refusal('configuration', `Profile “${act.name}”: ${profile?.flaw ?? 'unknown'}`, 'Fix it');
        const embedded = profile.host === null;
        const host = profile.host ?? panel.backend.host;
        view.backend = { ...view.backend, profile: act.name, host, sandbox: embedded };
        view.sandbox = embedded ? structuredClone(panel.sandbox) : null;
        view.credentials = embedded ? [] : panel.credentials;
        return;
      }
      case 'set_credential':
        if (act.value.trim() === '') throw refusal('credential_unfit', 'The value is empty', 'Enter one');
        this.#credential(act.slot, act.value.slice(-2), 'keychain');
        return;
      case 'remove_credential':
        this.#credential(act.slot, null, null);
        return;
      case 'unlock_keychain':
        view.keychain = null;
        return;
      case 'set_scenario':
        if (sandbox) sandbox.scenario = act.name;
        return;
      case 'set_speed':
        if (!(act.speed >= 0.1 && act.speed <= 1000))
          throw refusal('configuration', `A speed of ${act.speed}`, 'Choose 0.1 to 1000');
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
          attract_text: written(act.display.attract_text),
          consent: written(act.display.consent),
        };
        return;
      case 'set_logo':
        if (!atob(act.png).startsWith('\x89PNG'))
          throw refusal(
            'logo_unfit',
            'That file cannot be the logo (it is not a complete PNG)',
            'Choose a PNG of at most 2 MiB',
          );
        view.display = { ...view.display, logo: true };
        return;
      case 'set_keep':
        view.keep_hours = act.hours;
        return;
      case 'wipe_now':
        this.#keepOnly(({ live }) => live);
        return;
      case 'forget_visit':
        this.#keepOnly(({ visit }) => visit !== act.visit);
        return;
      case 'change_pin':
        if (act.current !== this.pin)
          throw refusal(
            'pin_wrong',
            'That is not the current PIN.',
            'Enter the current PIN, then the new one',
          );
        this.#checkPin(act.new);
        this.pin = act.new;
        return;
      case 'lock':
        this.open = false;
        return;
      case 'quit':
        this.open = false;
    }
  }

  #credential(slot: string, ends_in: string | null, origin: string | null): void {
    this.view.credentials = this.view.credentials.map((one) =>
      one.slot === slot ? { slot, ends_in, set: origin !== null, origin } : one,
    );
  }

  #keepOnly(kept: (visit: PastVisit) => boolean): void {
    this.past = this.past.filter(kept);
    this.view.visits_kept = this.past.length;
  }
}

/** As the program keeps them: tidied, and an empty text is none. */
function written(texts: Texts): Texts {
  const tidied = Object.entries(texts).map(([tag, text]) => [tag, text.trim()] as const);
  return Object.fromEntries(tidied.filter(([, text]) => text !== ''));
}
