// Everything that can be on the screen, in one list: the screens by their names, and what is shown over them.
import type { Page } from 'playwright-core';
import { type ScreenName, screens } from '../fake/fixtures';
import type { Locale } from '../src/language/locales';
import { clickTestId, finishAnimations, showScreen } from './pages';

/** A state over a screen, and how to reach it. */
interface OverlayState {
  on: ScreenName;
  by: (page: Page) => Promise<void>;
}

const waitForTestId = (page: Page, id: string) => page.getByTestId(id).waitFor();

const OVERLAYS = {
  'over-idle': {
    on: 'reveal-portrait',
    by: async (page) => {
      await page.evaluate(() => window.fake?.setBooth({ keep_hours: 0, idle_seconds: 1 }));
      await waitForTestId(page, 'idle');
    },
  },
  'over-leave': {
    on: 'making',
    by: async (page) => {
      await clickTestId(page, 'back');
      await waitForTestId(page, 'leaving');
    },
  },
  'over-forget': {
    on: 'reveal-portrait',
    by: async (page) => {
      await clickTestId(page, 'forget');
      await waitForTestId(page, 'forget-question');
    },
  },
  'over-languages': {
    on: 'invite-real',
    by: async (page) => {
      await clickTestId(page, 'language');
      await waitForTestId(page, 'tongue-en');
    },
  },
  'reveal-welcome': { on: 'reveal', by: (page) => clickTestId(page, 'this-is-me') },
  'reveal-detail': {
    on: 'reveal',
    by: async (page) => {
      await page.keyboard.press('F9');
      await waitForTestId(page, 'operator-detail');
    },
  },
  'invite-detail': {
    on: 'invite',
    by: async (page) => {
      await page.keyboard.press('F9');
      await waitForTestId(page, 'detail-qr');
    },
  },
  'ended-detail': {
    on: 'ended',
    by: async (page) => {
      await page.keyboard.press('F9');
      await waitForTestId(page, 'operator-detail');
    },
  },
  'hints-keyboard': { on: 'invite-real', by: (page) => page.keyboard.press('Shift') },
  'hints-gamepad': {
    on: 'invite-real',
    by: async (page) => {
      // A button without a meaning on this screen.
      await page.evaluate(() => {
        const pad = {
          id: 'Xbox 360 Controller (XInput STANDARD GAMEPAD)',
          index: 0,
          connected: true,
          mapping: 'standard',
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
} as const satisfies Record<string, OverlayState>;

/** The screen without a program. There is no program to show it: the page is opened for it. */
const CONNECTION_LOST = 'lost';

/** The name of a state. */
export type StateName = ScreenName | keyof typeof OVERLAYS | typeof CONNECTION_LOST;

/** All states. */
export const STATES = [...Object.keys(screens), ...Object.keys(OVERLAYS), CONNECTION_LOST] as StateName[];

/** Shows a state in a language, and waits for it. */
export async function showState(
  page: Page,
  name: StateName,
  locale: Locale | 'long' | 'mirrored',
): Promise<void> {
  const address = new URL(page.url());
  const lost = address.searchParams.get('fake') === CONNECTION_LOST;
  if (lost || name === CONNECTION_LOST) {
    address.searchParams.set('fake', name === CONNECTION_LOST ? CONNECTION_LOST : 'preparing');
    await page.goto(address.href);
    await page.locator('h1').waitFor();
  }
  await page.evaluate(async (which) => {
    // Resets the input device and closes the detail.
    document.querySelector<HTMLElement>('[data-testid=operator-detail-close]')?.click();
    window.dispatchEvent(new PointerEvent('pointerdown', { pointerType: 'mouse' }));
    await window.fake?.setLocale(which);
  }, locale);
  if (name === CONNECTION_LOST) {
    await page.evaluate(() => document.fonts.ready);
    return finishAnimations(page);
  }
  const over = OVERLAYS[name as keyof typeof OVERLAYS] as OverlayState | undefined;
  await showScreen(page, over?.on ?? (name as ScreenName));
  await over?.by(page);
  // An avatar that the state before has announced is no part of this one.
  await page.locator('[data-testid=ticket-announcement] p').waitFor({ state: 'detached' });
  await page.evaluate(() => document.fonts.ready);
  await finishAnimations(page);
}
