// Whether somebody is likely to stand before the screen when the face comes up.
import type { Screen } from '../generated/view';
import { UNATTENDED } from './idle-limits';

/**
 * The last sign of a person: what they pressed or moved, and every screen that comes because of what somebody did. What
 * is made and fetched goes on by itself and is a sign of nobody; nor is the screen on which a page was loaded.
 */
export class Attendance {
  #seen = Number.NEGATIVE_INFINITY;

  /** Somebody did something. */
  sign(): void {
    this.#seen = performance.now();
  }

  /** Nobody is known to be here. */
  leave(): void {
    this.#seen = Number.NEGATIVE_INFINITY;
  }

  /** One screen follows another. */
  follows(before: Screen | null, after: Screen): void {
    if (before && !(isWork(before) && (isWork(after) || after.kind === 'reveal'))) this.sign();
  }

  /** Whether nobody gave a sign for so long that whoever stands here now may be somebody else. */
  get lapsed(): boolean {
    return performance.now() - this.#seen >= UNATTENDED * 1000;
  }
}

/** That of this screen. */
export const attendance = new Attendance();

function isWork(screen: Screen): boolean {
  // A recording that failed waits for another one.
  return screen.kind === 'saving' || (screen.kind === 'making' && screen.status !== 'failed');
}
