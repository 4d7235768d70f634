// Serves the built screens with the scripted host under the real content security policy, for Chromium.
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import type { ScreenName } from '../fake/fixtures';

const root = fileURLToPath(new URL('../dist-fake', import.meta.url));
const shell = fileURLToPath(new URL('../../src-tauri/tauri.conf.json', import.meta.url));
const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.woff2': 'font/woff2',
  '.glb': 'model/gltf-binary',
  '.png': 'image/png',
};

/** A screen size in pixels. */
export type Size = readonly [width: number, height: number];

/** The supported sizes. */
export const SIZES: readonly Size[] = [
  [1920, 1080],
  [1280, 720],
  [3840, 2160],
  [1080, 1920],
];

/** The served screens. */
export interface Site {
  address: string;
  close(): void;
}

/** Bytes of the longest piece of an extra file. */
const PIECE_BYTES = 4 << 20;

/** Serves the screens (`npm run build:fake`), and extra files under `/extra/`: in pieces, as the window serves avatars. */
export async function serveScreens(extra: ReadonlyMap<string, Buffer> = new Map()): Promise<Site> {
  const policy = await contentSecurityPolicy();
  const server: Server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const path = normalize(pathname).replace(/^\/$/, '/index.html');
    const from = searchParams.get('from');
    try {
      const body = extra.get(path.replace(/^\/extra\//, '')) ?? (await readFile(join(root, path)));
      response.writeHead(200, {
        'content-type': types[extname(path)] ?? 'application/octet-stream',
        'content-security-policy': policy,
        'x-file-size': body.length,
      });
      response.end(from === null ? body : body.subarray(Number(from), Number(from) + PIECE_BYTES));
    } catch {
      // Browsers request an icon on their own.
      response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The window's content security policy. */
async function contentSecurityPolicy(): Promise<string> {
  const { app } = JSON.parse(await readFile(shell, 'utf8')) as { app: { security: { csp: string } } };
  return app.security.csp;
}

/**
 * The avatar named by the environment (`AVATAR=/path/to/avatar.glb`, its portrait beside it as `.png`): the files to
 * serve, and the page options. Empty when none is named.
 */
export async function avatarFromEnvironment(): Promise<{ files: Map<string, Buffer>; opening: PageOptions }> {
  const glb = process.env.AVATAR;
  if (!glb) return { files: new Map(), opening: {} };
  const portrait = glb.replace(/\.glb$/, '.png');
  const files = new Map([
    ['avatar.glb', await readFile(glb)],
    ['avatar.png', await readFile(portrait)],
  ]);
  // Portraits beside it are used for other visits.
  const portraits: string[] = [];
  for (const name of (await readdir(dirname(glb))).filter((one) => /^\w+\.png$/.test(one)).sort()) {
    files.set(`past-${name}`, await readFile(join(dirname(glb), name)));
    portraits.push(`past-${name}`);
  }
  return { files, opening: { glb: 'avatar.glb', portrait: 'avatar.png', portraits } };
}

/** How a page is opened. */
export interface PageOptions {
  screen?: ScreenName | '';
  size?: Size;
  motion?: boolean;
  glb?: string;
  portrait?: string;
  /** Portraits of the history's visits, in order. */
  portraits?: readonly string[];
  /** Shows the reveal before its avatar has loaded, because rendering is slow. */
  withoutStage?: boolean;
  /** The test controls the time. */
  clock?: boolean;
  /** Factor for the duration of a played visit (below 1: faster). */
  pace?: number;
  /** The recording ends only on `finishRecording()`. */
  hold?: boolean;
  /** The initial state of the desk: `open`, `first` when no PIN was ever set, `late` when it is too late to set one. */
  desk?: 'open' | 'first' | 'late';
  /** The preferred colour scheme of the system. */
  colours?: 'light' | 'dark';
  /** A theme of high contrast, whose colours replace those of the page. */
  forcedColours?: boolean;
  /** Runs in the page before its own scripts. */
  before?: (() => void) | string;
}

/** Opens the screens. `faults` collects the page's errors. */
export async function openPage(
  browser: Browser,
  site: Site,
  {
    screen = 'attract',
    size = [1920, 1080],
    motion = false,
    glb,
    portrait,
    portraits,
    withoutStage,
    clock,
    pace,
    hold,
    desk,
    colours = 'light',
    forcedColours = false,
    before,
  }: PageOptions = {},
): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage({
    viewport: { width: size[0], height: size[1] },
    colorScheme: colours,
    forcedColors: forcedColours ? 'active' : 'none',
    reducedMotion: motion ? 'no-preference' : 'reduce',
    locale: 'en-GB',
  });
  page.setDefaultTimeout(60_000);
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  if (clock) await page.clock.install();
  if (before) await page.addInitScript(typeof before === 'string' ? { content: before } : before);
  const asked = new URLSearchParams({
    fake: screen,
    ...(glb ? { glb: `extra/${glb}` } : {}),
    ...(portrait ? { portrait: `extra/${portrait}` } : {}),
    ...(portraits ? { portraits: portraits.map((one) => `extra/${one}`).join() } : {}),
    ...(desk ? { desk } : {}),
    ...(pace === undefined ? {} : { pace: String(pace) }),
    ...(hold ? { hold: '' } : {}),
  });
  if (withoutStage) await page.route('blob:*', () => {});
  await page.goto(`${site.address}?${asked}`);
  await page.locator('h1').waitFor();
  return { page, faults };
}

/** Shows a screen, and waits for its transitions and fonts. */
export async function showScreen(page: Page, name: ScreenName): Promise<void> {
  await page.evaluate(async (which) => {
    // A visitor who comes from the QR code is greeted first.
    window.fake?.showScreen(which === 'making-found' ? 'invite' : 'preparing');
    await new Promise((resolve) => setTimeout(resolve));
    window.fake?.showScreen(which);
    await document.fonts.ready;
  }, name);
  if (name === 'reveal' && (await page.locator('[data-testid=turntable]').count()) > 0)
    await page.locator('[data-testid=turntable][data-ready=true]').waitFor({ timeout: 60_000 });
  await finishAnimations(page);
}

/** Finishes transitions, and stops endless animations at a fixed time, so that pictures are reproducible. */
export async function finishAnimations(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const animation of document.getAnimations()) {
      if (animation.effect?.getComputedTiming().endTime === Number.POSITIVE_INFINITY) {
        animation.pause();
        animation.currentTime = 4200;
      } else animation.finish();
    }
  });
}

/** Clicks an element by test id, without waiting for the next frame, which may be slow. */
export async function clickTestId(page: Page, id: string): Promise<void> {
  await page.getByTestId(id).evaluate((element) => (element as HTMLElement).click());
}
