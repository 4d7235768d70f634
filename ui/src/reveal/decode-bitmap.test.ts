import { afterEach, expect, it, vi } from 'vitest';
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
    return fetchAndDecodeScaledBitmap('blob:picture');
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
