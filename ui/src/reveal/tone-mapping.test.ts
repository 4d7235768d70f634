import { ShaderChunk } from 'three';
import { expect, it } from 'vitest';
import { installToneMapping } from './tone-mapping';

it('the tone mapping is in the shaders of three.js, once', () => {
  installToneMapping();
  installToneMapping();
  const found = ShaderChunk.tonemapping_pars_fragment.match(/vec3 CustomToneMapping\(/g);
  expect(found).toHaveLength(1);
  expect(ShaderChunk.tonemapping_pars_fragment).toContain('DESATURATION');
});
