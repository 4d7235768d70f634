import { afterEach, describe, expect, it, vi } from 'vitest';
import { BitmapBudget } from './bitmap-budget';
import { fetchAndDecodeScaledBitmap } from './decode-bitmap';

afterEach(() => vi.unstubAllGlobals());

/** The header of a PNG of this size. */
function pngHeader(width: number, height: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(33);
  const view = new DataView(bytes.buffer);
  [0x89504e47, 0x0d0a1a0a, 13, 0x49484452, width, height].forEach((word, i) => {
    view.setUint32(i * 4, word);
  });
  return bytes;
}

it('decodes an image at the size that is shown, and none that would fill the memory', async () => {
  const decode = vi.fn(async (_: Blob, options: ImageBitmapOptions) => options as unknown as ImageBitmap);
  vi.stubGlobal('createImageBitmap', decode);
  const decodePng = (width: number, height: number) => {
    vi.stubGlobal('fetch', async () => new Response(pngHeader(width, height)));
    return fetchAndDecodeScaledBitmap('blob:picture', new BitmapBudget());
  };
  expect(await decodePng(1024, 512)).not.toHaveProperty('resizeWidth');
  expect(await decodePng(8192, 8192)).toMatchObject({ resizeWidth: 2048, resizeHeight: 2048 });
  expect(decode).toHaveBeenCalledTimes(2);
  for (const [width, height] of [
    [8193, 8192],
    [30_000, 30_000],
    [2 ** 32 - 1, 2 ** 32 - 1],
  ] as const)
    await expect(decodePng(width, height)).rejects.toThrow(`${width} × ${height} pixels is too large`);
  expect(decode).toHaveBeenCalledTimes(2);
});

const ascii = (text: string) => [...text].map((sign) => sign.charCodeAt(0));
const uint32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
const box = (type: string, content: number[]) => [...uint32(8 + content.length), ...ascii(type), ...content];

/** An AVIF of this size without pixels, with bytes of no meaning before its properties. */
function createAvifHeader(width: number, height: number, free = 0): number[] {
  const ispe = box('ispe', [0, 0, 0, 0, ...uint32(width), ...uint32(height)]);
  const pixi = box('pixi', [0, 0, 0, 0, 1, 8]);
  const meta = box('meta', [0, 0, 0, 0, ...box('iprp', box('ipco', [...pixi, ...ispe]))]);
  return [...box('ftyp', ascii('avif')), ...box('free', Array(free).fill(0)), ...meta];
}

/** A JPEG of this size without pixels, with these bytes before its frame. */
function createJpegHeader(width: number, height: number, before: number[] = []): number[] {
  const [w, h] = [width, height].map((side) => [side >> 8, side & 255]) as [number[], number[]];
  return [
    ...[0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2],
    ...before,
    ...[0xff, 0xc0, 0, 11, 8],
    ...h,
    ...w,
    3,
    0,
    0,
    0xff,
    0xda,
  ];
}

const large = {
  png: pngHeader(20_000, 20_000),
  text: [0, 0, 0, 4, ...ascii('tEXt'), 0, 0, 4, 0, 0, 0, 4, 0],
};

describe('an image that would fill the memory is refused', () => {
  const gif = [...ascii('GIF89a'), 0x20, 0x4e, 0x20, 0x4e, 0, 0, 0];
  it.each<[string, ArrayLike<number>]>([
    ['a GIF', gif],
    ['a BMP', [...ascii('BM'), ...Array(16).fill(0), 0x20, 0x4e, 0, 0, 0x20, 0x4e, 0, 0]],
    ['a TIFF', [...ascii('II*'), 0, 8, 0, 0, 0]],
    ['nothing', []],
    [
      'a PNG with another size before its own',
      [...large.png.slice(0, 8), ...large.text, ...large.png.slice(8)],
    ],
    ['a PNG of no height', pngHeader(20_000, 0)],
    ['a JPEG', createJpegHeader(20_000, 20_000)],
    ['a JPEG with a byte between its segments', createJpegHeader(20_000, 20_000, [0])],
    ['a JPEG with fill bytes', createJpegHeader(20_000, 20_000, [0xff, 0, 0xff, 0xff, 0xff, 0x01])],
    ['a JPEG with a marker alone', createJpegHeader(20_000, 20_000, [0xff, 0xd0])],
    ['a JPEG without a frame', [0xff, 0xd8, 0xff, 0xda, 0, 2]],
    ['an AVIF', createAvifHeader(16_000, 16_000)],
    ['an AVIF with its properties far behind', createAvifHeader(16_000, 16_000, 5_000)],
    [
      'an AVIF with its size in another place',
      [...box('ftyp', ascii('avif')), ...Array(5_000).fill(0), ...ascii('ispe')],
    ],
    ['a film', [...createAvifHeader(16, 16), ...box('moov', [])]],
  ])('%s', async (_, bytes) => {
    const decode = vi.fn(async () => ({}) as ImageBitmap);
    vi.stubGlobal('createImageBitmap', decode);
    vi.stubGlobal('fetch', async () => new Response(Uint8Array.from(bytes)));
    await expect(fetchAndDecodeScaledBitmap('blob:picture', new BitmapBudget())).rejects.toThrow(
      /too large|size is unknown/,
    );
    expect(decode).not.toHaveBeenCalled();
  });
});

it('decodes unusual images', async () => {
  const decode = vi.fn(async (_: Blob, options: ImageBitmapOptions) => options as unknown as ImageBitmap);
  vi.stubGlobal('createImageBitmap', decode);
  for (const bytes of [
    createJpegHeader(4096, 1024, [0, 0xff, 0xd0, 0xff, 0xff]),
    createAvifHeader(4096, 1024, 5_000),
    // Padded, and with its last box until the end.
    [...createAvifHeader(4096, 1024), 0, 0, 0],
    [...createAvifHeader(4096, 1024), 0, 0, 0, 0, ...ascii('mdat'), 1, 2, 3],
    // With a size of 64 bits.
    [
      ...createAvifHeader(4096, 1024).slice(0, 12),
      0,
      0,
      0,
      1,
      ...ascii('free'),
      ...uint32(0),
      ...uint32(16),
      ...createAvifHeader(4096, 1024).slice(12),
    ],
  ]) {
    vi.stubGlobal('fetch', async () => new Response(Uint8Array.from(bytes)));
    const options = await fetchAndDecodeScaledBitmap('blob:picture', new BitmapBudget());
    expect(options).toMatchObject({ resizeWidth: 2048, resizeHeight: 512 });
  }
});

describe('the images of an avatar', () => {
  /** Starts to decode images of this size that are small in the file. Decoding ends when the test says so. */
  function startDecoding(count: number, width: number, height: number) {
    const running: (() => void)[] = [];
    const started = vi.fn(() => new Promise<void>((resolve) => running.push(resolve)));
    vi.stubGlobal('createImageBitmap', started);
    vi.stubGlobal('fetch', async () => new Response(pngHeader(width, height)));
    const budget = new BitmapBudget();
    const images = Array.from({ length: count }, () => fetchAndDecodeScaledBitmap('blob:picture', budget));
    return { started, running, all: Promise.allSettled(images) };
  }

  it('that are large are decoded one after another', async () => {
    const { started, running, all } = startDecoding(5, 8192, 8192);
    for (let i = 1; i <= 5; i += 1) {
      await vi.waitFor(() => expect(started).toHaveBeenCalledTimes(i));
      expect(running).toHaveLength(1);
      running.shift()?.();
    }
    expect((await all).every(({ status }) => status === 'fulfilled')).toBe(true);
  });

  it('that are small are decoded at once', async () => {
    const { started, running, all } = startDecoding(16, 2048, 2048);
    await vi.waitFor(() => expect(started).toHaveBeenCalledTimes(16));
    for (const end of running) end();
    await all;
  });

  it('have a limit of pixels together', async () => {
    const { running, started, all } = startDecoding(100, 4096, 2048);
    while (started.mock.calls.length < 64) {
      await vi.waitFor(() => expect(running).not.toHaveLength(0));
      running.shift()?.();
    }
    for (const end of running) end();
    const refused = (await all).filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(36);
    expect(String(refused[0]?.reason)).toMatch(/images of the avatar have more than 134217728 pixels/);
    expect(started).toHaveBeenCalledTimes(64);
  });
});
