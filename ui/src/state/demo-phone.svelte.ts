// The performance of the drawn phone, which takes the place of the visitor's in a demo that no phone can reach.
import type { SnapshotStore } from './snapshot-store.svelte';

/** What the drawn phone does: it waits, scans the code, takes a picture, and hands the picture over. */
export type DemoPhonePhase = 'idle' | 'scan' | 'picture' | 'sent';

/** Milliseconds that each step of the performance takes. */
const SCAN_MS = 1700;
const PICTURE_MS = 2300;
const SENT_MS = 900;

/** The steps of a visitor with a phone, in the order of the words on the screen. */
const STEPS: readonly DemoPhonePhase[] = ['scan', 'picture', 'sent'];

/** Animates the drawn phone. When the animation ends, the sandbox records an avatar for the code on the screen. */
export class DemoPhonePlayer {
  /** What the phone does now. */
  phase = $state<DemoPhonePhase>('idle');

  readonly #snapshotStore: SnapshotStore;
  #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(snapshotStore: SnapshotStore) {
    this.#snapshotStore = snapshotStore;
  }

  /** The number of the step that it plays, from 0; -1 while it waits. */
  get step(): number {
    return STEPS.indexOf(this.phase);
  }

  /** Starts the performance, unless it is playing. */
  play(): void {
    if (this.phase !== 'idle') return;
    this.phase = 'scan';
    const picture = () => {
      this.phase = 'picture';
    };
    const sent = () => {
      this.phase = 'sent';
    };
    this.#timers = [
      setTimeout(picture, SCAN_MS),
      setTimeout(sent, SCAN_MS + PICTURE_MS),
      setTimeout(() => void this.#record(), SCAN_MS + PICTURE_MS + SENT_MS),
    ];
  }

  /** Stops it, for a screen that has gone. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.phase = 'idle';
  }

  // The program shows the next screen as soon as it knows of the avatar. After a refusal the visitor can try again.
  async #record(): Promise<void> {
    await this.#snapshotStore.runAction('recordWithSandbox');
    if (this.#snapshotStore.actionProblem) this.phase = 'idle';
  }
}
