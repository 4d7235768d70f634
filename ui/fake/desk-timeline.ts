// A visit's timeline as the program records it with its sandbox (headers, bodies, times, `curl`), generated for tests
// and for a plain browser.
import type { ExchangeView, InspectorVisitListEntry, Timeline, TimelineEntry } from '../src/generated/view';
import { judgeExchange } from './exchange-requirements';
import { sandboxBackend } from './fixtures';

const API_URL = `http://${sandboxBackend.host}`;
const API_KEY_HEADER: [string, string] = ['x-copresence-rest-api-key', '…ZL'];
const CLIENT_HEADERS: [string, string][] = [
  ['user-agent', 'copresence-kiosk/0.1.0'],
  ['accept-encoding', 'identity'],
];
const ACCEPT_JSON: [string, string] = ['accept', 'application/json'];
/** The request headers of a call, masked as they are recorded. */
const REQUEST_HEADERS: Readonly<Record<string, [string, string][]>> = {
  login: [API_KEY_HEADER, ...CLIENT_HEADERS, ACCEPT_JSON, ['content-type', 'application/json']],
  generate: [
    API_KEY_HEADER,
    ['x-copresence-session-token', '…ae'],
    ...CLIENT_HEADERS,
    ACCEPT_JSON,
    ['content-length', '0'],
  ],
  redeem: [API_KEY_HEADER, ['x-copresence-export-token', '…d9'], ...CLIENT_HEADERS, ACCEPT_JSON],
  download: [['accept', '*/*'], ...CLIENT_HEADERS],
};
/** Shell variables in place of masked values. */
const SHELL_VARIABLES: Readonly<Record<string, string>> = {
  'x-copresence-rest-api-key': '$COPRESENCE_API_KEY',
  'x-copresence-session-token': '$COPRESENCE_SESSION_TOKEN',
  'x-copresence-export-token': '$EXPORT_TOKEN',
};
const LOGIN_BODY = '{"username":"\'"$COPRESENCE_USERNAME"\'","password":"\'"$COPRESENCE_PASSWORD"\'"}';
/** Milliseconds between two polls. */
const POLL_MS = 2000;
/** Exchanges until the avatar is ready. Recorded exchanges stay the same while a visit grows to this number. */
export const FULL_VISIT_EXCHANGES = 60;
/** The exchange that is reset, the one with a failing backend, and the one that breaks the protocol. */
const RESET_EXCHANGE = 9;
const FAILING_EXCHANGE = 14;
const INVALID_EXCHANGE = 30;
const RESET_MESSAGE =
  'not even a status line came: connection error: Connection reset by peer (os error 104)';
const DELIVERED_FILES = [
  { file: 'avatar.png', type: 'image/png', export_type: 'png', bytes: 363_957 },
  { file: 'avatar_obj.zip', type: 'application/zip', export_type: 'obj', bytes: 2_737_951 },
  { file: 'avatar.glb', type: 'model/gltf-binary', export_type: 'glb', bytes: 5_067_096 },
];

type ExchangeOverrides = Partial<ExchangeView> & Pick<ExchangeView, 'id' | 'at_ms' | 'call'>;

/** An exchange with defaults filled in. `came` names the places that break their requirement. */
export function createExchange(
  given: ExchangeOverrides,
  came: Readonly<Record<string, string>> = {},
): ExchangeView {
  const { call, at_ms, response_body = null, body_size = response_body?.length ?? 0 } = given;
  const path =
    { login: '/login', generate: '/generateExportToken', redeem: '/redeemExportToken' }[call] ?? '/…';
  const whole: ExchangeView = {
    method: call === 'login' || call === 'generate' ? 'POST' : 'GET',
    url: `${API_URL}${path}`,
    request_headers: REQUEST_HEADERS[call] ?? [],
    request_body: null,
    status: 200,
    wait_ms: 1.8,
    duration_ms: 1.9,
    response_headers: [
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
      ['x-content-type-options', 'nosniff'],
      ['content-length', String(body_size)],
      ['date', new Date(at_ms).toUTCString()],
    ],
    response_body,
    body_size,
    error: null,
    rules: [],
    curl: '',
    ...given,
  };
  return {
    ...whole,
    curl: given.curl ?? curlCommandFor(whole),
    rules: given.rules ?? judgeExchange(whole, came),
  };
}

/** The command as the program writes it, with variable names in place of masked values. */
function curlCommandFor({ call, method, url, request_headers, request_body }: ExchangeView): string {
  const lines = [`curl -sS -i -X ${method} ${call === 'download' ? '"$DOWNLOAD_URL"' : url}`];
  for (const [name, value] of request_headers) {
    // curl computes the length of the body.
    if (name === 'content-length' && request_body !== null) continue;
    const variable = SHELL_VARIABLES[name];
    lines.push(variable ? `-H "${name}: ${variable}"` : `-H '${name}: ${value}'`);
  }
  if (request_body !== null) lines.push(`--data-raw '${LOGIN_BODY}'`);
  return lines.join(' \\\n  ');
}

/** The avatar's progress, with the names of the API. */
interface Progress {
  completion_progress: number;
  completion_status: string;
  queue_position: number;
}

function progressAtShare(share: number): Progress {
  if (share < 0.2)
    return { completion_progress: -1, completion_status: 'no_associated_avatar', queue_position: -1 };
  if (share < 0.45) {
    const queue_position = Math.max(1, 4 - Math.floor((share - 0.2) * 16));
    return { completion_progress: 0, completion_status: 'in_queue', queue_position };
  }
  const completion_progress = Math.min(99, Math.round(((share - 0.45) / 0.55) * 100));
  return { completion_progress, completion_status: 'processing', queue_position: -1 };
}

/** A visit with `length` exchanges; with its files when `whole`. */
export function createTimeline(
  visit: string,
  started_ms: number,
  length: number,
  { whole = true, breaks = true }: { whole?: boolean; breaks?: boolean } = {},
): Timeline {
  const entries: TimelineEntry[] = [];
  const step = (at_ms: number, event: string, more: object = {}) =>
    entries.push({
      kind: 'step',
      at_ms,
      event,
      line: JSON.stringify({ event, visit, at: new Date(at_ms).toISOString(), ...more }),
    });
  const add = (one: ExchangeView) => entries.push({ kind: 'exchange', exchange: one });
  const retrying = (at: number, code: string, message: string) =>
    step(at, 'retrying', { code, message, attempt: 1, next_poll_ms: POLL_MS });
  step(started_ms, 'started', { profile: 'sandbox', api_url: `${API_URL}/` });
  add(
    createExchange({
      id: 1,
      at_ms: started_ms + 4,
      call: 'login',
      request_body: '{"username":"…hZ","password":"…Ir"}',
      response_body: '{"sessionToken":"…ae"}',
      body_size: 53,
    }),
  );
  add(
    createExchange({
      id: 2,
      at_ms: started_ms + 12,
      call: 'generate',
      wait_ms: 5.9,
      duration_ms: 6,
      response_body: '{"token":"…d9"}',
      body_size: 36,
    }),
  );
  step(started_ms + 33, 'invited', { link: `${API_URL}/phone?exportToken=…`, expires_at: null });
  let at = started_ms + 33 + POLL_MS;
  let told = '';
  for (let id = 3; id <= length; id += 1, at += POLL_MS + ((id * 37) % 70)) {
    const wait_ms = 1.4 + ((id * 37) % 71) / 10;
    const took = { id, at_ms: at, call: 'redeem', wait_ms, duration_ms: wait_ms + 0.1 };
    const progress = progressAtShare((id - 3) / (Math.max(length, FULL_VISIT_EXCHANGES) - 3));
    const answer = (avatar_ready: unknown) => JSON.stringify({ avatar_ready, payload_incomplete: progress });
    if (id === RESET_EXCHANGE && breaks) {
      add(
        createExchange({ ...took, status: null, wait_ms: null, response_headers: [], error: RESET_MESSAGE }),
      );
      retrying(at + 12, 'answer_lost', RESET_MESSAGE);
    } else if (id === FAILING_EXCHANGE && breaks) {
      const body = '{"code":503,"error":"a fault of the sandbox: status 503"}';
      add(createExchange({ ...took, status: 503, response_body: body }));
      const why = 'the backend failed at redeem (status 503, code 503: a fault of the sandbox: status 503)';
      retrying(at + 12, 'backend_failing', why);
    } else if (id === INVALID_EXCHANGE && breaks) {
      add(createExchange({ ...took, response_body: answer('false') }, { '/avatar_ready': '"false"' }));
      const why = 'GET /redeemExportToken, at `avatar_ready`: a boolean was promised, and a string came';
      retrying(at + 12, 'protocol_broken', why);
    } else {
      add(createExchange({ ...took, response_body: answer(false) }));
      const { completion_status, completion_progress, queue_position } = progress;
      const said = JSON.stringify(progress);
      if (said !== told)
        step(at + 12, 'status', {
          completion_status,
          completion_progress,
          queue_position,
          next_poll_ms: POLL_MS,
        });
      told = said;
    }
  }
  if (whole) addDelivery(visit, length, at, add, step);
  const exchanges = entries.flatMap((entry) => (entry.kind === 'exchange' ? [entry.exchange] : []));
  return {
    visit: {
      visit,
      started_ms,
      ended: whole ? 'saved' : null,
      exchanges: exchanges.length,
      broken: exchanges.reduce((sum, one) => sum + one.rules.filter((r) => !r.kept).length, 0),
    },
    entries,
  };
}

function addDelivery(
  visit: string,
  last: number,
  at: number,
  add: (one: ExchangeView) => void,
  step: (at_ms: number, event: string, more: object) => void,
): void {
  const exports = ['glb', 'obj', 'png'];
  const payload_complete = exports.map((export_type) => ({ download_URL: `${API_URL}/…`, export_type }));
  const response_body = JSON.stringify({ avatar_ready: true, payload_complete });
  add(
    createExchange({
      id: last + 1,
      at_ms: at,
      call: 'redeem',
      wait_ms: 12.3,
      duration_ms: 13.5,
      response_body,
      body_size: 360,
    }),
  );
  step(at + 26, 'redeemed', { exports });
  DELIVERED_FILES.forEach(({ type, bytes }, i) => {
    add(
      createExchange({
        id: last + 2 + i,
        at_ms: at + 40 + i * 3,
        call: 'download',
        response_headers: [
          ['content-type', type],
          ['content-length', String(bytes)],
          ['etag', `"${['3f3debf7e4367ca7', '2a55e3a5fd9ea18d', '04774f82a17c603d'][i]}"`],
          ['accept-ranges', 'bytes'],
          ['content-disposition', 'attachment'],
          ['x-content-type-options', 'nosniff'],
          ['cache-control', 'no-store'],
          ['date', new Date(at).toUTCString()],
        ],
        wait_ms: 823 + i * 180,
        duration_ms: 858 + i * 219,
        body_size: bytes,
      }),
    );
  });
  DELIVERED_FILES.forEach(({ file, bytes }, i) => {
    step(at + 900 + i * 220, 'progress', { file, bytes, total: bytes });
  });
  const directory = visitFolder(visit, at);
  const files = DELIVERED_FILES.map(({ file, export_type, bytes }) => ({ path: file, export_type, bytes }));
  step(at + 1400, 'saved', { directory, files });
  step(at + 1435, 'ended', {
    code: 'saved',
    exit: 0,
    message: `The avatar is saved, whole. The files are in ${directory}`,
    visit_state: 'saved',
  });
}

/** The folder of a visit's files. */
function visitFolder(visit: string, at: number): string {
  return `/home/booth/.local/share/copresence-kiosk/avatars/${new Date(at).toISOString().slice(0, 10)}-${visit}`;
}

/** Total bytes of the files that the sandbox delivers. */
export const AVATAR_BYTES = DELIVERED_FILES.reduce((sum, { bytes }) => sum + bytes, 0);

/** The visit's entry in the list. */
export function inspectedVisitOf({ visit }: Timeline): InspectorVisitListEntry {
  return visit;
}
