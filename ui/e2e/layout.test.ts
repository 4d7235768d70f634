// Every screen at every size in every language and pseudo-locale: nothing leaves the title-safe frame, overlaps or is
// clipped, and an element is focused.
import { describe, expect, it } from 'vitest';
import { type ScreenName, screens } from '../fake/fixtures';
import { checkInEveryLocale } from './layout-faults';
import { clickTestId, SIZES, showScreen } from './pages';
import { axeFaults, useBrowser } from './test-browser';

const { open } = useBrowser();
const names = Object.keys(screens) as ScreenName[];

describe.each(SIZES)('at %i × %i', (width, height) => {
  it('every screen fits in every language', async () => {
    const { page, faults } = await open({ size: [width, height], withoutStage: true });
    // The keyboard hints need the most space.
    await page.keyboard.press('Shift');
    expect(await checkInEveryLocale(page, names)).toEqual([]);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('dialogs and details fit in every language', async () => {
    const { page, faults } = await open({ size: [width, height], withoutStage: true });
    await page.keyboard.press('Shift');
    await showScreen(page, 'ended');
    await page.keyboard.press('F9');
    expect(await checkInEveryLocale(page, ['ended'], true)).toEqual([]);
    await clickTestId(page, 'operator-detail-close');
    await showScreen(page, 'reveal-card');
    await clickTestId(page, 'forget');
    await page.getByTestId('forget-question').waitFor();
    expect(await checkInEveryLocale(page, ['reveal-card'], true)).toEqual([]);
    await showScreen(page, 'saving-open');
    await clickTestId(page, 'back');
    expect(await checkInEveryLocale(page, ['saving-open'], true)).toEqual([]);
    await showScreen(page, 'reveal-portrait');
    await clickTestId(page, 'this-is-me');
    expect(await checkInEveryLocale(page, ['reveal-portrait'], true)).toEqual([]);
    // The QR code for staff only.
    await showScreen(page, 'invite');
    await page.keyboard.press('F9');
    expect(await checkInEveryLocale(page, ['invite'], true)).toEqual([]);
    await clickTestId(page, 'operator-detail-close');
    await showScreen(page, 'invite');
    await clickTestId(page, 'language');
    await page.getByTestId('languages').waitFor();
    expect(await checkInEveryLocale(page, ['invite'], true)).toEqual([]);
    // The operator's texts change with the language, which is chosen on the screen itself.
    for (const name of ['consent', 'consent-long', 'attract-own'] as const) {
      await showScreen(page, name);
      expect(await checkInEveryLocale(page, [name], true)).toEqual([]);
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  it('the idle warning fits in every language', async () => {
    const { page } = await open({ size: [width, height], screen: 'ended', clock: true });
    await page.clock.runFor(61_000);
    await page.getByTestId('idle').waitFor();
    await page.clock.resume();
    expect(await checkInEveryLocale(page, ['ended'], true)).toEqual([]);
    await page.close();
  });
});

it('the languages keep their places, whichever is chosen', async () => {
  const { page } = await open({ screen: 'attract' });
  const places = () =>
    page.evaluate(async () => {
      await document.fonts.ready;
      return [...document.querySelectorAll('[data-testid=languages] button')].map((button) =>
        Math.round(button.getBoundingClientRect().left),
      );
    });
  const before = await places();
  expect(before.length).toBeGreaterThan(3);
  for (const locale of ['de', 'fr', 'es'] as const) {
    await page.evaluate((which) => window.fake?.setLocale(which), locale);
    await page.locator(`html[lang=${locale}]`).waitFor();
    expect(await places()).toEqual(before);
  }
  await page.close();
});

it('draws the operator’s text with the glyphs of its own language', async () => {
  const { page } = await open({ screen: 'preparing' });
  const drawnBy = async (tag: string, locale: 'en' | 'ja') => {
    await page.evaluate(
      ([one, other]) => {
        window.fake?.putScreen({ kind: 'consent', texts: { [one]: '直接 Avatar' } });
        return window.fake?.setLocale(other);
      },
      [tag, locale] as const,
    );
    const words = page.locator(`html[lang=${locale}] [data-testid=consent-text] p[lang=${tag}]`);
    return words.evaluate((element) => {
      const { fontFamily, wordBreak } = getComputedStyle(element);
      return { font: /CJK (JP|SC)/.exec(fontFamily)?.[1], wordBreak };
    });
  };
  expect(await drawnBy('zh-Hans', 'ja')).toEqual({ font: 'SC', wordBreak: 'auto-phrase' });
  expect(await drawnBy('ja', 'en')).toEqual({ font: 'JP', wordBreak: 'auto-phrase' });
  expect((await drawnBy('de', 'ja')).wordBreak).toBe('normal');
  await page.close();
});

describe('axe finds nothing', () => {
  it('on any screen', async () => {
    const { page } = await open({ size: [1280, 720], withoutStage: true });
    const found: string[] = [];
    for (const name of names) {
      await showScreen(page, name);
      for (const fault of await axeFaults(page)) found.push(`${name}: ${fault}`);
    }
    for (const name of ['consent', 'consent-dense', 'attract-own'] as const) {
      await showScreen(page, name);
      await page.evaluate(() => window.fake?.setLocale('es'));
      const words = page.locator(
        name === 'attract-own' ? '[data-testid=attract-text]' : '[data-testid=consent-text] p >> nth=0',
      );
      expect(await words.getAttribute('lang')).toBe(name === 'consent-dense' ? 'ja' : 'en');
      for (const fault of await axeFaults(page)) found.push(`${name}, not in Spanish: ${fault}`);
      await page.evaluate(() => window.fake?.setLocale('en'));
    }
    await showScreen(page, 'invite');
    await clickTestId(page, 'language');
    for (const fault of await axeFaults(page)) found.push(`languages: ${fault}`);
    await showScreen(page, 'reveal-card');
    await clickTestId(page, 'forget');
    await page.getByTestId('forget-question').waitFor();
    for (const fault of await axeFaults(page)) found.push(`forget me: ${fault}`);
    await showScreen(page, 'ended-kept');
    await page.keyboard.press('F9');
    await page.getByTestId('operator-detail').waitFor();
    for (const fault of await axeFaults(page)) found.push(`the operator’s detail: ${fault}`);
    expect(found).toEqual([]);
    await page.close();
  });

  it('in the warning', async () => {
    const { page } = await open({ size: [1280, 720], screen: 'ended', clock: true });
    await page.clock.runFor(61_000);
    await page.getByTestId('idle').waitFor();
    await page.clock.resume();
    expect(await axeFaults(page)).toEqual([]);
    await page.close();
  });
});

it('what has the focus is brighter and larger, not only outlined', async () => {
  const { page } = await open({ screen: 'invite-real' });
  for (const id of ['back', 'new-code', 'language']) {
    const button = page.getByTestId(id);
    const look = () =>
      button.evaluate((el) => {
        const { backgroundColor } = getComputedStyle(el);
        return { backgroundColor, width: el.getBoundingClientRect().width };
      });
    await page.getByTestId('code').focus();
    await page.waitForFunction(() =>
      document.getAnimations().every(({ playState }) => playState !== 'running'),
    );
    const before = await look();
    await button.focus();
    await page.waitForFunction(() =>
      document.getAnimations().every(({ playState }) => playState !== 'running'),
    );
    const after = await look();
    expect(after.width / before.width, id).toBeCloseTo(1.05, 2);
    expect(after.backgroundColor, id).not.toBe(before.backgroundColor);
  }
  await page.close();
});

it('the figures of the progress are as wide as they are drawn: no gap beside a 1', async () => {
  const { page } = await open({ screen: 'making' });
  const widthOf = (figures: string) =>
    page.locator('[data-testid=progress] strong').evaluate((element, text) => {
      const copy = element.cloneNode() as HTMLElement;
      copy.textContent = text;
      element.after(copy);
      const { width } = copy.getBoundingClientRect();
      copy.remove();
      return width;
    }, figures);
  expect((await widthOf('11')) / (await widthOf('88'))).toBeLessThan(0.75);
  await page.close();
});

it('the tickets are below the figure, each name on one line', async () => {
  const { page } = await open({ screen: 'attract' });
  await showScreen(page, 'attract-tickets-full');
  const { strip, figure, lines } = await page.evaluate(() => {
    const middleOf = (selector: string) => {
      const { left, right } = document.querySelector(selector)?.getBoundingClientRect() ?? new DOMRect();
      return (left + right) / 2;
    };
    const names = [...document.querySelectorAll('[data-testid=tickets] .name')];
    return {
      strip: middleOf('[data-testid=tickets]'),
      figure: middleOf('.place'),
      lines: names.map((name) => {
        const range = document.createRange();
        range.selectNodeContents(name);
        return range.getClientRects().length;
      }),
    };
  });
  expect(Math.abs(strip - figure)).toBeLessThan(2);
  expect(lines.length).toBeGreaterThan(6);
  expect(lines.filter((count) => count > 1)).toEqual([]);
  await page.close();
});
