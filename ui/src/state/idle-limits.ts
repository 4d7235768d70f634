// When a screen is given up because nobody is there: pure.
import type { Screen } from '../generated/view';

/** Seconds without a touch before the warning comes, and seconds that the warning stands. */
export interface IdleLimit {
  after: number;
  warning: number;
}

/** Seconds that a face stays on an unattended screen unless the operator says otherwise: the measure of all others. */
const DEFAULT_IDLE_SECONDS = 90;

/**
 * Seconds without a sign of anybody, while the avatar is made and fetched, after which its face is not shown before
 * somebody asks for it. No question of patience: a stranger is there as soon as the visitor has gone.
 */
export const ATTENDANCE_SECONDS = 60;

/**
 * How long each screen waits for somebody, none where it waits for the avatar and not for a person. At the code a
 * person is busy with a phone for minutes and touches nothing here; at the reveal a face is on the screen. `patience`
 * is what the operator set, in seconds: it is that of the reveal, and the others follow in proportion. To answer the
 * warning everybody gets the same time.
 */
export function idleLimitFor(screen: Screen, patience = DEFAULT_IDLE_SECONDS): IdleLimit | null {
  const usual = defaultIdleLimit(screen);
  // How long words that ask nothing stand is no question of patience.
  if (!usual || screen.kind === 'forgetting') return usual;
  return { ...usual, after: Math.round((usual.after * patience) / DEFAULT_IDLE_SECONDS) };
}

function defaultIdleLimit(screen: Screen): IdleLimit | null {
  switch (screen.kind) {
    // Up to 600 characters want to be read.
    case 'consent':
      return { after: 90, warning: 20 };
    case 'preparing':
      return { after: 120, warning: 30 };
    case 'invite':
      return { after: 300, warning: 45 };
    case 'making':
      return screen.status === 'failed' ? { after: 180, warning: 45 } : null;
    case 'reveal':
      return { after: DEFAULT_IDLE_SECONDS, warning: 30 };
    case 'ended':
      return { after: 60, warning: 20 };
    // Nothing is shown of anybody, but staff may be on their way to read what went wrong.
    case 'forgetting':
      if (screen.stand.kind === 'working') return null;
      return { after: screen.stand.kind === 'done' ? 7 : 180, warning: 0 };
    // Nothing is shown of anybody: what is given up is the language that was chosen.
    case 'attract':
      return { after: 45, warning: 0 };
    case 'saving':
      return null;
  }
}

/** How it stands after `idle` seconds without a touch: whole seconds left while the warning is up, else none. */
export function warningSecondsLeft(limit: IdleLimit | null, idle: number): number | null {
  if (!limit || idle < limit.after) return null;
  return Math.max(0, Math.ceil(limit.after + limit.warning - idle));
}
