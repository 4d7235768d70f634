// How long each screen waits without input before it is given up.
import type { Screen } from '../generated/view';

/** The limits of idleness, in seconds: without input before the warning, and for which the warning stays. */
export interface IdleAndWarningSeconds {
  after: number;
  warning: number;
}

/** Default seconds for the reveal screen. The other limits are proportional to it. */
const DEFAULT_IDLE_SECONDS = 90;

/** Characters of a consent text that a slow reader reads in a second. */
const CHARACTERS_READ_PER_SECOND = 10;

/**
 * Seconds without a sign of a person after which the reveal asks before it shows the avatar. Not configurable:
 * another person may be there as soon as the visitor has left.
 */
export const ATTENDANCE_SECONDS = 60;

/**
 * The limit of a screen; null while it waits for the avatar and not for a person. At the QR code a visitor is busy
 * with a phone for minutes. `patience` is the operator's setting in seconds for the reveal; the other screens scale
 * with it. The time to answer the warning is fixed.
 */
export function idleLimitForScreen(
  screen: Screen,
  patience = DEFAULT_IDLE_SECONDS,
): IdleAndWarningSeconds | null {
  const usual = unscaledIdleLimitOfScreen(screen);
  // How long a plain message stays does not depend on the setting.
  if (!usual || screen.kind === 'forgetting') return usual;
  return { ...usual, after: Math.round((usual.after * patience) / DEFAULT_IDLE_SECONDS) };
}

/** The idle limit of a screen before it is scaled by the operator's setting; null if it has none. */
function unscaledIdleLimitOfScreen(screen: Screen): IdleAndWarningSeconds | null {
  switch (screen.kind) {
    case 'consent': {
      const longest = Math.max(0, ...Object.values(screen.texts).map((text) => text?.length ?? 0));
      return {
        after: Math.max(90, Math.min(600, Math.round(longest / CHARACTERS_READ_PER_SECOND))),
        warning: 20,
      };
    }
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
    // Whoever got the ticket may have left with it; the next visitor must not read its code.
    case 'ticket':
      return { after: 40, warning: 20 };
    case 'pick_up':
      return { after: 45, warning: 0 };
    // Shows nobody's data, but staff may be on their way to read what failed.
    case 'forgetting':
      if (screen.stand.kind === 'working') return null;
      return { after: screen.stand.kind === 'done' ? 7 : 180, warning: 0 };
    // Shows nobody's data: giving up only resets the language.
    case 'attract':
      return { after: 45, warning: 0 };
    case 'saving':
      return null;
  }
}

/** Whole seconds left after `idle` seconds without input; null before the warning. */
export function warningSecondsLeft(limit: IdleAndWarningSeconds | null, idle: number): number | null {
  if (!limit || idle < limit.after) return null;
  return Math.max(0, Math.ceil(limit.after + limit.warning - idle));
}
