// One browser and one site per test file.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { openPage as openIn, type PageOptions, type Site, serveScreens } from './pages';
import { startBrowser } from './start-browser';

/** Starts both before a file's tests and stops them after. Returns a function that opens pages. */
export function useBrowser(extra: ReadonlyMap<string, Buffer> = new Map()) {
  let browser: Browser;
  let site: Site;
  beforeAll(async () => {
    site = await serveScreens(extra);
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });
  return {
    open: (opening: PageOptions = {}) => openIn(browser, site, opening),
  };
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The violations that axe finds. Contrast is measured elsewhere: axe cannot see through a painted stage. */
export async function axeFaults(page: Page): Promise<string[]> {
  return runAxe(page, 'html', { rules: { 'color-contrast': { enabled: false } } });
}

/** The contrast violations that axe finds within an element with opaque backgrounds. */
export async function contrastFaults(page: Page, within: string): Promise<string[]> {
  return runAxe(page, within, { runOnly: ['color-contrast'] });
}

async function runAxe(page: Page, within: string, options: object): Promise<string[]> {
  await page.evaluate(`if (!window.axe) { ${axe} }`);
  return page.evaluate(
    async ([context, how]) => {
      const { axe } = window as unknown as { axe: typeof import('axe-core') };
      const { violations } = await axe.run(context, how);
      return violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
      );
    },
    [within, options] as const,
  );
}
