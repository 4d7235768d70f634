import { describe, expect, it } from 'vitest';
import { removeExif } from './remove-exif';

const ascii = (text: string) => [...text].map((sign) => sign.charCodeAt(0));
const includes = (bytes: Uint8Array, text: string) =>
  Buffer.from(bytes).toString('latin1').toLowerCase().includes(text.toLowerCase());

describe('Exif data', () => {
  it('of a JPEG are hidden, and its other segments kept', () => {
    const jfif = [0xff, 0xe0, 0, 7, ...ascii('JFIF\0')];
    const exif = [0xff, 0xe1, 0, 10, ...ascii('Exif\0\0MM')];
    const bytes = Uint8Array.from([0xff, 0xd8, ...jfif, ...exif, 0xff, 0xda, 0, 2, 1, 2, 3]);
    const left = removeExif(bytes.slice());
    expect(includes(left, 'exif')).toBe(false);
    expect(includes(left, 'JFIF')).toBe(true);
    expect(left).toHaveLength(bytes.length);
  });

  it('of a JPEG are hidden after bytes between its segments', () => {
    const exif = [0xff, 0xe1, 0, 10, ...ascii('Exif\0\0MM')];
    const bytes = Uint8Array.from([0xff, 0xd8, 0, 0xff, 0xff, 0xd0, ...exif, 0xff, 0xda, 0, 2, 1, 2, 3]);
    expect(includes(removeExif(bytes), 'exif')).toBe(false);
  });

  it('of a PNG are cut out', () => {
    const chunk = (name: string, data: number[]) => [
      0,
      0,
      0,
      data.length,
      ...ascii(name),
      ...data,
      0,
      0,
      0,
      0,
    ];
    const start = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10];
    const png = Uint8Array.from([
      ...start,
      ...chunk('IHDR', [1]),
      ...chunk('eXIf', [2, 3]),
      ...chunk('IEND', []),
    ]);
    expect([...removeExif(png)]).toEqual([...start, ...chunk('IHDR', [1]), ...chunk('IEND', [])]);
  });

  it('of a WebP are hidden, with the flag that announces them', () => {
    const bytes = Uint8Array.from([
      ...ascii('RIFF'),
      ...[40, 0, 0, 0],
      ...ascii('WEBPVP8X'),
      ...[10, 0, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      ...ascii('EXIF'),
      ...[2, 0, 0, 0, 7, 7],
    ]);
    const left = removeExif(bytes);
    expect(left[20]).toBe(0x10);
    expect(includes(left, 'EXIF')).toBe(false);
  });

  it('need not be there, nor a whole image', () => {
    for (const start of [[0xff, 0xd8, 0xff, 0xe1, 0], [0x89, 0x50, 0x4e, 0x47], [], ascii('RIFF')]) {
      const bytes = Uint8Array.from(start);
      expect(removeExif(bytes)).toEqual(bytes);
    }
  });
});
