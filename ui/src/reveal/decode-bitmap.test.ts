import { afterEach, describe, expect, it, vi } from 'vitest';
import { BitmapBudget } from './bitmap-budget';
import { decodeScaledBitmap } from './decode-bitmap';
import { readImageSize } from './image-size';

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
  const decodePng = (width: number, height: number) =>
    decodeScaledBitmap(pngHeader(width, height), new BitmapBudget());
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

/** The bits of numbers, each with its count of bits, in bytes. */
function bits(...values: [value: number, count: number][]): number[] {
  const all = values.map(([value, count]) => value.toString(2).padStart(count, '0')).join('');
  return (all.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2));
}

/** The header of a sequence of AV1 with frames of this size; with the fields of a film, or only those of a picture. */
function av1Sequence(width: number, height: number, isPicture = true): number[] {
  const fields: [number, number][] = isPicture
    ? [
        [0b000_1_1, 5],
        [8, 5],
      ]
    : [
        [0b000_0_0, 5],
        [0b01, 2],
        [1, 5],
        [0, 12],
        [8, 5],
        [1, 1],
        [0b1_0101, 5],
        [0, 12],
        [7, 5],
        [0, 1],
      ];
  const content = bits(...fields, [15, 4], [15, 4], [width - 1, 16], [height - 1, 16]);
  return [0x12, 0, 0x0a, content.length, ...content];
}

/**
 * An AVIF that states this size and has this coded picture, without pixels, with bytes of no meaning before its
 * properties.
 */
function createAvifHeader(
  width: number,
  height: number,
  free = 0,
  coded = av1Sequence(width, height),
  extents = 1,
): number[] {
  const ispe = box('ispe', [0, 0, 0, 0, ...uint32(width), ...uint32(height)]);
  const pixi = box('pixi', [0, 0, 0, 0, 1, 8]);
  const infe = box('infe', [2, 0, 0, 0, 0, 1, 0, 0, ...ascii('av01'), 0]);
  const extent = [...uint32(0), ...uint32(coded.length)];
  const items = [
    ...box('iinf', [0, 0, 0, 0, 0, 1, ...infe]),
    // One item, whose bytes are in `idat`.
    ...box('iloc', [
      ...[1, 0, 0, 0, 0x44, 0, 0, 1, 0, 1, 0, 1, 0, 0],
      ...[0, extents, ...Array(extents).fill(extent).flat()],
    ]),
    ...box('idat', coded),
  ];
  const properties = box('iprp', box('ipco', [...pixi, ...ispe]));
  const meta = box('meta', [0, 0, 0, 0, ...items, ...properties]);
  return [...box('ftyp', ascii('avif')), ...box('free', Array(free).fill(0)), ...meta];
}

/** An AVIF of 64 × 48 pixels from an encoder, with its picture in `mdat`. */
const ENCODED_AVIF = Uint8Array.from(
  atob(
    'AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQ' +
      'AAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAKgAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBy' +
      'cAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAQAAAADAAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG' +
      '1hAAAAAAAAAAEAAQQBAoMEAAAAMm1kYXQSAAoJGBV/vaICGg0IMhsex4eFWd///+LPwADPyinHlEgfiu0t3DoCQPg=',
  ),
  (sign) => sign.charCodeAt(0),
);

/** The same, stating 8 × 8 pixels. */
const LYING_AVIF = ENCODED_AVIF.with(ENCODED_AVIF.indexOf(0x40, 200), 8).with(
  ENCODED_AVIF.indexOf(0x30, 200),
  8,
);

it('knows the size of an image as its pixels are coded', () => {
  for (const bytes of [ENCODED_AVIF, LYING_AVIF])
    expect(readImageSize(bytes)).toEqual({ width: 64, height: 48 });
  const film = av1Sequence(300, 200, false);
  expect(readImageSize(Uint8Array.from(createAvifHeader(8, 8, 0, film)))).toEqual({
    width: 300,
    height: 200,
  });
});

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
    ['an AVIF that states less than it has', createAvifHeader(64, 64, 0, av1Sequence(16_000, 16_000))],
    [
      'an AVIF whose second sequence is larger',
      createAvifHeader(64, 64, 0, [...av1Sequence(64, 64), ...av1Sequence(16_000, 16_000)]),
    ],
    ['an AVIF with its picture in pieces', createAvifHeader(64, 64, 0, av1Sequence(64, 64), 2)],
    ['an AVIF without a picture', createAvifHeader(64, 64, 0, [])],
    ['an AVIF of many parts', createAvifHeader(64, 64, 0, Array(30_000).fill(0x12).fill(0, 1))],
    ['an AVIF with times', createAvifHeader(64, 64, 0, [0x0a, 2, 0b000_0_0_1_00, 0])],
    ['an AVIF with its properties far behind', createAvifHeader(16_000, 16_000, 5_000)],
    [
      'an AVIF with its size in another place',
      [...box('ftyp', ascii('avif')), ...Array(5_000).fill(0), ...ascii('ispe')],
    ],
    ['a film', [...createAvifHeader(16, 16), ...box('moov', [])]],
  ])('%s', async (_, bytes) => {
    const decode = vi.fn(async () => ({}) as ImageBitmap);
    vi.stubGlobal('createImageBitmap', decode);
    await expect(decodeScaledBitmap(Uint8Array.from(bytes), new BitmapBudget())).rejects.toThrow(
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
    const options = await decodeScaledBitmap(Uint8Array.from(bytes), new BitmapBudget());
    expect(options).toMatchObject({ resizeWidth: 2048, resizeHeight: 512 });
  }
});

describe('the images of an avatar', () => {
  /** Starts to decode images of this size that are small in the file. Decoding ends when the test says so. */
  function startDecoding(count: number, width: number, height: number) {
    const running: (() => void)[] = [];
    const started = vi.fn(() => new Promise<void>((resolve) => running.push(resolve)));
    vi.stubGlobal('createImageBitmap', started);
    const budget = new BitmapBudget();
    const images = Array.from({ length: count }, () => decodeScaledBitmap(pngHeader(width, height), budget));
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
