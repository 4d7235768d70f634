import { Color, HemisphereLight, Light } from 'three';
import { expect, it } from 'vitest';
import { SOFT_BOXES } from './studio-environment';
import { createStudioLights } from './studio-lights';

/** Whether skin keeps its hue in light of this colour: blue light makes warm skin grey, and dark skin violet. */
const isWarm = ({ r, g, b }: Color) => r >= g && g >= b;

it.each([0, 0.5, 1])('lights a face of darkness %d from every side without blue', (darkness) => {
  const { group, setForDarkness } = createStudioLights();
  setForDarkness(darkness);
  const lights = group.children.filter((one) => one instanceof Light);
  expect(lights).toHaveLength(5);
  for (const light of lights) {
    expect(isWarm(light.color)).toBe(true);
    if (light instanceof HemisphereLight) expect(isWarm(light.groundColor)).toBe(true);
  }
});

it('is reflected without blue', () => {
  for (const { colour } of SOFT_BOXES) expect(isWarm(new Color(colour))).toBe(true);
});
