// Whether somebody is likely to stand before the screen when the face comes up.
import type { Screen } from '../generated/view';
import { ATTENDANCE_SECONDS } from './idle-limits';

/**
 * The last sign of a person: what they pressed or moved, and every screen that comes because of what somebody did. What
 * is made and fetched goes on by itself and is a sign of nobody; nor is the screen on which a page was loaded.
 */
export class AttendanceTimer {
  #lastActivity = Number.NEGATIVE_INFINITY;

  /** Somebody did something. */
  noteActivity(): void {
    this.#lastActivity = performance.now();
  }

  /** Nobody is known to be here. */
  markAbsent(): void {
    this.#lastActivity = Number.NEGATIVE_INFINITY;
  }

  /** One screen follows another. */
  noteScreenChange(before: Screen | null, after: Screen): void {
    if (before && !(isAutomaticScreen(before) && (isAutomaticScreen(after) || after.kind === 'reveal')))
      this.noteActivity();
  }

  /** Whether nobody gave a sign for so long that whoever stands here now may be somebody else. */
  get hasLapsed(): boolean {
    return performance.now() - this.#lastActivity >= ATTENDANCE_SECONDS * 1000;
  }
}

/** That of this screen. */
export const attendanceTimer = new AttendanceTimer();

function isAutomaticScreen(screen: Screen): boolean {
  // A recording that failed waits for another one.
  return screen.kind === 'saving' || (screen.kind === 'making' && screen.status !== 'failed');
}
