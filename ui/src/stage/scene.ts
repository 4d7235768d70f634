import type { Screen } from '../generated/view';
import { textWidthInLetters } from '../parts/text-width';
import { type ProgressShare, progressWhileMaking, progressWhileSaving } from '../progress';

/** The colour of the light, which tells the state without words. */
export type SceneLight = 'cool' | 'gather' | 'warm' | 'dim';

/** The scene of the figure on the stage: its pose and light. */
export interface FigureScene {
  light: SceneLight;
  /** Where the figure is. */
  pose: 'alone' | 'behind' | 'ringed' | 'gone';
  /** How far the light has risen on the figure (0 to 1); `sweep` moves without showing progress. */
  lit: number | 'sweep';
  /** The ring around the figure. */
  ring: 'none' | 'open' | ProgressShare;
}

/** Whether a text fills the screen. */
export function isLongText(text: string): boolean {
  return textWidthInLetters(text) > 400;
}

const UNLIT_SCENE: FigureScene = { light: 'dim', pose: 'alone', lit: 0, ring: 'none' };
/** Without a figure, for screens without a visitor. */
const EMPTY_SCENE: FigureScene = { ...UNLIT_SCENE, pose: 'gone' };
const WAITING_SCENE: FigureScene = { light: 'cool', pose: 'alone', lit: 'sweep', ring: 'none' };

/** What the scene depends on besides the screen. */
export interface SceneConditions {
  /** Whether the booth is closed: nothing moves. */
  isClosed?: boolean;
  /** Whether the avatar is not shown before it is asked for. */
  needsRevealConsent?: boolean;
  /** Whether no QR code is shown: the figure takes its place. */
  isQrCodeHidden?: boolean;
  /** The operator's consent text on the screen. */
  consentText?: string | undefined;
}

/** The scene for a screen. */
export function sceneForScreen(
  screen: Screen | null,
  {
    isClosed = false,
    needsRevealConsent = false,
    isQrCodeHidden = false,
    consentText = '',
  }: SceneConditions = {},
): FigureScene {
  switch (screen?.kind) {
    case undefined:
      return UNLIT_SCENE;
    case 'attract':
      return isClosed ? EMPTY_SCENE : WAITING_SCENE;
    case 'consent':
      // A long text needs a calm background.
      return isLongText(consentText) ? { ...UNLIT_SCENE, pose: 'behind' } : WAITING_SCENE;
    case 'preparing':
      return { light: 'cool', pose: 'ringed', lit: 'sweep', ring: 'open' };
    case 'invite':
      // An expired code is hidden: the stage is as calm as at the start.
      if (screen.expired) return UNLIT_SCENE;
      return isQrCodeHidden ? WAITING_SCENE : { light: 'cool', pose: 'behind', lit: 'sweep', ring: 'none' };
    case 'making':
      return isQrCodeHidden ? UNLIT_SCENE : sceneForMaking(screen);
    case 'saving': {
      const share = progressWhileSaving(screen.files);
      return { light: 'warm', pose: 'ringed', lit: share, ring: share };
    }
    case 'reveal':
      return { light: 'warm', pose: needsRevealConsent ? 'alone' : 'gone', lit: 1, ring: 'none' };
    case 'forgetting':
    case 'ended':
      return EMPTY_SCENE;
  }
}

/** The scene while the avatar is made: light and ring show the progress. */
function sceneForMaking(screen: Extract<Screen, { kind: 'making' }>): FigureScene {
  if (screen.status === 'failed') return { light: 'dim', pose: 'behind', lit: 0, ring: 'none' };
  const known = screen.status === 'processing' && screen.progress !== null;
  const share = known ? progressWhileMaking(screen.progress ?? 0) : null;
  return { light: 'gather', pose: 'ringed', lit: share ?? 'sweep', ring: share ?? 'open' };
}
