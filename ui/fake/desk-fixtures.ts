// Made-up data behind the PIN, for tests and for a plain browser.
import type {
  AppearanceAndLanguageSettings,
  CheckView,
  PanelView,
  PartHealthView,
  PastVisit,
  Problem,
  SandboxControlsView,
} from '../src/generated/view';
import CHECKS from './desk-checks.json';
import { AVATAR_BYTES } from './desk-timeline';
import { createTickets, realBackend, sandboxBackend } from './fixtures';

export const lockedProblem: Problem = {
  code: 'panel_locked',
  visitor: '',
  operator: 'The panel is locked.',
  hint: 'Enter the PIN',
  retry_helps: false,
};

/** A refusal in the program's words. */
export function createProblem(code: string, operator: string, hint: string): Problem {
  return { code, visitor: '', operator, hint, retry_helps: false };
}

export const displaySettings: AppearanceAndLanguageSettings = {
  monitor: null,
  language: null,
  idle_seconds: 90,
  opening_hours: null,
  keep_awake: true,
  attract_text: {},
  consent: {},
  voice: false,
  sounds: false,
  logo: false,
};

const ENDPOINTS = ['redeem', 'generate', 'login', 'file'];
const createWordView = (name: string, about: string, only_on: string[] = []) => ({ name, about, only_on });

export const sandboxView: SandboxControlsView = {
  scenario: 'happy',
  scenarios: [
    createWordView(
      'happy',
      'A new avatar waits in a short queue, is processed and delivered; an existing one is exported in a few seconds.',
    ),
    createWordView(
      'existing-avatar',
      'The avatar is ready at once after the association, without queue or processing.',
    ),
    createWordView(
      'long-queue',
      'The avatar starts at place 12 of the queue, and each place takes its time.',
    ),
    createWordView('slow-processing', 'Processing takes four to six minutes.'),
    createWordView(
      'stalls',
      'The progress stands still for about half a minute in the middle of processing, then goes on.',
    ),
    createWordView(
      'fails',
      'Processing breaks off with `failed`, each time; the token stays active, so the visitor may record again under it.',
    ),
    createWordView(
      'fails-then-succeeds',
      'Processing breaks off with `failed`; half a minute later (or sooner, by the phone) the visitor has recorded again under the same token, and that avatar is delivered.',
    ),
    createWordView(
      'token-expires',
      'The token expires 20 seconds after it was generated, before any avatar can be ready.',
    ),
    createWordView(
      'never-scanned',
      'Nobody scans the code: auto-play leaves the token alone. Who associates an avatar by hand gets what `happy` gives.',
    ),
    createWordView('no-files', 'The avatar is ready, the token is spent, and the list of files is empty.'),
    createWordView('many-files', 'The avatar comes as 36 files, many of the same type.'),
    createWordView(
      'large-file',
      "The GLB has more than 60 MB (a valid one, streamed, ranges too); a partner's own files stay as they are.",
    ),
    createWordView(
      'urls-expire',
      'All download URLs but the first have expired when the answer with them arrives.',
    ),
    createWordView(
      'goes-backwards',
      'The progress falls, places in the queue rise, and the avatar is put back into the queue once; in the end it is delivered.',
    ),
  ],
  speed: 10,
  faults: [],
  fault_kinds: [
    createWordView(
      'status',
      'Answers with a status of your choice, as a backend or a gateway in trouble does.',
    ),
    createWordView(
      'error_page',
      'Answers with an HTML page, with status 200 unless told otherwise, as captive portals and proxies do.',
    ),
    createWordView('redirect', 'Redirects to another URL.'),
    createWordView('delay', 'Waits, a fixed time or one drawn from a log-normal distribution, then goes on.'),
    createWordView('hang', 'Never answers; the connection stays open.'),
    createWordView('reset', 'Resets the connection (TCP RST) before the request has any effect.'),
    createWordView(
      'reset_after_spending',
      'Lets the request take its whole effect, then resets the connection: the answer is lost, and with it a token that it spent, a file whose URL it used.',
    ),
    createWordView(
      'cut_body',
      'Ends the answer in the middle of its body; its Content-Length promises more.',
    ),
    createWordView('slow_body', 'Sends the body slowly.'),
    createWordView(
      'wrong_length',
      'Promises another Content-Length than what comes, then closes the connection.',
    ),
    createWordView(
      'huge',
      'Sends the body, and after it bytes without end (spaces after JSON, zeros after a file).',
    ),
    createWordView(
      'garbage',
      'Sends random bytes in place of the body, with status and headers as they are.',
    ),
    createWordView(
      'wrong_shape',
      'Breaks one field of a JSON answer; an answer without that field goes out as it is.',
      ['redeem', 'generate', 'login'],
    ),
    createWordView(
      'coded',
      'Sends the body in a content coding that was not asked for, or claims one that it does not have.',
    ),
    createWordView(
      'headers',
      'Sets or removes headers of the answer (without Content-Length the body comes in chunks).',
    ),
    createWordView(
      'ignore_range',
      'Answers a request for a range with the whole file (200 in place of 206).',
      ['file'],
    ),
    createWordView(
      'refuse_range',
      "Answers a request for a range with 416 and the file's true length; others are let through.",
      ['file'],
    ),
    createWordView(
      'wrong_range',
      'Answers a request for a range with 206 and another range, which its Content-Range tells.',
      ['file'],
    ),
    createWordView(
      'changed_etag',
      'Says by its ETag that the file is another one since: a range with If-Range gets the whole file.',
      ['file'],
    ),
  ],
  endpoints: ENDPOINTS,
  phones_at: null,
};

/** The program's folders on Linux, as people read them. */
export const DATA_FOLDER = '~/.local/share/copresence-kiosk';
const PROFILES_FILE = '~/.config/copresence-kiosk/profiles.toml';
const LINK_FLAW =
  `the profile \`relay\` in ${PROFILES_FILE}: \`link\`: the link template has no {token} in it, so the phone ` +
  'would not learn the Export Token';

export const panelView: PanelView = {
  version: '0.1.0',
  data_dir: DATA_FOLDER,
  out: `${DATA_FOLDER}/avatars`,
  backend: sandboxBackend,
  profiles: [
    { name: 'sandbox', host: null, flaw: null },
    { name: 'booth', host: realBackend.host, flaw: null },
    { name: 'staging', host: 'staging.api.example', flaw: null },
    { name: 'relay', host: 'relay.partner.example', flaw: LINK_FLAW },
  ],
  profiles_file: PROFILES_FILE,
  credentials: [
    { slot: 'api-key', ends_in: '3f', set: true, origin: 'keychain' },
    { slot: 'session-token', ends_in: null, set: false, origin: null },
    { slot: 'username', ends_in: 'th', set: true, origin: 'keychain' },
    { slot: 'password', ends_in: null, set: true, origin: 'environment' },
  ],
  keychain: null,
  refused_credentials: null,
  sandbox: sandboxView,
  kiosk_mode: { on: false, set: false, by_flag: false },
  display: displaySettings,
  monitors: [
    { name: 'HDMI-A-1', width: 3840, height: 2160 },
    { name: 'eDP-1', width: 1920, height: 1080 },
  ],
  languages: ['en', 'de', 'es', 'fr', 'ja', 'zh-Hans'],
  keep_hours: null,
  visits_kept: 7,
  visits_live: 1,
  lanes: {
    settings: { count: 8, automatic_seconds: null, ticket_minutes: 30 },
    tickets: createTickets(4, 2).map((ticket, i) => ({
      ticket,
      handed_over_at: `2026-11-22T15:3${i}:05Z`,
      expires_at: ticket.state === 'ready' ? `2026-11-22T16:0${i}:40Z` : null,
      wrong_codes: i === 1 ? 4 : 0,
    })),
    tokens: { issued: 9, active: 1, spent: 6, abandoned: 2 },
  },
};

export const keychainLockedProblem: Problem = createProblem(
  'keychain_locked',
  "The system's keychain is locked.",
  'Unlock it: open “Passwords and Keys” (seahorse), choose the keyring “Login” and “Unlock”. A desktop that logs in by ' +
    'itself leaves the keyring locked: on a kiosk give that keyring an empty password, or pass the credentials in the ' +
    'environment (COPRESENCE_API_KEY, COPRESENCE_SESSION_TOKEN)',
);

const MINUTE_MS = 60_000;

/** A visit id, which starts with the time of its start. */
export function visitIdAt(started_ms: number): string {
  const time = started_ms.toString(16).padStart(12, '0');
  const rest = (started_ms * 2654435761).toString(16).padStart(16, '7');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(1, 4)}-8${rest.slice(4, 7)}-${(rest + time).slice(4, 16)}`;
}

const SAVED_MESSAGE = 'The avatar is saved, whole.';
const PAST_VISITS: readonly [minutes: number, ended: string | null, words: string, bytes: number][] = [
  [2, null, 'In progress.', 0],
  [14, 'saved', SAVED_MESSAGE, AVATAR_BYTES],
  [31, 'saved', SAVED_MESSAGE, AVATAR_BYTES - 76_321],
  [47, 'token_expired', 'The Export Token expired before an avatar arrived.', 0],
  [
    68,
    'saved_in_part',
    'The token was redeemed, but a file is missing, or the response could not be read to its end.',
    5_431_053,
  ],
  [
    95,
    'possibly_consumed',
    'A redeem was sent, no response showed whether it succeeded, and the token is now refused or given up: the avatar may have been consumed.',
    0,
  ],
  [26 * 60, 'saved', SAVED_MESSAGE, AVATAR_BYTES + 310_907],
];

/** Past visits, the newest a few minutes before `now`. Each saved one gets the next of the portraits. */
export function createPastVisits(now: number, portraits: readonly string[] = []): PastVisit[] {
  let faces = 0;
  return PAST_VISITS.map(([minutes, ended, words, bytes], i) => {
    const started = now - minutes * MINUTE_MS;
    const visit = visitIdAt(started);
    const day = new Date(started).toISOString().slice(0, 10);
    return {
      visit,
      started_at: new Date(started).toISOString(),
      profile: i === 4 ? 'booth' : 'sandbox',
      ended,
      words,
      directory: bytes > 0 ? `${DATA_FOLDER}/avatars/${day}-${visit}` : null,
      bytes,
      portrait: bytes > 0 ? (portraits[faces++ % portraits.length] ?? null) : null,
      live: ended === null,
      token: ended === null ? 'active' : bytes > 0 ? 'spent' : 'abandoned',
      ticket: null,
    };
  });
}

/** A health check while the disk is nearly full. */
export const healthParts: PartHealthView[] = [
  {
    part: 'profiles',
    stand: 'doubtful',
    seen: LINK_FLAW,
    remedy: 'Fix them; `copresence profile show NAME` lists what is filled in',
  },
  { part: 'settings', stand: 'good', seen: 'as they were saved', remedy: null },
  {
    part: 'disk',
    stand: 'bad',
    seen: `101.1 MB free in ${DATA_FOLDER}`,
    remedy:
      'Free some space: with less than 134.2 MB no visit begins. Keeping files for a shorter time helps',
  },
  { part: 'keychain', stand: 'good', seen: 'unlocked', remedy: null },
  { part: 'credentials', stand: 'good', seen: '`sandbox` needs none', remedy: null },
  { part: 'backend', stand: 'good', seen: '127.0.0.1: reached (200)', remedy: null },
  {
    part: 'clock',
    stand: 'unknown',
    seen: "the embedded sandbox has this machine's own clock",
    remedy: null,
  },
  { part: 'last_problem', stand: 'good', seen: 'nothing has gone wrong since the start', remedy: null },
  { part: 'display', stand: 'good', seen: 'HDMI-A-1 (3840 × 2160), eDP-1 (1920 × 1080)', remedy: null },
  { part: 'web_view', stand: 'good', seen: '2.50.6', remedy: null },
];

/** Every check, without a verdict. */
export function unjudgedChecks(): CheckView[] {
  return CHECKS.map((check) => ({ ...check, verdict: null, findings: [] }));
}

/** The recorded verdict of a check against a misbehaving sandbox (`copresence validate --report`). */
export function recordedVerdict(id: string): Pick<CheckView, 'verdict' | 'findings'> {
  const { verdict, findings } = CHECKS.find((check) => check.id === id) ?? { verdict: null, findings: [] };
  return { verdict, findings };
}
