// The tone mapping of the reveal: light is shown as it is, and only highlights are compressed.
import { ShaderChunk } from 'three';

const EMPTY_FUNCTION = 'vec3 CustomToneMapping( vec3 color ) { return color; }';

// As `NeutralToneMapping`, without its offset. The offset takes away the 4 % that every surface reflects of bright
// surroundings. This studio is dark: nothing of it is in the picture, and the offset would take nearly all blue out of a
// dark skin, which then is orange.
const FUNCTION = /* glsl */ `
vec3 CustomToneMapping( vec3 color ) {
  const float START = 0.76;
  const float DESATURATION = 0.15;
  color *= toneMappingExposure;
  float peak = max( color.r, max( color.g, color.b ) );
  if ( peak < START ) return color;
  float room = 1.0 - START;
  float newPeak = 1.0 - room * room / ( peak + room - START );
  color *= newPeak / peak;
  return mix( color, vec3( newPeak ), 1.0 - 1.0 / ( DESATURATION * ( peak - newPeak ) + 1.0 ) );
}
`;

/**
 * Makes this tone mapping the meaning of `CustomToneMapping` in all shaders that are compiled afterwards.
 *
 * @throws when three.js has no longer the function that is replaced.
 */
export function installToneMapping(): void {
  const before = ShaderChunk.tonemapping_pars_fragment;
  if (before.includes(FUNCTION)) return;
  if (!before.includes(EMPTY_FUNCTION)) throw new Error('three.js has another CustomToneMapping');
  ShaderChunk.tonemapping_pars_fragment = before.replace(EMPTY_FUNCTION, FUNCTION);
}
