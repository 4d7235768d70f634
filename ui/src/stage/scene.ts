import type { Screen } from '../generated/view';
import { textWidth } from '../parts/text-width';
import { type ProgressShare, totalProgress } from '../progress';

/** The light that tells the state without words. */
export type SceneLight = 'cool' | 'gather' | 'warm' | 'dim';

/** What stands on the stage and how it is lit: the same things on every screen, moved. */
export interface StageScene {
  light: SceneLight;
  /** Where the figure stands. */
  pose: 'alone' | 'behind' | 'ringed' | 'gone';
  /** How far up the light has risen on the figure; `sweep` moves without claiming anything. */
  lit: number | 'sweep';
  /** The ring around it. */
  ring: 'none' | 'open' | ProgressShare;
}

/** Whether a text fills the screen. */
export function isLongText(text: string): boolean {
  return textWidth(text) > 400;
}

const UNLIT_SCENE: StageScene = { light: 'dim', pose: 'alone', lit: 0, ring: 'none' };
const WAITING_SCENE: StageScene = { light: 'cool', pose: 'alone', lit: 'sweep', ring: 'none' };

/** What the stage depends on beside the screen. */
export interface SceneConditions {
  /** Nothing moves yet in a booth that is closed. */
  isClosed?: boolean;
  /** A face that is not asked for stays away. */
  needsRevealConsent?: boolean;
  /** Where no code is shown, the figure stands in its place. */
  isQrCodeHidden?: boolean;
  /** The operator's words that are on the screen. */
  consentText?: string | undefined;
}

/** The stage for a screen. */
export function sceneForScreen(
  screen: Screen | null,
  {
    isClosed = false,
    needsRevealConsent = false,
    isQrCodeHidden = false,
    consentText = '',
  }: SceneConditions = {},
): StageScene {
  switch (screen?.kind) {
    case undefined:
      return UNLIT_SCENE;
    case 'attract':
      return isClosed ? UNLIT_SCENE : WAITING_SCENE;
    case 'consent':
      // Much to read wants a calm ground.
      return isLongText(consentText) ? { ...UNLIT_SCENE, pose: 'behind' } : WAITING_SCENE;
    case 'preparing':
      return { light: 'cool', pose: 'ringed', lit: 'sweep', ring: 'open' };
    case 'invite':
      // A code that has run out is gone: the stage is as calm as before the first.
      if (screen.expired) return UNLIT_SCENE;
      return isQrCodeHidden ? WAITING_SCENE : { light: 'cool', pose: 'behind', lit: 'sweep', ring: 'none' };
    case 'making':
      return isQrCodeHidden ? UNLIT_SCENE : makingScene(screen);
    case 'saving': {
      const { share } = totalProgress(screen.files);
      return { light: 'warm', pose: 'ringed', lit: 1, ring: share ?? 'open' };
    }
    case 'reveal':
      return { light: 'warm', pose: needsRevealConsent ? 'alone' : 'gone', lit: 1, ring: 'none' };
    case 'forgetting':
    case 'ended':
      return UNLIT_SCENE;
  }
}

function makingScene(screen: Extract<Screen, { kind: 'making' }>): StageScene {
  if (screen.status === 'failed') return { light: 'dim', pose: 'behind', lit: 0, ring: 'none' };
  const known = screen.status === 'processing' && screen.progress !== null;
  const share = known ? Math.min(100, Math.max(0, screen.progress ?? 0)) / 100 : null;
  return { light: 'gather', pose: 'ringed', lit: share ?? 'sweep', ring: share ?? 'open' };
}
