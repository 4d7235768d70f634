import { expect, it } from 'vitest';
import table from '../../crates/copresence-validate/src/act.rs?raw';
import { ACTS, planBackendChecks } from './checks-plan';

const ASK = { most_tokens: 4, wrong_requests: true, with_phone: true, despite_visits: false };

it('has the acts of the table', () => {
  const rows = /const ACTS[^=]*= \[([\s\S]*?)\n\];/.exec(table)?.[1] ?? '';
  const row =
    /((?:\w+\(\s*(?:\d+,\s*)?)*)single_request_act_spec\(\s*Act::(\w+),\s*"([^"]+)",\s*(\d+),\s*(\d+),\s*&\[(?:Act::(\w+))?\]/g;
  const known = [...rows.matchAll(row)].map(([, around = '', act, does, tokens, avatars, after]) => ({
    act,
    does,
    requests: Number(/with_min_requests\(\s*(\d+)/.exec(around)?.[1] ?? 1),
    tokens: Number(tokens),
    avatars: Number(avatars),
    waits: around.includes('mark_act_waits_for_time('),
    after: after ?? null,
  }));
  expect(known).toHaveLength(Number(/ACTS: \[ActNeedsAndCosts; (\d+)\]/.exec(table)?.[1]));
  expect(ACTS).toEqual(known);
});

it('leaves out what is not allowed, and what depends on it', () => {
  const left = (ask: object, sandbox: boolean) =>
    planBackendChecks({ ...ASK, ...ask }, sandbox, 0).acts.flatMap(({ left_out }, i) =>
      left_out ? [ACTS[i]?.act] : [],
    );
  expect(left({}, true)).toEqual(['Plain', 'LostAnswer', 'Witness']);
  expect(planBackendChecks(ASK, true, 2)).toMatchObject({
    tokens: 4,
    avatars: 2,
    disturbs: 2,
    asks_people: false,
  });
  const real = planBackendChecks({ ...ASK, with_phone: false, most_tokens: 1 }, false, 2);
  expect(real).toMatchObject({ tokens: 1, avatars: 0, disturbs: 0, asks_people: false, tokens_at_risk: 5 });
  expect(left({ with_phone: false, most_tokens: 1 }, false)).toEqual([
    'GenerateAgain',
    'Visit',
    'Files',
    'Race',
    'UrlsEnd',
    'Failure',
    'Expiry',
    'LostAnswer',
    'Witness',
  ]);
});
