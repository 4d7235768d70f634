// Finds layout faults of the visitor's screens.
import type { Page } from 'playwright-core';
import type { ScreenName } from '../fake/fixtures';
import { LOCALES } from '../src/language/locales';

const locales = [...LOCALES, 'long', 'mirrored'] as const;

/** Checks screens in every language within the page: nothing needs to be painted. */
export async function checkInEveryLocale(
  page: Page,
  which: readonly ScreenName[],
  stay = false,
): Promise<string[]> {
  await page.evaluate(`window.layoutFaults = ${layoutFaults.toString()}`);
  return page.evaluate(
    async ([all, languages, stays]) => {
      const { fake, layoutFaults } = window as Window & { layoutFaults?: (isLonger: boolean) => string[] };
      if (!fake || !layoutFaults) throw new Error('the page is not over the scripted host');
      const settled = () => new Promise((resolve) => setTimeout(resolve));
      const found: string[] = [];
      for (const language of languages) {
        await fake.setLocale(language);
        await document.fonts.ready;
        for (const name of all) {
          if (!stays) {
            fake.showScreen(name === 'making-found' ? 'invite' : 'preparing');
            await settled();
            fake.showScreen(name);
          }
          await settled();
          await settled();
          await document.fonts.ready;
          for (const fault of layoutFaults(language === 'long' || language === 'mirrored'))
            found.push(`${name}, ${language}: ${fault}`);
        }
      }
      return found;
    },
    [which, locales, stay] as const,
  );
}

/**
 * Runs in the page. `isLonger`: the words are longer than in any language. Elements that leave the title-safe frame, overlap, are clipped or too small, and a lost focus.
 */
export function layoutFaults(isLonger = false): string[] {
  const faults: string[] = [];
  const safe = { x: innerWidth * 0.05 - 1, y: innerHeight * 0.05 - 1 };
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const top = document.querySelector('dialog[open]') ?? document;
  const shown = (el: Element) => {
    const box = el.getBoundingClientRect();
    const style = getComputedStyle(el);
    return box.width > 0 && box.height > 0 && style.visibility !== 'hidden';
  };
  const name = (el: Element) => `${el.tagName.toLowerCase()} “${(el.textContent ?? '').trim().slice(0, 40)}”`;
  const texts = [
    ...top.querySelectorAll('h1, h2, p, li, button, .panel, header span, strong, .outlook'),
  ].filter((el) => shown(el) && !el.closest('.detail'));
  // The operator is nearby: the detail may be small, but not clipped.
  const detail = document.querySelector('.detail');
  if (detail && detail.scrollHeight > detail.clientHeight + 1)
    faults.push('the operator’s detail is clipped');
  // Staff look at it while visitors use the screen.
  if (detail)
    for (const button of document.querySelectorAll('.words .actions button')) {
      const [a, b] = [detail.getBoundingClientRect(), button.getBoundingClientRect()];
      if (shown(button) && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
        faults.push(`the operator’s detail covers ${name(button)}`);
    }
  for (const el of texts) {
    const box = el.getBoundingClientRect();
    // A button without a border extends beyond the frame by its padding, so that its label is aligned.
    const quiet = el.matches('button.quiet') ? 2.4 * rem : 0;
    // Of a large title only the blank beside its first letter is outside.
    const blank = el.matches('h1.hero') ? 0.06 * Number.parseFloat(getComputedStyle(el).fontSize) : 0;
    if (
      box.left < safe.x - quiet - blank ||
      box.right > innerWidth - safe.x + quiet + blank ||
      // What has been scrolled out of sight is nowhere.
      (!el.closest('[data-scrolls]') &&
        (box.top < safe.y - quiet / 4 || box.bottom > innerHeight - safe.y + quiet / 4))
    ) {
      const at = [box.left, box.top, box.right, box.bottom].map(Math.round).join(', ');
      faults.push(`${name(el)} leaves the title-safe frame (${at})`);
    }
    if (el.scrollWidth > el.clientWidth + 1 && getComputedStyle(el).display !== 'inline')
      faults.push(`${name(el)} is clipped`);
    if (Number.parseFloat(getComputedStyle(el).fontSize) < rem * 1.75 - 0.1 && el.textContent?.trim())
      faults.push(`${name(el)} is too small`);
  }
  // A single sign on a line of its own is a torn word.
  for (const title of isLonger ? [] : [...top.querySelectorAll('h1, h2')].filter(shown)) {
    const node = title.firstChild;
    if (!node) continue;
    const lines = new Map<number, string>();
    const range = document.createRange();
    for (let at = 0; at < (node.textContent ?? '').length; at += 1) {
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const line = Math.round(range.getBoundingClientRect().top);
      lines.set(line, (lines.get(line) ?? '') + range.toString());
    }
    for (const line of lines.values())
      if (lines.size > 1 && (line.match(/[\p{L}\p{N}]/gu) ?? []).length === 1)
        faults.push(`${name(title)} has a line of one sign: “${line}”`);
  }
  const blocks = [
    ...top.querySelectorAll(
      '.words > *, .panel, .link, header > *, .hints, .steps, .row[role=group], dialog[open] > .content > *',
    ),
  ].filter((el) => shown(el) && !el.contains(document.querySelector('dialog[open]')));
  for (let i = 0; i < blocks.length; i += 1) {
    for (let j = i + 1; j < blocks.length; j += 1) {
      const [one, other] = [blocks[i] as Element, blocks[j] as Element];
      if (one.contains(other) || other.contains(one)) continue;
      const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 1) faults.push(`${name(one)} overlaps ${name(other)}`);
    }
  }
  // The actions are at the same height on every screen: a column that is too full pushes them onto what is below.
  const column = document.querySelector('.words');
  const foot = column?.querySelector(':scope > .actions');
  if (!isLonger && column && foot && shown(foot)) {
    const inside = Number.parseFloat(getComputedStyle(column).paddingBottom);
    const beyond = foot.getBoundingClientRect().bottom - (column.getBoundingClientRect().bottom - inside);
    if (Math.abs(beyond) > 2) faults.push(`the actions are ${Math.round(beyond)} px below their place`);
  }
  // A finger on the edge of one button must not press its neighbour. The operator’s detail lies over the screen.
  const buttons = [...top.querySelectorAll('button')].filter(
    (el) => shown(el) && !el.closest('.detail') && getComputedStyle(el).pointerEvents !== 'none',
  );
  for (let i = 0; i < buttons.length; i += 1) {
    const a = (buttons[i] as Element).getBoundingClientRect();
    for (const other of buttons.slice(i + 1)) {
      const b = other.getBoundingClientRect();
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 1)
        faults.push(
          `${name(buttons[i] as Element)} and ${name(other)} share ${Math.round(wide)} × ${Math.round(high)} px`,
        );
    }
  }
  // The board of tickets stands below the mouth of the figure.
  const board = document.querySelector('.tickets')?.getBoundingClientRect();
  const figure = document.querySelector('.place')?.getBoundingClientRect();
  if (board && figure && board.top < figure.top + figure.height * 0.62)
    faults.push(
      `the tickets cover the face of the figure, by ${Math.round(figure.top + figure.height * 0.62 - board.top)} px`,
    );
  const active = document.activeElement;
  if (!active || active === document.body) faults.push('nothing has the focus');
  else if (!top.contains(active)) faults.push('the focus is beneath what lies on top');
  const panel = document.querySelector('.subject .panel')?.getBoundingClientRect();
  if (panel && innerWidth > innerHeight && panel.height < innerHeight * 0.44)
    faults.push('the code is too small');
  return faults;
}
