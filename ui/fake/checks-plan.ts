// What a run of the checks would do, as `validate` plans it: its acts (a test holds them to its table) and its reasons.
import type { ChecksAsk, ChecksPlan } from '../src/generated/view';

/** One act: what it does, its requests at least, what it costs, and what must have been done before. */
export interface Act {
  act: string;
  does: string;
  requests: number;
  tokens: number;
  avatars: number;
  /** Whether the sandbox's clock is moved on for it. */
  waits: boolean;
  after: string | null;
}

const act = (
  act: string,
  does: string,
  requests: number,
  after: string | null = null,
  { tokens = 0, avatars = 0, waits = false } = {},
): Act => ({ act, does, requests, tokens, avatars, waits, after });

/** Every act, in the order of a run. */
export const ACTS: readonly Act[] = [
  act('Login', 'log in', 4),
  act('Generate', 'make an Export Token', 1, null, { tokens: 1 }),
  act('GenerateAgain', 'make a second Export Token', 1, 'Generate', { tokens: 1 }),
  act('Strangers', 'ask for tokens without the right to them', 2),
  act('Fresh', 'redeem a token that nobody has scanned', 2, 'Generate'),
  act('Refused', 'redeem what is no active token', 9, 'Generate'),
  act('Page', 'ask as a page of another site', 3, 'Generate'),
  act('Plain', 'ask over plain HTTP, without credentials', 1),
  act('Visit', 'watch an avatar from the scan to its files', 1, 'Generate', { avatars: 1, waits: true }),
  act('Files', 'fetch each file, twice', 2, 'Visit'),
  act('Race', 'redeem one avatar several times at once', 4, 'GenerateAgain', { avatars: 1, waits: true }),
  act('UrlsEnd', 'leave download URLs until they have ended', 1, 'Race', { waits: true }),
  act('Failure', 'watch an avatar that fails', 1, 'Generate', { tokens: 1, waits: true }),
  act('Expiry', 'redeem a token whose time is over', 1, 'Generate', { tokens: 1, waits: true }),
  act('LostAnswer', 'redeem while the upstream loses its answer', 1, 'Generate', {
    tokens: 1,
    avatars: 1,
    waits: true,
  }),
  act('Witness', 'compare what the upstream was asked', 1, 'Generate', { tokens: 1, waits: true }),
];

const WRONG = ['Strangers', 'Refused', 'Page', 'Plain'];
const PHONE = ['Visit', 'Race'];
const DESTRUCTIVE = ['Race', 'UrlsEnd'];

/** Why an act is left out by itself. */
function reason({ act }: Act, ask: ChecksAsk, sandbox: boolean): string | null {
  if (act === 'Plain' && sandbox) return 'the API is not reached over TLS';
  if ((act === 'Failure' || act === 'Expiry') && !sandbox) return 'only a sandbox can be made to do this';
  if (act === 'LostAnswer' || act === 'Witness') return 'there is no relay';
  if (WRONG.includes(act) && !ask.wrong_requests) return 'no request that is wrong on purpose is to be sent';
  if (PHONE.includes(act) && !ask.with_phone) return 'no avatar is to be made';
  if (DESTRUCTIVE.includes(act) && !sandbox)
    return 'it may lose an avatar, so it runs only with --destructive';
  return null;
}

/** What a run would do at the sandbox or at a backend over TLS, within what is allowed. */
export function planOf(ask: ChecksAsk, sandbox: boolean, visits: number): ChecksPlan {
  const left = new Map<string, string>();
  const done: Act[] = [];
  let tokens = 0;
  for (const one of ACTS) {
    const over = one.tokens > 0 && tokens + one.tokens > ask.most_tokens;
    const before = one.after === null ? undefined : left.get(one.after);
    const why =
      reason(one, ask, sandbox) ??
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
    asks_people: !sandbox && has(({ act }) => PHONE.includes(act)),
    moves_clock,
    disturbs: moves_clock ? visits : 0,
  };
}
