// How long the screen stands still while an avatar of sixty megabytes comes up: `npm run measure`. Numbers, no verdict:
// they depend on the machine, and here the processor plays the graphics card.

import { bigGlb, SIXTY_MEGABYTES } from './big-glb';
import { startBrowser } from './browser';
import { open, serve } from './pages';

const glb = bigGlb(SIXTY_MEGABYTES);
const site = await serve(new Map([['big.glb', glb]]));
const browser = await startBrowser();
const { page } = await open(browser, site, { size: [1280, 720], motion: true, glb: 'big.glb' });
const measured = await page.evaluate(async () => {
  const tasks: number[] = [];
  const gaps: number[] = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) tasks.push(Math.round(entry.duration));
  }).observe({ entryTypes: ['longtask'] });
  let last = performance.now();
  let over = false;
  const frame = (now: number) => {
    gaps.push(Math.round(now - last));
    last = now;
    if (!over) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const begun = performance.now();
  window.fake?.show('reveal');
  while (!document.querySelector('[data-ready=true]'))
    await new Promise((resolve) => setTimeout(resolve, 20));
  const ready = Math.round(performance.now() - begun);
  await new Promise((resolve) => setTimeout(resolve, 200));
  over = true;
  const largest = (all: number[]) => all.sort((a, b) => b - a).slice(0, 6);
  return { ready, tasks: largest(tasks), gaps: largest(gaps) };
});
console.log(`A GLB of ${(glb.length / 1e6).toFixed(1)} MB stood on the stage after ${measured.ready} ms.`);
console.log(
  `Longest tasks (ms): ${measured.tasks.join(', ')}; longest gaps between frames (ms): ${measured.gaps.join(', ')}`,
);
await browser.close();
site.close();
