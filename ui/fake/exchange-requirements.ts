// Judges a single exchange as `validate` does, for the scripted desk. A test compares the sentences with its table of
// requirements.
import type { ExchangeView, RequirementVerdictView } from '../src/generated/view';

/** The requirements that apply to single exchanges. */
export const REQUIREMENT_SENTENCES: Readonly<Record<string, [level: string, sentence: string]>> = {
  'PACE-1': ['must', 'Every request is answered.'],
  'AUTH-1': [
    'must',
    'you can authenticate with the Copresence backend through an API request to receive a session token in response',
  ],
  'GEN-1': ['must', 'Generates an Export Token object in the Copresence backend'],
  'GEN-3': ['must', 'returns the token’s string as a response'],
  'GEN-8': ['should', 'Response JSON Object'],
  'RED-5': ['must', 'A boolean flag inside the response indicates the status of the avatar.'],
  'RED-7': [
    'must',
    'Export token is still active, and its associated avatar exports are either still being processed or ready to download.',
  ],
  'RED-9': ['should', 'Internal server error'],
  'RED-12': [
    'must',
    'True if the avatar associated with the provided Export Token has been completely processed, indicating the ‘payload_complete’ property is present in the response and contains download URLs.',
  ],
  'RED-13': [
    'must',
    'False if the avatar associated with the provided Export Token is still being processed or the user is still to record an avatar, indicating the ‘payload_incomplete’ propety is present in the response',
  ],
  'RED-14': ['must', 'One-time download URL of avatar asset.'],
  'RED-15': ['must', 'Type of avatar asset'],
  'RED-16': ['should', 'usually indicating file extension'],
  'RED-17': [
    'must',
    'Integer to represent the progress towards completing the processing of the avatar associated with the Export Token. Represents percentage, the value is between 0 and 100.',
  ],
  'RED-18': ['must', 'If an avatar has not been associated, the value is -1.'],
  'RED-19': [
    'must',
    'String which indicates the status of the uncompleted avatar associated with the Export Token. Possible values are “no_associated_avatar”, “in_queue”, “processing”, “failed”.',
  ],
  'RED-20': [
    'must',
    'Integer to represent the position in the avatar processing queue of the avatar associated with the Export Token.',
  ],
  'RED-21': ['must', 'If no avatar has been associated or the avatar is not in the queue, value is -1.'],
  'RED-24': ['should', 'Response JSON Object'],
  'EX-4': ['must', 'The video game console can then download the avatar files.'],
  'SAFE-2': ['should', 'Answers with session tokens, Export Tokens, states or URLs are marked `no-store`.'],
  'SAFE-3': ['should', "One-time files are marked `no-store`: they are somebody's face."],
};

const INCOMPLETE = '/payload_incomplete';

/**
 * The requirements of an exchange with the sandbox: all met, except those at the places that `came` names with what
 * was received instead.
 */
export function judgeExchange(
  exchange: ExchangeView,
  came: Readonly<Record<string, string>> = {},
): RequirementVerdictView[] {
  const rules: RequirementVerdictView[] = [];
  const add = (at: string, requirement: string, wrong?: string) => {
    const [level = '', sentence = ''] = REQUIREMENT_SENTENCES[requirement] ?? [];
    const instead = wrong ?? came[at] ?? null;
    rules.push({ at, requirement, level, sentence, kept: instead === null, came: instead });
  };
  const { status, call, error } = exchange;
  add('status', 'PACE-1', status === null ? (error ?? 'no answer') : undefined);
  if (status === null) return rules;
  add('status', 'RED-9', status >= 500 ? `status ${status}` : undefined);
  if (status >= 500) return rules;
  if (call === 'download') {
    add('status', 'EX-4');
    add('cache-control', 'SAFE-3');
    return rules;
  }
  if (call === 'login') add('/sessionToken', 'AUTH-1');
  if (call === 'generate') {
    add('status', 'GEN-1');
    add('content-type', 'GEN-8');
    add('/token', 'GEN-3');
  }
  if (call === 'redeem') {
    add('status', 'RED-7');
    add('content-type', 'RED-24');
    judgeRedeemBody(exchange.response_body ?? '', add);
  }
  add('cache-control', 'SAFE-2');
  return rules;
}

function judgeRedeemBody(text: string, add: (at: string, requirement: string) => void): void {
  const { payload_complete, payload_incomplete } = JSON.parse(text) as {
    payload_complete?: unknown[];
    payload_incomplete?: { completion_status: string };
  };
  if (payload_complete) {
    add('/avatar_ready', 'RED-12');
    add(INCOMPLETE, 'RED-13');
    add('/payload_complete', 'RED-14');
    for (const [requirement, field] of [
      ['RED-14', 'download_URL'],
      ['RED-15', 'export_type'],
      ['RED-16', 'export_type'],
    ] as const)
      payload_complete.forEach((_, i) => void add(`/payload_complete/${i}/${field}`, requirement));
    return;
  }
  add('/avatar_ready', 'RED-5');
  add(INCOMPLETE, 'RED-13');
  add(`${INCOMPLETE}/completion_status`, 'RED-19');
  const status = payload_incomplete?.completion_status;
  add(`${INCOMPLETE}/completion_progress`, status === 'no_associated_avatar' ? 'RED-18' : 'RED-17');
  add(`${INCOMPLETE}/queue_position`, status === 'in_queue' ? 'RED-20' : 'RED-21');
}
