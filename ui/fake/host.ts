// A scripted program behind the window, for tests and for a plain browser during development.
import { flushSync } from 'svelte';
import type {
  AvatarStatusChange,
  BackendView,
  Screen,
  Snapshot,
  TicketView,
  VisitorScreenSettingsView,
} from '../src/generated/view';
import type { ExpectedScreen, Host, HostAction } from '../src/host/host';
import type { Locale } from '../src/language/locales';
import { languageStore } from '../src/state/language-store.svelte';
import { visitorPresenceTimer } from '../src/state/visitor-presence-timer';
import { FakeDesk } from './desk';
import { createPastVisits } from './desk-fixtures';
import {
  boothsByScreen,
  createSnapshot,
  defaultBooth,
  lanBackend,
  progressHistory,
  realBackend,
  type ScreenName,
  sandboxBackend,
  screens,
  ticketsByScreen,
} from './fixtures';
import { FakeLanes } from './lanes';

/** A host that shows given screens and records its calls. */
export class FakeHost implements Host {
  /** The actions in order. */
  readonly calledActions: HostAction[] = [];
  /** The target of each action. */
  readonly targets: (ExpectedScreen | undefined)[] = [];
  /** The texts that were agreed to, in order. */
  readonly agreedTexts: string[] = [];
  /** The tickets that were chosen, and the codes that were entered, in order. */
  readonly chosenTickets: string[] = [];
  readonly enteredCodes: string[] = [];
  /** Makes the next call of an action fail with this. */
  readonly refusals = new Map<HostAction, unknown>();
  /** The desk behind the PIN. */
  readonly desk = new FakeDesk();
  /** Makes the subscription fail with this. */
  connectionError: unknown = null;

  #listeners = new Set<(snapshot: Snapshot) => void>();
  #revision = 0;
  #snapshot: Snapshot;
  readonly #screenAfter: Partial<Record<HostAction, () => Screen | null>>;

  constructor(
    first: Screen,
    next: Partial<Record<HostAction, () => Screen | null>> = {},
    of: BackendView = sandboxBackend,
    around: Partial<VisitorScreenSettingsView> = {},
    tickets: TicketView[] = [],
  ) {
    this.#snapshot = createSnapshot(first, this.#revision, of, { ...defaultBooth, ...around }, tickets);
    this.#screenAfter = next;
  }

  /** The kind of the screen. */
  get screenKind(): Screen['kind'] {
    return this.#snapshot.screen.kind;
  }

  /** The number of subscribers. */
  get subscriberCount(): number {
    return this.#listeners.size;
  }

  /** Shows a screen, with the next revision or the given one. */
  showScreen(screen: Screen, revision = this.#revision + 1, of = this.#snapshot.backend): void {
    this.#revision = Math.max(this.#revision, revision);
    this.#publish({ ...this.#snapshot, backend: of, revision, screen });
  }

  /** Changes the tickets on the same screen. */
  setTickets(tickets: TicketView[]): void {
    this.#revision += 1;
    this.#publish({ ...this.#snapshot, revision: this.#revision, tickets });
  }

  /** Changes booth settings on the same screen. */
  setBooth(around: Partial<VisitorScreenSettingsView>): void {
    this.#revision += 1;
    this.#publish({ ...this.#snapshot, revision: this.#revision, booth: { ...defaultBooth, ...around } });
  }

  #publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener(this.#snapshot);
  }

  async subscribe(onSnapshot: (snapshot: Snapshot) => void): Promise<() => void> {
    if (this.connectionError !== null) throw this.connectionError;
    this.#listeners.add(onSnapshot);
    onSnapshot(this.#snapshot);
    return () => this.#listeners.delete(onSnapshot);
  }

  startVisit = (target?: ExpectedScreen) => this.#recordAction('startVisit', target);
  cancelVisit = (target?: ExpectedScreen) => this.#recordAction('cancelVisit', target);
  requestNewCode = (target?: ExpectedScreen) => this.#recordAction('requestNewCode', target);
  simulatePhone = (target?: ExpectedScreen) => this.#recordAction('simulatePhone', target);
  recordWithSandbox = (target?: ExpectedScreen) => this.#recordAction('recordWithSandbox', target);
  returnToAttract = (target?: ExpectedScreen) => this.#recordAction('returnToAttract', target);
  agreeToConsent = (to: string, target?: ExpectedScreen) => {
    this.agreedTexts.push(to);
    return this.#recordAction('agreeToConsent', target);
  };
  forgetVisit = (target?: ExpectedScreen) => this.#recordAction('forgetVisit', target);
  handOverVisit = (target?: ExpectedScreen) => this.#recordAction('handOverVisit', target);
  chooseTicket = (ticket: string, target?: ExpectedScreen) => {
    this.chosenTickets.push(ticket);
    return this.#recordAction('chooseTicket', target);
  };
  enterPickupCode = (code: string, target?: ExpectedScreen) => {
    this.enteredCodes.push(code);
    return this.#recordAction('enterPickupCode', target);
  };

  async #recordAction(action: HostAction, target?: ExpectedScreen): Promise<void> {
    this.calledActions.push(action);
    this.targets.push(target);
    const refusal = this.refusals.get(action);
    if (refusal !== undefined) {
      this.refusals.delete(action);
      throw refusal;
    }
    const next = this.#screenAfter[action]?.();
    if (next) this.showScreen(next);
  }
}

/** Controls for tests of the page, as `window.fake`. */
export interface FakeControls {
  /** The actions in order. */
  readonly calledActions: readonly HostAction[];
  /** The texts that were agreed to, in order. */
  readonly agreedTexts: readonly string[];
  /** The desk behind the PIN. */
  readonly desk: FakeDesk;
  /** Shows a screen by name. */
  showScreen(name: ScreenName): void;
  /** Shows any screen. */
  putScreen(screen: Screen): void;
  /** Changes booth settings until another screen is shown by name. */
  setBooth(around: Partial<VisitorScreenSettingsView>): void;
  /** With `&hold`: ends the recording that is being played. */
  finishRecording(): void;
  /** Changes the language, also to a pseudo-locale. */
  setLocale(locale: Locale | 'long' | 'mirrored'): Promise<void>;
}

declare global {
  interface Window {
    fake?: FakeControls;
  }
}

/**
 * The host for `?fake=<screen>`; `?fake=lost` never answers; without a name a whole visit is played. `&glb=` and
 * `&portrait=` show another avatar, `&portraits=` (comma-separated) other ones in the history, `&lang=` sets the
 * language, `&pace=` plays slower or faster, `&hold` waits in *Making* until `finishRecording()`. `&desk=open` leaves
 * the desk unlocked, `=first` has no PIN set, `=late` cannot set one any more, `=live` has a visit and a run of the checks in progress.
 */
export async function createFakeHostFromUrl(address: { search: string }): Promise<FakeHost> {
  const asked = new URLSearchParams(address.search);
  const media = await import('./media');
  const portrait = asked.get('portrait') ?? media.createPortraitUrl();
  const reveal: Screen = {
    ...screens.reveal,
    glb: asked.get('glb') ?? (await media.createHeadGlbUrl()),
    portrait,
  };
  let release = () => {};
  const made = new Promise<void>((resolve) => {
    release = resolve;
  });
  if (!asked.has('hold')) release();
  const played = { pace: Number(asked.get('pace') ?? 1), made };
  const host = createScriptedHost(asked.get('fake') ?? '', reveal, played, media.createLogoUrl);
  if (asked.get('fake') === 'lost') host.connectionError = new Error('the channel to the program is closed');
  const portraits = asked.get('portraits')?.split(',') ?? [0, 1, 2, 3].map(media.createPortraitUrl);
  prepareFakeDesk(host.desk, asked.get('desk'), portraits);
  setAttendance(asked.get('fake') ?? '');
  const puppet: FakeControls = {
    calledActions: host.calledActions,
    agreedTexts: host.agreedTexts,
    desk: host.desk,
    showScreen: (name) => {
      // In one step, so that no screen is rendered with the settings of another.
      host.setBooth(boothForScreen(name, media.createLogoUrl));
      host.setTickets(ticketsByScreen[name] ?? []);
      if (name === 'reveal-gate') host.showScreen(screens.saving);
      setAttendance(name);
      if (name === 'saving') replayDownload(host, backendForScreen(name));
      host.showScreen(screenByName(name, reveal), undefined, backendForScreen(name));
    },
    putScreen: (screen) => host.showScreen(screen),
    setBooth: (around) => host.setBooth(around),
    finishRecording: release,
    async setLocale(locale) {
      if (locale === 'long' || locale === 'mirrored')
        (await import('./pseudo-locales')).setPseudoLocale(locale);
      else languageStore.setLocale(locale);
    },
  };
  const locale = asked.get('lang');
  if (locale) await puppet.setLocale(locale as Locale);
  window.fake = puppet;
  return host;
}

/** Sets whether a visitor is present. */
function setAttendance(name: string): void {
  if (name === 'reveal-gate') visitorPresenceTimer.markAbsent();
  else visitorPresenceTimer.noteActivity();
}

function prepareFakeDesk(desk: FakeDesk, how: string | null, portraits: readonly string[]): void {
  desk.pastVisits = desk.pastVisits.map((one, i) => ({
    ...one,
    portrait: createPastVisits(0, portraits)[i]?.portrait ?? null,
  }));
  if (how === 'first' || how === 'late') desk.pin = null;
  desk.isFirstPinLate = how === 'late';
  desk.isOpen = how === 'open' || how === 'live';
  if (how !== 'live') return;
  setInterval(() => desk.addExchange(), 1500);
  setInterval(() => desk.judgeNextCheck(), 400);
}

function createScriptedHost(
  name: string,
  reveal: Extract<Screen, { kind: 'reveal' }>,
  { pace, made }: PlaybackOptions,
  logo: () => string,
): FakeHost {
  const attract = () => screens.attract;
  if (name in screens) {
    const screen = screenByName(name as ScreenName, reveal);
    const next = { returnToAttract: attract, cancelVisit: attract, agreeToConsent: () => screens.preparing };
    return new FakeHost(
      screen,
      next,
      backendForScreen(name),
      boothForScreen(name as ScreenName, logo),
      ticketsByScreen[name as ScreenName],
    );
  }
  const host: FakeHost = new FakeHost(screens.attract, {
    startVisit: () => screens.consent,
    agreeToConsent: () => {
      setTimeout(() => host.showScreen(screens.invite), 1500 * pace);
      return screens.preparing;
    },
    forgetVisit: () => {
      setTimeout(() => host.showScreen(screens.forgotten), 1500 * pace);
      return screens.forgetting;
    },
    simulatePhone: () => screens.invite,
    recordWithSandbox: () => {
      void playVisit(host, reveal, { pace, made });
      return screens.invite;
    },
    requestNewCode: () => screens.invite,
    cancelVisit: attract,
    returnToAttract: attract,
    handOverVisit: () => lanes.handOver(),
    chooseTicket: () => lanes.choose(host.chosenTickets.at(-1) ?? ''),
    enterPickupCode: () =>
      lanes.enter(host.enteredCodes.at(-1) ?? '', host.targets.at(-1)?.visit ?? '', reveal),
  });
  const lanes = new FakeLanes((tickets) => host.setTickets(tickets), pace, made);
  return host;
}

function backendForScreen(name: string): BackendView {
  if (name === 'invite-phones') return lanBackend;
  const real = ['invite-real', 'invite-offer', 'invite-expired', 'making-failed', 'ticket'];
  return real.includes(name) ? realBackend : sandboxBackend;
}

function boothForScreen(name: ScreenName, logo: () => string): Partial<VisitorScreenSettingsView> {
  return { ...boothsByScreen[name], ...(name === 'attract-own' ? { logo: logo() } : {}) };
}

function screenByName(name: ScreenName, reveal: Extract<Screen, { kind: 'reveal' }>): Screen {
  switch (name) {
    case 'reveal':
    case 'reveal-gate':
      return reveal;
    case 'reveal-portrait':
      return { ...reveal, glb: null };
    case 'reveal-card':
      return { ...reveal, glb: null, portrait: null };
    case 'making':
    case 'making-queue':
    case 'making-stalled':
      return { ...screens[name], seen: progressHistory(name, Date.now()) };
    default:
      return screens[name];
  }
}

/** Lets files arrive over the last seconds. The screen samples them itself, so the clock is set back meanwhile. */
function replayDownload(host: FakeHost, of: BackendView): void {
  const real = Date.now;
  try {
    for (const ago of [12, 9, 6, 3]) {
      Date.now = () => real() - ago * 1000;
      const files = screens.saving.files.map((file) =>
        file.whole ? file : { ...file, bytes: Math.round(file.bytes * (1 - ago / 40)) },
      );
      host.showScreen({ ...screens.saving, files }, undefined, of);
      flushSync();
    }
  } finally {
    Date.now = real;
  }
}

/** How a visit is played: the speed, and when the recording ends. */
interface PlaybackOptions {
  readonly pace: number;
  readonly made: Promise<void>;
}

async function playVisit(host: FakeHost, reveal: Screen, { pace, made }: PlaybackOptions): Promise<void> {
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms * pace));
  const next_visitor = { has_free_lane: true, automatic_seconds: null };
  // Another screen, or that of another visitor, means that the visitor has left or has a ticket.
  const visitorCount = () => host.calledActions.filter((action) => action === 'startVisit').length;
  const visitor = visitorCount();
  const isStillShown = () =>
    visitor === visitorCount() && ['invite', 'making', 'saving'].includes(host.screenKind);
  const seen: AvatarStatusChange[] = [];
  const saw = (progress: number | null, queue_position: number | null) => {
    seen.push({ at_ms: Date.now(), progress, queue_position });
    return [...seen];
  };
  for (const place of [3, 2, 1]) {
    host.showScreen({
      ...screens['making-queue'],
      next_visitor,
      queue_position: place,
      seen: saw(null, place),
    });
    await pause(1500);
    if (!isStillShown()) return;
  }
  for (let progress = 0; progress <= 100; progress += 4) {
    host.showScreen({ ...screens.making, next_visitor, progress, seen: saw(progress, null) });
    await pause(250);
    if (!isStillShown()) return;
  }
  await made;
  if (!isStillShown()) return;
  for (let part = 0; part <= 10; part += 1) {
    const files = screens.saving.files.map((file) => {
      const bytes = Math.round((file.total * part) / 10);
      return { ...file, bytes, whole: part === 10 };
    });
    host.showScreen({ ...screens.saving, files });
    await pause(200);
  }
  host.showScreen(reveal);
}
