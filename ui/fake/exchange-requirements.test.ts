import { expect, it } from 'vitest';
import table from '../../crates/copresence-validate/requirements.toml?raw';
import { createExchange, createTimeline } from './desk-timeline';
import { REQUIREMENT_SENTENCES } from './exchange-requirements';

const written = (key: string, row: string) => new RegExp(`^${key} = "(.*)"$`, 'm').exec(row)?.[1];

it('uses the sentences of the table of requirements', () => {
  const rows = table.split('[[requirement]]').map((row) => [written('id', row), row] as const);
  const known = new Map(rows);
  for (const [id, [level, sentence]] of Object.entries(REQUIREMENT_SENTENCES)) {
    const row = known.get(id) ?? '';
    expect([id, written('level', row), written('quote', row)]).toEqual([id, level, sentence]);
  }
});

it('has a place for every requirement, and none that is not in the table', () => {
  const { entries } = createTimeline('v', 1000, 64);
  const rules = entries.flatMap((entry) => (entry.kind === 'exchange' ? entry.exchange.rules : []));
  for (const { requirement, sentence } of rules) expect(sentence, requirement).not.toBe('');
  expect(rules.filter(({ kept }) => !kept).map(({ at, requirement }) => `${requirement} ${at}`)).toEqual([
    'PACE-1 status',
    'RED-9 status',
    'RED-5 /avatar_ready',
  ]);
});

it('gives a redeem as curl with the Export Token that redeems', () => {
  const { curl } = createExchange({ id: 1, at_ms: 0, call: 'redeem', response_body: '{}' });
  expect(curl.split(' \\\n  ')).toEqual([
    'curl -sS -i -X GET http://127.0.0.1:8787/redeemExportToken',
    '-H "x-copresence-rest-api-key: $COPRESENCE_API_KEY"',
    '-H "x-copresence-export-token: $EXPORT_TOKEN"',
    "-H 'user-agent: copresence-kiosk/0.1.0'",
    "-H 'accept-encoding: identity'",
    "-H 'accept: application/json'",
  ]);
});
