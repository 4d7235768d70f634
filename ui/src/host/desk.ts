import type {
  CheckRunOptions,
  ChecksPlan,
  ChecksView,
  InspectorView,
  PanelAction,
  PanelView,
  PartHealthView,
  PastVisit,
  PinLockView,
} from '../generated/view';

/** Ends a subscription. */
export type Unsubscribe = () => void;

/**
 * What the operator's desk asks of the program, behind the PIN. A refusal rejects with a `Problem`; its code
 * `panel_locked` means that the lock has closed meanwhile.
 */
export interface DeskHost {
  /** The state of the lock. */
  readLock(): Promise<PinLockView>;
  /** Tries a PIN. A wrong one is a result, not an error. */
  enterPin(pin: string): Promise<PinLockView>;
  /** Sets the first PIN and opens the lock. Refused when a PIN is set. */
  setFirstPin(pin: string): Promise<PinLockView>;
  /** The current panel data. */
  readPanel(): Promise<PanelView>;
  /** Runs an action, and returns the panel data after it. */
  runPanelAction(act: PanelAction): Promise<PanelView>;
  /** Checks everything that a booth depends on. Takes a few seconds at most. */
  checkHealth(): Promise<PartHealthView[]>;
  /** The past visits, newest first. */
  listPastVisits(): Promise<PastVisit[]>;
  /** Follows a visit (null: the newest), starting with its current state. Replaces an earlier subscription. */
  followVisit(visit: string | null, onView: (view: InspectorView) => void): Promise<Unsubscribe>;
  /** Saves the exchanges of a visit as an HTTP Archive. Returns its path. */
  saveHar(visit: string): Promise<string>;
  /** Follows the checks, starting with the current state. */
  followBackendChecks(onView: (view: ChecksView) => void): Promise<Unsubscribe>;
  /** What a run would do within the limits of the request. Sends nothing to the backend's API. */
  planBackendChecks(ask: CheckRunOptions): Promise<ChecksPlan>;
  /** Starts a run. */
  startBackendChecks(ask: CheckRunOptions): Promise<void>;
  /** Ends the run early. Verdicts so far are kept. */
  stopBackendChecks(): Promise<void>;
  /** Skips the checks that wait for a phone. */
  skipCheck(): Promise<void>;
  /** Saves the report (HTML, JSON, JUnit, HAR). Returns its folder. */
  saveReport(): Promise<string>;
}
