// Measures the same screens in Chromium's kiosk mode: `xvfb-run -a -s '-screen 0 1280x720x24' npm run measure:chromium`.
// Prints rows as `cargo xtask measure` does for the window, which runs this, too. `AVATAR` names the shown avatar. Linux
// only.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { avatarFromEnvironment, serveScreens } from './pages';
import { SOFTWARE_RENDERING_ARGS } from './start-browser';

const COLD_STARTS = 5;
/** Until the screen has measured its frame rate. */
const SETTLE_MS = 10_000;
const IDLE_MS = 60_000;
/** Until a renderer without a graphics card has drawn the avatar. */
const REVEAL_TIMEOUT_MS = 60_000;
/** The kernel counts processor time and the starts of processes in such parts of a second. */
const TICKS_PER_SECOND = 100;

/** A process, as `/proc/PID/stat` tells. */
interface Process {
  parent: number;
  /** Processor time and time of the start since boot, in ticks. */
  ticks: number;
  started: number;
}

/** All processes of Chromium: the descendants of this one. */
async function readBrowserProcesses(): Promise<Map<number, Process>> {
  const all = new Map<number, Process>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // A process may end meanwhile.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parent = 0] = fields;
    all.set(Number(name), { parent, ticks: (fields[11] ?? 0) + (fields[12] ?? 0), started: fields[19] ?? 0 });
  }
  const descends = (pid: number): boolean => {
    const parent = all.get(pid)?.parent;
    return parent !== undefined && (parent === process.pid || descends(parent));
  };
  return new Map([...all].filter(([pid]) => descends(pid)));
}

/** The start of Chromium's first process, in milliseconds since 1970. */
async function browserStartMs(): Promise<number> {
  const uptime = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
  const processes = [...(await readBrowserProcesses()).values()];
  const started = Math.min(...processes.map((one) => one.started));
  return Date.now() - uptime * 1000 + (started / TICKS_PER_SECOND) * 1000;
}

/** The proportional set size of all processes of Chromium, in megabytes. */
async function browserMemory(): Promise<number> {
  let kib = 0;
  for (const pid of (await readBrowserProcesses()).keys()) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    kib += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
  }
  return Math.round((kib * 1024) / 1e6);
}

/** The share of one core that Chromium's processes use, in percent. */
async function browserShare(): Promise<string> {
  const ticks = async () =>
    [...(await readBrowserProcesses()).values()].reduce((sum, one) => sum + one.ticks, 0);
  const [before, began] = [await ticks(), performance.now()];
  await wait(IDLE_MS);
  const seconds = ((await ticks()) - before) / TICKS_PER_SECOND;
  return ((seconds / ((performance.now() - began) / 1000)) * 100).toFixed(1);
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const { files, opening } = await avatarFromEnvironment();
const site = await serveScreens(files);

/** Starts Chromium in kiosk mode with the first screen of a visit, and runs `use`. */
async function inKioskMode(
  motion: boolean,
  use: (page: Page, context: BrowserContext) => Promise<void>,
): Promise<void> {
  const query = new URLSearchParams({ fake: '', pace: '0.15' });
  if (opening.glb) query.set('glb', `extra/${opening.glb}`);
  const profile = await mkdtemp(join(tmpdir(), 'measure-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: false,
    viewport: null,
    reducedMotion: motion ? 'no-preference' : 'reduce',
    args: [
      ...SOFTWARE_RENDERING_ARGS,
      '--no-sandbox',
      '--no-first-run',
      '--kiosk',
      `--app=${site.address}?${query}`,
    ],
  });
  try {
    const page = context.pages()[0] ?? (await context.waitForEvent('page'));
    await page.locator('[data-screen=attract]').waitFor({ state: 'attached' });
    await use(page, context);
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
}

console.log('| what, in Chromium in kiosk mode | measured |\n|---|---:|');
const paints: number[] = [];
for (let run = 0; run < COLD_STARTS; run += 1) {
  await inKioskMode(true, async (page) => {
    const painted = await page.evaluate(async () => {
      const first = () => performance.getEntriesByName('first-contentful-paint')[0];
      while (!first()) await new Promise((resolve) => setTimeout(resolve, 20));
      return performance.timeOrigin + (first()?.startTime ?? 0);
    });
    paints.push(Math.round(painted - (await browserStartMs())));
  });
}
paints.sort((a, b) => a - b);
console.log(
  `| start of the process to the first paint, median of ${COLD_STARTS} (least, most) | ${paints[paints.length >> 1]} ms (${paints[0]}, ${paints.at(-1)}) |`,
);
for (const [motion, label] of [
  [true, 'with animations'],
  [false, '*reduce motion*'],
] as const) {
  await inKioskMode(motion, async (page) => {
    await wait(SETTLE_MS);
    const share = await browserShare();
    console.log(
      `| one processor core while it waits for visitors, ${label}, over ${IDLE_MS / 1000} s | ${share} % |`,
    );
    if (!motion) return;
    console.log(`| memory (PSS) before the first visit | ${await browserMemory()} MB |`);
    await page.evaluate(() => window.fake?.showScreen('reveal'));
    await page.locator('[data-testid=turntable][data-ready=true]').waitFor({ timeout: REVEAL_TIMEOUT_MS });
    await page.evaluate(() => window.fake?.showScreen('attract'));
    await wait(SETTLE_MS);
    console.log(`| memory (PSS) after 1 visit | ${await browserMemory()} MB |`);
  });
}
site.close();
