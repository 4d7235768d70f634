/** Problems that a new code solves. Not the same as `retry_helps`: a full disk can be retried, but not by the visitor. */
const SOLVED_BY_NEW_CODE = [
  'token_refused',
  'token_expired',
  'token_abandoned',
  'avatar_failed',
  'possibly_consumed',
  'timed_out',
  'saved_in_part',
];

/** Whether a new QR code solves the problem with this error code. */
export function isSolvedByNewCode(problemCode: string): boolean {
  return SOLVED_BY_NEW_CODE.includes(problemCode);
}
