// The face of every avatar stands out from the light behind it at the reveal, whatever the colour of its skin.
// `AVATARS=FOLDER` adds the GLB files of a folder.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { finishAnimations, openPage, type Site, serveScreens } from '../e2e/pages';
import { startBrowser } from '../e2e/start-browser';
import { screens } from '../fake/fixtures';
import { SandboxProcess } from './sandbox';

const EXISTING = ['ari', 'remy', 'robin', 'yuki'];
const NEW = ['new-1', 'new-2', 'new-3', 'new-4'];
const folder = process.env.AVATARS;
const others = folder ? readdirSync(folder).filter((name) => name.endsWith('.glb')) : [];

const SIZE = [960, 540] as const;
/** Cheeks, nose and lips, and the light beside the head: x, y, width and height in shares of the picture. */
const FACE = [0.663, 0.444, 0.094, 0.204] as const;
const GROUND = [0.823, 0.417, 0.078, 0.185] as const;

let browser: Browser;
let site: Site;
let page: Page;

beforeAll(async () => {
  const sandbox = await SandboxProcess.start('--seed', '14');
  const files = new Map<string, Buffer>();
  try {
    await sandbox.setClock({ paused: true });
    for (const name of EXISTING) files.set(name, await sandbox.avatarGlb(name));
    for (const name of NEW) files.set(name, await sandbox.avatarGlb());
  } finally {
    await sandbox.stop();
  }
  for (const name of others) files.set(name, readFileSync(join(folder ?? '', name)));
  site = await serveScreens(files);
  browser = await startBrowser();
  ({ page } = await openPage(browser, site, { size: SIZE }));
}, 120_000);
afterAll(async () => {
  await browser?.close();
  site?.close();
});

/** Runs in the page: the mean linear luminance of parts of a PNG. */
async function meanLuminances([png, parts]: readonly [string, readonly (readonly number[])[]]): Promise<
  number[]
> {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('there is no 2D canvas');
  context.drawImage(bitmap, 0, 0);
  const linear = (value = 0) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  return parts.map(([x = 0, y = 0, width = 0, height = 0]) => {
    const { data } = context.getImageData(
      x * bitmap.width,
      y * bitmap.height,
      width * bitmap.width,
      height * bitmap.height,
    );
    let sum = 0;
    for (let at = 0; at < data.length; at += 4)
      sum += 0.2126 * linear(data[at]) + 0.7152 * linear(data[at + 1]) + 0.0722 * linear(data[at + 2]);
    return sum / (data.length / 4);
  });
}

test.each([...EXISTING, ...NEW, ...others])('the face of %s stands out', async (name) => {
  await page.evaluate(() => window.fake?.showScreen('attract'));
  await page.getByTestId('turntable').waitFor({ state: 'detached' });
  await page.evaluate((shown) => window.fake?.putScreen(shown), {
    ...screens.reveal,
    glb: `extra/${name}`,
    portrait: null,
  });
  await page.locator('[data-testid=turntable][data-ready=true]').waitFor({ timeout: 60_000 });
  await finishAnimations(page);
  const picture = await page.screenshot({ timeout: 100_000 });
  // The screens must not fetch data: a page of its own reads the picture.
  const reader = await browser.newPage();
  const [face = 0, ground = 0] = await reader.evaluate(meanLuminances, [
    picture.toString('base64'),
    [FACE, GROUND],
  ] as const);
  await reader.close();
  expect((face + 0.05) / (ground + 0.05), 'contrast of face and ground').toBeGreaterThan(1.8);
  // Not so bright that its features are lost.
  expect(face).toBeLessThan(0.6);
});
