// Measures how long the screen is blocked while an avatar of 60 MB loads: `npm run measure` in Chromium, `xvfb-run -a
// npm run measure -- webkit` in the engine of the window. `draco`, `meshopt`, or the path of a file after it measure a
// compressed avatar or that file. Prints numbers without a verdict: they depend on the
// machine and its graphics card.
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { compressGlb } from './compressed-glb';
import { generateGlb, SIXTY_MEGABYTE_GLB } from './generated-glb';
import { openPage, type Site, serveScreens } from './pages';
import { startBrowser } from './start-browser';
import { openInWebKit } from './webkit-driver';

const RUNS = Number(process.env.RUNS ?? 5);
const SIZE = [1280, 720] as const;

/** The file of a kind: `plain`, `draco`, `meshopt`, or a path. */
async function createMeasuredFile(kind: string): Promise<Buffer> {
  switch (kind) {
    case 'plain':
      return generateGlb(SIXTY_MEGABYTE_GLB);
    case 'draco':
      return compressGlb(generateGlb({ ...SIXTY_MEGABYTE_GLB, rows: 250, columns: 250 }), 'draco');
    case 'meshopt':
      return compressGlb(generateGlb({ ...SIXTY_MEGABYTE_GLB, rows: 250, columns: 250 }), 'meshopt');
    default:
      return readFile(kind);
  }
}

/** All in milliseconds. */
interface FrameGaps {
  /** From the screen to the avatar on it. */
  ready: number;
  /** Gaps between frames, the longest first: before the avatar is shown, and after. */
  coming: number[];
  there: number[];
  /** Processor time of the page's longest tasks while the avatar came; independent of other programs. Chromium only. */
  tasks?: number[];
}

/** Runs in the page. */
async function measureFrameGaps(): Promise<FrameGaps> {
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  // Until the first screen has measured its frame rate.
  await wait(5_500);
  window.fake?.showScreen('saving');
  await wait(3_000);
  let gaps: number[] = [];
  let last = performance.now();
  let over = false;
  const frame = () => {
    const now = performance.now();
    gaps.push(Math.round(now - last));
    last = now;
    if (!over) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const longest = () => gaps.sort((a, b) => b - a).slice(0, 5);
  const begun = performance.now();
  performance.mark('reveal-begins');
  window.fake?.showScreen('reveal');
  while (!document.querySelector('[data-ready=true]')) await wait(20);
  const ready = Math.round(performance.now() - begun);
  performance.mark('reveal-ready');
  const coming = longest();
  gaps = [];
  await wait(4_000);
  over = true;
  return { ready, coming, there: longest() };
}

async function measureInChromium(site: Site): Promise<FrameGaps> {
  const browser = await startBrowser();
  const { page } = await openPage(browser, site, { size: SIZE, motion: true, glb: 'big.glb' });
  await browser.startTracing(page, { categories: ['toplevel', 'blink.user_timing', '__metadata'] });
  const measured = await page.evaluate(measureFrameGaps);
  const trace = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  await browser.close();
  return { ...measured, tasks: longestTasks(trace.traceEvents) };
}

/** What is read of an event of Chromium's trace. Times in microseconds. */
interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  ts: number;
  /** Processor time. */
  tdur?: number;
  args?: { name?: string };
}

/** Milliseconds of processor time of the longest tasks on the page's main thread while the avatar came. */
function longestTasks(events: TraceEvent[]): number[] {
  const [from, to] = ['reveal-begins', 'reveal-ready'].map((mark) =>
    events.find(({ name }) => name === mark),
  );
  if (!from || !to) return [];
  return events
    .filter(({ name, pid, tid, ts }) => {
      const isHere = pid === from.pid && tid === from.tid && ts >= from.ts && ts <= to.ts;
      return isHere && name.endsWith('RunTask');
    })
    .map(({ tdur = 0 }) => Math.round(tdur / 1000))
    .sort((a, b) => b - a)
    .slice(0, 5);
}

async function measureInWebKit(site: Site): Promise<FrameGaps> {
  const page = await openInWebKit(`${site.address}?fake=attract&glb=extra/big.glb`, SIZE);
  const measured = await page.evaluate<FrameGaps>(`return (${measureFrameGaps})();`);
  await page.close();
  return measured;
}

const [kind = 'plain'] = process.argv.slice(3).filter((argument) => argument !== 'webkit');
const glb = await createMeasuredFile(kind);
const site = await serveScreens(new Map([['big.glb', glb]]));
console.log(`${kind}: ${(glb.length / 1e6).toFixed(1)} MB, ${SIZE.join(' × ')}; all times in milliseconds.`);
console.log(
  'load | on the stage after | longest gaps between frames: until then | and in the 4 s after | longest tasks',
);
for (let run = 0; run < RUNS; run += 1) {
  const load = loadavg()[0]?.toFixed(1);
  const {
    ready,
    coming,
    there,
    tasks = [],
  } = await (process.argv.includes('webkit') ? measureInWebKit : measureInChromium)(site);
  console.log([load, ready, coming.join(', '), there.join(', '), tasks.join(', ')].join(' | '));
}
site.close();
