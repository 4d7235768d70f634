// Plans a run of the checks as `validate` does. A test compares the acts with its table.
import type { CheckRunOptions, ChecksPlan } from '../src/generated/view';

/** One act of a run: what it does, its minimum number of requests, its cost, and the act it depends on. */
export interface Act {
  act: string;
  does: string;
  requests: number;
  tokens: number;
  avatars: number;
  /** Whether it advances the sandbox's clock. */
  waits: boolean;
  after: string | null;
}

const defineAct = (
  act: string,
  does: string,
  requests: number,
  after: string | null = null,
  { tokens = 0, avatars = 0, waits = false } = {},
): Act => ({ act, does, requests, tokens, avatars, waits, after });

/** Every act, in the order of a run. */
export const ACTS: readonly Act[] = [
  defineAct('Login', 'log in', 4),
  defineAct('Generate', 'make an Export Token', 1, null, { tokens: 1 }),
  defineAct('GenerateAgain', 'make a second Export Token', 1, 'Generate', { tokens: 1 }),
  defineAct('Strangers', 'ask for tokens without the right to them', 2),
  defineAct('Fresh', 'redeem a token that nobody has scanned', 2, 'Generate'),
  defineAct('Refused', 'redeem what is no active token', 9, 'Generate'),
  defineAct('Page', 'ask as a page of another site', 3, 'Generate'),
  defineAct('Plain', 'ask over plain HTTP, without credentials', 1),
  defineAct('Visit', 'watch an avatar from the scan to its files', 1, 'Generate', {
    avatars: 1,
    waits: true,
  }),
  defineAct('Files', 'fetch each file, twice', 2, 'Visit'),
  defineAct('Race', 'redeem one avatar several times at once', 4, 'GenerateAgain', {
    avatars: 1,
    waits: true,
  }),
  defineAct('UrlsEnd', 'leave download URLs until they have ended', 1, 'Race', { waits: true }),
  defineAct('Failure', 'watch an avatar that fails', 1, 'Generate', { tokens: 1, waits: true }),
  defineAct('Expiry', 'redeem a token whose time is over', 1, 'Generate', { tokens: 1, waits: true }),
  defineAct('LostAnswer', 'redeem while the upstream loses its answer, in three ways', 6, 'Generate', {
    tokens: 3,
    avatars: 3,
    waits: true,
  }),
  defineAct('Witness', 'compare what the upstream was asked', 1, 'Generate', { tokens: 1, waits: true }),
];

const WRONG_REQUEST_ACTS = ['Strangers', 'Refused', 'Page', 'Plain'];
const PHONE_ACTS = ['Visit', 'Race'];
const DESTRUCTIVE_ACTS = ['Race', 'UrlsEnd'];

/** Why an act is left out, apart from the budget and its dependency. */
function reasonToLeaveOut({ act }: Act, ask: CheckRunOptions, sandbox: boolean): string | null {
  if (act === 'Plain' && sandbox) return 'the API is not reached over TLS';
  if ((act === 'Failure' || act === 'Expiry') && !sandbox) return 'only a sandbox can be made to do this';
  if (act === 'LostAnswer' || act === 'Witness') return 'there is no relay';
  if (WRONG_REQUEST_ACTS.includes(act) && !ask.wrong_requests)
    return 'no request that is wrong on purpose is to be sent';
  if (PHONE_ACTS.includes(act) && !ask.with_phone) return 'no avatar is to be made';
  if (DESTRUCTIVE_ACTS.includes(act) && !sandbox)
    return 'it may lose an avatar, so it runs only with --destructive';
  return null;
}

/** The plan of a run against the sandbox or a backend over TLS, within the limits of the request. */
export function planBackendChecks(ask: CheckRunOptions, sandbox: boolean, visits: number): ChecksPlan {
  const left = new Map<string, string>();
  const done: Act[] = [];
  let tokens = 0;
  for (const one of ACTS) {
    const over = one.tokens > 0 && tokens + one.tokens > ask.most_tokens;
    const before = one.after === null ? undefined : left.get(one.after);
    const why =
      reasonToLeaveOut(one, ask, sandbox) ??
      before ??
      (over ? `it needs a token more than --max-tokens ${ask.most_tokens} allows` : null);
    if (why !== null) {
      left.set(one.act, why);
      continue;
    }
    tokens += one.tokens;
    done.push(one);
  }
  const has = (what: (one: Act) => boolean) => done.some(what);
  const moves_clock = sandbox && has(({ waits }) => waits);
  return {
    acts: ACTS.map(({ act, does, requests }) => ({ does, requests, left_out: left.get(act) ?? null })),
    requests: done.reduce((sum, { requests }) => sum + requests, 0),
    tokens,
    tokens_at_risk: has(({ act }) => act === 'Strangers') ? 5 : 0,
    avatars: done.reduce((sum, { avatars }) => sum + avatars, 0),
    free: sandbox,
    asks_people: !sandbox && has(({ act }) => PHONE_ACTS.includes(act)),
    moves_clock,
    disturbs: moves_clock ? visits : 0,
  };
}
