// The browser for tests and pictures: headless Chromium.
import { type Browser, chromium } from 'playwright-core';

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
      // Software painting is twice as fast as a simulated graphics card, which only WebGL needs.
      '--disable-gpu',
      '--enable-unsafe-swiftshader',
    ],
  });
}
