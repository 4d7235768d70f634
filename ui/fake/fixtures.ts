// Snapshots of every screen and state, for tests and for a plain browser.
import type {
  AvatarStatusChange,
  BackendView,
  Problem,
  Screen,
  Snapshot,
  TicketView,
  VisitorScreenSettingsView,
} from '../src/generated/view';

const visitId = '019365d2-7c1a-7b60-9d0e-5a0f4c1b2e3d';

/** The link in the QR code below. */
export const exportLink = 'https://app.example/export?exportToken=Qm7tZ2pX9kLw4VbN8rYs';

/** A QR code with a quiet zone of four modules. */
export const qrSvg =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 41 41" shape-rendering="crispEdges"><path fill="#ffffff" d="M0 0h41v41H0z"/><path stroke="#000000" d="M4 4.5h7m4 0h2m2 0h1m3 0h1m3 0h1m2 0h7M4 5.5h1m5 0h1m1 0h4m1 0h1m1 0h1m2 0h3m2 0h2m1 0h1m5 0h1M4 6.5h1m1 0h3m1 0h1m2 0h1m1 0h1m4 0h1m1 0h1m3 0h1m3 0h1m1 0h3m1 0h1M4 7.5h1m1 0h3m1 0h1m3 0h1m1 0h2m4 0h3m1 0h3m1 0h1m1 0h3m1 0h1M4 8.5h1m1 0h3m1 0h1m1 0h1m1 0h1m1 0h1m4 0h2m2 0h1m1 0h2m1 0h1m1 0h3m1 0h1M4 9.5h1m5 0h1m2 0h1m1 0h3m3 0h1m1 0h1m1 0h1m1 0h1m2 0h1m5 0h1M4 10.5h7m1 0h1m1 0h1m1 0h1m1 0h1m1 0h1m1 0h1m1 0h1m1 0h1m1 0h1m1 0h7M17 11.5h1m2 0h2m1 0h3M4 12.5h1m1 0h1m1 0h1m1 0h1m5 0h2m1 0h1m1 0h1m2 0h2m1 0h2m3 0h1m2 0h1M5 13.5h2m2 0h1m1 0h1m1 0h2m5 0h3m1 0h2m2 0h4M5 14.5h1m1 0h1m1 0h3m1 0h5m3 0h2m3 0h1m1 0h2m1 0h1m2 0h3M4 15.5h2m2 0h1m2 0h1m3 0h2m2 0h3m2 0h2m2 0h1m3 0h1m2 0h1M5 16.5h1m4 0h1m1 0h5m3 0h1m2 0h1m3 0h1m1 0h3m1 0h1m1 0h2M7 17.5h3m1 0h4m1 0h1m2 0h1m1 0h1m3 0h4m2 0h1m4 0h1M4 18.5h1m1 0h1m2 0h3m3 0h1m1 0h1m4 0h1m3 0h1m1 0h2m4 0h3M5 19.5h2m7 0h1m1 0h3m2 0h1m2 0h5m1 0h1m1 0h1m2 0h1M4 20.5h1m1 0h1m2 0h3m1 0h2m2 0h2m1 0h2m2 0h2m2 0h3M4 21.5h6m1 0h3m1 0h4m1 0h1m8 0h3m4 0h1M5 22.5h1m2 0h3m3 0h1m2 0h2m2 0h1m4 0h1m1 0h1m1 0h1m3 0h3M6 23.5h1m1 0h2m1 0h2m1 0h2m1 0h2m1 0h2m1 0h3m1 0h1m3 0h2m2 0h2M4 24.5h3m1 0h6m2 0h1m2 0h1m1 0h2m2 0h2m2 0h2m2 0h1m2 0h1M5 25.5h2m4 0h1m1 0h2m2 0h1m2 0h1m1 0h1m1 0h1m1 0h1m1 0h3m3 0h3M4 26.5h1m1 0h1m3 0h1m4 0h1m1 0h1m3 0h1m2 0h1m5 0h4m1 0h2M5 27.5h3m6 0h2m1 0h3m1 0h6m1 0h1m7 0h1M4 28.5h1m1 0h2m1 0h3m2 0h1m2 0h3m1 0h1m1 0h3m2 0h5M12 29.5h1m2 0h3m4 0h1m1 0h1m1 0h1m1 0h1m3 0h2m2 0h1M4 30.5h7m2 0h3m4 0h1m1 0h1m1 0h1m1 0h3m1 0h1m1 0h1m1 0h3M4 31.5h1m5 0h1m2 0h1m2 0h2m1 0h3m1 0h4m1 0h1m3 0h1m3 0h1M4 32.5h1m1 0h3m1 0h1m1 0h1m1 0h2m5 0h1m1 0h3m2 0h6m1 0h1M4 33.5h1m1 0h3m1 0h1m2 0h3m2 0h8m1 0h1m4 0h3m1 0h1M4 34.5h1m1 0h3m1 0h1m1 0h5m3 0h3m3 0h1m1 0h2m2 0h2m2 0h1M4 35.5h1m5 0h1m5 0h1m1 0h1m2 0h1m3 0h1m2 0h1m1 0h1m1 0h1m2 0h1M4 36.5h7m1 0h1m1 0h2m1 0h2m2 0h1m1 0h3m2 0h3m1 0h1m2 0h2"/></svg>';

export const sandboxBackend: BackendView = {
  profile: 'sandbox',
  host: '127.0.0.1:8787',
  sandbox: true,
  phones_at: null,
};

export const realBackend: BackendView = {
  profile: 'booth',
  host: 'api.example',
  sandbox: false,
  phones_at: null,
};

/** The sandbox while phones of the network are let in. */
export const lanBackend: BackendView = { ...sandboxBackend, phones_at: 'http://192.168.1.20:8787' };

/** A booth with default settings. */
export const defaultBooth: VisitorScreenSettingsView = {
  language: null,
  attract_text: {},
  logo: null,
  idle_seconds: 90,
  voice: false,
  sounds: false,
  keep_hours: null,
  kiosk_mode: false,
  lanes: { count: 8, automatic_seconds: null, ticket_minutes: 30 },
  closed: null,
  closed_until: null,
};

export const backendUnreachable: Problem = {
  code: 'backend_unreachable',
  visitor: 'We cannot reach the avatar service right now.',
  operator: 'https://api.example/redeemExportToken: connection refused',
  hint: "Check the network, the proxy and the profile's `api_url`",
  retry_helps: true,
};

const files = {
  glb: { path: 'avatar.glb', export_type: 'glb', bytes: 18_400_000, sha256: 'a'.repeat(64) },
  obj: { path: 'avatar.obj.zip', export_type: 'obj', bytes: 9_250_000, sha256: 'b'.repeat(64) },
  png: { path: 'portrait.png', export_type: 'png', bytes: 412_000, sha256: 'c'.repeat(64) },
};

type ScreenOfKind<K extends Screen['kind']> = Extract<Screen, { kind: K }>;

const invite: ScreenOfKind<'invite'> = {
  kind: 'invite',
  visit: visitId,
  qr_svg: qrSvg,
  link: exportLink,
  expires_at: null,
  expired: false,
  can_play_phone: true,
  next_visitor: null,
  trouble: null,
};

const making: ScreenOfKind<'making'> = {
  kind: 'making',
  visit: visitId,
  status: 'processing',
  progress: 42,
  queue_position: null,
  seen: [],
  link: exportLink,
  qr_svg: qrSvg,
  can_play_phone: false,
  next_visitor: null,
  trouble: null,
};

const reveal: ScreenOfKind<'reveal'> = {
  kind: 'reveal',
  visit: visitId,
  directory: '~/.local/share/copresence-kiosk/avatars/2026-11-22_154208_019365d2',
  files: [files.glb, files.obj, files.png],
  glb: null,
  portrait: null,
};

const consent =
  'We film your face with your own phone to make an avatar of it. The avatar is shown on this screen, where others can see it, and saved on this console. Nobody else gets it.';

/** Nearly the maximum length of an operator's text, in two paragraphs. */
const longConsent = `${consent} Whoever is under sixteen needs a parent who agrees.

The avatar stays here for a day, and goes sooner if you ask us at the counter or press “Delete my avatar”. We see neither your phone nor your number. The pictures of your face are sent to the avatar studio for this purpose alone and are deleted there within a day. You may stop at any moment and have everything deleted. Questions? Write to privacy@fair.example.`;

const consentInGerman =
  'Wir filmen dein Gesicht mit deinem eigenen Telefon und machen daraus einen Avatar. Er ist auf diesem Bildschirm zu sehen, auch für andere, und wird auf dieser Konsole gespeichert. Sonst bekommt ihn niemand.';

const consentInFrench =
  'Nous filmons votre visage avec votre propre téléphone pour en faire un avatar. Il est montré sur cet écran, où d’autres peuvent le voir, et enregistré sur cette console. Personne d’autre ne le reçoit.';

/** The maximum length, with long German words. */
const longConsentInGerman = `${consentInGerman}

Wer unter sechzehn ist, braucht das Einverständnis einer erziehungsberechtigten Person. Der Avatar bleibt einen Tag lang hier und wird früher gelöscht, wenn du „Meinen Avatar löschen“ drückst. Die Gesichtsaufnahmen gehen nur dazu an das Avatarstudio und werden dort binnen eines Tages gelöscht. Datenschutzbeauftragte: datenschutz@messegesellschaft.example. Du kannst jederzeit aufhören.`;

/** The maximum length in ideographs, which are as wide as they are high. */
const denseConsent = `お客様のスマートフォンで顔を撮影し、その画像からアバターを作成します。撮影はお客様ご自身の操作で始まり、いつでも中止できます。完成したアバターはこの画面に大きく表示されるため、会場にいる他の方からも見えることをご了承ください。アバターのファイルはこの端末に保存され、展示が終わるまで体験のためにだけ使用します。第三者に販売したり、広告に利用したりすることはありません。

顔の画像は、アバターを作成する目的に限ってアバター制作サービスへ送信され、作成から二十四時間以内に削除されます。お客様のお名前、電話番号、メールアドレスは一切お預かりしません。スマートフォンの中にある写真や連絡先を読み取ることもありません。

十六歳未満の方がご利用になる場合は、保護者の方が内容を確認し、同意してください。ほかの方の顔を、その方の許可なく撮影することはご遠慮ください。

保存されたアバターは、画面の「アバターを削除」からいつでも消去できます。お帰りになった後で削除をご希望の場合は、引換券の番号を添えて受付までお申し出ください。番号をお忘れのときは、おおよその来場時刻をお知らせいただければ係員がお調べします。

同意なさらない場合は「今はやめる」を選んでください。その場合も、会場のほかの展示はすべてご覧いただけます。個人情報の取り扱いについてご不明な点があれば、お近くの係員までお気軽にお尋ねください。`;

/** The pickup code of every ticket here. */
export const PICKUP_CODE = '0417';

const ticket: TicketView = {
  visit: visitId,
  name: { colour: 'blue', symbol: 'comet' },
  state: 'ready',
  progress: null,
};

const ticketNames: TicketView['name'][] = [
  ticket.name,
  { colour: 'orange', symbol: 'rocket' },
  { colour: 'green', symbol: 'kite' },
  { colour: 'pink', symbol: 'bell' },
  { colour: 'yellow', symbol: 'crown' },
  { colour: 'purple', symbol: 'moon' },
  { colour: 'white', symbol: 'feather' },
  { colour: 'red', symbol: 'anchor' },
];

/** Tickets of as many visits, the first `ready` of which wait for their visitors. */
export function createTickets(count: number, ready: number): TicketView[] {
  return ticketNames.slice(0, count).map((name, i) => ({
    visit: `019365d2-7c1a-7b60-9d0e-5a0f4c1b2e${i}0`,
    name,
    // The newest visitor still records with the phone.
    state: i < ready ? 'ready' : i === count - 1 ? 'recording' : 'making',
    progress: i < ready || i === count - 1 ? null : 12 + 11 * i,
  }));
}

const pickUp: ScreenOfKind<'pick_up'> = {
  kind: 'pick_up',
  visit: visitId,
  ticket,
  entry: { checking: false, wrong: false, tries_left: 3, blocked_until: null },
};

/** Every screen and state by name. */
export const screens = {
  attract: { kind: 'attract' },
  'attract-own': { kind: 'attract' },
  'attract-tickets': { kind: 'attract' },
  'attract-tickets-full': { kind: 'attract' },
  'attract-closed': { kind: 'attract' },
  'attract-night': { kind: 'attract' },
  consent: { kind: 'consent', texts: { en: consent, de: consentInGerman, fr: consentInFrench } },
  'consent-long': { kind: 'consent', texts: { en: longConsent, de: longConsentInGerman } },
  'consent-dense': { kind: 'consent', texts: { ja: denseConsent } },
  preparing: { kind: 'preparing', visit: visitId, trouble: null },
  'preparing-trouble': { kind: 'preparing', visit: visitId, trouble: backendUnreachable },
  invite,
  'invite-phones': invite,
  'invite-real': {
    ...invite,
    can_play_phone: false,
    expires_at: new Date(Date.now() + 245_000).toISOString(),
  },
  'invite-offer': {
    ...invite,
    can_play_phone: false,
    expires_at: new Date(Date.now() + 245_000).toISOString(),
    next_visitor: { has_free_lane: true, automatic_seconds: null },
  },
  'invite-expired': { ...invite, can_play_phone: false, expired: true, expires_at: '2020-01-01T00:00:00Z' },
  'invite-trouble': { ...invite, trouble: backendUnreachable },
  'making-found': { ...making, status: 'in_queue', progress: null, queue_position: 3 },
  'making-next': { ...making, status: 'in_queue', progress: null, queue_position: 0 },
  'making-trouble': { ...making, trouble: backendUnreachable },
  'making-queue': { ...making, status: 'in_queue', progress: null, queue_position: 3 },
  making,
  'making-stalled': making,
  'making-offer': { ...making, next_visitor: { has_free_lane: true, automatic_seconds: null } },
  'making-offer-automatic': { ...making, next_visitor: { has_free_lane: true, automatic_seconds: 30 } },
  'making-offer-full': { ...making, next_visitor: { has_free_lane: false, automatic_seconds: null } },
  ticket: {
    kind: 'ticket',
    visit: visitId,
    ticket: { ...ticket, state: 'making' },
    pickup_code: PICKUP_CODE,
  },
  'pick-up': pickUp,
  'pick-up-wrong': { ...pickUp, entry: { ...pickUp.entry, wrong: true, tries_left: 2 } },
  'pick-up-blocked': {
    ...pickUp,
    entry: {
      checking: false,
      wrong: true,
      tries_left: 1,
      blocked_until: new Date(Date.now() + 250_000).toISOString(),
    },
  },
  'pick-up-making': { ...pickUp, ticket: { ...ticket, state: 'making', progress: 64 } },
  'pick-up-closed': { ...pickUp, ticket: { ...ticket, state: 'closed' } },
  'making-open': { ...making, progress: null },
  'making-failed': { ...making, status: 'failed', progress: null },
  'making-failed-sandbox': { ...making, status: 'failed', progress: null, can_play_phone: true },
  'making-unknown': { ...making, status: 'in_quality_review', progress: null },
  saving: {
    kind: 'saving',
    visit: visitId,
    files: [
      { file: 'avatar.glb', bytes: 11_300_000, total: 18_400_000, whole: false },
      { file: 'avatar.obj.zip', bytes: 9_250_000, total: 9_250_000, whole: true },
      { file: 'portrait.png', bytes: 120_000, total: 412_000, whole: false },
    ],
    trouble: null,
  },
  'saving-open': {
    kind: 'saving',
    visit: visitId,
    files: [
      { file: 'avatar.glb', bytes: 11_300_000, total: null, whole: false },
      { file: 'avatar.obj.zip', bytes: 9_250_000, total: 9_250_000, whole: true },
      ...Array.from({ length: 5 }, (_, i) => ({
        file: `texture-${i + 1}.png`,
        bytes: 0,
        total: null,
        whole: false,
      })),
    ],
    trouble: backendUnreachable,
  },
  reveal,
  /** No visitor is known to be present. */
  'reveal-gate': reveal,
  'reveal-portrait': reveal,
  'reveal-card': reveal,
  forgetting: { kind: 'forgetting', visit: visitId, stand: { kind: 'working' } },
  forgotten: { kind: 'forgetting', visit: visitId, stand: { kind: 'done' } },
  'forget-failed': {
    kind: 'forgetting',
    visit: visitId,
    stand: {
      kind: 'failed',
      problem: {
        code: 'storage_failed',
        visitor: 'This console cannot save anything right now.',
        operator: '~/avatars/2026-11-22_154208_019365d2: permission denied (os error 13)',
        hint: 'Make the folder writable, then forget the visit in the history (F10)',
        retry_helps: true,
      },
    },
  },
  ended: {
    kind: 'ended',
    visit: visitId,
    problem: {
      code: 'token_expired',
      visitor: "This code ran out of time. Let's try a new one.",
      operator:
        'GET https://api.example/redeemExportToken answered 400: the Export Token is spent or has expired.',
      hint: 'Start again for a new code',
      retry_helps: true,
    },
    of_somebody: false,
  },
  'ended-kept': {
    kind: 'ended',
    visit: visitId,
    problem: {
      code: 'saved_in_part',
      visitor: 'Part of your avatar did not make it.',
      operator: 'avatar.obj.zip: the download URL expired twice; avatar.glb and portrait.png are saved.',
      hint: 'Look into the visit with the inspector (F10)',
      retry_helps: true,
    },
    of_somebody: true,
  },
} as const satisfies Record<string, Screen>;

/** The name of a state. */
export type ScreenName = keyof typeof screens;

/** The booth settings of a state. */
export const boothsByScreen: Partial<Record<ScreenName, Partial<VisitorScreenSettingsView>>> = {
  'attract-own': {
    attract_text: {
      en: 'Step into the picture: your own avatar in two minutes, and on the big wall of the fair by tonight. Free for all guests!',
      de: 'Komm ins Bild: dein Avatar in zwei Minuten, und noch heute Abend auf der großen Wand der Messe. Frei für alle Gäste!',
    },
  },
  'attract-closed': {
    closed: {
      code: 'credentials_missing',
      visitor: 'This console is not set up yet.',
      operator: 'The profile `booth` needs an API key, and none is set.',
      hint: 'Set it in the panel (F10), under Credentials',
      retry_helps: false,
    },
  },
  'attract-night': {
    closed: {
      code: 'outside_hours',
      visitor: 'We are closed right now.',
      operator: 'The booth is closed until Monday 09:00: its opening hours are Mon-Fri 09:00-18:00.',
      hint: 'Change `opening_hours` below [machine] in settings.toml if that is wrong',
      retry_helps: false,
    },
    closed_until: '2026-11-30T09:00:00',
  },
  consent: { keep_hours: 48 },
  'consent-long': { keep_hours: 24 },
  'reveal-portrait': { keep_hours: 0 },
  'reveal-card': { keep_hours: 48 },
};

/** The tickets of a state. */
export const ticketsByScreen: Partial<Record<ScreenName, TicketView[]>> = {
  'attract-tickets': createTickets(5, 2),
  'attract-tickets-full': createTickets(8, 7),
};

/** The samples that the program has kept for screens with an estimate, relative to `now`. */
export function progressHistory(name: ScreenName, now: number): AvatarStatusChange[] {
  const ago = (seconds: number) => now - seconds * 1000;
  switch (name) {
    case 'making':
      return [6, 15, 24, 33, 42].map((progress, i) => ({
        at_ms: ago(2 + 9 * (4 - i)),
        progress,
        queue_position: null,
      }));
    case 'making-stalled':
      return [34, 38, 42].map((progress, i) => ({
        at_ms: ago(100 + 4 * (2 - i)),
        progress,
        queue_position: null,
      }));
    case 'making-queue':
      return [7, 6, 5, 4, 3].map((queue_position, i) => ({
        at_ms: ago(8 + 25 * (4 - i)),
        progress: null,
        queue_position,
      }));
    default:
      return [];
  }
}

/** A snapshot with the given screen. */
export function createSnapshot(
  screen: Screen,
  revision = 1,
  of: BackendView = sandboxBackend,
  around: VisitorScreenSettingsView = defaultBooth,
  tickets: TicketView[] = [],
): Snapshot {
  return { revision, backend: of, booth: around, tickets, screen };
}
