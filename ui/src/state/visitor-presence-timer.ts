// Estimates whether a visitor is still in front of the screen when the avatar appears.
import type { Screen } from '../generated/view';
import { ATTENDANCE_SECONDS } from './idle-limits';

/**
 * Measures the time since the last sign of a visitor: an input, or a change of screen that a person caused.
 * Screens that change on their own while the avatar is made and downloaded do not count, nor does the first screen
 * of a loaded page.
 */
export class VisitorPresenceTimer {
  #lastActivity = Number.NEGATIVE_INFINITY;

  /** When the last sign was, in `performance.now()` time; minus infinity when no person is known to be there. */
  get lastActivity(): number {
    return this.#lastActivity;
  }

  /** Notes an input. */
  noteActivity(): void {
    this.#lastActivity = performance.now();
  }

  /** Forgets every sign: no person is known to be there. */
  markAbsent(): void {
    this.#lastActivity = Number.NEGATIVE_INFINITY;
  }

  /** Notes a change of screen. */
  noteScreenChange(before: Screen | null, after: Screen): void {
    if (
      before &&
      !(isSelfAdvancingScreen(before) && (isSelfAdvancingScreen(after) || after.kind === 'reveal'))
    )
      this.noteActivity();
  }

  /** Whether the last sign is so old that another person may be there now. */
  get hasLapsed(): boolean {
    return performance.now() - this.#lastActivity >= ATTENDANCE_SECONDS * 1000;
  }
}

/** The timer of this page. */
export const visitorPresenceTimer = new VisitorPresenceTimer();

/** Whether this screen changes without a person: while the avatar is made or its files are saved. */
function isSelfAdvancingScreen(screen: Screen): boolean {
  // After a failed recording the screen waits for the visitor.
  return screen.kind === 'saving' || (screen.kind === 'making' && screen.status !== 'failed');
}
