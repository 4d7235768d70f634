import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBrowser } from '../e2e/start-browser';
import { LANGUAGES, PHONES, type PhoneBrowserOptions, TestPhonePage } from './phone';
import { fourColorJpeg, jpegWithExifOrientation } from './picture';
import { SandboxProcess } from './sandbox';

let browser: Browser;
let sandbox: SandboxProcess;
let openPhones: TestPhonePage[] = [];

beforeAll(async () => {
  [browser, sandbox] = await Promise.all([startBrowser(), SandboxProcess.start('--seed', '7')]);
  // The tests control the sandbox's time.
  await sandbox.setClock({ paused: true });
});
afterAll(async () => {
  await browser?.close();
  await sandbox?.stop();
});
afterEach(async () => {
  const complaints = openPhones.flatMap((phone) => phone.complaints);
  await Promise.all(openPhones.map((phone) => phone.close()));
  openPhones = [];
  expect(complaints).toEqual([]);
});

async function openScannedPhone(
  setting: PhoneBrowserOptions = {},
  lang?: string,
): Promise<{ phone: TestPhonePage; token: string }> {
  const token = await sandbox.generate();
  const phone = await TestPhonePage.open(browser, setting);
  openPhones.push(phone);
  await phone.openTokenPage(sandbox.url, token, lang);
  return { phone, token };
}

/** The colour in the middle of a quadrant of the crop area: 0 top left … 3 bottom right. */
async function quarterColour(phone: TestPhonePage, quarter: number): Promise<string> {
  const [r, g, b] = await phone.page.getByTestId('crop-picture').evaluate((canvas: HTMLCanvasElement, n) => {
    const at = (part: number) => Math.round(canvas.width * (0.25 + 0.5 * part));
    const pixel = canvas.getContext('2d')?.getImageData(at(n % 2), at(Math.floor(n / 2)), 1, 1).data;
    return [pixel?.[0] ?? 0, pixel?.[1] ?? 0, pixel?.[2] ?? 0];
  }, quarter);
  if (r > 200 && g > 200) return 'white';
  return r > g && r > b ? 'red' : g > b ? 'green' : 'blue';
}

async function quarterColours(phone: TestPhonePage): Promise<string[]> {
  return Promise.all([0, 1, 2, 3].map((quarter) => quarterColour(phone, quarter)));
}

test('a photo is taken, cropped and becomes an avatar with visible progress', async () => {
  const { phone, token } = await openScannedPhone();
  await phone.waitForScreen('start');
  await phone.uploadPhoto(await fourColorJpeg(phone.page));
  await phone.waitForScreen('preview');
  expect(await quarterColours(phone)).toEqual(['red', 'green', 'blue', 'white']);

  // Scaled down, whatever the camera delivers.
  await phone.page.evaluate(() => {
    const send = window.fetch;
    window.fetch = (to, how) => {
      if (how?.body instanceof Blob) document.body.title = `${how.body.type} ${how.body.size}`;
      return send(to, how);
    };
  });
  await phone.clickTestId('use-picture');
  await phone.waitForScreen('status', 'in_queue');
  const [kind, size] = ((await phone.page.locator('body').getAttribute('title')) ?? '').split(' ');
  expect(kind).toBe('image/jpeg');
  expect(Number(size)).toBeGreaterThan(2_000);
  expect(Number(size)).toBeLessThan(400_000);
  const place = Number(await phone.textOf('figure'));
  expect(place).toBeGreaterThan(0);
  await sandbox.advanceUntil(token, 'processing');
  await phone.waitForScreen('status', 'processing');
  const meter = phone.page.getByTestId('meter');
  await meter.waitFor({ state: 'attached' });
  const begun = Number(await phone.textOf('figure'));
  expect(await meter.evaluate((bar: HTMLProgressElement) => bar.value)).toBe(begun);
  await sandbox.setClock({ advance_ms: 6_000 });
  await phone.page.waitForFunction(
    (before) => Number(document.getElementById('figure')?.textContent) > before,
    begun,
  );
  await sandbox.forceState(token, 'complete');
  await phone.waitForScreen('status', 'ready');
  expect((await sandbox.redeem(token)).map((file) => file.export_type)).toContain('glb');
  await phone.waitForScreen('status', 'spent');
  expect(await phone.textOf('status-head')).toBe('There you are.');
});

test('every camera orientation is shown upright', async () => {
  const { phone } = await openScannedPhone();
  const plain = await fourColorJpeg(phone.page);
  // The quadrants as the camera wrote them by EXIF orientation, all showing the same scene.
  const upright: Record<number, string[]> = {
    1: ['red', 'green', 'blue', 'white'],
    2: ['green', 'red', 'white', 'blue'],
    3: ['white', 'blue', 'green', 'red'],
    4: ['blue', 'white', 'red', 'green'],
    5: ['red', 'blue', 'green', 'white'],
    6: ['blue', 'red', 'white', 'green'],
    7: ['white', 'green', 'blue', 'red'],
    8: ['green', 'white', 'red', 'blue'],
  };
  for (const [orientation, expected] of Object.entries(upright)) {
    await phone.uploadPhoto(jpegWithExifOrientation(plain, Number(orientation)));
    await phone.waitForScreen('preview');
    expect(await quarterColours(phone), `orientation ${orientation}`).toEqual(expected);
    await phone.clickTestId('preview-back');
    await phone.waitForScreen('start');
  }
});

test('the photo is moved by mouse, two fingers and keys', async () => {
  const { phone } = await openScannedPhone();
  await phone.uploadPhoto(await fourColorJpeg(phone.page));
  await phone.waitForScreen('preview');
  const area = phone.page.getByTestId('crop');
  const box = await area.boundingBox();
  if (!box) throw new Error('the square is not shown');
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const zoom = async () => Number(await phone.page.getByTestId('zoom').inputValue());

  // Wider than high: it can be dragged sideways up to its left edge.
  await phone.page.mouse.move(x, y);
  await phone.page.mouse.down();
  await phone.page.mouse.move(x + box.width * 0.45, y, { steps: 4 });
  await phone.page.mouse.up();
  expect(await quarterColours(phone)).toEqual(['red', 'green', 'blue', 'white']);
  expect(await zoom()).toBe(0);

  // Pinching out over the green quadrant fills the crop area with it.
  const fingers = await phone.context.newCDPSession(phone.page);
  const at = { x: box.x + box.width * 0.85, y: box.y + box.height * 0.25 };
  const touch = (type: 'touchStart' | 'touchMove', apart: number) =>
    fingers.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: [
        { x: at.x - apart, y: at.y, id: 1 },
        { x: at.x + apart, y: at.y, id: 2 },
      ],
    });
  await touch('touchStart', 8);
  for (const apart of [16, 24, 32, 40]) await touch('touchMove', apart);
  await fingers.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  expect(await zoom()).toBeGreaterThan(60);
  expect(await quarterColours(phone)).toEqual(['green', 'green', 'green', 'green']);

  await area.focus();
  await phone.page.keyboard.press('-');
  expect(await zoom()).toBeLessThan(100);
  await phone.page.getByTestId('zoom').fill('0');
  await area.focus();
  await phone.page.keyboard.press('r');
  expect(await quarterColours(phone)).toEqual(['blue', 'red', 'white', 'green']);
  // Zoomed in enough that only the lower right quadrant remains.
  for (let press = 0; press < 5; press += 1) await phone.page.keyboard.press('+');
  for (let press = 0; press < 9; press += 1) await phone.page.keyboard.press('ArrowLeft');
  for (let press = 0; press < 9; press += 1) await phone.page.keyboard.press('ArrowUp');
  expect(await quarterColours(phone)).toEqual(['green', 'green', 'green', 'green']);
});

test('an invalid picture is reported, and the visitor can continue', async () => {
  const { phone } = await openScannedPhone();
  await phone.uploadPhoto(Buffer.from('no picture at all'));
  await phone.page.getByTestId('notice').waitFor();
  expect(await phone.textOf('notice')).toContain('can’t open this file as a picture');
  await phone.clickTestId('choose-existing');
  expect(await phone.page.getByTestId('notice').isVisible()).toBe(false);
  await phone.clickTestId('avatar-ari');
  await phone.waitForStatus();
});

test('after a failure the visitor records again with the same code', async () => {
  const { phone, token } = await openScannedPhone();
  await phone.clickTestId('skip-picture');
  await phone.waitForScreen('status', 'in_queue');
  await sandbox.forceState(token, 'fail');
  await phone.waitForScreen('status', 'failed');
  // An arc of no length would be a red dot on the ring.
  expect(await phone.page.locator('#arc').evaluate((arc) => getComputedStyle(arc).stroke)).toBe('none');
  await phone.clickTestId('again');
  await phone.waitForScreen('start');
  // The status is still "failed": it must not leave this screen.
  await phone.page.waitForResponse((answer) => answer.url().includes('/phone/status'));
  await phone.waitForScreen('start');
  await phone.clickTestId('skip-picture');
  await phone.waitForScreen('status', 'in_queue');
});

test('an expired or unknown code says what to do', async () => {
  const { phone, token } = await openScannedPhone();
  await phone.clickTestId('choose-existing');
  await sandbox.forceState(token, 'expire');
  await phone.waitForScreen('status', 'expired');
  expect(await phone.textOf('status-text')).toContain('Get a new one on the big screen');
  await phone.openTokenPage(sandbox.url, 'nobody’s');
  await phone.waitForScreen('status', 'unknown');
  // The browser logs the 404, a second time for the expired code.
  phone.complaints.splice(0, phone.complaints.length);
});

test('a lost connection is shown until it is back', async () => {
  const { phone } = await openScannedPhone();
  await phone.clickTestId('skip-picture');
  await phone.waitForScreen('status', 'in_queue');
  await phone.context.setOffline(true);
  await phone.page.getByTestId('notice').waitFor();
  expect(await phone.textOf('notice')).toContain('trouble connecting');
  await phone.context.setOffline(false);
  await phone.page.getByTestId('notice').waitFor({ state: 'hidden' });
  await phone.waitForScreen('status', 'in_queue');
  phone.complaints.splice(0, phone.complaints.length);
});

test('reload and back button keep the state', async () => {
  const { phone } = await openScannedPhone();
  await phone.clickTestId('choose-existing');
  await phone.waitForScreen('choose');
  await phone.page.goBack();
  await phone.waitForScreen('start');
  await phone.clickTestId('choose-existing');
  await phone.clickTestId('avatar-yuki');
  await phone.waitForStatus();
  await phone.page.reload();
  await phone.waitForStatus();
});

test('the keyboard alone is enough, and the focus is never lost', async () => {
  const { phone } = await openScannedPhone();
  const focused = () => phone.page.evaluate(() => document.activeElement?.id);
  const tabTo = async (id: string) => {
    for (let presses = 0; presses < 12; presses += 1) {
      if ((await focused()) === id) return;
      await phone.page.keyboard.press('Tab');
    }
    throw new Error(`Tab does not lead to ${id}`);
  };
  await tabTo('choose-existing');
  await phone.page.keyboard.press('Enter');
  await phone.waitForScreen('choose');
  expect(await focused()).toBe('choose-head');
  await tabTo('avatar-remy');
  await phone.page.keyboard.press('Enter');
  await phone.waitForStatus();
  expect(await focused()).toBe('status-head');
});

test('the browser’s language is used, and another on request', async () => {
  const { phone } = await openScannedPhone({ locale: 'fr-CA' });
  expect(await phone.page.locator('html').getAttribute('lang')).toBe('fr');
  await phone.clickTestId('lang-ja');
  await phone.page.locator('html[lang=ja]').waitFor();
  await phone.waitForScreen('start');
  await phone.clickTestId('skip-picture');
  await phone.waitForScreen('status', 'in_queue');
  expect(await phone.textOf('status-head')).toMatch(/\p{Script=Hiragana}/u);
});

/** Layout faults of the page: wider than the phone, clipped, or too small to touch. */
function layoutFaultsOf(phone: TestPhonePage): Promise<string[]> {
  return phone.page.evaluate(() => {
    const wrong: string[] = [];
    if (document.documentElement.scrollWidth > innerWidth || document.body.scrollWidth > innerWidth)
      wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
    for (const element of document.querySelectorAll('h1, p, button, a, label, .name, canvas')) {
      const box = element.getBoundingClientRect();
      if (box.width === 0 || element.matches('.spoken')) continue;
      const name = `${element.tagName} “${element.textContent?.trim().slice(0, 24)}”`;
      if (box.left < -0.5 || box.right > innerWidth + 0.5) wrong.push(`${name} leaves the screen`);
      if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline')
        wrong.push(`${name} is cut off`);
      if (element.matches('button') && box.height < 44) wrong.push(`${name} is only ${box.height} high`);
    }
    return wrong;
  });
}

test.each(LANGUAGES)('in %s nothing is clipped, on a common phone and on a small one', async (lang) => {
  for (const size of [PHONES.usual, PHONES.small]) {
    const { phone, token } = await openScannedPhone({ size }, lang);
    const wrong: Record<string, string[]> = {};
    wrong.start = await layoutFaultsOf(phone);
    await phone.clickTestId('choose-existing');
    wrong.choose = await layoutFaultsOf(phone);
    await phone.clickTestId('choose-back');
    await phone.waitForScreen('start');
    await phone.uploadPhoto(await fourColorJpeg(phone.page));
    await phone.waitForScreen('preview');
    wrong.preview = await layoutFaultsOf(phone);
    await phone.clickTestId('use-picture');
    await phone.waitForScreen('status', 'in_queue');
    wrong.queue = await layoutFaultsOf(phone);
    await sandbox.forceState(token, 'fail');
    await phone.waitForScreen('status', 'failed');
    wrong.failed = await layoutFaultsOf(phone);
    expect(wrong).toEqual({ start: [], choose: [], preview: [], queue: [], failed: [] });
  }
});

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

test('axe finds nothing on any screen', async () => {
  const { phone, token } = await openScannedPhone({ size: PHONES.small });
  const wrong: string[] = [];
  const check = async (where: string) => {
    await phone.page.evaluate(axeSource);
    const results: AxeResults = await phone.page.evaluate('axe.run()');
    for (const { id, nodes } of results.violations)
      wrong.push(`${where}: ${id} at ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
  };
  await check('start');
  await phone.clickTestId('choose-existing');
  await check('choose');
  await phone.clickTestId('choose-back');
  await phone.waitForScreen('start');
  await phone.uploadPhoto(await fourColorJpeg(phone.page));
  await phone.waitForScreen('preview');
  await check('preview');
  await phone.clickTestId('use-picture');
  await phone.waitForScreen('status', 'in_queue');
  await check('queue');
  await sandbox.advanceUntil(token, 'processing');
  await phone.waitForScreen('status', 'processing');
  await check('processing');
  await sandbox.forceState(token, 'fail');
  await phone.waitForScreen('status', 'failed');
  await check('failed');
  expect(wrong).toEqual([]);
});

test('nothing moves with reduced motion', async () => {
  const { phone } = await openScannedPhone({ motion: false });
  await phone.clickTestId('skip-picture');
  await phone.waitForScreen('status', 'in_queue');
  expect(await phone.page.evaluate(() => document.getAnimations().length)).toBe(0);
  const other = await openScannedPhone({ motion: true });
  expect(await other.phone.page.evaluate(() => document.getAnimations().length)).toBeGreaterThan(0);
});

test('a ticket is shown beside the progress, and its visitor is called when the avatar is ready', async () => {
  const { phone, token } = await openScannedPhone();
  let ticket: { colour: string; symbol: string; state: string } | null = null;
  // The booth behind the big screen hands the visit over.
  await phone.page.route('**/phone/status?*', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), ticket } });
  });
  await phone.page.evaluate(() => {
    Object.assign(window, { calls: [] });
    navigator.vibrate = (pattern) => (window as unknown as { calls: unknown[] }).calls.push(pattern) > 0;
  });
  const calls = () => phone.page.evaluate(() => (window as unknown as { calls: unknown[] }).calls.length);
  await phone.clickTestId('skip-picture');
  await phone.waitForStatus();
  expect(await phone.page.getByTestId('ticket').isVisible()).toBe(false);
  ticket = { colour: 'blue', symbol: 'comet', state: 'making' };
  await phone.page.getByTestId('ticket').waitFor();
  expect(await phone.textOf('ticket-name')).toBe('Blue Comet');
  expect(await phone.textOf('status-text')).toContain('Keep this page open');
  await sandbox.forceState(token, 'complete');
  await sandbox.redeem(token);
  // The files are on the way to the screen: the page goes on.
  await phone.page.locator('#status[data-state=processing]').waitFor();
  expect(await calls()).toBe(0);
  ticket = { ...ticket, state: 'ready' };
  await phone.waitForScreen('status', 'ready');
  expect(await phone.textOf('status-head')).toBe('Your avatar’s ready.');
  expect(await calls()).toBe(1);
  // Picked up.
  ticket = null;
  await phone.waitForScreen('status', 'spent');
  expect(await phone.page.getByTestId('ticket').isVisible()).toBe(false);
  expect(await calls()).toBe(1);
  expect(phone.complaints).toEqual([]);
});
