// The pictures of the sandbox in docs/screens/sandbox: the phone page from scan to avatar, and the avatars.
//   npm run screens:sandbox            ONLY=phone or ONLY=avatars for one of the two
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBrowser } from '../e2e/start-browser';
import { photographHeads } from './heads';
import type { Shot } from './heads-page';
import { Phone } from './phone';
import { Sandbox } from './sandbox';

const out = fileURLToPath(new URL('../../docs/screens/sandbox', import.meta.url));
await mkdir(out, { recursive: true });
const [browser, sandbox] = await Promise.all([startBrowser(), Sandbox.start('--seed', '14')]);
await sandbox.clock({ paused: true });

try {
  const only = process.env.ONLY;
  if (only !== 'avatars') await photographPhone();
  if (only !== 'phone') await photographAvatars();
} finally {
  await browser.close();
  await sandbox.stop();
}

async function photographPhone(): Promise<void> {
  const token = await sandbox.generate();
  const phone = await Phone.inHand(browser, { scale: 1.5 });
  phone.context.setDefaultTimeout(120_000);
  const shoot = async (name: string) => {
    await phone.page.waitForLoadState('networkidle');
    await phone.page.evaluate(() => document.fonts.ready.then(() => undefined));
    await phone.page.screenshot({ path: join(out, `phone-${name}.png`) });
  };
  await phone.scan(sandbox.url, token, 'ja');
  await shoot('start-ja');
  await phone.scan(sandbox.url, token, 'en');
  await shoot('start');
  await phone.press('choose-existing');
  await phone.page.waitForFunction(() =>
    [...document.images].every((image) => image.complete && image.naturalWidth > 0),
  );
  await shoot('choose');
  await phone.press('choose-back');
  await phone.see('start');
  // Nobody's face: that of another avatar.
  await phone.shoot(await sandbox.portrait(), 'face.png', 'image/png');
  await phone.see('preview');
  await phone.page.getByTestId('zoom').fill('12');
  await phone.page.getByTestId('crop').focus();
  for (const key of ['ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowLeft']) await phone.page.keyboard.press(key);
  await phone.page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await shoot('crop');
  await phone.press('use-picture');
  await phone.see('status', 'in_queue');
  await shoot('queue');
  await sandbox.force(token, 'fail');
  await phone.see('status', 'failed');
  await shoot('failed');
  await phone.press('again');
  await phone.see('start');
  await phone.press('skip-picture');
  await sandbox.moveUntil(token, 'processing');
  await sandbox.clock({ advance_ms: 5_000 });
  await phone.see('status', 'processing');
  await phone.page.waitForFunction(() => Number(document.getElementById('figure')?.textContent) > 0);
  await shoot('progress');
  await sandbox.force(token, 'complete');
  await phone.see('status', 'ready');
  await shoot('done');
  await phone.putAway();
}

async function photographAvatars(): Promise<void> {
  const smile = {
    mouthSmileLeft: 0.85,
    mouthSmileRight: 0.85,
    mouthUpperUpLeft: 0.4,
    mouthUpperUpRight: 0.4,
    jawOpen: 0.06,
    cheekSquintLeft: 0.4,
    cheekSquintRight: 0.4,
    browOuterUpLeft: 0.2,
    browOuterUpRight: 0.2,
  };
  const files = new Map<string, Buffer>();
  for (const name of ['ari', 'remy', 'robin', 'yuki']) files.set(name, await sandbox.head(name));
  for (let number = 1; number <= 4; number += 1) files.set(`new-${number}`, await sandbox.head());
  const row = (turn: number, face: Shot['face']): Shot[] =>
    [...files.keys()].map((file) => ({ file, turn, face, caption: '' }));
  const shots = [...row(0, {}), ...row(-16, smile)];
  const path = join(out, 'avatars.png');
  await photographHeads(browser, files, shots, { columns: files.size, width: 240, height: 300 }, path);
}
