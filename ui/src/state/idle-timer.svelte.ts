import { type IdleLimitSeconds, warningSecondsLeft } from './idle-limits';

/** Counts the time without input, and warns before a screen is given up. */
export class IdleTimer {
  /** Seconds left while the warning is shown; null otherwise. */
  warningSeconds = $state<number | null>(null);

  #lastActivity = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #situation = '';

  /**
   * Applies a limit from now on. After the limit `giveUp` is called, again after each further period in which the
   * screen stays. A new screen restarts the count.
   */
  watchScreen(screen: string, limit: IdleLimitSeconds | null, giveUp: () => void): void {
    clearInterval(this.#timer);
    if (screen !== this.#situation) this.resetTimer();
    this.#situation = screen;
    const look = () => {
      this.warningSeconds = warningSecondsLeft(limit, (performance.now() - this.#lastActivity) / 1000);
      if (this.warningSeconds === 0) {
        this.resetTimer();
        giveUp();
      }
    };
    if (limit) this.#timer = setInterval(look, 500);
    else this.warningSeconds = null;
  }

  /** Restarts the count, but does not dismiss a warning: that needs an answer. */
  noteActivity(): void {
    if (this.warningSeconds === null) this.#lastActivity = performance.now();
  }

  /** Restarts the count and dismisses the warning. */
  resetTimer(): void {
    this.#lastActivity = performance.now();
    this.warningSeconds = null;
  }

  /** Stops counting. */
  stopTimer(): void {
    clearInterval(this.#timer);
  }
}
