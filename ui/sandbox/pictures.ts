// The pictures of the sandbox in docs/screens/sandbox: the phone page from scan to avatar, and the avatars.
//   npm run screens:sandbox            ONLY=phone or ONLY=avatars for one of the two
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBrowser } from '../e2e/start-browser';
import { renderContactSheetToFile } from './heads';
import type { AvatarPictureSpec } from './heads-page';
import { TestPhonePage } from './phone';
import { SandboxProcess } from './sandbox';

const out = fileURLToPath(new URL('../../docs/screens/sandbox', import.meta.url));
await mkdir(out, { recursive: true });
const [browser, sandbox] = await Promise.all([startBrowser(), SandboxProcess.start('--seed', '14')]);
await sandbox.setClock({ paused: true });

try {
  const only = process.env.ONLY;
  if (only !== 'avatars') await savePhonePagePictures();
  if (only !== 'phone') await saveAvatarContactSheet();
} finally {
  await browser.close();
  await sandbox.stop();
}

/** Saves pictures of the phone page, from the scan of the QR code to the finished avatar. */
async function savePhonePagePictures(): Promise<void> {
  const token = await sandbox.generate();
  const phone = await TestPhonePage.open(browser, { scale: 1.5 });
  phone.context.setDefaultTimeout(120_000);
  const shoot = async (name: string) => {
    await phone.page.waitForLoadState('networkidle');
    await phone.page.evaluate(() => document.fonts.ready.then(() => undefined));
    await phone.page.screenshot({ path: join(out, `phone-${name}.png`) });
  };
  await phone.openTokenPage(sandbox.url, token, 'ja');
  await shoot('start-ja');
  await phone.openTokenPage(sandbox.url, token, 'en');
  await shoot('start');
  await phone.clickTestId('choose-existing');
  await phone.page.waitForFunction(() =>
    [...document.images].every((image) => image.complete && image.naturalWidth > 0),
  );
  await shoot('choose');
  await phone.clickTestId('choose-back');
  await phone.waitForScreen('start');
  // The portrait of another avatar: no real face.
  await phone.uploadPhoto(await sandbox.avatarPortrait(), 'face.png', 'image/png');
  await phone.waitForScreen('preview');
  await phone.page.getByTestId('zoom').fill('12');
  await phone.page.getByTestId('crop').focus();
  for (const key of ['ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowLeft']) await phone.page.keyboard.press(key);
  await phone.page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await shoot('crop');
  await phone.clickTestId('use-picture');
  await phone.waitForScreen('status', 'in_queue');
  await shoot('queue');
  await sandbox.forceState(token, 'fail');
  await phone.waitForScreen('status', 'failed');
  await shoot('failed');
  await phone.clickTestId('again');
  await phone.waitForScreen('start');
  await phone.clickTestId('skip-picture');
  await sandbox.advanceUntil(token, 'processing');
  await sandbox.setClock({ advance_ms: 5_000 });
  await phone.waitForScreen('status', 'processing');
  await phone.page.waitForFunction(() => Number(document.getElementById('figure')?.textContent) > 0);
  await shoot('progress');
  // Only a kiosk in the same program gives tickets.
  await phone.page.route('**/phone/status?*', async (route) => {
    const answer = await route.fetch();
    const ticket = { colour: 'blue', symbol: 'comet', state: 'making' };
    await route.fulfill({ response: answer, json: { ...(await answer.json()), ticket } });
  });
  await phone.page.getByTestId('ticket').waitFor();
  await shoot('ticket');
  await phone.page.unroute('**/phone/status?*');
  await sandbox.forceState(token, 'complete');
  await phone.waitForScreen('status', 'ready');
  await shoot('done');
  await phone.close();
}

/** Saves a contact sheet of the four existing avatars and four new ones, at rest and smiling. */
async function saveAvatarContactSheet(): Promise<void> {
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
  for (const name of ['ari', 'remy', 'robin', 'yuki']) files.set(name, await sandbox.avatarGlb(name));
  for (let number = 1; number <= 4; number += 1) files.set(`new-${number}`, await sandbox.avatarGlb());
  const row = (turn: number, face: AvatarPictureSpec['face']): AvatarPictureSpec[] =>
    [...files.keys()].map((file) => ({ file, turn, face, caption: '' }));
  const shots = [...row(0, {}), ...row(-16, smile)];
  const path = join(out, 'avatars.png');
  await renderContactSheetToFile(
    browser,
    files,
    shots,
    { columns: files.size, width: 240, height: 300 },
    path,
  );
}
