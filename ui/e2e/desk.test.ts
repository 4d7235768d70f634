// The desk in a real browser: every state at every size, light and dark; by keyboard alone and by gamepad alone.
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, it } from 'vitest';
import { deskFaults } from './desk-layout-faults';
import { DESK_STATES, goToDeskState, openDeskState } from './desk-states';
import { SIZES } from './pages';
import { axeFaults, contrastFaults, useBrowser } from './test-browser';

const { open } = useBrowser();
const DESK = '[data-testid=desk]';
const [first, ...others] = DESK_STATES.filter(({ desk }) => desk === 'open');
const pads = DESK_STATES.filter(({ desk }) => desk !== 'open');
const SOON = { timeout: 60_000 };

let page: Page;
afterEach(() => page?.close());

/** Visits every unlocked state. */
async function walk(look: (name: string) => Promise<void>): Promise<void> {
  if (!first) throw new Error('no states');
  await openDeskState(page, first);
  await look(first.name);
  for (const state of others) {
    await goToDeskState(page, state);
    await look(state.name);
  }
}

describe.each(SIZES)('at %i × %i', (width, height) => {
  it('every section fits, and an element has the focus', async () => {
    const opened = await open({ size: [width, height], desk: 'open' });
    page = opened.page;
    const found: string[] = [];
    await walk(async (name) => {
      for (const fault of await page.evaluate(deskFaults)) found.push(`${name}: ${fault}`);
    });
    expect(found).toEqual([]);
    expect(opened.faults).toEqual([]);
  });
});

describe.each(pads)('$name', (state) => {
  it.each(['light', 'dark'] as const)('has room and contrast, %s', async (colours) => {
    const { desk } = state;
    const opened = await open({ size: [1280, 720], colours, ...(desk ? { desk } : {}) });
    page = opened.page;
    await openDeskState(page, state);
    // It is shown over the stage, which is dark.
    expect(await page.locator(DESK).getAttribute('data-theme')).toBe('dark');
    expect(await page.evaluate(deskFaults)).toEqual([]);
    expect(await axeFaults(page)).toEqual([]);
    expect(await contrastFaults(page, DESK)).toEqual([]);
    expect(opened.faults).toEqual([]);
  });
});

describe('axe finds nothing', () => {
  it.each(['light', 'dark'] as const)('in any section, %s', async (colours) => {
    const opened = await open({ size: [1920, 1080], colours, desk: 'open' });
    page = opened.page;
    expect(await page.locator(DESK).count()).toBe(0);
    const found: string[] = [];
    await walk(async (name) => {
      expect(await page.locator(DESK).getAttribute('data-theme')).toBe(colours);
      for (const fault of await axeFaults(page)) found.push(`${name}: ${fault}`);
      for (const fault of await contrastFaults(page, DESK)) found.push(`${name}: ${fault}`);
    });
    expect(found).toEqual([]);
  });
});

/** Whether the focus has come round, and the focused element if its outline is not visible. */
function focusSeen(): { round: boolean; unseen: string | null } {
  const active = document.activeElement as HTMLElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(active);
  const box = active.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const seen = inside && outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 1;
  const { walked = [] } = window as { walked?: Element[] };
  const round = walked.length > 1 && walked[0] === active;
  if (!walked.includes(active)) walked.push(active);
  return { round, unseen: seen ? null : (active.dataset.testid ?? active.outerHTML.slice(0, 60)) };
}

const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
const on = (id: string) =>
  page.waitForFunction((which) => document.activeElement?.getAttribute('data-testid') === which, id, SOON);

describe('by keyboard alone', () => {
  it('an operator opens the desk, changes a setting, and leaves', async () => {
    const opened = await open({ size: [1280, 720] });
    page = opened.page;
    await page.keyboard.press('F10');
    await on('pin');
    await page.keyboard.type('1234');
    await page.keyboard.press('Enter');
    await on('section-backend');
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('profile-sandbox');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByText('New visits use “booth” from now on.').waitFor();
    expect(await focused()).toBe('profile-booth');
    await page.keyboard.press('6');
    await page.getByTestId('keep').waitFor();
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('keep-none');
    await page.keyboard.press('t');
    expect(await page.locator(DESK).getAttribute('data-theme')).toBe('dark');
    await page.keyboard.press('Escape');
    expect(await focused()).toBe('section-retention');
    await page.keyboard.press('Escape');
    await page.locator(DESK).waitFor({ state: 'detached' });
    await on('start');
    expect(await page.evaluate(() => window.fake?.desk.panelActions.map(({ kind }) => kind))).toEqual([
      'use_profile',
      'lock',
    ]);
    expect(await page.evaluate(() => window.fake?.calledActions)).toEqual([]);
    expect(opened.faults).toEqual([]);
  });

  it('the focus cycles through each section and is always visible', async () => {
    page = (await open({ size: [1280, 720], desk: 'open' })).page;
    const unseen: string[] = [];
    await walk(async (name) => {
      await page.evaluate(() => Object.assign(window, { walked: [] }));
      let round = false;
      for (let i = 0; i < 150 && !round; i += 1) {
        await page.keyboard.press('Tab');
        const now = await page.evaluate(focusSeen);
        round = now.round;
        if (now.unseen) unseen.push(`${name}: ${now.unseen}`);
      }
      expect(round, `${name}: the focus does not come round`).toBe(true);
      const walked = await page.evaluate(() => (window as { walked?: Element[] }).walked?.length ?? 0);
      // A dialog has two; everything else includes the navigation.
      expect(walked, name).toBeGreaterThan(name === 'wipe' ? 1 : 12);
    });
    expect(unseen).toEqual([]);
  });

  it('an integrator inspects exchanges', async () => {
    page = (await open({ size: [1920, 1080], desk: 'open' })).page;
    await page.keyboard.press('F10');
    await page.getByTestId('section').waitFor();
    await page.keyboard.press('9');
    await on('lines');
    await page.keyboard.press('/');
    await on('filter');
    await page.keyboard.type('get 503');
    await page.keyboard.press('Enter');
    await on('lines');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await on('detail');
    await page.getByTestId('rule-RED-9').waitFor();
    await page.keyboard.press('Escape');
    await on('lines');
    await page.keyboard.press('h');
    await page.getByText(/copresence-kiosk\/inspector\/.*\.har$/).waitFor();
  });
});

describe('by gamepad alone', () => {
  /** A gamepad controlled by the test. */
  function holdGamepad(): void {
    const buttons = Array.from({ length: 17 }, () => ({ pressed: false }));
    const pad = {
      id: 'Xbox 360 Controller',
      index: 0,
      connected: true,
      mapping: 'standard',
      axes: [0, 0, 0, 0],
      buttons,
    };
    Object.assign(window, { pad });
    navigator.getGamepads = () => [pad as unknown as Gamepad];
  }

  /** Holds buttons until `until` appears, or until the page has read them, and releases them. */
  async function buttons(indices: readonly number[], until?: string): Promise<void> {
    const set = (pressed: boolean) =>
      page.evaluate(
        async ([which, is]) => {
          const { pad } = window as unknown as { pad: { buttons: { pressed: boolean }[] } };
          for (const index of which) Object.assign(pad.buttons[index] ?? {}, { pressed: is });
          await new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
        },
        [indices, pressed] as const,
      );
    await set(true);
    if (until) await page.getByTestId(until).waitFor(SOON);
    await set(false);
  }

  it('an operator opens the desk by Start and Select, enters the PIN, and leaves', async () => {
    const opened = await open({ size: [1280, 720], before: holdGamepad });
    page = opened.page;
    const [A, B, Y, SELECT, START, UP, DOWN, LEFT, RIGHT] = [0, 1, 3, 8, 9, 12, 13, 14, 15] as const;
    await on('start');
    await buttons([SELECT, START], 'pad');
    await on('key-5');
    // 1 2 3 4, and Enter.
    for (const one of [UP, LEFT, A, RIGHT, A, RIGHT, A, DOWN, LEFT, LEFT, A, DOWN, DOWN, RIGHT, RIGHT, A])
      await buttons([one]);
    await on('section-backend');
    await buttons([Y]);
    await page.locator('[data-section=credentials]').waitFor();
    // The focus follows the section: from there, back leaves the desk.
    await on('section-credentials');
    await buttons([B]);
    await page.locator(DESK).waitFor({ state: 'detached' });
    expect(await page.evaluate(() => window.fake?.calledActions)).toEqual([]);
    expect(opened.faults).toEqual([]);
  });
});

it('two thousand exchanges render only the visible rows', async () => {
  page = (await open({ size: [1920, 1080], desk: 'open' })).page;
  await page.evaluate(() => {
    const desk = window.fake?.desk;
    const [newest] = desk?.timelines ?? [];
    if (!desk || !newest) throw new Error('no time line');
    const entries = Array.from({ length: 60 }, () => newest.entries)
      .flat()
      .slice(0, 2000);
    let id = 0;
    desk.timelines = [
      {
        ...newest,
        entries: entries.map((entry) =>
          entry.kind === 'step' ? entry : { ...entry, exchange: { ...entry.exchange, id: ++id } },
        ),
      },
    ];
  });
  await page.keyboard.press('F10');
  await page.getByTestId('section').waitFor();
  await page.keyboard.press('9');
  await on('lines');
  const rows = () => page.locator('[data-testid=lines] [role=option]').count();
  expect(await rows()).toBeLessThan(80);
  await page.keyboard.press('Home');
  for (let i = 0; i < 40; i += 1) await page.keyboard.press('PageDown');
  await page.locator('[aria-posinset="601"][aria-selected=true]').waitFor();
  expect(await rows()).toBeLessThan(80);
  const chosen = await page.locator('[role=option][aria-selected=true]').boundingBox();
  expect(chosen?.y).toBeGreaterThan(100);
  expect((chosen?.y ?? 0) + (chosen?.height ?? 0)).toBeLessThanOrEqual(1081);
});

describe.each(['light', 'dark'] as const)('with the %s colours of a high-contrast theme', (colours) => {
  /** Whether a theme does not replace the background of an element, and of the mark before its text. */
  const keepsBackground = (testid: string) =>
    page.getByTestId(testid).evaluate((el) => getComputedStyle(el).forcedColorAdjust === 'none');

  it('the desk shows what is chosen, what has the focus, and each state', async () => {
    const opened = await open({ size: [1280, 720], desk: 'open', colours, forcedColours: true });
    page = opened.page;
    await page.keyboard.press('F10');
    await page.getByTestId('section').waitFor();
    expect(await keepsBackground('section-backend')).toBe(true);
    expect(await keepsBackground('section-display')).toBe(false);
    expect(await keepsBackground('phones-out')).toBe(true);
    expect(await keepsBackground('phones-in')).toBe(false);
    const focus = await page.getByTestId('section-backend').evaluate((el) => {
      const { outlineStyle, backgroundColor, color } = getComputedStyle(el);
      return { outlineStyle, isReadable: backgroundColor !== color };
    });
    expect(focus).toEqual({ outlineStyle: 'solid', isReadable: true });
    await page.keyboard.press('8');
    const bad = page.locator('[data-testid=health] [data-stand=bad]');
    await bad.waitFor();
    // Filled for what is known, hollow for what is doubtful.
    expect(await bad.evaluate((el) => getComputedStyle(el, '::before').forcedColorAdjust)).toBe('none');
    expect(await page.evaluate(deskFaults)).toEqual([]);
    expect(opened.faults).toEqual([]);
  });

  it('the code stays dark on light, and the stage draws nothing behind the words', async () => {
    const opened = await open({ screen: 'invite-real', colours, forcedColours: true });
    page = opened.page;
    const panel = page.getByTestId('code');
    await panel.waitFor();
    expect(await keepsBackground('code')).toBe(true);
    expect(await panel.evaluate((el) => getComputedStyle(el).backgroundColor)).toMatch(
      /rgb\(2[45]\d, 2[45]\d, 2[345]\d\)/,
    );
    expect(await page.locator('.backdrop').evaluate((el) => getComputedStyle(el).visibility)).toBe('hidden');
    const primary = page.getByTestId('back');
    await primary.focus();
    expect(await primary.evaluate((el) => getComputedStyle(el).outlineStyle)).toBe('solid');
    expect(opened.faults).toEqual([]);
  });
});
