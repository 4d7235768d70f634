// Renders avatars side by side into one picture.
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { createServer } from 'vite';
import type { AvatarPictureSpec } from './heads-page';

/** The layout: pictures per row, and the size of each in pixels. */
export interface ContactSheetLayout {
  columns: number;
  width: number;
  height: number;
}

/**
 * Renders the pictures of the avatars into one contact sheet, a PNG at `path`. `files` maps the names used in the
 * shots to GLB contents.
 */
export async function renderContactSheetToFile(
  browser: Browser,
  files: ReadonlyMap<string, Buffer>,
  shots: AvatarPictureSpec[],
  { columns, width, height }: ContactSheetLayout,
  path: string,
): Promise<void> {
  const server = await createServer({
    root: fileURLToPath(new URL('..', import.meta.url)),
    configFile: false,
    logLevel: 'error',
    server: { port: 0, host: '127.0.0.1', watch: null, hmr: false },
  });
  await server.listen();
  const page = await browser.newPage({ viewport: { width: columns * (width + 2), height } });
  // Rendering without a graphics card is slow.
  page.setDefaultTimeout(240_000);
  try {
    const address = server.resolvedUrls?.local[0];
    if (!address) throw new Error('the page’s server did not start');
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.route('**/avatars/*.glb', (route) => {
      const body = files.get(new URL(route.request().url()).pathname.replace(/.*\/(.*)\.glb$/, '$1'));
      return body ? route.fulfill({ body, contentType: 'model/gltf-binary' }) : route.abort();
    });
    await page.goto(`${address}sandbox/heads.html`);
    await page.waitForFunction(() => 'drawHeads' in window);
    const named = shots.map((shot) => ({ ...shot, file: `${address}avatars/${shot.file}.glb` }));
    await page.evaluate(([all, across, wide, high]) => window.drawHeads(all, across, wide, high), [
      named,
      columns,
      width,
      height,
    ] as const);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    await page.screenshot({ path, fullPage: true });
  } finally {
    await page.close();
    await server.close();
  }
}
