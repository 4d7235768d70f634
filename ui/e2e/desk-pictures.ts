// Pictures of the desk: `npm run screens:desk [-- NAME… SIZE… light|dark] [--out DIR]`. With `--out` those for the
// documentation, at 1080p: over the stage as JPEG, the others as PNG with few colours (by ImageMagick).
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { deskFaults } from './desk-layout-faults';
import { DESK_STATES, openDeskState } from './desk-states';
import { avatarFromEnvironment, finishAnimations, openPage, SIZES, type Size, serveScreens } from './pages';
import { startBrowser } from './start-browser';

const words = process.argv.slice(3);
const flat = words.includes('--out');
const out = resolve(flat ? (words[words.indexOf('--out') + 1] ?? '') : 'pictures');
const chosen = <T extends string>(all: readonly T[], otherwise: readonly T[]): readonly T[] => {
  const named = all.filter((one) => words.includes(one));
  return named.length > 0 ? named : otherwise;
};
const sizeNames = SIZES.map((size) => size.join('x'));
const names = DESK_STATES.map(({ name }) => name);

const avatar = await avatarFromEnvironment();
const site = await serveScreens(avatar.files);
const browser = await startBrowser();
await mkdir(out, { recursive: true });
let faults = 0;
for (const sizeName of chosen(sizeNames, flat ? ['1920x1080'] : sizeNames)) {
  const size = sizeName.split('x').map(Number) as unknown as Size;
  for (const colours of chosen(['light', 'dark'] as const, flat ? ['light'] : ['light', 'dark'])) {
    for (const name of chosen(names, names)) {
      const state = DESK_STATES.find((one) => one.name === name);
      if (!state) continue;
      const opened = await openPage(browser, site, {
        size,
        colours,
        screen: 'attract',
        // The voices of WebKitGTK on Debian.
        before: () => {
          speechSynthesis.getVoices = () => [{ lang: 'en-GB' }] as SpeechSynthesisVoice[];
        },
        ...avatar.opening,
        ...(state.desk ? { desk: state.desk } : {}),
      });
      await openDeskState(opened.page, state);
      await finishAnimations(opened.page);
      const where = [
        name,
        ...(flat ? [] : [sizeName]),
        ...(flat && colours === 'light' ? [] : [colours]),
      ].join('-');
      const photo = flat && !state.desk?.startsWith('open') ? 'jpg' : 'png';
      const path = join(out, `${where}.${photo}`);
      await opened.page.screenshot({
        path,
        timeout: 180_000,
        ...(photo === 'jpg' ? { type: 'jpeg', quality: 85 } : {}),
      });
      // The shade around a dialog would show bands.
      if (flat && photo === 'png' && (await opened.page.getByTestId('question').count()) === 0)
        execFileSync('convert', [path, '-dither', 'None', '-colors', '128', '-strip', `PNG8:${path}`]);
      for (const what of [...(await opened.page.evaluate(deskFaults)), ...opened.faults]) {
        faults += 1;
        console.error(`${where}: ${what}`);
      }
      await opened.page.close();
    }
  }
}
await browser.close();
site.close();
console.log(faults === 0 ? `all in order, pictures in ${out}` : `${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
