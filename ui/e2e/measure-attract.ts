// Measures what the first screen costs without input: `npm run measure:attract`. Prints the processor time of
// the browser's processes as a share of one core, without a verdict: it depends on the machine. Linux only.
import { readdir, readFile } from 'node:fs/promises';
import { openPage, serveScreens } from './pages';
import { startBrowser } from './start-browser';

/** Until the screen has measured its frame rate. */
const SETTLE_MS = 8_000;
const MEASURED_MS = 20_000;
/** The kernel counts processor time in such parts of a second. */
const TICKS_PER_SECOND = 100;

/** The processor time of this process' descendants, in seconds. */
async function secondsOfDescendants(): Promise<number> {
  const processes = new Map<number, { parent: number; ticks: number }>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // A process may end meanwhile.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    processes.set(Number(name), {
      parent: Number(fields[1]),
      ticks: Number(fields[11]) + Number(fields[12]),
    });
  }
  const descends = (pid: number): boolean => {
    const parent = processes.get(pid)?.parent;
    return parent !== undefined && (parent === process.pid || descends(parent));
  };
  let ticks = 0;
  for (const [pid, one] of processes) if (descends(pid)) ticks += one.ticks;
  return ticks / TICKS_PER_SECOND;
}

const site = await serveScreens();
const browser = await startBrowser();
for (const [motion, about] of [
  [true, 'moving'],
  [false, 'reduced motion'],
] as const) {
  const { page } = await openPage(browser, site, { screen: 'attract', motion });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const spare = await page.evaluate(() => document.documentElement.dataset.motion ?? 'full');
  const before = await secondsOfDescendants();
  await new Promise((resolve) => setTimeout(resolve, MEASURED_MS));
  const share = ((await secondsOfDescendants()) - before) / (MEASURED_MS / 1000);
  console.log(`${about} (${spare}): ${(share * 100).toFixed(1)} % of a core`);
  await page.close();
}
await browser.close();
site.close();
