// The browser for tests and pictures: headless Chromium.
import { type Browser, chromium } from 'playwright-core';

/** Software painting is twice as fast as a simulated graphics card, which only WebGL needs. */
export const SOFTWARE_RENDERING_ARGS = ['--disable-gpu', '--enable-unsafe-swiftshader'] as const;

/** Starts the browser; `CHROMIUM` overrides the system's. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...SOFTWARE_RENDERING_ARGS,
    ],
  });
}
