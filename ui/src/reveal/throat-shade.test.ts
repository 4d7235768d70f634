import {
  BoxGeometry,
  Group,
  Matrix4,
  Mesh,
  MeshBasicMaterial,
  MeshPhysicalMaterial,
  MeshStandardMaterial,
  PerspectiveCamera,
  ShaderLib,
  Vector3,
  type WebGLProgramParametersWithUniforms,
  type WebGLRenderer,
} from 'three';
import { expect, it } from 'vitest';
import { shadeThroat } from './throat-shade';

const CHIN = { point: new Vector3(0.1, -0.3, 0.5), headHeight: 1.5 };

/** What a material makes of three.js' own shader for it. */
function compile(material: MeshStandardMaterial) {
  const { vertexShader, fragmentShader } = ShaderLib.physical;
  const shader = { vertexShader, fragmentShader, uniforms: {} as Record<string, { value: Matrix4 }> };
  material.onBeforeCompile(shader as unknown as WebGLProgramParametersWithUniforms, {} as WebGLRenderer);
  return shader;
}

it('shades every lit material of the model, and leaves final colours as they are', () => {
  const lit = [new MeshStandardMaterial(), new MeshPhysicalMaterial()];
  const final = new MeshBasicMaterial();
  const before = final.onBeforeCompile;
  const model = new Group().add(new Mesh(new BoxGeometry(), lit), new Mesh(new BoxGeometry(), final));
  shadeThroat(model, CHIN);
  for (const material of lit) {
    const { fragmentShader, uniforms } = compile(material);
    // The anchors are in the shaders of the pinned version of three.js.
    expect(fragmentShader.match(/throatShade\(/g)).toHaveLength(2);
    expect(fragmentShader.indexOf('throatFromView')).toBeGreaterThan(-1);
    expect(fragmentShader.indexOf('outgoingLight *=')).toBeLessThan(
      fragmentShader.indexOf('#include <opaque_fragment>'),
    );
    expect(fragmentShader.indexOf('varying vec3 vViewPosition')).toBeGreaterThan(-1);
    expect(uniforms.throatFromView?.value).toBeInstanceOf(Matrix4);
  }
  expect(final.onBeforeCompile).toBe(before);
  // Programs are shared by materials whose function has the same text.
  expect(lit[0]?.customProgramCacheKey()).toBe(lit[1]?.customProgramCacheKey());
});

it('measures from the chin of the avatar, however it is turned and seen', () => {
  const material = new MeshStandardMaterial();
  const avatar = new Group().add(new Mesh(new BoxGeometry(), material));
  const shade = shadeThroat(avatar, CHIN);
  const turntable = new Group().add(avatar);
  turntable.rotation.set(0.2, -0.7, 0);
  turntable.scale.setScalar(1.12);
  turntable.position.y = -0.03;
  const camera = new PerspectiveCamera();
  camera.position.set(0, 0.1, 5);
  shade.update(turntable, camera);
  const { value } = compile(material).uniforms.throatFromView ?? {};
  if (!value) throw new Error('there is no uniform');
  const measure = (right: number, up: number, back: number) =>
    CHIN.point
      .clone()
      .add(new Vector3(right, up, -back))
      .applyMatrix4(turntable.matrixWorld)
      .applyMatrix4(camera.matrixWorldInverse)
      .applyMatrix4(value)
      .toArray();
  expect(measure(0, 0, 0)).toEqual([0, 0, 0].map((part) => expect.closeTo(part)));
  expect(measure(0.3, -0.6, 0.45)).toEqual([0.2, -0.4, 0.3].map((part) => expect.closeTo(part)));
});
