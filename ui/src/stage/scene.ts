import { allFiles, type Share } from '../progress';
import type { Screen } from '../generated/view';
import { weight } from '../parts/text-width';

/** The light that tells the state without words. */
export type Light = 'cool' | 'gather' | 'warm' | 'dim';

/** What stands on the stage and how it is lit: the same things on every screen, moved. */
export interface Subject {
  light: Light;
  /** Where the figure stands. */
  pose: 'alone' | 'behind' | 'ringed' | 'gone';
  /** How far up the light has risen on the figure; `sweep` moves without claiming anything. */
  lit: number | 'sweep';
  /** The ring around it. */
  ring: 'none' | 'open' | Share;
}

/** Whether a text fills the screen. */
export function isLong(text: string): boolean {
  return weight(text) > 400;
}

const UNLIT: Subject = { light: 'dim', pose: 'alone', lit: 0, ring: 'none' };
const WAITING: Subject = { light: 'cool', pose: 'alone', lit: 'sweep', ring: 'none' };

/** What the stage depends on beside the screen. */
export interface Around {
  /** Nothing moves yet in a booth that is closed. */
  closed?: boolean;
  /** A face that is not asked for stays away. */
  gated?: boolean;
  /** Where no code is shown, the figure stands in its place. */
  codeless?: boolean;
  /** The operator's words that are on the screen. */
  words?: string | undefined;
}

/** The stage for a screen. */
export function subjectOf(
  screen: Screen | null,
  { closed = false, gated = false, codeless = false, words = '' }: Around = {},
): Subject {
  switch (screen?.kind) {
    case undefined:
      return UNLIT;
    case 'attract':
      return closed ? UNLIT : WAITING;
    case 'consent':
      // Much to read wants a calm ground.
      return isLong(words) ? { ...UNLIT, pose: 'behind' } : WAITING;
    case 'preparing':
      return { light: 'cool', pose: 'ringed', lit: 'sweep', ring: 'open' };
    case 'invite':
      // A code that has run out is gone: the stage is as calm as before the first.
      if (screen.expired) return UNLIT;
      return codeless ? WAITING : { light: 'cool', pose: 'behind', lit: 'sweep', ring: 'none' };
    case 'making':
      return codeless ? UNLIT : making(screen);
    case 'saving': {
      const { share } = allFiles(screen.files);
      return { light: 'warm', pose: 'ringed', lit: 1, ring: share ?? 'open' };
    }
    case 'reveal':
      return { light: 'warm', pose: gated ? 'alone' : 'gone', lit: 1, ring: 'none' };
    case 'forgetting':
    case 'ended':
      return UNLIT;
  }
}

function making(screen: Extract<Screen, { kind: 'making' }>): Subject {
  if (screen.status === 'failed') return { light: 'dim', pose: 'behind', lit: 0, ring: 'none' };
  const known = screen.status === 'processing' && screen.progress !== null;
  const share = known ? Math.min(100, Math.max(0, screen.progress ?? 0)) / 100 : null;
  return { light: 'gather', pose: 'ringed', lit: share ?? 'sweep', ring: share ?? 'open' };
}
