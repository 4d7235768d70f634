// A visit's time line, made up: for tests, and for a plain browser.
import type { Entry, ExchangeView, InspectedVisit, RuleView, Timeline } from '../generated/view';

const API = 'https://api.example/1';
const HEADERS: [string, string][] = [
  ['content-type', 'application/json; charset=utf-8'],
  ['cache-control', 'no-store'],
  ['strict-transport-security', 'max-age=31536000'],
];
const ASKED: [string, string][] = [
  ['accept', 'application/json'],
  ['x-parse-rest-api-key', '••••3f'],
  ['x-parse-session-token', '••••9a'],
  ['user-agent', 'copresence-kiosk/0.1.0'],
];

const rule = (at: string, requirement: string, sentence: string, came?: string): RuleView => ({
  at,
  requirement,
  level: 'must',
  sentence,
  kept: came === undefined,
  came: came ?? null,
});

type Given = Partial<ExchangeView> & Pick<ExchangeView, 'id' | 'at_ms' | 'call' | 'method' | 'url'>;

/** An exchange with what is usual filled in. */
export function exchange(given: Given): ExchangeView {
  const { method, url, response_body = null } = given;
  return {
    request_headers: ASKED,
    request_body: null,
    status: 200,
    wait_ms: 38,
    duration_ms: 41.5,
    response_headers: HEADERS,
    response_body,
    body_size: response_body?.length ?? 0,
    error: null,
    rules: [],
    curl: [
      `curl -X ${method} '${url}'`,
      `-H "X-Parse-REST-API-Key: $COPRESENCE_API_KEY"`,
      `-H "X-Parse-Session-Token: $COPRESENCE_SESSION_TOKEN"`,
    ].join(' \\\n  '),
    ...given,
  };
}

const status = (id: number, at_ms: number, word: string, progress: number, place: number, broken = false) =>
  exchange({
    id,
    at_ms,
    call: 'redeem',
    method: 'GET',
    url: `${API}/functions/redeemExportToken`,
    wait_ms: 20 + ((id * 37) % 90),
    duration_ms: 24 + ((id * 37) % 90) + (id % 5) * 3,
    response_body: JSON.stringify({
      avatar_ready: broken ? 'false' : false,
      status_report: { completion_status: word, completion_progress: progress, queue_position: place },
    }),
    rules: [
      rule('status', 'RED-1', 'An active Export Token is answered with 200.'),
      rule('cache-control', 'HTTP-4', 'Answers with tokens, states or URLs are not to be cached.'),
      rule(
        '/avatar_ready',
        'RED-4',
        '`avatar_ready` is a boolean: false while the avatar is not ready.',
        broken ? 'the string "false"' : undefined,
      ),
      rule(
        '/status_report/completion_status',
        'STATUS-3',
        'One of: no_associated_avatar, in_queue, processing, failed.',
      ),
      rule(
        '/status_report/completion_progress',
        'STATUS-4',
        'An integer percentage; -1 if not applicable.',
        progress > 100 ? `${progress}` : undefined,
      ),
      rule('/status_report/queue_position', 'STATUS-5', 'The place in the queue; -1 if not applicable.'),
    ],
  });

/** A visit that grows to `length` exchanges, from its beginning to its files when `whole`. */
export function timeline(
  visit: string,
  started_ms: number,
  length: number,
  { whole = true, breaks = true }: { whole?: boolean; breaks?: boolean } = {},
): Timeline {
  const entries: Entry[] = [];
  const step = (at_ms: number, event: string, more: object = {}) =>
    entries.push({ kind: 'step', at_ms, event, line: JSON.stringify({ event, visit, ...more }) });
  const add = (one: ExchangeView) => entries.push({ kind: 'exchange', exchange: one });
  step(started_ms, 'begun', { profile: 'booth' });
  add(
    exchange({
      id: 1,
      at_ms: started_ms + 40,
      call: 'login',
      method: 'POST',
      url: `${API}/login`,
      request_body: '{"username":"••••th","password":"••••"}',
      wait_ms: 142,
      duration_ms: 148,
      response_body: '{"sessionToken":"••••9a"}',
      rules: [
        rule('/sessionToken', 'AUTH-1', 'A login is answered with a session token.'),
        rule('strict-transport-security', 'HTTP-2', 'The API asks for TLS from now on.'),
      ],
    }),
  );
  add(
    exchange({
      id: 2,
      at_ms: started_ms + 210,
      call: 'generate',
      method: 'POST',
      url: `${API}/functions/generateExportToken`,
      wait_ms: 88,
      duration_ms: 91,
      response_body: '{"token":"••••Ys"}',
      rules: [rule('/token', 'TOKEN-4', 'The answer carries the Export Token as `token`.')],
    }),
  );
  step(started_ms + 310, 'invited', { expires_at: null });
  let at = started_ms + 1200;
  for (let id = 3; id <= length; id += 1, at += 900 + ((id * 131) % 900)) {
    const share = (id - 3) / Math.max(1, length - 3);
    if (id === 9 && breaks)
      add({
        ...status(id, at, 'no_associated_avatar', -1, -1),
        status: null,
        wait_ms: null,
        duration_ms: 5003,
        response_headers: [],
        response_body: null,
        body_size: 0,
        rules: [],
        error: 'connection reset by peer after 212 bytes were sent',
      });
    else if (id === 14 && breaks)
      add({
        ...status(id, at, 'x', 0, 0),
        status: 503,
        response_body: '<html><body>busy</body></html>',
        rules: [rule('status', 'RED-1', 'An active Export Token is answered with 200.', '503')],
      });
    else if (share < 0.3) add(status(id, at, 'no_associated_avatar', -1, -1));
    else if (share < 0.5)
      add(status(id, at, 'in_queue', -1, Math.max(0, 4 - Math.floor((share - 0.3) * 20))));
    else
      add(
        status(
          id,
          at,
          'processing',
          Math.round((share - 0.5) * 200),
          -1,
          breaks && id === Math.ceil(length * 0.75),
        ),
      );
    if (id === Math.ceil(length * 0.3)) step(at + 60, 'status', { status: 'in_queue', queue_position: 4 });
    if (id === Math.ceil(length * 0.5)) step(at + 60, 'status', { status: 'processing', progress: 0 });
  }
  if (whole) deliver(entries, visit, length, at);
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

function deliver(entries: Entry[], visit: string, last: number, at: number): void {
  const files = ['glb', 'obj', 'png'];
  entries.push({
    kind: 'exchange',
    exchange: exchange({
      id: last + 1,
      at_ms: at,
      call: 'redeem',
      method: 'GET',
      url: `${API}/functions/redeemExportToken`,
      response_body: JSON.stringify({
        avatar_ready: true,
        payload_complete: files.map((export_type) => ({
          export_type,
          download_URL: 'https://files.example/••••',
        })),
      }),
      rules: [
        rule('/avatar_ready', 'DEL-2', '`avatar_ready` is true with the URLs.'),
        ...files.map((_, i) =>
          rule(`/payload_complete/${i}/download_URL`, 'DEL-3', 'An absolute URL, good for one download.'),
        ),
        rule('/status_report', 'RED-6', 'An answer carries either a status report or URLs.'),
      ],
    }),
  });
  files.forEach((type, i) => {
    entries.push({
      kind: 'exchange',
      exchange: exchange({
        id: last + 2 + i,
        at_ms: at + 60 + i * 8,
        call: 'download',
        method: 'GET',
        url: `https://files.example/••••/${type}`,
        request_headers: [['accept', '*/*']],
        response_headers: [
          ['content-type', 'application/octet-stream'],
          ['accept-ranges', 'bytes'],
        ],
        wait_ms: 60 + i * 20,
        duration_ms: 2600 - i * 900,
        body_size: [18_400_000, 9_250_000, 412_000][i] ?? 0,
        rules: [rule('status', 'FILE-1', 'Each URL brings its file.')],
      }),
    });
  });
  const done = at + 2900;
  entries.push({
    kind: 'step',
    at_ms: done,
    event: 'saved',
    line: JSON.stringify({ event: 'saved', visit, files: 3 }),
  });
  entries.push({
    kind: 'step',
    at_ms: done + 12,
    event: 'ended',
    line: JSON.stringify({ event: 'ended', code: 'saved' }),
  });
}

/** The visit's line in the list. */
export function summary({ visit }: Timeline): InspectedVisit {
  return visit;
}
