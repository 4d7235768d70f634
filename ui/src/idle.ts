// When a screen is given up because nobody is there: pure.
import type { Screen } from './generated/view';

/** Seconds without a touch before the warning comes, and seconds that the warning stands. */
export interface Limit {
  after: number;
  warning: number;
}

/**
 * How long each screen waits for somebody, none where it waits for the avatar and not for a person. At the code a
 * person is busy with a phone for minutes and touches nothing here; at the reveal a face is on the screen.
 */
export function limitOf(screen: Screen): Limit | null {
  switch (screen.kind) {
    case 'consent':
      return { after: 60, warning: 20 };
    case 'preparing':
      return { after: 120, warning: 30 };
    case 'invite':
      return { after: 300, warning: 45 };
    case 'making':
      return screen.status === 'failed' ? { after: 180, warning: 45 } : null;
    case 'reveal':
      return { after: 90, warning: 30 };
    case 'ended':
      return { after: 60, warning: 20 };
    // Whoever was forgotten has nothing to wait for.
    case 'forgetting':
      return screen.stand.kind === 'working' ? null : { after: 12, warning: 0 };
    // Nothing is shown of anybody: what is given up is the language that was chosen.
    case 'attract':
      return { after: 45, warning: 0 };
    case 'saving':
      return null;
  }
}

/** How it stands after `idle` seconds without a touch: whole seconds left while the warning is up, else none. */
export function warningLeft(limit: Limit | null, idle: number): number | null {
  if (!limit || idle < limit.after) return null;
  return Math.max(0, Math.ceil(limit.after + limit.warning - idle));
}
