// A clip of a visit, for the README: `AVATAR=/path/to/avatar.glb npm run clip -- FILE`, a .webp, .webm or .gif, with
// ffmpeg installed. The page's time is advanced by hand, so that the clip is smooth on machines that draw slowly.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { screens } from '../fake/fixtures';
import type { Screen } from '../src/generated/view';
import { clickTestId, openPage, serveScreens } from './pages';
import { startBrowser } from './start-browser';

const FRAMES_PER_SECOND = 12.5;
/** Steps of the page's time, of which two make a frame: longer ones would look like a slow machine to the page. */
const STEP_MS = 500 / FRAMES_PER_SECOND;

const out = resolve(process.argv[3] ?? 'visit.webp');
const avatar = process.env.AVATAR;
if (!avatar) throw new Error('AVATAR=/path/to/avatar.glb names the avatar of the visit');
const folder = await mkdtemp(join(tmpdir(), 'clip-'));
const site = await serveScreens(new Map([['avatar.glb', await readFile(avatar)]]));
const browser = await startBrowser();
const { page, faults } = await openPage(browser, site, {
  size: [1280, 720],
  motion: true,
  clock: true,
  before: hideSoftwareRendering,
});
let frames = 0;

/** Runs in the page: the avatar is smoothed as on a graphics card. */
function hideSoftwareRendering(): void {
  const real = WebGL2RenderingContext.prototype.getExtension;
  WebGL2RenderingContext.prototype.getExtension = function (this: WebGL2RenderingContext, name: string) {
    return name === 'WEBGL_debug_renderer_info' ? null : Reflect.apply(real, this, [name]);
  } as typeof real;
}

/** Advances timers, frames, transitions and animations of the page. */
async function advance(of: Page, milliseconds: number): Promise<void> {
  await of.clock.fastForward(milliseconds);
  await of.evaluate((passed) => {
    for (const animation of document.getAnimations()) {
      animation.pause();
      animation.currentTime = Number(animation.currentTime ?? 0) + passed;
      const end = animation.effect?.getComputedTiming().endTime;
      if (typeof end === 'number' && Number.isFinite(end) && animation.currentTime >= end) animation.finish();
    }
  }, milliseconds);
}

/** Records so many seconds. `each` is called before each frame with the share that has passed. */
async function record(
  seconds: number,
  each: (share: number) => Promise<void> = async () => {},
): Promise<void> {
  const count = Math.round(seconds * FRAMES_PER_SECOND);
  for (let i = 0; i < count; i += 1) {
    await each(i / count);
    await advance(page, STEP_MS);
    await advance(page, STEP_MS);
    const path = join(folder, `${String(frames).padStart(4, '0')}.png`);
    await page.screenshot({ path, timeout: 180_000, animations: 'allow' });
    frames += 1;
  }
}

const show = (screen: Screen) => page.evaluate((shown) => window.fake?.putScreen(shown), screen);

await page.clock.pauseAt(Date.now() + 60_000);
await page.evaluate(() => document.fonts.ready.then(() => undefined));
await record(1.2);
await show(screens.invite);
await record(1.4);
await show({ ...screens.making, progress: 0 });
await record(1.1);
// The greeting lasts longer than the clip has time for.
await page.clock.fastForward(4000);
await record(2, (share) => show({ ...screens.making, progress: Math.round(100 * share ** 1.2) }));
await show({ ...screens.reveal, glb: 'extra/avatar.glb', portrait: null });
// Nobody waits for it in the clip.
while ((await page.locator('[data-testid=turntable][data-ready=true]').count()) === 0)
  await page.clock.runFor(2);
await record(5.2);
await clickTestId(page, 'this-is-me');
await record(2);
if (faults.length > 0) throw new Error(faults.join('\n'));
await browser.close();
site.close();

/** How ffmpeg encodes the kinds of clips. */
const ENCODINGS: Record<string, string[]> = {
  // Played on a page as a picture. Each frame is whole: `libwebp_anim` keeps blocks of earlier
  // frames that are only similar, and they show on faces.
  '.webp':
    '-vf scale=960:-1:flags=lanczos -c:v libwebp -cr_threshold 0 -quality 72 -compression_level 5 -loop 0'.split(
      ' ',
    ),
  '.webm': '-crf 34 -b:v 0'.split(' '),
  '.gif': [
    '-filter_complex',
    'scale=640:-1:flags=lanczos,split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse=dither=bayer:bayer_scale=5',
  ],
};
const encoding = ENCODINGS[extname(out)];
if (!encoding) throw new Error(`${out}: not one of ${Object.keys(ENCODINGS).join(', ')}`);
const source = ['-framerate', String(FRAMES_PER_SECOND), '-i', join(folder, '%04d.png')];
await promisify(execFile)('ffmpeg', ['-y', '-loglevel', 'error', ...source, ...encoding, out]);
await rm(folder, { recursive: true });
console.log(`${frames} frames in ${out}`);
