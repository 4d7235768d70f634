// Pictures for the phone page, generated in the browser.
import type { Page } from 'playwright-core';

/** Red top left, green top right, blue bottom left, white bottom right: a JPEG of 400 × 300 pixels. */
export async function fourColorJpeg(page: Page): Promise<Buffer> {
  const bytes = await page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    canvas.width = 400;
    canvas.height = 300;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('no canvas');
    ['#e02020', '#20c020', '#2040e0', '#ffffff'].forEach((colour, i) => {
      context.fillStyle = colour;
      context.fillRect((i % 2) * 200, Math.floor(i / 2) * 150, 200, 150);
    });
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', 0.95));
    return blob ? [...new Uint8Array(await blob.arrayBuffer())] : [];
  });
  return Buffer.from(bytes);
}

/** The same JPEG with an EXIF orientation (1 to 8). */
export function jpegWithExifOrientation(jpeg: Buffer, orientation: number): Buffer {
  const tiff = Buffer.from([
    ...Buffer.from('MM\0*\0\0\0\x08\0\x01', 'latin1'),
    ...[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0],
    ...[0, 0, 0, 0],
  ]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(tiff.length + 8);
  const block = Buffer.concat([Buffer.from([0xff, 0xe1]), length, Buffer.from('Exif\0\0', 'latin1'), tiff]);
  return Buffer.concat([jpeg.subarray(0, 2), block, jpeg.subarray(2)]);
}
