// The reveal shows an avatar of each feature of glTF, upright, from the front and with the head large, or says why not.
// `PICTURES=<folder>` saves a picture of each.
import { writeFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { createFeatureAvatars } from './feature-avatars';
import { useBrowser } from './test-browser';

const avatars = await createFeatureAvatars();
const SOON = { timeout: 60_000 };
const { open } = useBrowser(new Map([...avatars].map(([name, { bytes }]) => [name, bytes])));

/** A colour in the picture: its share of the pixels, and the middle of it, 0 to 1 from the left and from the top. */
interface ColourPatch {
  share: number;
  x: number;
  y: number;
}

/** Finds the mannequin's eyes (green, blue) and mouth (red) on the canvas. Runs in the page. */
function findFacePatches(): Record<'green' | 'blue' | 'red' | 'figure', ColourPatch> {
  const canvas = document.querySelector<HTMLCanvasElement>('[data-testid=turntable] canvas');
  const gl = canvas?.getContext('webgl2');
  if (!canvas || !gl) throw new Error('there is no canvas');
  const { width, height } = canvas;
  const pixels = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const sums = { green: [0, 0, 0], blue: [0, 0, 0], red: [0, 0, 0], figure: [0, 0, 0] };
  for (let at = 0; at < pixels.length; at += 4) {
    const [r, g, b, a] = [...pixels.subarray(at, at + 4)] as [number, number, number, number];
    if (a < 200) continue;
    const x = ((at / 4) % width) / width;
    const y = 1 - Math.floor(at / 4 / width) / height;
    const found: (keyof typeof sums)[] = ['figure'];
    if (g > 40 && g > r * 1.5 && g > b * 1.5) found.push('green');
    if (b > 50 && b > r * 1.6 && b > g * 1.4) found.push('blue');
    if (r > 60 && r > g * 2.6 && r > b * 2.2) found.push('red');
    for (const name of found) {
      const sum = sums[name];
      sum[0] = (sum[0] ?? 0) + 1;
      sum[1] = (sum[1] ?? 0) + x;
      sum[2] = (sum[2] ?? 0) + y;
    }
  }
  const patch = ([count = 0, x = 0, y = 0]: number[]): ColourPatch => ({
    share: count / (width * height),
    x: x / Math.max(1, count),
    y: y / Math.max(1, count),
  });
  return {
    green: patch(sums.green),
    blue: patch(sums.blue),
    red: patch(sums.red),
    figure: patch(sums.figure),
  };
}

async function openReveal(name: string): Promise<{ page: Page; faults: string[] }> {
  const opened = await open({ size: [960, 540], glb: name });
  await opened.page.evaluate(() => window.fake?.showScreen('reveal'));
  return opened;
}

async function savePicture(page: Page, name: string): Promise<void> {
  const folder = process.env.PICTURES;
  if (folder) await writeFile(`${folder}/${name}.png`, await page.screenshot({ timeout: 100_000 }));
}

describe('an avatar that can be shown', () => {
  it.each([...avatars].filter(([, { reason }]) => reason === null).map(([name]) => name))(
    '%s has its face in the picture, upright and large',
    async (name) => {
      const { page, faults } = await openReveal(name);
      await page.locator('[data-testid=turntable][data-ready=true], [data-testid=portrait]').waitFor(SOON);
      await savePicture(page, name);
      await page.keyboard.press('F9');
      const detail = await page.getByTestId('operator-detail').innerText();
      expect(detail).not.toContain('Not in 3D');
      const { green, blue, red, figure } = await page.evaluate(findFacePatches);
      expect(figure.share, 'the figure').toBeGreaterThan(0.03);
      for (const [part, { share }] of Object.entries({ green, blue, red }))
        expect(share, part).toBeGreaterThan(0.0005);
      // Its left eye is at the right, and the mouth below between them.
      expect(green.x).toBeGreaterThan(blue.x);
      expect(Math.abs(green.y - blue.y)).toBeLessThan(0.06);
      expect(red.y - (green.y + blue.y) / 2, 'from the eyes to the mouth').toBeGreaterThan(0.07);
      expect((green.x + blue.x) / 2).toBeGreaterThan(0.25);
      expect((green.x + blue.x) / 2).toBeLessThan(0.75);
      expect(green.y).toBeGreaterThan(0.1);
      expect(red.y).toBeLessThan(0.85);
      // The faces that it can make are found by the names of its blendshapes.
      const hasShapes = !/no-blendshapes|draco-head-only/.test(name);
      expect(await page.getByTestId('face-smile').count()).toBe(hasShapes ? 1 : 0);
      expect(faults).toEqual([]);
      await page.close();
    },
  );
});

describe('an avatar that cannot be shown', () => {
  it.each([...avatars].filter(([, { reason }]) => reason !== null))(
    '%s has its portrait, and the reason for the operator',
    async (name, { reason }) => {
      const { page } = await openReveal(name);
      await page.getByTestId('portrait').waitFor(SOON);
      await savePicture(page, name);
      await page.getByTestId('detail').click(SOON);
      const row = await page.locator('[data-row="Not in 3D"]').innerText(SOON);
      expect(row).toMatch(reason ?? /./);
      expect(row).toMatch(/The file is saved whole\.$/);
      await page.close();
    },
  );
});
