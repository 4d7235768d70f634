import { type IdleAndWarningSeconds, warningSecondsLeft } from './idle-limits';

/** Counts the time without input, and warns before a screen is given up. */
export class IdleTimer {
  /** Seconds left while the warning is shown; null otherwise. */
  warningSeconds = $state<number | null>(null);

  #lastActivity = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #situation = '';
  #limit: IdleAndWarningSeconds | null = null;
  #giveUp = () => {};

  /**
   * Applies a limit from now on. After the limit `giveUp` is called, again after each further period in which the
   * screen stays. The count restarts with a new screen, and with a limit after a time without one, in which nothing
   * was counted: the operator has closed the desk.
   */
  watchScreen(screen: string, limit: IdleAndWarningSeconds | null, giveUp: () => void): void {
    if (screen !== this.#situation || (limit && !this.#limit)) this.resetTimer();
    this.#situation = screen;
    this.#limit = limit;
    this.#giveUp = giveUp;
    if (limit) this.#timer ??= setInterval(() => this.#checkLimit(), 500);
    else {
      this.stopTimer();
      this.warningSeconds = null;
    }
  }

  #checkLimit(): void {
    this.warningSeconds = warningSecondsLeft(this.#limit, (performance.now() - this.#lastActivity) / 1000);
    if (this.warningSeconds !== 0) return;
    this.resetTimer();
    this.#giveUp();
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
    this.#timer = undefined;
  }
}
