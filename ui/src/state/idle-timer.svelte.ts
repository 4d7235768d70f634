import { type Limit, warningLeft } from './idle-limits';

/** Whether somebody is there: counts the time since the last touch, and warns before a screen is given up. */
export class Presence {
  /** Seconds left while the warning is up; none while somebody is there. */
  left = $state<number | null>(null);

  #last = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #screen = '';

  /**
   * What holds from now on: after the limit, `giveUp` is called, again and again for as long as nothing comes of it.
   * Another screen is as good as a touch.
   */
  expect(screen: string, limit: Limit | null, giveUp: () => void): void {
    clearInterval(this.#timer);
    if (screen !== this.#screen) this.touch();
    this.#screen = screen;
    const look = () => {
      this.left = warningLeft(limit, (performance.now() - this.#last) / 1000);
      if (this.left === 0) {
        this.touch();
        giveUp();
      }
    };
    if (limit) this.#timer = setInterval(look, 500);
    else this.left = null;
  }

  /** Somebody moved: counts anew, but takes no warning away, which wants an answer. */
  move(): void {
    if (this.left === null) this.#last = performance.now();
  }

  /** Somebody said so: the warning goes. */
  touch(): void {
    this.#last = performance.now();
    this.left = null;
  }

  /** Stops counting. */
  close(): void {
    clearInterval(this.#timer);
  }
}
