// A scripted program behind the window: for tests, and for a plain browser during development.
import { flushSync } from 'svelte';
import { attendance } from '../src/state/attendance-timer';
import type { BackendView, BoothView, Screen, SeenView, Snapshot } from '../src/generated/view';
import { speak, type Tongue } from '../src/state/language-store.svelte';
import { pastVisits } from './desk-fixtures';
import { FakeDesk } from './desk';
import {
  backend,
  booth,
  booths,
  openBackend,
  realBackend,
  type ScreenName,
  screens,
  seenUntil,
  snapshotOf,
} from './fixtures';
import type { Action, Host } from '../src/host/host';

/** A host that shows what it is told and remembers what it was asked. */
export class FakeHost implements Host {
  /** What was asked, in order. */
  readonly asked: Action[] = [];
  /** The words that were agreed to, in order. */
  readonly agreed: string[] = [];
  /** Makes the next call of an action fail with this. */
  readonly refusals = new Map<Action, unknown>();
  /** What stands behind the PIN. */
  readonly desk = new FakeDesk();
  /** Makes the subscription fail with this. */
  lost: unknown = null;

  #listeners = new Set<(snapshot: Snapshot) => void>();
  #revision = 0;
  #snapshot: Snapshot;
  readonly #next: Partial<Record<Action, () => Screen>>;

  constructor(
    first: Screen,
    next: Partial<Record<Action, () => Screen>> = {},
    of: BackendView = backend,
    around: Partial<BoothView> = {},
  ) {
    this.#snapshot = snapshotOf(first, this.#revision, of, { ...booth, ...around });
    this.#next = next;
  }

  /** How many follow it. */
  get followers(): number {
    return this.#listeners.size;
  }

  /** Puts a screen up, with the next revision or the one given. */
  show(screen: Screen, revision = this.#revision + 1, of = this.#snapshot.backend): void {
    this.#revision = Math.max(this.#revision, revision);
    this.#send({ ...this.#snapshot, backend: of, revision, screen });
  }

  /** Sets something of the booth, while the same screen stands. */
  set(around: Partial<BoothView>): void {
    this.#revision += 1;
    this.#send({ ...this.#snapshot, revision: this.#revision, booth: { ...booth, ...around } });
  }

  #send(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener(this.#snapshot);
  }

  async subscribe(onSnapshot: (snapshot: Snapshot) => void): Promise<() => void> {
    if (this.lost !== null) throw this.lost;
    this.#listeners.add(onSnapshot);
    onSnapshot(this.#snapshot);
    return () => this.#listeners.delete(onSnapshot);
  }

  start = () => this.#act('start');
  cancel = () => this.#act('cancel');
  newCode = () => this.#act('newCode');
  playPhone = () => this.#act('playPhone');
  again = () => this.#act('again');
  agree = (to: string) => {
    this.agreed.push(to);
    return this.#act('agree');
  };
  forget = () => this.#act('forget');

  async #act(action: Action): Promise<void> {
    this.asked.push(action);
    const refusal = this.refusals.get(action);
    if (refusal !== undefined) {
      this.refusals.delete(action);
      throw refusal;
    }
    const next = this.#next[action];
    if (next) this.show(next());
  }
}

/** What a test asks of the page over the scripted host: `window.fake`. */
export interface Puppet {
  /** What was asked, in order. */
  readonly asked: readonly Action[];
  /** The words that were agreed to, in order. */
  readonly agreed: readonly string[];
  /** What stands behind the PIN. */
  readonly desk: FakeDesk;
  /** Puts a screen up by its name. */
  show(name: ScreenName): void;
  /** Puts any screen up. */
  put(screen: Screen): void;
  /** Sets something of the booth, until another screen is put up by its name. */
  set(around: Partial<BoothView>): void;
  /** With `&hold`: lets the recording that is being played come to its end. */
  release(): void;
  /** Says everything in another language, or in a made-up one. */
  speak(tongue: Tongue | 'long' | 'mirrored'): Promise<void>;
}

declare global {
  interface Window {
    fake?: Puppet;
  }
}

/**
 * The host for `?fake=<screen>`, or for `?fake=lost` none that answers; without a name, a whole visit is played. `&glb=`
 * and `&portrait=` show another avatar, `&portraits=` (with commas between) other ones in the history,
 * `&lang=` speaks another language, `&pace=` plays slower or faster, `&hold` waits in *Making* until `release()`. `&desk=open` leaves the door to the desk open, `=first` has no PIN
 * set yet, `=live` has a visit and a run of the checks going on behind it.
 */
export async function fakeHostFromAddress(address: { search: string }): Promise<FakeHost> {
  const asked = new URLSearchParams(address.search);
  const media = await import('./media');
  const portrait = asked.get('portrait') ?? media.portrait();
  const reveal: Screen = { ...screens.reveal, glb: asked.get('glb') ?? (await media.glb()), portrait };
  let release = () => {};
  const made = new Promise<void>((resolve) => {
    release = resolve;
  });
  if (!asked.has('hold')) release();
  const played = { pace: Number(asked.get('pace') ?? 1), made };
  const host = script(asked.get('fake') ?? '', reveal, played, media.logo);
  if (asked.get('fake') === 'lost') host.lost = new Error('the channel to the program is closed');
  const portraits = asked.get('portraits')?.split(',') ?? [0, 1, 2, 3].map(media.portrait);
  furnish(host.desk, asked.get('desk'), portraits);
  stand(asked.get('fake') ?? '');
  const puppet: Puppet = {
    asked: host.asked,
    agreed: host.agreed,
    desk: host.desk,
    show: (name) => {
      // In one go, so that no screen is seen in the booth of another.
      host.set(boothOf(name, media.logo));
      if (name === 'reveal-gate') host.show(screens.saving);
      stand(name);
      if (name === 'saving') comeSoFar(host, backendOf(name));
      host.show(pick(name, reveal), undefined, backendOf(name));
    },
    put: (screen) => host.show(screen),
    set: (around) => host.set(around),
    release,
    async speak(tongue) {
      if (tongue === 'long' || tongue === 'mirrored') (await import('./pseudo-locales')).speakMadeUp(tongue);
      else speak(tongue);
    },
  };
  const tongue = asked.get('lang');
  if (tongue) await puppet.speak(tongue as Tongue);
  window.fake = puppet;
  return host;
}

/** Somebody stands before the screen, or nobody does. */
function stand(name: string): void {
  if (name === 'reveal-gate') attendance.leave();
  else attendance.sign();
}

function furnish(desk: FakeDesk, how: string | null, portraits: readonly string[]): void {
  desk.past = desk.past.map((one, i) => ({
    ...one,
    portrait: pastVisits(0, portraits)[i]?.portrait ?? null,
  }));
  if (how === 'first') desk.pin = null;
  desk.open = how === 'open' || how === 'live';
  if (how !== 'live') return;
  setInterval(() => desk.grow(), 1500);
  setInterval(() => desk.runOne(), 400);
}

function script(
  name: string,
  reveal: Extract<Screen, { kind: 'reveal' }>,
  { pace, made }: Played,
  logo: () => string,
): FakeHost {
  const attract = () => screens.attract;
  if (name in screens) {
    const screen = pick(name as ScreenName, reveal);
    const next = { again: attract, cancel: attract, agree: () => screens.preparing };
    return new FakeHost(screen, next, backendOf(name), boothOf(name as ScreenName, logo));
  }
  const host: FakeHost = new FakeHost(screens.attract, {
    start: () => screens.consent,
    agree: () => {
      setTimeout(() => host.show(screens.invite), 1500 * pace);
      return screens.preparing;
    },
    forget: () => {
      setTimeout(() => host.show(screens.forgotten), 1500 * pace);
      return screens.forgetting;
    },
    playPhone: () => {
      void play(host, reveal, { pace, made });
      return screens.invite;
    },
    newCode: () => screens.invite,
    cancel: attract,
    again: attract,
  });
  return host;
}

function backendOf(name: string): BackendView {
  if (name === 'invite-phones') return openBackend;
  const real = ['invite-real', 'invite-expired', 'making-failed'];
  return real.includes(name) ? realBackend : backend;
}

function boothOf(name: ScreenName, logo: () => string): Partial<BoothView> {
  return { ...booths[name], ...(name === 'attract-own' ? { logo: logo() } : {}) };
}

function pick(name: ScreenName, reveal: Extract<Screen, { kind: 'reveal' }>): Screen {
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
      return { ...screens[name], seen: seenUntil(name, Date.now()) };
    default:
      return screens[name];
  }
}

/**
 * Lets files come for a while until now. How they come is told to nobody and gathered by the screen as it sees them, so
 * that the clock is put back for as long as it looks.
 */
function comeSoFar(host: FakeHost, of: BackendView): void {
  const real = Date.now;
  try {
    for (const ago of [12, 9, 6, 3]) {
      Date.now = () => real() - ago * 1000;
      const files = screens.saving.files.map((file) =>
        file.whole ? file : { ...file, bytes: Math.round(file.bytes * (1 - ago / 40)) },
      );
      host.show({ ...screens.saving, files }, undefined, of);
      flushSync();
    }
  } finally {
    Date.now = real;
  }
}

/** How a visit is played: how fast, and when the avatar may be made at last. */
interface Played {
  readonly pace: number;
  readonly made: Promise<void>;
}

async function play(host: FakeHost, reveal: Screen, { pace, made }: Played): Promise<void> {
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms * pace));
  const seen: SeenView[] = [];
  const saw = (progress: number | null, queue_position: number | null) => {
    seen.push({ at_ms: Date.now(), progress, queue_position });
    return [...seen];
  };
  for (const place of [3, 2, 1]) {
    host.show({ ...screens['making-queue'], queue_position: place, seen: saw(null, place) });
    await pause(1500);
  }
  for (let progress = 0; progress <= 100; progress += 4) {
    host.show({ ...screens.making, progress, seen: saw(progress, null) });
    await pause(250);
  }
  await made;
  for (let part = 0; part <= 10; part += 1) {
    const files = screens.saving.files.map((file) => {
      const bytes = Math.round((file.total * part) / 10);
      return { ...file, bytes, whole: part === 10 };
    });
    host.show({ ...screens.saving, files });
    await pause(200);
  }
  host.show(reveal);
}
