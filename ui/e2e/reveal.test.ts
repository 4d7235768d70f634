// The reveal on a real (or simulated) graphics card: it releases its resources, and every failure has a fallback.
import { Document, NodeIO } from '@gltf-transform/core';
import { describe, expect, it } from 'vitest';
import { createMannequin } from '../../tests/avatars/mannequin.mjs';
import { generateGlb, SMALL_GLB } from './generated-glb';
import { checkInEveryLocale } from './layout-faults';
import { clickTestId, finishAnimations, showScreen } from './pages';
import { useBrowser } from './test-browser';

/** The linear colour of the mannequin's skin, and the factors that make light and dark skins of it. */
const MANNEQUIN_SKIN = [0.75, 0.46, 0.3] as const;
const SKINS = { light: [1, 1, 1], dark: [0.23, 0.17, 0.14] } as const;

/** A mannequin whose colours are multiplied by those of a skin. */
async function buildMannequin(skin: readonly [number, number, number]): Promise<Buffer> {
  const document = new Document();
  createMannequin(document);
  for (const material of document.getRoot().listMaterials()) material.setBaseColorFactor([...skin, 1]);
  return Buffer.from(await new NodeIO().writeBinary(document));
}
const { open } = useBrowser(
  new Map([
    ['light.glb', await buildMannequin(SKINS.light)],
    ['dark.glb', await buildMannequin(SKINS.dark)],
    ['small.glb', generateGlb(SMALL_GLB)],
    ['fine.glb', generateGlb({ rows: 8, columns: 8, side: 2300, pictures: 1 })],
  ]),
);
const READY = '[data-testid=turntable][data-ready=true]';
const SOON = { timeout: 60_000 };

/** What three.js reports of each renderer. */
interface Renderer {
  info: { memory: { geometries: number; textures: number }; programs: unknown[] | null };
}

function collectRenderers(): void {
  const renderers: unknown[] = [];
  const tools = new EventTarget();
  tools.addEventListener('observe', (event) => {
    const { detail } = event as CustomEvent<{ isWebGLRenderer?: boolean; info?: unknown }>;
    if (detail.info) renderers.push(detail);
  });
  Object.assign(window, { renderers, __THREE_DEVTOOLS__: tools });
}

describe('twenty reveals', () => {
  it('leave no geometry, texture, program or canvas behind', async () => {
    const { page, faults } = await open({ size: [320, 180], glb: 'small.glb', before: collectRenderers });
    const counts = () =>
      page.evaluate(() => {
        const { renderers } = window as unknown as { renderers: Renderer[] };
        return renderers.map(({ info }) => [
          info.memory.geometries,
          info.memory.textures,
          info.programs?.length ?? 0,
        ]);
      });
    let afterFirst: number[][] = [];
    for (let visit = 1; visit <= 20; visit += 1) {
      await page.evaluate(() => window.fake?.showScreen('reveal'));
      await page.locator(READY).waitFor(SOON);
      const held = (await counts()).at(-1) ?? [];
      // Not vacuous: the shown avatar holds all three.
      expect(Math.min(...held), String(held)).toBeGreaterThan(0);
      await page.evaluate(() => window.fake?.showScreen('attract'));
      await page.locator(READY).waitFor({ ...SOON, state: 'detached' });
      if (visit === 1) afterFirst = await counts();
    }
    const left = await counts();
    // One renderer for all: contexts are freed only at garbage collection.
    expect(left).toHaveLength(1);
    expect(left).toEqual(afterFirst);
    const [geometries, textures, programs] = left[0] ?? [];
    expect([geometries, programs]).toEqual([0, 0]);
    // three.js keeps a lookup table for physical materials.
    expect(textures).toBeLessThanOrEqual(1);
    expect(await page.locator('canvas').count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  }, 200_000);
});

it.each([
  [1280, 720],
  [540, 960],
])(
  'the faces, the buttons below them and the welcome fit in every language at %i × %i',
  async (width, height) => {
    const { page, faults } = await open({ size: [width, height], glb: 'small.glb' });
    await showScreen(page, 'reveal');
    await page.locator('.faces button').first().waitFor();
    expect(await checkInEveryLocale(page, ['reveal'], true)).toEqual([]);
    await clickTestId(page, 'this-is-me');
    expect(await checkInEveryLocale(page, ['reveal'], true)).toEqual([]);
    expect(faults).toEqual([]);
    await page.close();
  },
);

/** Runs in the page: the colour of the avatar at heights in the middle of its canvas (0 to 1 from the top). */
function readColoursInMiddle(heights: readonly number[]): [r: number, g: number, b: number][] {
  const canvas = document.querySelector<HTMLCanvasElement>('[data-testid=turntable] canvas');
  const gl = canvas?.getContext('webgl2');
  if (!canvas || !gl) throw new Error('there is no canvas');
  return heights.map((height) => {
    const pixel = new Uint8Array(4);
    const [x, y] = [Math.round(canvas.width / 2), Math.round(canvas.height * (1 - height))];
    gl.readPixels(x, y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    return [pixel[0] ?? 0, pixel[1] ?? 0, pixel[2] ?? 0];
  });
}

/** Hue in degrees and saturation of a colour that is more red than green, and more green than blue. */
const hueAndSaturation = ([r, g, b]: readonly [number, number, number]): [number, number] => [
  (60 * (g - b)) / (r - b),
  1 - b / r,
];

it('a dark skin stays dark, and keeps its hue and its saturation', async () => {
  const toSrgb = (linear: number) => 255 * (1.055 * linear ** (1 / 2.4) - 0.055);
  const foreheads: Record<string, number[]> = {};
  for (const [name, skin] of Object.entries(SKINS)) {
    const { page } = await open({ size: [640, 360], glb: `${name}.glb` });
    await showScreen(page, 'reveal');
    const [forehead] = await page.evaluate(readColoursInMiddle, [0.25]);
    await page.close();
    if (!forehead) throw new Error('there is a colour');
    foreheads[name] = forehead;
    const [r, g, b] = MANNEQUIN_SKIN;
    const own = [toSrgb(r * skin[0]), toSrgb(g * skin[1]), toSrgb(b * skin[2])] as const;
    const [hue, saturation] = hueAndSaturation(forehead);
    const [ownHue, ownSaturation] = hueAndSaturation(own);
    expect(Math.abs(hue - ownHue), `${name} ${forehead}`).toBeLessThan(8);
    expect(Math.abs(saturation - ownSaturation), `${name} ${forehead}`).toBeLessThan(0.12);
  }
  const [light = 0, dark = 0] = ['light', 'dark'].map((name) => foreheads[name]?.[0]);
  expect(dark / light).toBeLessThan(0.65);
}, 60_000);

it('on a slow machine the avatar is drawn sharply once nothing moves, and says so until it moves again', async () => {
  const { page } = await open({ size: [640, 360], glb: 'light.glb', motion: true });
  await page.evaluate(() => window.fake?.showScreen('reveal'));
  const canvases = page.locator('[data-testid=turntable] canvas');
  await page.locator('[data-testid=turntable][data-sharp]').waitFor(SOON);
  // The still picture over the canvas: this machine has no graphics card.
  expect(await canvases.count()).toBe(2);
  await page.evaluate(() => {
    const canvas = document.querySelector('[data-testid=turntable] canvas');
    for (const [type, clientX] of [
      ['pointerdown', 300],
      ['pointermove', 360],
    ] as const)
      canvas?.dispatchEvent(new PointerEvent(type, { clientX, clientY: 100, pointerId: 1, bubbles: true }));
  });
  await page.locator('[data-testid=turntable]:not([data-sharp])').waitFor(SOON);
  expect(await canvases.count()).toBe(1);
  await page.close();
}, 100_000);

it('the throat is in the shade of the chin, and keeps its hue', async () => {
  const { page } = await open({ size: [640, 360], glb: 'light.glb' });
  await showScreen(page, 'reveal');
  // The neck of the mannequin is flat, and lit alike from the chin down to the shoulders.
  const [throat, neck] = await page.evaluate(readColoursInMiddle, [0.66, 0.73]);
  if (!throat || !neck) throw new Error('there are two colours');
  const lightness = (colour: readonly number[]) => Math.max(...colour);
  expect(lightness(throat) / lightness(neck), `${throat} below ${neck}`).toBeLessThan(0.92);
  const [hue, saturation] = hueAndSaturation(throat);
  const [hueInLight, saturationInLight] = hueAndSaturation(neck);
  expect(Math.abs(hue - hueInLight)).toBeLessThan(10);
  expect(saturation).toBeGreaterThanOrEqual(saturationInLight - 0.02);
  await page.close();
});

it('a large texture is uploaded with at most 2048 pixels, and then released', async () => {
  const { page, faults } = await open({
    size: [320, 180],
    glb: 'fine.glb',
    before: () => {
      const given: { bitmap: ImageBitmap; width: number }[] = [];
      const real = WebGL2RenderingContext.prototype.texSubImage2D;
      WebGL2RenderingContext.prototype.texSubImage2D = function (this: unknown, ...all: unknown[]) {
        const bitmap = all.at(-1);
        if (bitmap instanceof ImageBitmap) given.push({ bitmap, width: bitmap.width });
        return Reflect.apply(real, this, all);
      } as typeof real;
      Object.assign(window, { given });
    },
  });
  await showScreen(page, 'reveal');
  const given = await page.evaluate(() =>
    (window as unknown as { given: { bitmap: ImageBitmap; width: number }[] }).given.map(
      ({ bitmap, width }) => [width, bitmap.width],
    ),
  );
  expect(given).toEqual([[2048, 0]]);
  expect(faults).toEqual([]);
  await page.close();
});

describe('without a graphics card', () => {
  it('the portrait is shown, and the visit continues', async () => {
    const { page } = await open({
      size: [320, 180],
      before: () => {
        const real = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (
          this: HTMLCanvasElement,
          kind: string,
          ...rest: unknown[]
        ) {
          return kind.startsWith('webgl') ? null : Reflect.apply(real, this, [kind, ...rest]);
        } as typeof real;
      },
    });
    await page.evaluate(() => window.fake?.showScreen('reveal'));
    await page.getByTestId('portrait').waitFor(SOON);
    expect(await page.locator('canvas').count()).toBe(0);
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('this-is-me');
    await page.close();
  });

  it('lost during the reveal, likewise', async () => {
    const { page } = await open({ size: [320, 180], glb: 'small.glb' });
    await showScreen(page, 'reveal');
    await page.locator('[data-testid=turntable] canvas').evaluate((canvas) => {
      (canvas as HTMLCanvasElement).getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
    });
    await page.getByTestId('portrait').waitFor(SOON);
    expect(await page.locator('canvas').count()).toBe(0);
    await page.close();
  });

  it('lost between two visits, the next visit gets a new context', async () => {
    const { page } = await open({ size: [320, 180], glb: 'small.glb' });
    await showScreen(page, 'reveal');
    const canvas = await page.locator('canvas').elementHandle();
    await page.evaluate(() => window.fake?.showScreen('attract'));
    await page.locator(READY).waitFor({ ...SOON, state: 'detached' });
    await canvas?.evaluate((element) => {
      const context = (element as HTMLCanvasElement).getContext('webgl2');
      const lost = new Promise((resolve) => element.addEventListener('webglcontextlost', resolve));
      context?.getExtension('WEBGL_lose_context')?.loseContext();
      return lost.then(() => {});
    });
    await showScreen(page, 'reveal');
    expect(
      await page.locator('canvas').evaluate((element) => {
        const context = (element as HTMLCanvasElement).getContext('webgl2');
        return context?.isContextLost();
      }),
    ).toBe(false);
    await page.close();
  });

  it('lost while the avatar loads, likewise', async () => {
    const { page } = await open({ size: [320, 180], glb: 'late.glb' });
    let answer = () => {};
    const asked = new Promise<void>((resolve) => {
      void page.route(/extra\/late\.glb/, async (route) => {
        resolve();
        await new Promise<void>((go) => (answer = go));
        await route.fulfill({ body: generateGlb(SMALL_GLB), contentType: 'model/gltf-binary' });
      });
    });
    await page.evaluate(() => window.fake?.showScreen('reveal'));
    await asked;
    await page.locator('[data-testid=turntable] canvas').evaluate((canvas) => {
      (canvas as HTMLCanvasElement).getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
    });
    await page.getByTestId('portrait').waitFor(SOON);
    answer();
    await page.close();
  });
});

it('the portrait is shown for a file that is no avatar', async () => {
  const { page } = await open({ size: [320, 180], glb: 'missing.glb' });
  await page.evaluate(() => window.fake?.showScreen('reveal'));
  await page.getByTestId('portrait').waitFor(SOON);
  await page.close();
});

describe('the avatar', () => {
  it.each([
    ['reveal-portrait', 'portrait'],
    ['reveal', 'turntable'],
  ] as const)('at %s no pixel is left under the warning', async (screen, id) => {
    const { page } = await open({ size: [640, 360], glb: 'small.glb' });
    await showScreen(page, screen);
    const face = page.getByTestId(id);
    const box = await face.boundingBox();
    if (!box) throw new Error('no face is shown');
    const clip = { x: box.x, y: box.y, width: box.width, height: Math.min(box.height, 360 - box.y) };
    const differs = async () => {
      const shot = () => page.screenshot({ timeout: 100_000, clip });
      const [there, gone] = [
        await shot(),
        await face.evaluate((element) => element.setAttribute('hidden', '')).then(shot),
      ];
      await face.evaluate((element) => element.removeAttribute('hidden'));
      return !there.equals(gone);
    };
    expect(await differs()).toBe(true);
    await page.evaluate(() => window.fake?.setBooth({ idle_seconds: 1 }));
    const warning = await page.getByTestId('idle').boundingBox();
    await finishAnimations(page);
    // The clock of the warning changes every second.
    await page.locator('[data-testid=idle] .clock').evaluate((clock) => {
      (clock as HTMLElement).style.visibility = 'hidden';
    });
    // Beside the text of the warning.
    clip.x = Math.max(clip.x, (warning?.x ?? 0) + (warning?.width ?? 0));
    clip.width = Math.min(640, box.x + box.width) - clip.x;
    expect(clip.width).toBeGreaterThan(20);
    expect(await differs()).toBe(false);
    await page.close();
  });
});
