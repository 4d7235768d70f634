import { describe, expect, it } from 'vitest';
import { createExchange, createTimeline } from '../../../fake/desk-timeline';
import type { ExchangeView, RequirementVerdictView, TimelineEntry } from '../../generated/view';
import { formatDurationRange } from '../format';
import {
  formatJsonLines,
  groupRequirementsByPlace,
  isBodyRequirement,
  placeRequirementsOnLines,
} from './json-lines';
import {
  collapseRepeatedExchanges,
  downloadedFileNameOrType,
  entryStartMillis,
  hasUnmetRequirement,
  type KeyedTimelineEntry,
  mapFileSizeToName,
  matchesTimelineFilter,
  positionInSpanPerMille,
  rateExchangeGoodDoubtOrBad,
  shortestAndLongestDuration,
  summarizeStep,
  type TimelineFilter,
  type TimelineRow,
  timeSpanOfVisit,
  toKeyedTimelineEntries,
  urlPathAndQuery,
} from './timeline';

const all: TimelineFilter = { text: '', broken: false, call: null };
const { entries } = createTimeline('v', 1000, 30);
const left = (filter: Partial<TimelineFilter>) =>
  entries.filter((entry) => matchesTimelineFilter(entry, { ...all, ...filter }));

describe('the filter', () => {
  it('matches everything when it is empty', () => expect(left({})).toEqual(entries));

  it('matches entries with an unmet requirement', () => {
    const broken = left({ broken: true });
    expect(broken.length).toBeGreaterThan(0);
    expect(broken.length).toBeLessThan(entries.length);
    expect(broken.every(hasUnmetRequirement)).toBe(true);
    expect(entries.filter(hasUnmetRequirement)).toEqual(broken);
  });

  it('matches a kind of call, or the steps between them', () => {
    expect(left({ call: 'login' }).map((one) => one.kind === 'exchange' && one.exchange.call)).toEqual([
      'login',
    ]);
    expect(left({ call: 'steps' }).every(({ kind }) => kind === 'step')).toBe(true);
    expect(left({ call: 'steps' }).length).toBe(entries.filter(({ kind }) => kind === 'step').length);
  });

  it('finds words in URL, status, event and error, all of them', () => {
    expect(left({ text: '503' })).toHaveLength(2);
    // The exchange, and the step that announces the retry.
    expect(left({ text: 'RESET by Peer' })).toHaveLength(2);
    expect(left({ text: 'invited' })).toHaveLength(1);
    expect(left({ text: 'get 503' })).toHaveLength(1);
    expect(left({ text: 'post 503' })).toEqual([]);
    expect(left({ text: 'none' })).toHaveLength(1);
  });

  it('finds unmet requirements by their id', () => {
    expect(left({ text: 'red-5' }).every(hasUnmetRequirement)).toBe(true);
    expect(left({ text: 'red-5' })).toHaveLength(1);
  });
});

describe('the timeline', () => {
  it('keeps the key of each row while others are added', () => {
    const before = toKeyedTimelineEntries(createTimeline('v', 1000, 20, { whole: false }).entries);
    const after = toKeyedTimelineEntries(createTimeline('v', 1000, 20, { whole: true }).entries);
    expect(after.slice(0, before.length).map(({ key }) => key)).toEqual(before.map(({ key }) => key));
    expect(new Set(after.map(({ key }) => key)).size).toBe(after.length);
  });

  it('gives identical steps different keys', () => {
    const step: TimelineEntry = { kind: 'step', at_ms: 5, event: 'progress', line: '{}' };
    expect(toKeyedTimelineEntries([step, step]).map(({ key }) => key)).toEqual(['step-0', 'step-1']);
  });

  it('covers the end of the last response', () => {
    const late = createExchange({
      id: 1,
      at_ms: 2000,
      call: 'redeem',
      response_body: '{}',
      duration_ms: 5000,
    });
    const span = timeSpanOfVisit(1000, [{ kind: 'exchange', exchange: late }]);
    expect(span).toEqual({ from: 1000, length: 6000 });
    expect(positionInSpanPerMille(span, 4000)).toBe(500);
    expect(positionInSpanPerMille(span, -1)).toBe(0);
    expect(positionInSpanPerMille(span, 99_000)).toBe(1000);
  });

  it('is sorted by start', () => {
    const begins = entries.map(entryStartMillis);
    expect([...begins].sort((a, b) => a - b)).toEqual(begins);
  });

  it('colours an exchange by its result', () => {
    const with_ = (more: object) =>
      rateExchangeGoodDoubtOrBad({ ...createExchange({ id: 1, at_ms: 0, call: 'download' }), ...more });
    expect(with_({ status: 200 })).toBe('good');
    expect(with_({ status: 400 })).toBe('doubt');
    expect(with_({ status: 503 })).toBe('bad');
    expect(with_({ status: null })).toBe('bad');
    expect(with_({ status: 200, error: 'cut' })).toBe('bad');
  });

  it('names the downloaded file', () => {
    const downloads = entries.flatMap((entry) =>
      entry.kind === 'exchange' && entry.exchange.call === 'download' ? [entry.exchange] : [],
    );
    const brought = (of: TimelineEntry[]) =>
      downloads.map((one) => downloadedFileNameOrType(one, mapFileSizeToName(of)));
    expect(brought(entries)).toEqual(['avatar.png', 'avatar_obj.zip', 'avatar.glb']);
    // Before a step names it, the content type is shown.
    expect(brought([])).toEqual(['image/png', 'application/zip', 'model/gltf-binary']);
    const [first] = downloads;
    const rest: [string, string][] = [
      ['Content-Length', '7'],
      ['Content-Range', 'bytes 363950-363956/363957'],
    ];
    expect(
      first && downloadedFileNameOrType({ ...first, response_headers: rest }, mapFileSizeToName(entries)),
    ).toBe('avatar.png');
    // Two files of the same size cannot be resultText apart.
    const twin: TimelineEntry = {
      kind: 'step',
      at_ms: 1,
      event: 'progress',
      line: JSON.stringify({ file: 'avatar-2.png', total: 363_957 }),
    };
    expect(brought([...entries, twin])[0]).toBe('image/png');
    const poll = entries.find((entry) => entry.kind === 'exchange');
    expect(poll?.kind === 'exchange' && downloadedFileNameOrType(poll.exchange, new Map())).toBeNull();
  });

  it('summarises a step and a URL', () => {
    expect(
      summarizeStep(
        '{"event":"retrying","visit":"v","at":"2026-11-22T10:00:00Z","code":"busy","attempt":3,"x":null,"l":[1]}',
      ),
    ).toBe('code busy, attempt 3, l [1]');
    const status = (completion_status: string, completion_progress: number, queue_position: number | null) =>
      summarizeStep(
        JSON.stringify({
          event: 'status',
          completion_status,
          completion_progress,
          queue_position,
          next_poll_ms: 9,
        }),
      );
    expect(status('in_queue', 0, 4)).toBe('queue 4');
    expect(status('processing', 73, -1)).toBe('processing 73 %');
    expect(status('no_associated_avatar', -1, -1)).toBe('no_associated_avatar');
    expect(status('in_queue', 0, null)).toBe('in_queue');
    expect(summarizeStep('no json')).toBe('no json');
    expect(urlPathAndQuery('https://a.example/1/login?x=1')).toBe('/1/login?x=1');
    expect(urlPathAndQuery('…')).toBe('…');
  });
});

describe('a body', () => {
  const text = (body: string) =>
    formatJsonLines(body)?.map(
      ({ depth, pieces }) => '  '.repeat(depth) + pieces.map((piece) => piece.text).join(''),
    );

  it('is formatted with its original values', () => {
    expect(text('{"a":1.0,"b":[],"c":{"d":[true,"x\\u00e9"]},"n":12345678901234567890}')).toEqual([
      '{',
      '  "a": 1.0,',
      '  "b": [],',
      '  "c": {',
      '    "d": [',
      '      true,',
      '      "x\\u00e9"',
      '    ]',
      '  },',
      '  "n": 12345678901234567890',
      '}',
    ]);
  });

  it('with one value is one line, and null when it is not JSON', () => {
    expect(text('"x, {y}: [z]"')).toEqual(['"x, {y}: [z]"']);
    expect(formatJsonLines('<html>')).toBeNull();
    expect(formatJsonLines('{"a":')).toBeNull();
  });

  it('keeps a key that comes twice', () => expect(text('{"a":1,"a":2}')).toHaveLength(4));

  it('has the pointer of each value, also with special keys', () => {
    const pointers = formatJsonLines('{"a/b":{"~":[null,1]}}')?.map(({ pointer }) => pointer);
    expect(pointers).toEqual(['', '/a~1b', '/a~1b/~0', '/a~1b/~0/0', '/a~1b/~0/1', null, null, null]);
  });

  it('has each requirement at its field, and a missing field at its parent', () => {
    const rule = (at: string, kept = true): RequirementVerdictView => ({
      at,
      requirement: at,
      level: 'must',
      sentence: '',
      kept,
      came: null,
    });
    const lines = formatJsonLines('{"payload_incomplete":{"progress":1}}') ?? [];
    const at = placeRequirementsOnLines(lines, [
      rule('/payload_incomplete/progress'),
      rule('/payload_incomplete/place/deep', false),
      rule('status'),
      rule('content-type'),
      rule(''),
    ]);
    const found = [...at].map(([line, rules]) => [
      line,
      rules.map(({ at, missing }) => `${at}${missing ? '?' : ''}`),
    ]);
    expect(found).toEqual([
      [2, ['/payload_incomplete/progress']],
      [1, ['/payload_incomplete/place/deep?']],
      [0, ['']],
    ]);
    expect(isBodyRequirement(rule('status'))).toBe(false);
    const [status, age, again] = [rule('status'), rule('age'), rule('status', false)];
    expect(groupRequirementsByPlace([status, age, again])).toEqual([
      ['status', [status, again]],
      ['age', [age]],
    ]);
  });
});

describe('repeated exchanges', () => {
  const poll = (id: number, more: Partial<ExchangeView> = {}): KeyedTimelineEntry => ({
    key: `exchange-${id}`,
    entry: {
      kind: 'exchange',
      exchange: createExchange({
        id,
        at_ms: 1000 * id,
        call: 'redeem',
        rules: [],
        response_body: '{}',
        ...more,
      }),
    },
  });
  const sizes = (rows: TimelineRow[]) => rows.map(({ entries }) => entries.length);
  const broken = { requirement: 'RED-1', level: 'must', kept: false } as ExchangeView['rules'][number];

  it('are collapsed while nothing about them differs', () => {
    const rows = collapseRepeatedExchanges([1, 2, 3].map((id) => poll(id, { duration_ms: id * 3 })));
    expect(sizes(rows)).toEqual([3]);
    expect(rows[0]?.key).toBe('exchange-1');
    expect(rows[0] && shortestAndLongestDuration(rows[0])).toEqual([3, 9]);
  });

  it.each<[string, Partial<ExchangeView>]>([
    ['a status', { status: 503 }],
    ['a body', { response_body: '{"a":1}' }],
    ['an error', { error: 'reset', status: null }],
    ['an unmet requirement', { rules: [broken] }],
    ['a request', { url: 'http://127.0.0.1/other' }],
  ])('end at another one: %s', (_, change) => {
    expect(sizes(collapseRepeatedExchanges([poll(1), poll(2), poll(3, change), poll(4), poll(5)]))).toEqual([
      2, 1, 2,
    ]);
  });

  it('are shown alone where their row is expanded', () => {
    const rows = collapseRepeatedExchanges(
      [poll(1), poll(2), poll(3, { status: 503 }), poll(4), poll(5)],
      new Set(['exchange-1']),
    );
    expect(sizes(rows)).toEqual([1, 1, 1, 2]);
  });

  it('say how long they took', () => {
    expect(formatDurationRange(3, 9)).toBe('3–9 ms');
    expect(formatDurationRange(3, 3.2)).toBe('3 ms');
    expect(formatDurationRange(900, 2600)).toBe('900 ms–2.60 s');
  });
});
