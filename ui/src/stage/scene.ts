import type { Problem, Screen, TicketState } from '../generated/view';
import { textWidthInLetters } from '../parts/text-width';
import { overallProgressWhileMaking, overallProgressWhileSaving, type ProgressShare } from '../progress';

/** The colour of the light, which tells the state without words. */
export type SceneLight = 'cool' | 'gather' | 'warm' | 'dim';

/** The scene of the figure on the stage: its pose and light. */
export interface FigureScene {
  light: SceneLight;
  /** Where the figure is. */
  pose: 'alone' | 'ringed' | 'gone';
  /** How far the light has risen on the figure (0 to 1); `sweep` moves without showing progress. */
  lit: number | 'sweep';
  /** The ring around the figure. */
  ring: 'none' | 'open' | ProgressShare;
  /** A drawing in the place of the figure, which says what has happened. */
  symbol?: StageSymbolName;
}

/**
 * What a symbol shows: an expired code, a broken connection, an unplugged console, a portrait that is missing, a bell
 * for the staff, or a tick.
 */
export type StageSymbolName = 'code' | 'connection' | 'console' | 'portrait' | 'bell' | 'tick';

/** The symbols of the problems that a visitor can understand. All others call the staff. */
const SYMBOL_BY_PROBLEM: Record<string, StageSymbolName> = {
  token_refused: 'code',
  token_expired: 'code',
  token_abandoned: 'code',
  timed_out: 'code',
  backend_unreachable: 'connection',
  answer_lost: 'connection',
  download_interrupted: 'connection',
  gate: 'connection',
  possibly_consumed: 'connection',
  avatar_failed: 'portrait',
  saved_in_part: 'portrait',
  interrupted: 'tick',
};

/** Whether a text is so long (more than 400 letters wide) that it fills the screen, in front of the figure. */
export function doesTextFillScreen(text: string): boolean {
  return textWidthInLetters(text) > 400;
}

const UNLIT_SCENE: FigureScene = { light: 'dim', pose: 'alone', lit: 0, ring: 'none' };
/** Without a figure, for screens without a visitor. */
const EMPTY_SCENE: FigureScene = { ...UNLIT_SCENE, pose: 'gone' };
/** The figure of whoever stands here, while most of its light has gone out from the top. */
const VANISHING_SCENE: FigureScene = { ...UNLIT_SCENE, lit: 0.35 };
const WAITING_SCENE: FigureScene = { light: 'cool', pose: 'alone', lit: 'sweep', ring: 'none' };

/** What the scene depends on besides the screen. */
export interface SceneConditions {
  /** Why the booth is closed: nothing moves. */
  closed?: Problem | null;
  /** Whether the page has no program to talk to. */
  isDisconnected?: boolean;
  /** Whether the avatar is not shown before it is asked for. */
  needsRevealConsent?: boolean;
  /** The operator's consent text on the screen. */
  consentText?: string | undefined;
}

/** The scene for a screen. */
export function sceneForScreen(
  screen: Screen | null,
  {
    closed = null,
    isDisconnected = false,
    needsRevealConsent = false,
    consentText = '',
  }: SceneConditions = {},
): FigureScene {
  if (isDisconnected) return { ...EMPTY_SCENE, symbol: 'console' };
  switch (screen?.kind) {
    case undefined:
      return UNLIT_SCENE;
    case 'attract':
      return closed ? sceneForProblem(closed) : WAITING_SCENE;
    case 'consent':
      // A long text needs a calm stage.
      return doesTextFillScreen(consentText) ? UNLIT_SCENE : WAITING_SCENE;
    case 'preparing':
      return { light: 'cool', pose: 'ringed', lit: 'sweep', ring: 'open' };
    case 'invite':
      // The same as at the end of a visit whose code has expired.
      if (screen.expired) return { ...EMPTY_SCENE, symbol: 'code' };
      return { ...EMPTY_SCENE, light: 'cool' };
    case 'making':
      return sceneWhileAvatarIsMade(screen);
    case 'saving': {
      const share = overallProgressWhileSaving(screen.files);
      return { light: 'warm', pose: 'ringed', lit: share, ring: share };
    }
    case 'reveal':
      return { light: 'warm', pose: needsRevealConsent ? 'alone' : 'gone', lit: 1, ring: 'none' };
    case 'ticket':
      return { ...EMPTY_SCENE, light: 'gather' };
    case 'pick_up': {
      const lights: Record<TicketState, SceneLight> = {
        recording: 'cool',
        making: 'gather',
        ready: 'warm',
        failed: 'warm',
        closed: 'dim',
      };
      return { ...EMPTY_SCENE, light: lights[screen.ticket.state] };
    }
    case 'forgetting':
      if (screen.stand.kind === 'working') return VANISHING_SCENE;
      return { ...EMPTY_SCENE, symbol: screen.stand.kind === 'done' ? 'tick' : 'bell' };
    case 'ended':
      return sceneForProblem(screen.problem);
  }
}

/** The scene behind a dialog: the light goes on, and the figure is a shade, never the face of whoever was here. */
export function sceneBehindDialog({ light }: FigureScene): FigureScene {
  return { ...UNLIT_SCENE, light };
}

/** The scene for what has gone wrong. */
function sceneForProblem({ code }: Problem): FigureScene {
  return { ...EMPTY_SCENE, symbol: SYMBOL_BY_PROBLEM[code] ?? 'bell' };
}

/** The scene while the avatar is made: light and ring show the progress. */
function sceneWhileAvatarIsMade(screen: Extract<Screen, { kind: 'making' }>): FigureScene {
  if (screen.status === 'failed') return EMPTY_SCENE;
  const known = screen.status === 'processing' && screen.progress !== null;
  const share = known ? overallProgressWhileMaking(screen.progress ?? 0) : null;
  return { light: 'gather', pose: 'ringed', lit: share ?? 'sweep', ring: share ?? 'open' };
}
