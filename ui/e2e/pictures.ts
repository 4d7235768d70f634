// Pictures of the screens and of what is shown over them (`screen-states.ts`): `npm run screens [-- NAME… SIZE…
// LANGUAGE… --motion]`, AVATAR=/path/to/avatar.glb. With `--out DIR` those for the documentation, as JPEG: at 1080p in
// English, unless another size or language is named, which is then in the name of the file.
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LOCALES } from '../src/language/locales';
import { layoutFaults } from './layout-faults';
import { avatarFromEnvironment, openPage, SIZES, type Size, serveScreens } from './pages';
import { STATES, showState } from './screen-states';
import { startBrowser } from './start-browser';

const words = process.argv.slice(3);
const chosen = <T extends string>(all: readonly T[], otherwise: readonly T[]): readonly T[] => {
  const named = all.filter((one) => words.includes(one));
  return named.length > 0 ? named : otherwise;
};
const sizeNames = SIZES.map((size) => size.join('x'));
const out = resolve(words.includes('--out') ? (words[words.indexOf('--out') + 1] ?? '') : 'pictures');
const flat = words.includes('--out');
const avatar = await avatarFromEnvironment();

const site = await serveScreens(avatar.files);
const browser = await startBrowser();
await mkdir(out, { recursive: true });
let faults = 0;
for (const sizeName of chosen(sizeNames, flat ? ['1920x1080'] : sizeNames)) {
  const size = sizeName.split('x').map(Number) as unknown as Size;
  const motion = words.includes('--motion');
  const opened = await openPage(browser, site, { size, motion, ...avatar.opening });
  for (const locale of chosen([...LOCALES, 'long', 'mirrored'] as const, ['en'])) {
    for (const name of chosen(STATES, STATES)) {
      const where = [
        name,
        ...(flat && sizeName === '1920x1080' ? [] : [sizeName]),
        ...(locale === 'en' ? [] : [locale]),
      ].join('-');
      await showState(opened.page, name, locale);
      const path = join(out, `${where}.${flat ? 'jpg' : 'png'}`);
      await opened.page.screenshot({
        timeout: 180_000,
        path,
        ...(flat ? { type: 'jpeg', quality: 88 } : {}),
      });
      for (const what of [...(await opened.page.evaluate(layoutFaults, false)), ...opened.faults.splice(0)]) {
        faults += 1;
        console.error(`${where}: ${what}`);
      }
    }
  }
  await opened.page.close();
}
await browser.close();
site.close();
console.log(faults === 0 ? `all in order, pictures in ${out}` : `${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
