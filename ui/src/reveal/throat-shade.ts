// The shade of the chin on the throat: a gradient in the shaders of the avatar. A shadow map would draw it twice in every
// frame, which is too much for a software renderer.
import { type Camera, type Material, Matrix4, type Mesh, MeshStandardMaterial, type Object3D } from 'three';
import type { Chin } from './find-chin';

/** The gradient, which follows the avatar as it turns. */
export interface ThroatShade {
  /** Adapts the gradient to the avatar's place and to the camera, before a frame is drawn. */
  update(avatar: Object3D, camera: Camera): void;
}

/**
 * The light that is left in full shade, in linear red, green and blue: more of the red, because light that has passed
 * through skin is red. Darker, and the chin would look cut out in front of the neck.
 */
const REMAINING_LIGHT = [0.58, 0.51, 0.47] as const;

// Coordinates in heights of the head from the chin: to the side, up, and backwards. Shaded is what is behind the chin and
// below the edge of the jaw, which rises to the ears. Shoulders and the nape are not.
const SHADE_FUNCTION = /* glsl */ `
uniform mat4 throatFromView;

float throatShade(const vec3 throat) {
  float behindChin = smoothstep(0.06, 0.2, throat.z) * (1.0 - smoothstep(0.5, 0.75, throat.z));
  float withinJaw = 1.0 - smoothstep(0.22, 0.42, abs(throat.x));
  float belowJaw = 1.0 - smoothstep(-0.05, 0.04, throat.y - 0.4 * throat.z);
  float nearChin = smoothstep(-0.34, -0.05, throat.y);
  return behindChin * withinJaw * belowJaw * nearChin;
}
`;
const SHADE_LIGHT = /* glsl */ `
outgoingLight *= mix(
  vec3(1.0),
  vec3(${REMAINING_LIGHT.join(', ')}),
  throatShade((throatFromView * vec4(-vViewPosition, 1.0)).xyz)
);
`;

/** Shades what is below the chin on every lit material of the model. Call before its shaders are compiled. */
export function shadeThroat(model: Object3D, chin: Chin): ThroatShade {
  const throatFromView = { value: new Matrix4() };
  const throatFromAvatar = new Matrix4()
    .makeScale(1 / chin.headHeight, 1 / chin.headHeight, -1 / chin.headHeight)
    .multiply(new Matrix4().makeTranslation(chin.point.clone().negate()));
  // One function for all materials: its text is a part of the key by which three.js shares programs.
  for (const material of litMaterials(model))
    material.onBeforeCompile = (shader) => {
      shader.uniforms.throatFromView = throatFromView;
      shader.fragmentShader = shader.fragmentShader
        .replace('void main() {', `${SHADE_FUNCTION}\nvoid main() {`)
        .replace('#include <opaque_fragment>', `${SHADE_LIGHT}\n#include <opaque_fragment>`);
    };
  return {
    update(avatar, camera) {
      avatar.updateMatrixWorld();
      camera.updateMatrixWorld();
      throatFromView.value
        .copy(avatar.matrixWorld)
        .invert()
        .premultiply(throatFromAvatar)
        .multiply(camera.matrixWorld);
    },
  };
}

/** The materials of a model that light shines on, once each. */
function litMaterials(model: Object3D): Set<Material> {
  const found = new Set<Material>();
  model.traverse((object) => {
    const { material } = object as Partial<Mesh>;
    for (const one of Array.isArray(material) ? material : material ? [material] : [])
      if (one instanceof MeshStandardMaterial) found.add(one);
  });
  return found;
}
