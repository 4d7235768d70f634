// Takes a picture of every screen at every size, over the scripted host and under the page's real policy, and
// fails when anything leaves the title-safe frame, overlaps, is clipped, or when the policy refused something.
//   npm run screens [-- NAME… SIZE… --motion]        CHROMIUM=/path/to/chromium AVATAR=/path/to/avatar.glb

import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ui = fileURLToPath(new URL('..', import.meta.url));
const root = join(ui, 'dist-fake');
const out = join(ui, 'pictures');
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2' };
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
  "connect-src 'self' blob: data:; worker-src 'self' blob:";
const names = [
  'attract',
  'preparing',
  'preparing-trouble',
  'invite',
  'invite-real',
  'invite-trouble',
  'making-queue',
  'making',
  'making-open',
  'making-failed',
  'making-unknown',
  'saving',
  'saving-open',
  'reveal',
  'reveal-portrait',
  'reveal-card',
  'ended',
];
const sizes = [
  [1920, 1080],
  [1280, 720],
  [3840, 2160],
  [1080, 1920],
];

const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, 'http://localhost').pathname).replace(/^\/$/, '/index.html');
  try {
    const avatar = path === '/avatar.glb' && process.env.AVATAR;
    const body = await readFile(avatar || join(root, path));
    response.writeHead(200, {
      'content-type': types[extname(path)] ?? 'application/octet-stream',
      'content-security-policy': policy,
    });
    response.end(body);
  } catch {
    // A browser asks for an icon by itself.
    response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${server.address().port}/`;

const wanted = process.argv.slice(2);
// Standing still by default: quick to draw, and the same picture every time.
const motion = wanted.includes('--motion');
const only = wanted.filter((word) => names.includes(word));
const onlySizes = wanted.filter((word) => /^\d+x\d+$/.test(word));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--use-gl=angle',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
  ],
});
await mkdir(out, { recursive: true });
let faults = 0;
const fault = (where, what) => {
  faults += 1;
  console.error(`${where}: ${what}`);
};

for (const [width, height] of sizes.filter(
  ([w, h]) => onlySizes.length === 0 || onlySizes.includes(`${w}x${h}`),
)) {
  const page = await browser.newPage({
    viewport: { width, height },
    reducedMotion: motion ? 'no-preference' : 'reduce',
  });
  let where = '';
  page.on('console', (message) => message.type() === 'error' && fault(where, message.text()));
  page.on('pageerror', (error) => fault(where, error.message));
  for (const name of only.length ? only : names) {
    where = `${name}-${width}x${height}`;
    await page.goto(`${address}?fake=${name}${process.env.AVATAR ? '&glb=avatar.glb' : ''}`);
    await page.locator('h1').waitFor();
    if (name === 'reveal')
      await page.locator('[data-testid=stage-canvas][data-ready=true]').waitFor({ timeout: 60_000 });
    // All that enters has entered; what moves for ever stands still, so that a picture can be had again.
    await page.evaluate(() => {
      for (const animation of document.getAnimations()) {
        if (animation.effect?.getComputedTiming().endTime === Number.POSITIVE_INFINITY) {
          animation.pause();
          animation.currentTime = 4200;
        } else animation.finish();
      }
    });
    await page.screenshot({ timeout: 180_000, path: join(out, `${where}.png`) });
    for (const what of await page.evaluate(layoutFaults)) fault(where, what);
  }
  await page.close();
}
await browser.close();
server.close();
console.log(faults === 0 ? `all in order, pictures in ${out}` : `${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;

/** Runs in the page. */
function layoutFaults() {
  const faults = [];
  const safe = { x: innerWidth * 0.05 - 1, y: innerHeight * 0.05 - 1 };
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const texts = [...document.querySelectorAll('h1, p, li, button, .panel, header span, strong')].filter(
    (el) => {
      const box = el.getBoundingClientRect();
      return box.width > 0 && box.height > 0 && getComputedStyle(el).visibility !== 'hidden';
    },
  );
  for (const el of texts) {
    const box = el.getBoundingClientRect();
    const label = `${el.tagName.toLowerCase()} “${el.textContent.trim().slice(0, 30)}”`;
    const quiet = el.matches('button.quiet') ? 2.4 * rem : 0;
    if (
      box.left < safe.x - quiet ||
      box.right > innerWidth - safe.x ||
      box.top < safe.y ||
      box.bottom > innerHeight - safe.y
    ) {
      faults.push(
        `${label} leaves the title-safe frame (${Math.round(box.left)}, ${Math.round(box.top)}, ${Math.round(box.right)}, ${Math.round(box.bottom)})`,
      );
    }
    if (el.scrollWidth > el.clientWidth + 1 && getComputedStyle(el).display !== 'inline')
      faults.push(`${label} is clipped`);
    if (Number.parseFloat(getComputedStyle(el).fontSize) < rem * 1.75 - 0.1 && el.textContent.trim())
      faults.push(`${label} is too small`);
  }
  const blocks = [...document.querySelectorAll('.words > *, .panel, .link, header > *')].filter(
    (el) => el.getBoundingClientRect().height > 0,
  );
  for (let i = 0; i < blocks.length; i += 1) {
    for (let j = i + 1; j < blocks.length; j += 1) {
      const [a, b] = [blocks[i].getBoundingClientRect(), blocks[j].getBoundingClientRect()];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 1)
        faults.push(
          `“${blocks[i].textContent.trim().slice(0, 24)}” overlaps “${blocks[j].textContent.trim().slice(0, 24)}”`,
        );
    }
  }
  const active = document.activeElement;
  if (!active || active === document.body) faults.push('nothing has the focus');
  const panel = document.querySelector('.panel')?.getBoundingClientRect();
  if (panel && innerWidth > innerHeight && panel.height < innerHeight * 0.44)
    faults.push('the code is too small');
  return faults;
}
