import type { Snapshot } from '../generated/view';
import type { DeskHost } from './desk';

/**
 * The screen that a command expects: the visit and the snapshot revision that its button belongs to. The program
 * ignores a command whose visit or screen is no longer shown.
 */
export interface ExpectedScreen {
  /** The visit on the screen where the button was pressed; absent on screens without a visit. */
  visit?: string;
  /** The revision of the snapshot that this screen shows. */
  revision: number;
}

/** What the screens ask of the program behind the window. Without a target, a command acts on whatever is shown. */
export interface Host {
  /** Sends the current snapshot at once, then one for every change, until the returned function is called. */
  subscribe(onSnapshot: (snapshot: Snapshot) => void): Promise<() => void>;
  /** Starts a visit. */
  startVisit(target?: ExpectedScreen): Promise<void>;
  /** Agrees to this text of the operator's and continues to the QR code. Ignored when the text has changed. */
  agreeToConsent(to: string, target?: ExpectedScreen): Promise<void>;
  /** Returns to Attract. The program decides whether the visit continues in the background. */
  cancelVisit(target?: ExpectedScreen): Promise<void>;
  /** Replaces the QR code on the screen. */
  requestNewCode(target?: ExpectedScreen): Promise<void>;
  /** Opens the sandbox's phone page for the QR code on the screen. */
  simulatePhone(target?: ExpectedScreen): Promise<void>;
  /** Has the sandbox record a new avatar for the QR code on the screen, as its phone page does. */
  recordWithSandbox(target?: ExpectedScreen): Promise<void>;
  /** Returns to Attract after the end of a visit. */
  returnToAttract(target?: ExpectedScreen): Promise<void>;
  /** Deletes the files and the history entry of the visit on the screen. */
  forgetVisit(target?: ExpectedScreen): Promise<void>;
  /** Hands the visit on the screen over: it continues as a ticket, which is shown, and the screen is free after it. */
  handOverVisit(target?: ExpectedScreen): Promise<void>;
  /** Shows the code entry of a ticket, named by its visit. */
  chooseTicket(ticket: string, target?: ExpectedScreen): Promise<void>;
  /** Enters the pickup code of the ticket on the screen: four digits. */
  enterPickupCode(code: string, target?: ExpectedScreen): Promise<void>;
  /** What the operator's desk asks, behind the PIN. */
  readonly desk: DeskHost;
}

/** A command of the visitor. */
export type HostAction = Exclude<keyof Host, 'subscribe' | 'desk'>;

/** A command of the visitor that needs nothing but its target. */
export type HostActionWithoutArguments = Exclude<
  HostAction,
  'agreeToConsent' | 'chooseTicket' | 'enterPickupCode'
>;
