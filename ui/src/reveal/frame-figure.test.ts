import { Document, NodeIO } from '@gltf-transform/core';
import { Box3, BoxGeometry, Group, Mesh, type Object3D, Vector3, type WebGLRenderer } from 'three';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMannequin, type MannequinOptions } from '../../../tests/avatars/mannequin.mjs';
import { poseAndFrameFigure } from './frame-figure';
import { loadAvatar } from './load-avatar';
import { sampleModelGeometry } from './sample-figure';

beforeEach(() => {
  // The figures have no textures.
  vi.stubGlobal(
    'Worker',
    class {
      terminate() {}
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

const never = new AbortController().signal;

/** Loads a mannequin and places it on the stage. */
async function place(options: MannequinOptions, facesBack = false) {
  const glb = await new NodeIO().writeBinary(createMannequin(new Document(), options));
  const body = new Uint8Array(glb);
  vi.stubGlobal(
    'fetch',
    async () => new Response(body, { headers: { 'x-file-size': String(glb.byteLength) } }),
  );
  const { model } = await loadAvatar('avatar://a/avatar.glb', never, {} as WebGLRenderer);
  const placement = await poseAndFrameFigure(model, facesBack, never);
  return { ...placement, model, figure: await sampleModelGeometry(model, never) };
}

/** The height of the elbows below the shoulders, in units of the stage. */
function armDrop(model: Object3D): number {
  const at = (name: string) => model.getObjectByName(name)?.getWorldPosition(new Vector3()).y ?? Number.NaN;
  return Math.min(at('LeftArm') - at('LeftForeArm'), at('RightArm') - at('RightForeArm'));
}

const toZUp = ([x, y, z]: [number, number, number]): [number, number, number] => [x, -z, y];
const toXUp = ([x, y, z]: [number, number, number]): [number, number, number] => [y, -x, z];
const facingBack = ([x, y, z]: [number, number, number]): [number, number, number] => [-x, y, -z];
const onItsHead = ([x, y, z]: [number, number, number]): [number, number, number] => [-x, -y, z];

describe('a figure', () => {
  it.each<[what: string, options: MannequinOptions]>([
    ['with a skeleton', {}],
    ['with the joints of Mixamo', { jointName: (name) => `mixamorig:${name}` }],
    ['without a skeleton', { withoutSkin: true }],
    ['a hundred times as large', { rootScale: 100 }],
    ['a hundredth as large', { rootScale: 0.01 }],
    ['whose axis upwards is Z', { turned: toZUp }],
    ['whose axis upwards is Z, without a skeleton', { turned: toZUp, withoutSkin: true }],
    ['whose axis upwards is X', { turned: toXUp }],
    ['that looks away', { turned: facingBack }],
    ['on its head', { turned: onItsHead }],
  ])('%s is shown from the shoulders up, upright and from the front', async (_, options) => {
    const { isCropped, size, figure } = await place(options);
    expect(isCropped).toBe(true);
    expect(Math.max(...size.toArray())).toBeCloseTo(2);
    const part = (name: Parameters<typeof figure.face.get>[0]) => figure.face.get(name) ?? new Vector3();
    const [left, right] = [part('eyeBlinkLeft'), part('eyeBlinkRight')];
    expect(left.x).toBeGreaterThan(right.x + 0.1);
    expect(left.z).toBeGreaterThan(0);
    expect(Math.abs(left.x + right.x)).toBeLessThan(0.1);
    // The eyes are in the upper half, and the mouth is well below them.
    expect(left.y).toBeGreaterThan(0.2);
    expect(left.y).toBeLessThan(0.9);
    expect(left.y - part('mouthSmileLeft').y).toBeGreaterThan(0.25);
    const top = Math.max(...figure.points.map(({ y }) => y));
    expect(top).toBeLessThan(size.y / 2 + 0.02);
    expect(top).toBeGreaterThan(size.y / 2 - 0.4);
  });

  it.each<[what: string, options: MannequinOptions]>([
    ['with a skeleton', {}],
    ['without a skeleton', { withoutSkin: true }],
    ['with a skeleton alone', { withoutBlendshapes: true }],
    ['whose axis upwards is Z', { turned: toZUp }],
    ['that looks away', { turned: facingBack }],
  ])('%s has its chin above the neck, at the front', async (_, options) => {
    const { chin, figure } = await place(options);
    if (!chin) throw new Error('there is no chin');
    const { point, headHeight } = chin;
    // The neck begins at the lowest point of the head; the joint of the head is inside it.
    const head = new Box3().setFromPoints(figure.points.filter((_, i) => figure.isOfHead[i]));
    if (!head.isEmpty()) {
      expect(point.y - head.min.y).toBeGreaterThan(-0.01);
      expect(point.y - head.min.y).toBeLessThan(0.16 * headHeight);
      expect(head.max.z - point.z).toBeLessThan(0.2 * headHeight);
    }
    expect(Math.abs(point.x)).toBeLessThan(0.02);
    expect(headHeight).toBeGreaterThan(1);
  });

  it('lowers the arms of a T-pose', async () => {
    const { model } = await place({});
    expect(armDrop(model)).toBeGreaterThan(0.5);
  });

  it('without anything but a shape is shown with the top of its body', async () => {
    const { isCropped, size, figure } = await place({ withoutSkin: true, withoutBlendshapes: true });
    expect(isCropped).toBe(true);
    const within = figure.points.filter(({ y }) => y > -size.y / 2);
    const head = new Box3().setFromPoints(within.filter(({ y }) => y > 0));
    expect(head.getCenter(new Vector3()).x).toBeCloseTo(0);
    expect(within.length).toBeGreaterThan(figure.points.length / 2);
  });

  it('that is no person is shown whole', async () => {
    const slab = new Group().add(new Mesh(new BoxGeometry(0.8, 1, 0.1, 8, 16, 2)));
    const { isCropped, size } = await poseAndFrameFigure(slab, false, never);
    expect(isCropped).toBe(false);
    expect(size.toArray()).toEqual([1.6, 2, 0.2].map((side) => expect.closeTo(side)));
  });

  it('that is a head is shown whole', async () => {
    const { isCropped, size } = await place({ headOnly: true });
    expect(isCropped).toBe(false);
    expect(size.y).toBeCloseTo(2);
  });

  it('without clues is turned as its format says', async () => {
    const { model } = await place({ withoutSkin: true, withoutBlendshapes: true }, true);
    const front = new Vector3(0, 0, 1).applyQuaternion(model.quaternion);
    expect(front.z).toBeCloseTo(-1);
  });

  it('with nothing in it is refused', async () => {
    await expect(poseAndFrameFigure(new Group(), false, never)).rejects.toThrow('nothing to see');
  });

  it('whose indices all name vertices that do not exist is refused', async () => {
    const box = new BoxGeometry().setIndex([65_535, 65_534, 65_533]);
    await expect(poseAndFrameFigure(new Group().add(new Mesh(box)), false, never)).rejects.toThrow(
      'nothing to see',
    );
  });
});
