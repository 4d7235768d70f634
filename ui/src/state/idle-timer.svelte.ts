import { type IdleLimit, warningSecondsLeft } from './idle-limits';

/** Whether somebody is there: counts the time since the last touch, and warns before a screen is given up. */
export class IdleTimer {
  /** Seconds left while the warning is up; none while somebody is there. */
  warningSeconds = $state<number | null>(null);

  #lastActivity = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #situation = '';

  /**
   * What holds from now on: after the limit, `giveUp` is called, again and again for as long as nothing comes of it.
   * Another screen is as good as a touch.
   */
  watchScreen(screen: string, limit: IdleLimit | null, giveUp: () => void): void {
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

  /** Somebody moved: counts anew, but takes no warning away, which wants an answer. */
  noteActivity(): void {
    if (this.warningSeconds === null) this.#lastActivity = performance.now();
  }

  /** Somebody said so: the warning goes. */
  resetTimer(): void {
    this.#lastActivity = performance.now();
    this.warningSeconds = null;
  }

  /** Stops counting. */
  stopTimer(): void {
    clearInterval(this.#timer);
  }
}
