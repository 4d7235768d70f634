// The reveal shows each file of the corpus upright, from the front and with the head large, or says why not.
// `npm run test:avatars` with AVATAR_CORPUS=<folder>; `PICTURES=<folder>` saves a picture of each.
import { mkdir, writeFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { screens } from '../fake/fixtures';
import { readAvatarCorpus } from './avatar-corpus';
import { useBrowser } from './test-browser';

const { files, bytes } = readAvatarCorpus();
const SOON = { timeout: 60_000 };
const { open } = useBrowser(bytes);
/** Cells of a coarse picture, along and down. */
const GRID = [48, 27] as const;

/** A colour in the picture: its share of the pixels, and the middle of it, 0 to 1 from the left and from the top. */
interface ColourPatch {
  share: number;
  x: number;
  y: number;
}

/** What is drawn on the canvas. */
interface DrawnFigure {
  /** The eyes and the mouth of the mannequin, and everything drawn. */
  patches: Record<'green' | 'blue' | 'red' | 'figure', ColourPatch>;
  /** Red, green, blue and opacity of each cell of the grid, 0 to 255, by rows from the bottom. */
  cells: number[];
}

/** Runs in the page. */
function readDrawnFigure([columns, rows]: readonly [number, number]): DrawnFigure {
  const canvas = document.querySelector<HTMLCanvasElement>('[data-testid=turntable] canvas');
  const gl = canvas?.getContext('webgl2');
  if (!canvas || !gl) throw new Error('there is no canvas');
  const { width, height } = canvas;
  const pixels = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const sums = { green: [0, 0, 0], blue: [0, 0, 0], red: [0, 0, 0], figure: [0, 0, 0] };
  const cells = new Array<number>(columns * rows * 4).fill(0);
  const perCell = (width * height) / (columns * rows);
  for (let at = 0; at < pixels.length; at += 4) {
    const [r, g, b, a] = [...pixels.subarray(at, at + 4)] as [number, number, number, number];
    const [column, row] = [(at / 4) % width, Math.floor(at / 4 / width)];
    const cell = 4 * (Math.floor((row / height) * rows) * columns + Math.floor((column / width) * columns));
    [r, g, b, a].forEach((value, i) => {
      cells[cell + i] = (cells[cell + i] ?? 0) + value / perCell;
    });
    if (a < 200) continue;
    const found: (keyof typeof sums)[] = ['figure'];
    if (g > 40 && g > r * 1.5 && g > b * 1.5) found.push('green');
    if (b > 50 && b > r * 1.6 && b > g * 1.4) found.push('blue');
    if (r > 60 && r > g * 2.6 && r > b * 2.2) found.push('red');
    for (const name of found) {
      const sum = sums[name];
      sum[0] = (sum[0] ?? 0) + 1;
      sum[1] = (sum[1] ?? 0) + column / width;
      sum[2] = (sum[2] ?? 0) + 1 - row / height;
    }
  }
  const patch = ([count = 0, x = 0, y = 0]: number[]): ColourPatch => ({
    share: count / (width * height),
    x: x / Math.max(1, count),
    y: y / Math.max(1, count),
  });
  const patches = Object.entries(sums).map(([name, sum]) => [name, patch(sum)]);
  return { patches: Object.fromEntries(patches) as DrawnFigure['patches'], cells };
}

/**
 * The part of the picture by which two figures differ, 0 to 1: where only one is (`channels` is `[3]`), or where they have
 * another colour.
 */
function differingShare(
  one: readonly number[],
  other: readonly number[],
  channels: readonly number[],
): number {
  let differing = 0;
  for (let at = 0; at < one.length; at += 4) {
    const distance = channels.map((i) => Math.abs((one[at + i] ?? 0) - (other[at + i] ?? 0)));
    if (Math.max(...distance) > 40) differing += 1;
  }
  return (4 * differing) / one.length;
}

function expectMannequinsFace({ green, blue, red }: DrawnFigure['patches']): void {
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
}

describe('the reveal', () => {
  let page: Page;
  let faults: string[];
  /** The picture of the head as the sandbox generates it, which the changed ones resemble. */
  let unchangedHead: DrawnFigure;

  /** Opens a file of the corpus; returns whether it is shown in 3D. */
  async function showAvatar(name: string): Promise<boolean> {
    faults.splice(0);
    await page.evaluate(() => window.fake?.showScreen('attract'));
    await page.getByTestId('turntable').waitFor({ ...SOON, state: 'detached' });
    await page.getByTestId('portrait').waitFor({ ...SOON, state: 'detached' });
    const portrait = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')}`;
    const screen = { ...screens.reveal, glb: `extra/${name}`, portrait };
    await page.evaluate((shown) => window.fake?.putScreen(shown), screen);
    await page.locator('[data-testid=turntable][data-ready=true], [data-testid=portrait]').waitFor(SOON);
    if (process.env.PICTURES)
      await writeFile(`${process.env.PICTURES}/${name}.png`, await page.screenshot({ timeout: 100_000 }));
    return (await page.getByTestId('turntable').count()) > 0;
  }

  /** The operator's sentence about a file that is not shown. */
  async function readReason(): Promise<string> {
    await page.keyboard.press('F9');
    const reason = await page.locator('[data-row="Not in 3D"]').innerText(SOON);
    await page.keyboard.press('F9');
    return reason;
  }

  beforeAll(async () => {
    if (process.env.PICTURES) await mkdir(process.env.PICTURES, { recursive: true });
    ({ page, faults } = await open({ size: [640, 360] }));
    await page.evaluate(() => window.fake?.showScreen('reveal'));
    await showAvatar('head.glb');
    unchangedHead = await page.evaluate(readDrawnFigure, GRID);
  }, 120_000);

  it.each(files.filter(({ notShown }) => notShown === null).map((file) => [file.name, file] as const))(
    'shows %s',
    async (name, { figure, expected }) => {
      const isShown = await showAvatar(name);
      expect(isShown ? 'shown' : await readReason()).toBe('shown');
      const { patches, cells } = await page.evaluate(readDrawnFigure, GRID);
      expect(patches.figure.share, 'the figure').toBeGreaterThan(0.03);
      if (figure === 'mannequin') expectMannequinsFace(patches);
      if (expected === 'fail') return;
      if (figure === 'head' || figure === 'outline of the head') {
        const channels = figure === 'head' ? [0, 1, 2, 3] : [3];
        expect(differingShare(cells, unchangedHead.cells, channels)).toBeLessThan(0.02);
      }
      expect(faults).toEqual([]);
    },
  );

  it.each(files.flatMap(({ name, notShown }) => (notShown === null ? [] : [[name, notShown] as const])))(
    'says why it does not show %s',
    async (name, notShown) => {
      expect(await showAvatar(name)).toBe(false);
      const reason = await readReason();
      expect(reason.toLowerCase()).toContain(notShown.toLowerCase());
      expect(reason).toMatch(/The file is saved whole\.$/);
    },
  );
});
