// A whole visit by keyboard alone and by gamepad alone, from the first press to the next visitor.
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, it } from 'vitest';
import { screens } from '../fake/fixtures';
import { useBrowser } from './test-browser';

const { open } = useBrowser();
const SOON = { timeout: 60_000 };

let page: Page;
afterEach(() => page?.close());

/** Records when no element has the focus for more than two frames. */
function watchFocus(): void {
  const lost: string[] = [];
  Object.assign(window, { focusLost: lost });
  let missed = 0;
  const look = () => {
    const active = document.activeElement;
    const screen = document.querySelector<HTMLElement>('[data-testid=screen]')?.dataset.screen;
    missed = screen && screen !== 'waking' && (!active || active === document.body) ? missed + 1 : 0;
    if (missed === 3) lost.push(screen ?? '');
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** A gamepad controlled by the test. */
function holdGamepad(): void {
  const pad = {
    id: 'Xbox 360 Controller (XInput STANDARD GAMEPAD)',
    index: 0,
    connected: true,
    mapping: 'standard',
    axes: [0, 0, 0, 0],
    buttons: Array.from({ length: 17 }, () => ({ pressed: false })),
  };
  Object.assign(window, { pad });
  navigator.getGamepads = () => [pad as unknown as Gamepad];
}

const lostFocus = () => page.evaluate(() => (window as unknown as { focusLost: string[] }).focusLost);
const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
const asked = () => page.evaluate(() => [...(window.fake?.calledActions ?? [])]);
const release = () => page.evaluate(() => window.fake?.finishRecording());
const at = (screen: string) =>
  page.locator(`[data-screen=${screen}]`).waitFor({ ...SOON, state: 'attached' });
const on = (id: string) =>
  page.waitForFunction((which) => document.activeElement?.getAttribute('data-testid') === which, id, SOON);

/** Presses what is really under a finger or a mouse. */
async function press(id: string, hand: string): Promise<void> {
  const there = page.getByTestId(id);
  await there.waitFor(SOON);
  const hit = await there.evaluate(
    (element, kind) => {
      const box = element.getBoundingClientRect();
      const [clientX, clientY] = [box.x + box.width / 2, box.y + box.height / 2];
      const beneath = document.elementFromPoint(clientX, clientY);
      const how = { bubbles: true, cancelable: true, clientX, clientY, detail: 1, pointerType: kind };
      beneath?.dispatchEvent(new PointerEvent('pointerdown', how));
      beneath?.dispatchEvent(new PointerEvent('pointerup', how));
      beneath?.dispatchEvent(new PointerEvent('click', how));
      return element.contains(beneath);
    },
    hand === 'touch' ? 'touch' : 'mouse',
  );
  expect(hit, id).toBe(true);
}

/** Presses a button of the gamepad until the page has read it, and releases it. */
async function button(index: number): Promise<void> {
  await page.evaluate(async (which) => {
    const { pad } = window as unknown as { pad: { buttons: { pressed: boolean }[] } };
    const frames = () =>
      new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));
    const one = pad.buttons[which];
    if (!one) throw new Error('no such button');
    one.pressed = true;
    await frames();
    one.pressed = false;
    await frames();
  }, index);
}

describe('a whole visit', () => {
  it('by keyboard', async () => {
    const opened = await open({ screen: '', size: [1280, 720], pace: 0.15, hold: true, before: watchFocus });
    page = opened.page;
    await on('start');
    // Another language first, and back.
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
    await on('start');
    await page.keyboard.press('Enter');
    // The consent text: no at first, then yes.
    await on('consent-text');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await on('agree');
    await page.keyboard.press('ArrowRight');
    await on('not-now');
    await page.keyboard.press('Enter');
    await on('start');
    await page.keyboard.press('Enter');
    await on('consent-text');
    await page.keyboard.press('ArrowDown');
    await on('agree');
    await page.keyboard.press('Enter');
    await at('invite');
    await on('play-phone');
    await page.keyboard.press('l');
    await on('tongue-de');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('en');
    await on('play-phone');
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('back');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await at('making');
    await on('next-visitor');
    await page.keyboard.press('Escape');
    await on('stay');
    await page.keyboard.press('Enter');
    await on('next-visitor');
    await release();
    await at('reveal');
    await on('this-is-me');
    await page.locator('[data-testid=turntable][data-ready=true]').waitFor(SOON);
    await page.keyboard.press('ArrowUp');
    await on('forget');
    await page.keyboard.press('ArrowUp');
    expect(await focused()).toMatch(/^face-/);
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await on('forget');
    await page.keyboard.press('ArrowDown');
    await on('this-is-me');
    await page.keyboard.press('F9');
    await page.getByTestId('statistics').waitFor(SOON);
    await page.keyboard.press('F9');
    await page.keyboard.press('ArrowRight');
    await on('once-more');
    await page.getByTestId('forget').focus();
    await page.keyboard.press('Enter');
    await on('keep');
    await page.keyboard.press('Escape');
    // Back to the button that opened the dialog.
    await on('forget');
    await page.getByTestId('this-is-me').focus();
    await page.keyboard.press('Enter');
    await on('again');
    // Back to the avatar; leaving it asks first.
    await page.keyboard.press('Escape');
    await on('this-is-me');
    await page.keyboard.press('Escape');
    await on('stay');
    await page.keyboard.press('Escape');
    await on('this-is-me');
    await page.keyboard.press('Enter');
    await on('again');
    await page.keyboard.press('Enter');
    await at('attract');
    await on('start');
    expect(await asked()).toEqual([
      'startVisit',
      'cancelVisit',
      'startVisit',
      'agreeToConsent',
      'recordWithSandbox',
      'returnToAttract',
    ]);
    // The text in the language that was chosen first.
    expect(await page.evaluate(() => window.fake?.agreedTexts)).toEqual([screens.consent.texts.de]);
    expect(await lostFocus()).toEqual([]);
    expect(opened.faults).toEqual([]);
  });

  it('by gamepad', async () => {
    const opened = await open({
      screen: '',
      size: [1280, 720],
      pace: 0.15,
      hold: true,
      before: `(${watchFocus.toString()})(); (${holdGamepad.toString()})();`,
    });
    page = opened.page;
    const [A, B, Y, UP, DOWN, RIGHT] = [0, 1, 3, 12, 13, 15] as const;
    await on('start');
    await button(DOWN);
    await button(RIGHT);
    await button(A);
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
    await on('start');
    // Any button starts.
    await button(5);
    await on('consent-text');
    await button(B);
    await on('start');
    await button(A);
    await on('consent-text');
    // A habitual press does not agree.
    await button(A);
    await button(DOWN);
    await on('agree');
    await button(A);
    await at('invite');
    await on('play-phone');
    expect(await page.getByTestId('hints').textContent()).toContain('A');
    await button(Y);
    await on('tongue-de');
    await button(B);
    await on('play-phone');
    await button(A);
    await at('making');
    await on('next-visitor');
    await button(B);
    await on('stay');
    await button(B);
    await on('next-visitor');
    await release();
    await at('reveal');
    await on('this-is-me');
    await page.locator('[data-testid=turntable][data-ready=true]').waitFor(SOON);
    await button(UP);
    // The quiet button for deleting is between the faces and the actions.
    expect(await focused()).toBe('forget');
    await button(UP);
    expect(await focused()).toMatch(/^face-/);
    await button(A);
    await page.getByTestId('this-is-me').focus();
    await button(RIGHT);
    expect(await focused()).toBe('once-more');
    await page.getByTestId('forget').focus();
    await button(A);
    await on('keep');
    await button(RIGHT);
    await on('forget-yes');
    await button(A);
    await page.locator('[data-stand=done]').waitFor({ ...SOON, state: 'attached' });
    expect(await page.locator('canvas').count()).toBe(0);
    // Any button leaves.
    await button(5);
    await at('attract');
    expect(await asked()).toEqual([
      'startVisit',
      'cancelVisit',
      'startVisit',
      'agreeToConsent',
      'recordWithSandbox',
      'forgetVisit',
      'returnToAttract',
    ]);
    expect(await lostFocus()).toEqual([]);
    expect(opened.faults).toEqual([]);
  });

  it.each(['pointer', 'touch'])('by %s, as far as being forgotten', async (hand) => {
    const opened = await open({ screen: '', size: [1280, 720], pace: 0.15, before: watchFocus });
    page = opened.page;
    await on('start');
    await press('start', hand);
    await press('agree', hand);
    await press('play-phone', hand);
    await at('reveal');
    await page.locator('[data-testid=turntable][data-ready=true]').waitFor(SOON);
    await press('forget', hand);
    await press('forget-yes', hand);
    await page.locator('[data-stand=done]').waitFor({ ...SOON, state: 'attached' });
    await press('again', hand);
    await at('attract');
    expect(await asked()).toEqual([
      'startVisit',
      'agreeToConsent',
      'recordWithSandbox',
      'forgetVisit',
      'returnToAttract',
    ]);
    expect(opened.faults).toEqual([]);
  });
});

describe('two visitors at once', () => {
  /** Opens the first screen, where everything takes a fraction of the usual time. */
  async function openStage(before: string): Promise<string[]> {
    const opened = await open({ screen: '', size: [1280, 720], pace: 0.15, hold: true, before });
    page = opened.page;
    await on('start');
    return opened.faults;
  }

  const awaitReady = (id: string) =>
    page.locator(`[data-testid=${id}][data-state=ready]`).waitFor({ ...SOON, state: 'attached' });
  const ticketIds = ['ticket-blue-comet', 'ticket-orange-rocket'] as const;

  it('by keyboard', async () => {
    const faults = await openStage(`(${watchFocus.toString()})();`);
    for (const _ of ticketIds) {
      await page.keyboard.press('Enter');
      await on('consent-text');
      await page.keyboard.press('ArrowDown');
      await on('agree');
      await page.keyboard.press('Enter');
      await on('play-phone');
      await page.keyboard.press('Enter');
      await on('next-visitor');
      await page.keyboard.press('Enter');
      await on('ticket-done');
      await page.keyboard.press('Enter');
      await on('start');
    }
    await release();
    for (const id of ticketIds) await awaitReady(id);
    // The second visitor comes first.
    await page.keyboard.press('ArrowRight');
    await on('ticket-blue-comet');
    await page.keyboard.press('ArrowDown');
    await on('ticket-orange-rocket');
    await page.keyboard.press('Enter');
    await on('digit-5');
    await page.keyboard.type('9999');
    await page.getByText('2 tries left').waitFor(SOON);
    expect(await page.locator('canvas').count()).toBe(0);
    await page.keyboard.type('0417');
    await on('this-is-me');
    expect(await page.getByTestId('ticket-orange-rocket').count()).toBe(0);
    expect(await asked()).toEqual([
      ...ticketIds.flatMap(() => [
        'startVisit',
        'agreeToConsent',
        'recordWithSandbox',
        'handOverVisit',
        'returnToAttract',
      ]),
      'chooseTicket',
      'enterPickupCode',
      'enterPickupCode',
    ]);
    expect(await lostFocus()).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('by gamepad', async () => {
    const faults = await openStage(`(${watchFocus.toString()})(); (${holdGamepad.toString()})();`);
    const [A, B, DOWN, UP, LEFT, RIGHT] = [0, 1, 13, 12, 14, 15] as const;
    await button(A);
    await on('consent-text');
    await button(DOWN);
    await button(A);
    await on('play-phone');
    await button(A);
    await on('next-visitor');
    await button(A);
    await on('ticket-done');
    await button(B);
    await on('start');
    await release();
    await awaitReady('ticket-blue-comet');
    await button(RIGHT);
    await on('ticket-blue-comet');
    await button(A);
    await on('digit-5');
    // 0, 4, 1, 7 from the middle of the pad.
    const ways: [string, readonly number[]][] = [
      ['digit-0', [DOWN, DOWN]],
      ['digit-4', [UP, UP, LEFT]],
      ['digit-1', [UP]],
      ['digit-7', [DOWN, DOWN]],
    ];
    for (const [id, way] of ways) {
      for (const step of way) await button(step);
      expect(await focused()).toBe(id);
      await button(A);
    }
    await on('this-is-me');
    expect(await lostFocus()).toEqual([]);
    expect(faults).toEqual([]);
  });

  it.each(['pointer', 'touch'])('by %s', async (hand) => {
    const faults = await openStage(`(${watchFocus.toString()})();`);
    for (const id of ['start', 'agree', 'play-phone', 'next-visitor', 'ticket-done']) await press(id, hand);
    await release();
    await awaitReady('ticket-blue-comet');
    await press('ticket-blue-comet', hand);
    for (const digit of ['9', 'delete', '0', '4', '1', '7']) await press(`digit-${digit}`, hand);
    await at('reveal');
    expect(faults).toEqual([]);
  });
});
