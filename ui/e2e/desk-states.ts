// States of the desk with the scripted host, and how to reach them.
import type { Page } from 'playwright-core';
import { numberKeyOfSection, SECTIONS, type Section } from '../src/desk/sections';
import { clickTestId } from './pages';

/** A named state of the desk. */
export interface DeskState {
  name: string;
  /** The initial state of the lock. */
  desk?: 'open' | 'first' | 'late';
  /** The steps after F10 was pressed. */
  reach: (page: Page) => Promise<void>;
}

const atSection = (
  section: Section,
  more: (page: Page) => Promise<void> = async () => {},
): DeskState['reach'] => {
  return async (page) => {
    await page.locator('[data-testid=section]').waitFor();
    const key = numberKeyOfSection(section);
    if (key) await page.keyboard.press(key);
    else await clickTestId(page, `section-${section}`);
    await page.locator(`[data-section=${section}]`).waitFor();
    await more(page);
  };
};

/** Every state, in the order in which an operator meets them. */
export const DESK_STATES: readonly DeskState[] = [
  { name: 'pad', reach: async (page) => page.keyboard.type('12') },
  {
    name: 'pad-wrong',
    reach: async (page) => {
      for (let i = 0; i < 3; i += 1) {
        await page.keyboard.type('9999');
        await page.keyboard.press('Enter');
      }
      await page.waitForFunction(() =>
        /\d s/.test(document.querySelector('[data-testid=pad-said]')?.textContent ?? ''),
      );
    },
  },
  { name: 'pad-first', desk: 'first', reach: async () => {} },
  { name: 'pad-late', desk: 'late', reach: async () => {} },
  ...SECTIONS.filter(
    (section) => !['inspector', 'checks', 'credentials', 'history', 'health'].includes(section),
  ).map((section): DeskState => ({ name: section, desk: 'open', reach: atSection(section) })),
  {
    name: 'backend-phones',
    desk: 'open',
    reach: atSection('backend', async (page) => {
      await clickTestId(page, 'phones-in');
      await page.getByTestId('phones-at').waitFor();
    }),
  },
  {
    name: 'credentials',
    desk: 'open',
    reach: async (page) => {
      // The sandbox needs no credentials.
      await useProfile(page, 'booth');
      await atSection('credentials', async () => {
        await clickTestId(page, 'set-session-token');
        await page.getByTestId('value-session-token').fill('not-a-real-token');
      })(page);
    },
  },
  {
    name: 'display-refused',
    desk: 'open',
    reach: atSection('display', async (page) => {
      await page.getByTestId('idle-other').fill('5');
      await page.getByTestId('idle-other').press('Enter');
      await page.getByRole('alert').waitFor();
    }),
  },
  {
    name: 'display-keyboard',
    desk: 'open',
    reach: atSection('display', async (page) => {
      // A finger, and no keyboard.
      await page.getByTestId('text-consent').evaluate((field) => {
        field.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, pointerType: 'touch' }));
        field.focus();
      });
      await page.getByTestId('keyboard').waitFor();
      for (const key of ['w', 'e', 'space', 'f', 'i', 'l', 'm']) await clickTestId(page, `type-${key}`);
    }),
  },
  {
    name: 'display-texts',
    desk: 'open',
    reach: atSection('display', async (page) => {
      await writeConsentText(page, 'en', 'We film your face with your own phone to make an avatar of it.');
      await writeConsentText(
        page,
        'de',
        'Wir filmen dein Gesicht mit deinem Telefon und machen daraus einen Avatar.',
      );
      await page.getByTestId('save-consent').click();
      await page.locator('[data-testid=told-consent-de] .done:not(:empty)').waitFor();
      await writeConsentText(
        page,
        'fr',
        'Nous filmons votre visage avec votre téléphone pour en faire un avatar.',
      );
      await chooseTextLocale(page, 'de');
      await scrollTextsIntoView(page);
    }),
  },
  {
    name: 'display-texts-refused',
    desk: 'open',
    reach: atSection('display', async (page) => {
      await writeConsentText(
        page,
        'de',
        'Wir filmen dein Gesicht mit deinem Telefon und machen daraus einen Avatar. '.repeat(140),
      );
      await chooseTextLocale(page, 'ja');
      await page.getByTestId('save-consent').click();
      await page.getByRole('alert').waitFor();
      await scrollTextsIntoView(page);
    }),
  },
  {
    name: 'wipe',
    desk: 'open',
    reach: atSection('retention', async (page) => {
      await clickTestId(page, 'wipe');
      await page.getByTestId('question').waitFor();
    }),
  },
  {
    name: 'history',
    desk: 'open',
    reach: atSection('history', async (page) => {
      await page.getByTestId('past-visit').first().waitFor();
      await page.waitForFunction(() =>
        [...document.querySelectorAll<HTMLImageElement>('[data-testid=past-visit] img')].every(
          ({ complete, naturalWidth }) => complete && naturalWidth > 0,
        ),
      );
    }),
  },
  {
    name: 'health',
    desk: 'open',
    reach: atSection('health', (page) => page.locator('[data-testid=health] [data-stand=bad]').waitFor()),
  },
  {
    name: 'inspector',
    desk: 'open',
    reach: atSection('inspector', async (page) => {
      await page.getByTestId('lines').waitFor();
      await page.keyboard.press('b');
      // A reset exchange, a failed one, and one with an unmet requirement.
      for (let i = 0; i < 3; i += 1) await page.keyboard.press('j');
      await page.keyboard.press('b');
      await page.getByTestId('body').waitFor();
    }),
  },
  {
    name: 'inspector-ended',
    desk: 'open',
    reach: atSection('inspector', async (page) => {
      await page.locator('[data-testid^=visit-]').nth(1).click();
      await page.getByTestId('lines').focus();
      await page.keyboard.press('End');
      for (let i = 0; i < 9; i += 1) await page.keyboard.press('k');
      await page.getByTestId('detail').getByText('"payload_complete"').waitFor();
    }),
  },
  {
    name: 'checks-ask',
    desk: 'open',
    reach: atSection('checks', (page) => page.getByTestId('ask').waitFor()),
  },
  {
    name: 'checks-phone',
    desk: 'open',
    reach: async (page) => {
      // The sandbox would simulate the phone.
      await useProfile(page, 'booth');
      await atSection('checks', async () => {
        await runChecks(page);
        await page.getByTestId('invitation').waitFor();
      })(page);
    },
  },
  {
    name: 'checks',
    desk: 'open',
    reach: async (page) => {
      await useProfile(page, 'sandbox');
      await atSection('checks', async () => {
        await runChecks(page);
        await page.locator('[data-testid=checks-stand][data-stand=ended]').waitFor();
      })(page);
    },
  },
];

/** Shows the operator's texts in a language. */
async function chooseTextLocale(page: Page, tag: string): Promise<void> {
  await clickTestId(page, `texts-in-${tag}`);
  await page.locator(`[data-testid=text-consent][lang=${tag}]`).waitFor();
}

/** Types the consent text of a language. */
async function writeConsentText(page: Page, tag: string, text: string): Promise<void> {
  await chooseTextLocale(page, tag);
  await page.getByTestId('text-consent').fill(text);
}

async function scrollTextsIntoView(page: Page): Promise<void> {
  await page.getByTestId('row-texts-in').evaluate((row) => row.scrollIntoView());
}

/** Selects a profile. */
async function useProfile(page: Page, profile: string): Promise<void> {
  await atSection('backend')(page);
  await clickTestId(page, `profile-${profile}`);
  await page.locator(`[data-testid=profile-${profile}][aria-checked=true]`).waitFor();
  await page.locator('[data-here]').focus();
}

/** Starts a run, and judges checks until it waits or ends. */
async function runChecks(page: Page): Promise<void> {
  if ((await page.locator('[data-testid=checks-stand][data-stand=running]').count()) > 0)
    await clickTestId(page, 'stop');
  if ((await page.getByTestId('start-backend-checks').count()) === 0) await clickTestId(page, 'restart');
  await clickTestId(page, 'start-backend-checks');
  await page.locator('[data-testid=checks-stand][data-stand=running]').waitFor();
  await page.evaluate(() => {
    while (window.fake?.desk.judgeNextCheck()) {
      // The condition does the work.
    }
  });
}

/** Goes to another state without opening the desk again. */
export async function goToDeskState(page: Page, state: DeskState): Promise<void> {
  if ((await page.getByTestId('question').count()) > 0) await clickTestId(page, 'question-no');
  await page.locator('[data-here]').focus();
  await state.reach(page);
}

/** Opens the desk in a state. */
export async function openDeskState(page: Page, state: DeskState): Promise<void> {
  await page.keyboard.press('F10');
  await page.getByTestId('desk').waitFor();
  await page.evaluate(() => document.fonts.ready);
  await page.getByTestId(state.desk === 'open' ? 'section' : 'pad').waitFor();
  await state.reach(page);
  await page.evaluate(() => document.fonts.ready);
}
