import { BufferGeometry, Group, Mesh, MeshStandardMaterial, Texture } from 'three';
import { describe, expect, it, vi } from 'vitest';
import { disposeModel } from './dispose-model';
import {
  ANIMATED_BLENDSHAPES,
  blendshapeWeightsAt,
  FACES,
  idleExpressionAt,
  isRequestedFaceOver,
  supportedFaces,
} from './expression';
import { type AvatarRotation, INITIAL_ORBIT, rotationAfterInput, rotationAfterTime } from './orbit';
import { ResolutionGovernor } from './resolution-governor';

const seconds = Array.from({ length: 6000 }, (_, i) => i / 50);

describe('the face at rest', () => {
  it('stays within its weights', () => {
    for (const t of seconds) {
      const { blink, smile } = idleExpressionAt(t);
      expect(blink).toBeGreaterThanOrEqual(0);
      expect(blink).toBeLessThanOrEqual(1);
      expect(smile).toBeGreaterThanOrEqual(0);
      expect(smile).toBeLessThanOrEqual(1);
    }
  });
  it('blinks and smiles, with open eyes most of the time', () => {
    const faces = seconds.map(idleExpressionAt);
    expect(Math.max(...faces.map((face) => face.blink))).toBeGreaterThan(0.9);
    expect(Math.max(...faces.map((face) => face.smile))).toBeGreaterThan(0.8);
    expect(faces.filter((face) => face.blink > 0.05).length / faces.length).toBeLessThan(0.15);
  });
  it('does not jump', () => {
    for (const t of seconds)
      expect(Math.abs(idleExpressionAt(t + 0.01).smile - idleExpressionAt(t).smile)).toBeLessThan(0.05);
  });
});

describe('turning', () => {
  const left = (orbit: AvatarRotation, time: number) => {
    let now = orbit;
    for (let t = 0; t < time; t += 1 / 60) now = rotationAfterTime(now, 1 / 60, t);
    return now;
  };
  it('follows the pointer and limits the pitch', () => {
    const orbit = rotationAfterInput(INITIAL_ORBIT, 0.5, 9);
    expect(orbit.yaw).toBeCloseTo(INITIAL_ORBIT.yaw + 0.5);
    expect(orbit.pitch).toBeLessThan(0.6);
  });
  it('keeps gliding and comes to rest', () => {
    const flung = rotationAfterInput({ ...INITIAL_ORBIT, yaw: 0 }, 0.05, 0, 0.016);
    const soon = rotationAfterTime(flung, 0.05, 0);
    expect(soon.yaw).toBeGreaterThan(flung.yaw);
    expect(Math.abs(left(flung, 2.5).spin)).toBeLessThan(0.01);
  });
  it('returns to the front by the shortest way without input', () => {
    const behind = rotationAfterInput(INITIAL_ORBIT, 8, 0);
    const later = left(behind, 30);
    expect(Math.cos(later.yaw)).toBeGreaterThan(0.6);
    expect(Math.abs(later.yaw - behind.yaw)).toBeLessThan(Math.PI + 0.7);
  });
});

describe('the resolution', () => {
  it('is full on a fast machine, and limited on a big screen', () => {
    expect(new ResolutionGovernor().pixelRatio(800, 800, 2)).toBe(2);
    expect(new ResolutionGovernor().pixelRatio(2200, 2160, 2)).toBeLessThan(1);
  });
  it('is lowered while frames are slow, down to a minimum', () => {
    const pace = new ResolutionGovernor();
    const first = pace.pixelRatio(800, 800, 1);
    const changes = Array.from({ length: 600 }, () => pace.addFrameTime(120)).filter(Boolean).length;
    expect(changes).toBeGreaterThan(1);
    expect(pace.pixelRatio(800, 800, 1)).toBeLessThan(first);
    expect(pace.pixelRatio(800, 800, 1)).toBeGreaterThan(0.3);
    expect(Array.from({ length: 24 }, () => pace.addFrameTime(120)).some(Boolean)).toBe(false);
  });
  it('is lowered after two heavy frames, not after one', () => {
    const pace = new ResolutionGovernor();
    expect(pace.addFrameTime(900)).toBe(false);
    expect(pace.addFrameTime(900)).toBe(true);
    expect(pace.pixelRatio(800, 800, 1)).toBeCloseTo(0.5);
  });
  it('starts lower when every warm-up frame was heavy', () => {
    expect(new ResolutionGovernor().checkWarmUpFrames(400, 90)).toBe(false);
    const pace = new ResolutionGovernor();
    expect(pace.checkWarmUpFrames(400, 180)).toBe(true);
    expect(pace.pixelRatio(800, 800, 1)).toBeCloseTo(0.5);
  });
  it('leaves the screen as much time as a heavy frame took', () => {
    const pace = new ResolutionGovernor();
    pace.addFrameTime(16, 1000);
    expect(pace.isFrameDue(1000)).toBe(true);
    pace.addFrameTime(400, 2000);
    expect(pace.isFrameDue(2399)).toBe(false);
    expect(pace.isFrameDue(2400)).toBe(true);
  });
  it('stays full while frames are fast', () => {
    const pace = new ResolutionGovernor();
    expect(Array.from({ length: 100 }, () => pace.addFrameTime(16)).some(Boolean)).toBe(false);
  });
});

it('releases everything that a model holds', () => {
  const texture = new Texture();
  const geometry = new BufferGeometry();
  const material = new MeshStandardMaterial({ map: texture, normalMap: texture });
  const root = new Group().add(new Mesh(geometry, material), new Mesh(geometry, [material]));
  const gone = { texture: vi.fn(), geometry: vi.fn(), material: vi.fn() };
  texture.addEventListener('dispose', gone.texture);
  geometry.addEventListener('dispose', gone.geometry);
  material.addEventListener('dispose', gone.material);
  disposeModel(root);
  expect(gone.texture).toHaveBeenCalledTimes(1);
  expect(gone.material).toHaveBeenCalledTimes(1);
  expect(gone.geometry).toHaveBeenCalled();
});

describe('a face on request', () => {
  const every = new Set(ANIMATED_BLENDSHAPES);

  it('is offered when the model supports it', () => {
    expect(supportedFaces(every)).toEqual([...FACES]);
    expect(supportedFaces(new Set(['mouthSmileLeft', 'mouthSmileRight']))).toEqual(['smile']);
    expect(supportedFaces(new Set())).toEqual([]);
  });

  it.each(FACES)('%s rises, holds, and returns to rest', (face) => {
    const at = (since: number) => blendshapeWeightsAt(50, { face, since });
    for (const since of [0, 0.1, 0.3, 1, 2, 3, 3.3, 9])
      for (const [shape, weight] of at(since)) {
        expect(every.has(shape), shape).toBe(true);
        expect(weight).toBeGreaterThanOrEqual(0);
        expect(weight).toBeLessThanOrEqual(1);
      }
    const rest = blendshapeWeightsAt(50, null);
    const differs = (since: number) =>
      Math.max(...[...at(since)].map(([shape, weight]) => Math.abs(weight - (rest.get(shape) ?? 0))));
    expect(differs(0)).toBeLessThan(0.01);
    expect(differs(1)).toBeGreaterThan(0.3);
    expect(differs(9)).toBeLessThan(0.01);
    expect(isRequestedFaceOver({ face, since: 9 })).toBe(true);
    expect(isRequestedFaceOver({ face, since: 1 })).toBe(false);
  });

  it('is shown at once and stays with reduced motion', () => {
    expect(blendshapeWeightsAt(0, { face: 'kiss', since: 0 }, true).get('mouthPucker')).toBe(1);
  });
});
