import type { Snapshot } from '../generated/view';
import type { DeskHost } from './desk';

/** What the window asks of the program behind it. The screens know only this. */
export interface Host {
  /** Sends the present snapshot at once, then one for every change. The answer ends it. */
  subscribe(onSnapshot: (snapshot: Snapshot) => void): Promise<() => void>;
  /** Begins a visit. */
  startVisit(): Promise<void>;
  /** Agrees to these words of the operator's, and goes on to the code; nothing where others are told now. */
  agreeToConsent(to: string): Promise<void>;
  /** Back to Attract; whether the visit goes on behind is the program's decision. */
  cancelVisit(): Promise<void>;
  /** A new code in place of the one on the screen. */
  requestNewCode(): Promise<void>;
  /** Opens the sandbox's phone page for the code on the screen. */
  simulatePhone(): Promise<void>;
  /** Back to Attract after the end of a visit. */
  returnToAttract(): Promise<void>;
  /** Deletes what this console keeps of the visit on the screen, files and history. */
  forgetVisit(): Promise<void>;
  /** What operator and integrator ask, behind the PIN. */
  readonly desk: DeskHost;
}

/** The names of what a person can do. */
export type HostAction = Exclude<keyof Host, 'subscribe' | 'desk'>;
