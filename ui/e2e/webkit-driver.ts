// Drives WebKitGTK's MiniBrowser, the engine of the window on Linux, by WebDriver. Needs a display (`xvfb-run`).
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';

const WEBDRIVER = process.env.WEBKIT_DRIVER ?? 'WebKitWebDriver';

/** A page in the browser. */
export interface WebKitPage {
  /** Runs the body of an async function in the page. */
  evaluate<T>(body: string): Promise<T>;
  close(): Promise<void>;
}

/** Opens a URL in a window of this size. */
export async function openInWebKit(
  address: string,
  [width, height]: readonly [width: number, height: number],
): Promise<WebKitPage> {
  const port = await findFreePort();
  const driver = spawn(WEBDRIVER, [`--port=${port}`], { stdio: ['ignore', 'inherit', 'inherit'] });
  const call = async <T>(method: 'POST' | 'DELETE', path: string, body?: object): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}/${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const { value } = (await response.json()) as { value: T & { message?: string } };
    if (!response.ok) throw new Error(`${path}: ${value.message ?? response.status}`);
    return value;
  };
  try {
    await waitForDriver(driver, port);
    const { sessionId } = await call<{ sessionId: string }>('POST', 'session', {
      capabilities: {
        alwaysMatch: { 'webkitgtk:browserOptions': { binary: findMiniBrowser(), args: ['--automation'] } },
      },
    });
    const session = `session/${sessionId}`;
    await call('POST', `${session}/timeouts`, { script: 300_000 });
    await call('POST', `${session}/window/rect`, { x: 0, y: 0, width, height });
    await call('POST', `${session}/url`, { url: address });
    return {
      evaluate: async (body) => {
        const answer = await call<{ value: never } | { error: string }>('POST', `${session}/execute/async`, {
          script: `const done = arguments[0];
            (async () => {${body}})().then((value) => done({ value }), (error) => done({ error: String(error) }));`,
          args: [],
        });
        if ('error' in answer) throw new Error(answer.error);
        return answer.value;
      },
      close: async () => {
        await call('DELETE', session);
        driver.kill();
      },
    };
  } catch (error) {
    driver.kill();
    throw error;
  }
}

/** The distribution's path contains the architecture. */
function findMiniBrowser(): string {
  if (process.env.MINIBROWSER) return process.env.MINIBROWSER;
  const found = readdirSync('/usr/lib')
    .map((folder) => join('/usr/lib', folder, 'webkit2gtk-4.1'))
    .find((folder) => {
      try {
        return readdirSync(folder).includes('MiniBrowser');
      } catch {
        return false;
      }
    });
  if (!found) throw new Error('MiniBrowser of webkit2gtk-4.1 is not here: MINIBROWSER=/path/to/it');
  return join(found, 'MiniBrowser');
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when the driver accepts requests. */
async function waitForDriver(driver: ChildProcess, port: number): Promise<void> {
  const ended = once(driver, 'exit').then(([code]) => {
    throw new Error(`${WEBDRIVER} ended: ${code}`);
  });
  const answers = async () => {
    for (;;)
      try {
        await fetch(`http://127.0.0.1:${port}/status`);
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
  };
  await Promise.race([answers(), ended]);
  // Its exit at the end is expected.
  ended.catch(() => {});
}
