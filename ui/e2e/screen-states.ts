// Everything that can stand on the screen, in one list: the screens by their own names, and what lies over or beyond them.
import type { Page } from 'playwright-core';
import { type ScreenName, screens } from '../fake/fixtures';
import type { Tongue } from '../src/language/locales';
import { press, rest, show } from './pages';

/** What lies over or beyond a screen: the screen, and how one comes there. */
interface Over {
  on: ScreenName;
  by: (page: Page) => Promise<void>;
}

const appears = (page: Page, id: string) => page.getByTestId(id).waitFor();

const OVER = {
  'over-idle': {
    on: 'reveal-portrait',
    by: async (page) => {
      await page.evaluate(() => window.fake?.set({ keep_hours: 0, idle_seconds: 1 }));
      await appears(page, 'idle');
    },
  },
  'over-leave': {
    on: 'making',
    by: async (page) => {
      await press(page, 'back');
      await appears(page, 'leaving');
    },
  },
  'over-forget': {
    on: 'reveal-portrait',
    by: async (page) => {
      await press(page, 'forget');
      await appears(page, 'forget-question');
    },
  },
  'over-languages': {
    on: 'invite-real',
    by: async (page) => {
      await press(page, 'language');
      await appears(page, 'tongue-en');
    },
  },
  'reveal-welcome': { on: 'reveal', by: (page) => press(page, 'this-is-me') },
  'reveal-detail': {
    on: 'reveal',
    by: async (page) => {
      await page.keyboard.press('F9');
      await appears(page, 'operator-detail');
    },
  },
  'invite-detail': {
    on: 'invite',
    by: async (page) => {
      await page.keyboard.press('F9');
      await appears(page, 'detail-qr');
    },
  },
  'ended-detail': {
    on: 'ended',
    by: async (page) => {
      await page.keyboard.press('F9');
      await appears(page, 'operator-detail');
    },
  },
  'hints-keyboard': { on: 'invite-real', by: (page) => page.keyboard.press('Shift') },
  'hints-gamepad': {
    on: 'invite-real',
    by: async (page) => {
      // A button that means nothing of its own on this screen.
      await page.evaluate(() => {
        const pad = {
          id: 'Xbox 360 Controller (XInput STANDARD GAMEPAD)',
          index: 0,
          connected: true,
          axes: [0, 0, 0, 0],
          buttons: Array.from({ length: 17 }, (_, i) => ({ pressed: i === 6 })),
        };
        navigator.getGamepads = () => [pad as unknown as Gamepad];
      });
      await page.getByTestId('hints').waitFor();
      await page.evaluate(() => {
        navigator.getGamepads = () => [];
      });
    },
  },
} as const satisfies Record<string, Over>;

/** The screen that lost its program: there is no program to put another screen up, so that the page is opened for it. */
const LOST = 'lost';

/** The name of a state. */
export type StateName = ScreenName | keyof typeof OVER | typeof LOST;

/** All of them. */
export const STATES = [...Object.keys(screens), ...Object.keys(OVER), LOST] as StateName[];

/** Puts a state up in a language, and waits until it stands. */
export async function stand(
  page: Page,
  name: StateName,
  tongue: Tongue | 'long' | 'mirrored',
): Promise<void> {
  const address = new URL(page.url());
  const lost = address.searchParams.get('fake') === LOST;
  if (lost || name === LOST) {
    address.searchParams.set('fake', name === LOST ? LOST : 'preparing');
    await page.goto(address.href);
    await page.locator('h1').waitFor();
  }
  await page.evaluate(async (which) => {
    // Whoever was there before had a mouse, and left nothing open.
    document.querySelector<HTMLElement>('[data-testid=operator-detail-close]')?.click();
    window.dispatchEvent(new PointerEvent('pointerdown', { pointerType: 'mouse' }));
    await window.fake?.speak(which);
  }, tongue);
  if (name === LOST) {
    await page.evaluate(() => document.fonts.ready);
    return rest(page);
  }
  const over = OVER[name as keyof typeof OVER] as Over | undefined;
  await show(page, over?.on ?? (name as ScreenName));
  await over?.by(page);
  await page.evaluate(() => document.fonts.ready);
  await rest(page);
}
