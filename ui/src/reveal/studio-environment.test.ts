import { DataUtils } from 'three';
import { describe, expect, it } from 'vitest';
import { prefilterStudioLight, readCommittedStudioLight } from '../../scripts/studio-light';
import { LEVEL_SIZES, TEXEL_VALUE_COUNT, toEnvironmentTexture } from './studio-environment';

describe('the environment map', () => {
  const committed = readCommittedStudioLight();

  it('matches its description: run `npm run light` after a change', () => {
    const now = prefilterStudioLight();
    expect(committed).toHaveLength(TEXEL_VALUE_COUNT);
    expect(now).toHaveLength(TEXEL_VALUE_COUNT);
    // Adjacent half floats differ by one; another version of Node may round differently.
    const apart = now.reduce((most, half, i) => Math.max(most, Math.abs(half - (committed[i] ?? 0))), 0);
    expect(apart).toBeLessThanOrEqual(2);
  }, 30_000);

  it('has the same mean radiance at every level', () => {
    let at = 0;
    const means = LEVEL_SIZES.map((side) => {
      const length = 6 * side * side * 3;
      const level = committed.subarray(at, at + length);
      at += length;
      return level.reduce((sum, half) => sum + DataUtils.fromHalfFloat(half), 0) / length;
    });
    // The corners of a cube are overweighted.
    for (const mean of means) expect(Math.abs(mean / (means.at(-1) ?? 0) - 1)).toBeLessThan(0.3);
  });

  it('becomes a cube texture whose mip levels are its roughness', () => {
    const texture = toEnvironmentTexture(committed);
    const faces = texture.image as unknown as { mipmaps: { width: number; data: Uint16Array }[] }[];
    expect(faces).toHaveLength(6);
    for (const { mipmaps } of faces) {
      expect(mipmaps.map(({ width }) => width)).toEqual(LEVEL_SIZES);
      for (const { data, width } of mipmaps) expect(data).toHaveLength(width * width * 4);
    }
    // The last values of the file are the last texel of the last level, with alpha 1 after them.
    expect([...(faces[5]?.mipmaps.at(-1)?.data.slice(-4) ?? [])]).toEqual([...committed.slice(-3), 0x3c00]);
    expect(() => toEnvironmentTexture(committed.slice(1))).toThrow();
  });
});
