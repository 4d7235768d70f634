// The browser that the pages are tested and photographed in: Chromium, without a screen.
import { type Browser, chromium } from 'playwright-core';

/** Starts it; `CHROMIUM` names another than the system's. */
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
      // The processor draws pages in half the time that it takes to play a graphics card; WebGL has no other way.
      '--disable-gpu',
      '--enable-unsafe-swiftshader',
    ],
  });
}
