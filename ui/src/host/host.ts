import type { Snapshot } from '../generated/view';
import type { Desk } from './desk';

/** What the window asks of the program behind it. The screens know only this. */
export interface Host {
  /** Sends the present snapshot at once, then one for every change. The answer ends it. */
  subscribe(onSnapshot: (snapshot: Snapshot) => void): Promise<() => void>;
  /** Begins a visit. */
  start(): Promise<void>;
  /** Agrees to these words of the operator's, and goes on to the code; nothing where others are told now. */
  agree(to: string): Promise<void>;
  /** Back to Attract; whether the visit goes on behind is the program's decision. */
  cancel(): Promise<void>;
  /** A new code in place of the one on the screen. */
  newCode(): Promise<void>;
  /** Opens the sandbox's phone page for the code on the screen. */
  playPhone(): Promise<void>;
  /** Back to Attract after the end of a visit. */
  again(): Promise<void>;
  /** Deletes what this console keeps of the visit on the screen, files and history. */
  forget(): Promise<void>;
  /** What operator and integrator ask, behind the PIN. */
  readonly desk: Desk;
}

/** The names of what a person can do. */
export type Action = Exclude<keyof Host, 'subscribe' | 'desk'>;
