// A visitor's phone: Chromium at its size, on the page that the QR code opens.
import type { Browser, BrowserContext, Page } from 'playwright-core';

/** A common phone and the smallest one in use. */
export const PHONES = { usual: { width: 390, height: 844 }, small: { width: 320, height: 568 } } as const;

/** The languages of the page, as tags. */
export const LANGUAGES = ['en', 'de', 'es', 'fr', 'ja', 'zh-Hans'] as const;

/** Options of the test browser that acts as a phone. */
export interface PhoneBrowserOptions {
  size?: { width: number; height: number };
  locale?: string;
  /** Whether animations run. Without it, the page is asked for reduced motion. */
  motion?: boolean;
  /** Device pixels per CSS pixel. */
  scale?: number;
}

/**
 * A simulated phone: a phone page in the browser of a test. Collects errors of the page (scripts, content security
 * policy).
 */
export class TestPhonePage {
  readonly complaints: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  static async open(browser: Browser, setting: PhoneBrowserOptions = {}): Promise<TestPhonePage> {
    const context = await browser.newContext({
      viewport: setting.size ?? PHONES.usual,
      locale: setting.locale ?? 'en',
      hasTouch: true,
      isMobile: true,
      deviceScaleFactor: setting.scale ?? 1,
      reducedMotion: setting.motion ? 'no-preference' : 'reduce',
    });
    context.setDefaultTimeout(20_000);
    return new TestPhonePage(context, await context.newPage());
  }

  /** Opens the page of a token. */
  async openTokenPage(url: string, token: string, lang?: string): Promise<void> {
    const words = lang ? `&lang=${lang}` : '';
    await this.page.goto(`${url}/phone?exportToken=${encodeURIComponent(token)}${words}`);
    await this.page.locator('body:not([data-screen=none])').waitFor();
  }

  async clickTestId(id: string): Promise<void> {
    await this.page.getByTestId(id).click();
  }

  /** Waits for a screen, and for a state of it. */
  async waitForScreen(screen: string, state?: string): Promise<void> {
    const shown = state ? `#${screen}[data-state=${state}]` : `#${screen}`;
    await this.page.locator(`body[data-screen=${screen}] ${shown}`).waitFor();
  }

  /** Waits until the page follows an avatar in any state. */
  async waitForStatus(): Promise<void> {
    await this.waitForScreen('status');
    await this.page.locator('#status:not([data-state=sending])').waitFor();
  }

  async textOf(id: string): Promise<string> {
    return (await this.page.getByTestId(id).textContent()) ?? '';
  }

  /** Provides the camera's picture. */
  async uploadPhoto(picture: Buffer, name = 'face.jpg', mimeType = 'image/jpeg'): Promise<void> {
    const chooser = this.page.waitForEvent('filechooser');
    await this.clickTestId('record-new');
    await (await chooser).setFiles({ name, mimeType, buffer: picture });
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
