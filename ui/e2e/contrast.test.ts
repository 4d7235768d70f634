// Measures the contrast of every text with the pixels behind it. axe cannot see through a painted stage.
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { ScreenName } from '../fake/fixtures';
import { finishAnimations, showScreen } from './pages';
import { useBrowser } from './test-browser';

const { open } = useBrowser();
/** One screen per light, and those with a background of their own. */
const MEASURED_SCREENS: readonly ScreenName[] = [
  'attract',
  'attract-tickets',
  'invite',
  'invite-trouble',
  'invite-real',
  'making-offer-automatic',
  'ticket',
  'pick-up-wrong',
  'saving-open',
  'consent-dense',
  'attract-closed',
  'reveal-card',
  'forgotten',
  'ended',
];

interface MeasuredText {
  text: string;
  colour: [number, number, number];
  /** Small text is read from nearby. */
  least: number;
  box: [x: number, y: number, width: number, height: number];
}

/**
 * Collects every visible text with its colour and position, and makes the text transparent. With `around`, only the
 * texts of the focused element and of its neighbours.
 */
function hideAndMeasureTexts(around: boolean): MeasuredText[] {
  const words: MeasuredText[] = [];
  const group = document.activeElement?.closest('.actions, .kept, ul, [role=group]');
  const root = around ? (group ?? document.activeElement ?? document.body) : document.body;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    const text = node.textContent?.trim();
    if (!parent || !text || parent.closest('.spent, [aria-disabled=true]:not(:focus)')) continue;
    const style = getComputedStyle(parent);
    const range = document.createRange();
    range.selectNodeContents(node);
    const { x, y, width, height: whole } = range.getBoundingClientRect();
    // What has been scrolled out of sight is not read.
    const scrolled = parent.closest('[data-scrolls]')?.getBoundingClientRect();
    const height = scrolled ? Math.min(y + whole, scrolled.bottom) - y : whole;
    if (width < 2 || height < 2 || style.visibility === 'hidden') continue;
    const [r = 0, g = 0, b = 0] = (style.color.match(/[\d.]+/g) ?? []).map(Number);
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const small = Number.parseFloat(style.fontSize) < rem * 1.9;
    words.push({ text, colour: [r, g, b], least: small ? 4.5 : 7, box: [x, y, width, height] });
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('* { color: transparent !important; transition: none !important }');
  document.adoptedStyleSheets = [sheet];
  return words;
}

/** The worst contrast of each text with the picture behind it, ignoring one percent of the pixels. */
async function lowContrasts([picture, words]: readonly [string, MeasuredText[]]): Promise<string[]> {
  document.adoptedStyleSheets = [];
  const image = new Image();
  image.src = `data:image/png;base64,${picture}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('no canvas');
  context.drawImage(image, 0, 0);
  const linear = (value: number) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const light = (r: number, g: number, b: number) =>
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  return words.flatMap(({ text, colour, least, box }) => {
    const { data } = context.getImageData(box[0], box[1], Math.max(1, box[2]), Math.max(1, box[3]));
    const own = light(...colour);
    const ratios: number[] = [];
    for (let i = 0; i < data.length; i += 16) {
      const other = light(data[i] ?? 0, data[i + 1] ?? 0, data[i + 2] ?? 0);
      ratios.push((Math.max(own, other) + 0.05) / (Math.min(own, other) + 0.05));
    }
    ratios.sort((a, b) => a - b);
    const worst = ratios[Math.floor(ratios.length / 100)] ?? 21;
    return worst < least ? [`“${text.slice(0, 40)}” has ${worst.toFixed(1)} of ${least}`] : [];
  });
}

async function contrastFaultsOf(page: Page, around = false): Promise<string[]> {
  const words = await page.evaluate(hideAndMeasureTexts, around);
  expect(words.length).toBeGreaterThan(around ? 0 : 3);
  const picture = await page.screenshot({ timeout: 100_000 });
  return page.evaluate(lowContrasts, [picture.toString('base64'), words] as const);
}

it.each([
  [1280, 720],
  [720, 1280],
])('every word stands out at %i × %i', async (width, height) => {
  const { page } = await open({ size: [width, height] });
  const found: string[] = [];
  for (const name of MEASURED_SCREENS) {
    await showScreen(page, name);
    // An announcement of the screen before would vanish between the measurement and the picture.
    await page.locator('[data-testid=ticket-announcement] p').waitFor({ state: 'detached' });
    await finishAnimations(page);
    for (const fault of await contrastFaultsOf(page)) found.push(`${name}: ${fault}`);
  }
  expect(found).toEqual([]);
  await page.close();
});

/** Screens that have every kind of button, also next to each other. */
const SCREENS_WITH_BUTTONS: readonly ScreenName[] = [
  'attract-tickets',
  'attract-tickets-full',
  'invite',
  'invite-real',
  'pick-up',
  'pick-up-blocked',
  'making-offer',
  'reveal-card',
  'ended-kept',
];

it('every button is legible with the focus, and does not cover its neighbours', async () => {
  const { page } = await open({ size: [1280, 720], withoutStage: true });
  const found: string[] = [];
  for (const name of SCREENS_WITH_BUTTONS) {
    await showScreen(page, name);
    const buttons = await page.locator('.stage button:visible').all();
    expect(buttons.length, name).toBeGreaterThan(0);
    const measured = new Set<string>();
    for (const button of buttons) {
      // One of each kind: the keys of a pad look the same.
      const { kind, text } = await button.evaluate((el) => ({
        kind: el.closest('.actions')
          ? el.outerHTML
          : `${el.className} ${el.closest('[data-testid]:not(button)')?.outerHTML.slice(0, 60)}`,
        text: el.textContent?.trim(),
      }));
      if (measured.has(kind) || !text) continue;
      measured.add(kind);
      await button.focus();
      await finishAnimations(page);
      for (const fault of await contrastFaultsOf(page, true))
        found.push(`${name}, focus on “${text}”: ${fault}`);
    }
  }
  expect(found).toEqual([]);
  await page.close();
});
