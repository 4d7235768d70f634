import type {
  ChecksAsk,
  ChecksPlan,
  ChecksView,
  GateView,
  HealthView,
  InspectorView,
  PanelAct,
  PanelView,
  PastVisit,
} from '../generated/view';

/** Ends what was begun. */
export type Unsubscribe = () => void;

/**
 * What operator and integrator ask of the program, behind the PIN. Whatever is refused rejects with a `Problem`;
 * `panel_locked` means that the door closed meanwhile.
 */
export interface DeskHost {
  /** How the door stands. */
  readLock(): Promise<GateView>;
  /** Tries a PIN. A wrong one is an answer and no failure. */
  enterPin(pin: string): Promise<GateView>;
  /** Sets the first PIN, which opens the door too; refused once there is one. */
  setFirstPin(pin: string): Promise<GateView>;
  /** The panel as it is now. */
  readPanel(): Promise<PanelView>;
  /** Does something, and gives the panel as it is then. */
  runPanelAction(act: PanelAct): Promise<PanelView>;
  /** Looks at everything that a booth depends on; takes some seconds at worst. */
  checkHealth(): Promise<HealthView[]>;
  /** The past visits, the newest first. */
  listPastVisits(): Promise<PastVisit[]>;
  /** Follows a visit (none: the newest) from now on, the present state at once; replaces what was followed before. */
  followVisit(visit: string | null, onView: (view: InspectorView) => void): Promise<Unsubscribe>;
  /** Saves the exchanges of a visit as an HTTP Archive, and says where. */
  saveHar(visit: string): Promise<string>;
  /** Follows the checks, the present state at once. */
  followChecks(onView: (view: ChecksView) => void): Promise<Unsubscribe>;
  /** What a run would do, within what is allowed; sends nothing to the backend's API. */
  planChecks(ask: ChecksAsk): Promise<ChecksPlan>;
  /** Begins a run. */
  startChecks(ask: ChecksAsk): Promise<void>;
  /** Ends it early; what was judged by then stays. */
  stopChecks(): Promise<void>;
  /** Leaves out what waits for a phone just now. */
  skipCheck(): Promise<void>;
  /** Saves the report (HTML, JSON, JUnit, HAR) and says in which folder. */
  saveReport(): Promise<string>;
}
