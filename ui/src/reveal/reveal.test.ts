import {
  BufferGeometry,
  DataArrayTexture,
  Float32BufferAttribute,
  Group,
  InterleavedBuffer,
  InterleavedBufferAttribute,
  Mesh,
  MeshStandardMaterial,
  Texture,
  Uint16BufferAttribute,
} from 'three';
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
import { darknessOfFace, exposureForFace, medianLuminance } from './face-exposure';
import { type AvatarRotation, INITIAL_ORBIT, rotationAfterInput, rotationAfterTime } from './orbit';
import { ResolutionGovernor } from './resolution-governor';
import { gpuPixelsToAveragedImageData } from './still-picture';
import { nodAngleAt, welcomeGestureAfterTime } from './welcome-gesture';

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
    expect(Math.max(...faces.map((face) => face.smile))).toBeCloseTo(0.65);
    expect(faces.filter((face) => face.blink > 0.05).length / faces.length).toBeLessThan(0.15);
  });
  it('raises the outer ends of the brows with the inner ones: else it would plead', () => {
    for (const t of [0, 0.5, 0.7, 1, 5]) {
      const weights = blendshapeWeightsAt(t, null);
      const inner = weights.get('browInnerUp') ?? 0;
      expect(inner).toBeLessThan(0.45);
      for (const outer of ['browOuterUpLeft', 'browOuterUpRight'])
        expect(weights.get(outer)).toBeGreaterThan(0.8 * inner);
    }
    expect(blendshapeWeightsAt(0.7, null).get('browInnerUp')).toBeGreaterThan(0.35);
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
  it('is full on a fast machine, also on a 4K display', () => {
    expect(new ResolutionGovernor().pixelRatio(800, 800, 2)).toBe(2);
    const pace = new ResolutionGovernor();
    expect(pace.pixelRatio(2227, 2160, 1)).toBe(1);
    expect(pace.checkWarmUpFrames(33, 30)).toBe(false);
    expect(Array.from({ length: 600 }, () => pace.addFrameTime(16.7)).some(Boolean)).toBe(false);
    expect(pace.pixelRatio(2227, 2160, 1)).toBe(1);
    // A display of 8K gets no more than the card can hold.
    expect(2 * new ResolutionGovernor().pixelRatio(2227, 2160, 2)).toBeLessThan(3);
  });
  it('is that of a smaller display where the warm-up frames of a 4K display take long', () => {
    const pace = new ResolutionGovernor();
    pace.pixelRatio(2227, 2160, 1);
    expect(pace.checkWarmUpFrames(70, 60)).toBe(true);
    expect(pace.pixelRatio(2227, 2160, 1)).toBeCloseTo(0.82);
  });
  it('keeps up with the display where it is high, and accepts slower frames where it is not', () => {
    const lavish = new ResolutionGovernor();
    lavish.pixelRatio(2227, 2160, 1);
    expect(Array.from({ length: 24 }, () => lavish.addFrameTime(33)).some(Boolean)).toBe(true);
    const modest = new ResolutionGovernor();
    modest.pixelRatio(1114, 1080, 1);
    expect(Array.from({ length: 24 }, () => modest.addFrameTime(33)).some(Boolean)).toBe(false);
    // A display of 30 frames per second.
    const slowDisplay = new ResolutionGovernor(33);
    slowDisplay.pixelRatio(2227, 2160, 1);
    expect(Array.from({ length: 24 }, () => slowDisplay.addFrameTime(33)).some(Boolean)).toBe(false);
  });
  it('rises again while frames are smooth, and not to what was too much', () => {
    const pace = new ResolutionGovernor();
    pace.pixelRatio(800, 800, 1);
    for (let i = 0; i < 24; i += 1) pace.addFrameTime(100);
    expect(pace.pixelRatio(800, 800, 1)).toBeLessThan(0.7);
    for (let i = 0; i < 600; i += 1) pace.addFrameTime(16.7);
    expect(pace.pixelRatio(800, 800, 1)).toBe(1);
    // Slow again directly after the rise.
    const other = new ResolutionGovernor();
    other.pixelRatio(800, 800, 1);
    for (let i = 0; i < 12; i += 1) other.addFrameTime(70);
    const lowered = other.pixelRatio(800, 800, 1);
    while (!other.addFrameTime(16.7));
    for (let i = 0; i < 12; i += 1) other.addFrameTime(50);
    const ceiling = other.pixelRatio(800, 800, 1);
    for (let i = 0; i < 2000; i += 1) other.addFrameTime(16.7);
    expect(other.pixelRatio(800, 800, 1)).toBeCloseTo(lowered);
    expect(ceiling).toBeLessThanOrEqual(lowered);
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

describe('the exposure', () => {
  it('brings very dark and very light faces nearer to the others, which it leaves as they are', () => {
    for (const face of [0.12, 0.25, 0.5]) expect(exposureForFace(face)).toBe(1);
    expect(exposureForFace(0.05)).toBeGreaterThan(1.2);
    expect(exposureForFace(0.001)).toBeLessThan(2.5);
    expect(exposureForFace(0.9)).toBeLessThan(0.85);
  });
  it('keeps a dark face dark and a light one light', () => {
    // Half as bright again would be another skin.
    for (const face of [0.05, 0.07, 0.1]) expect(exposureForFace(face)).toBeLessThan(1.5);
    const shown = [0.03, 0.05, 0.08, 0.2, 0.5, 0.7, 0.9].map((face) => face * exposureForFace(face));
    for (const [i, luminance] of shown.slice(1).entries())
      expect(luminance).toBeGreaterThan(1.05 * (shown[i] ?? 0));
  });
  it('does not correct what it has corrected', () => {
    for (const face of [0.04, 0.2, 0.8]) {
      const exposure = exposureForFace(face);
      expect(exposureForFace(face * exposure, exposure)).toBeCloseTo(exposure);
    }
    // A highlight that was compressed at first.
    expect(exposureForFace(0.7, 0.8)).toBeLessThan(0.85);
  });
  it('sets a dark face off from the dark behind it', () => {
    expect(darknessOfFace(0.03)).toBe(1);
    expect(darknessOfFace(0.4)).toBe(0);
    expect(darknessOfFace(0.1)).toBeGreaterThan(darknessOfFace(0.15));
  });
  it('is measured on the face alone', () => {
    const pixels = new Uint8Array(16 * 16 * 4);
    expect(medianLuminance(pixels)).toBeNull();
    for (let at = 0; at < pixels.length / 2; at += 4) pixels.set([188, 188, 188, 255], at);
    // White eyes and what shines through are not the skin.
    for (let at = 0; at < 160; at += 4) pixels.set([255, 255, 255, 255], at);
    expect(medianLuminance(pixels)).toBeCloseTo(0.5, 1);
  });
});

it('a still picture is the mean of its samples, with the first row at the top', () => {
  class Picture {
    constructor(
      readonly data: Uint8ClampedArray,
      readonly width: number,
      readonly height: number,
    ) {}
  }
  vi.stubGlobal('ImageData', Picture);
  // Two columns and two rows of two by two samples, from the bottom: half covered, then white; below both black.
  const black = [0, 0, 0, 255];
  const white = [255, 255, 255, 255];
  const none = [0, 0, 0, 0];
  const rows = [
    [black, black, black, black],
    [black, black, black, black],
    [none, white, white, white],
    [white, none, white, white],
  ];
  const { data, width, height } = gpuPixelsToAveragedImageData(new Uint8Array(rows.flat(2)), 4, 2);
  vi.unstubAllGlobals();
  expect([width, height]).toEqual([2, 2]);
  expect([...data]).toEqual([[255, 255, 255, 128], white, black, black].flat());
});

describe('the welcome', () => {
  const gestureAfter = (seconds: number, isWanted = true) => {
    let gesture = { isWanted, since: 0, share: isWanted ? 0 : 1 };
    for (let t = 0; t < seconds; t += 0.02) gesture = welcomeGestureAfterTime(gesture, 0.02);
    return gesture;
  };
  it('is a step forward with a nod, and a step back', () => {
    expect(gestureAfter(0.4).share).toBeGreaterThan(0.2);
    expect(gestureAfter(3).share).toBe(1);
    expect(gestureAfter(3, false).share).toBe(0);
    const bowed = seconds.map((t) => nodAngleAt({ isWanted: true, since: t, share: 1 }));
    expect(Math.max(...bowed)).toBeGreaterThan(0.06);
    expect(nodAngleAt(gestureAfter(3))).toBe(0);
    expect(nodAngleAt(gestureAfter(0.8, false))).toBe(0);
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

it('frees the memory of the points and blendshapes of a model at once', () => {
  // Node has it from version 21.
  const prototype = ArrayBuffer.prototype as { transfer?: (this: ArrayBuffer) => ArrayBuffer };
  prototype.transfer ??= function () {
    return structuredClone(this, { transfer: [this] });
  };
  const numbers = (length: number) => new Float32BufferAttribute(new Float32Array(length), 3);
  const [point, shape, index] = [numbers(9), numbers(9), new Uint16BufferAttribute(new Uint16Array(3), 1)];
  const interleaved = new InterleavedBuffer(new Float32Array(12), 4);
  const geometry = new BufferGeometry().setIndex(index).setAttribute('position', point);
  geometry.setAttribute('normal', new InterleavedBufferAttribute(interleaved, 3, 0));
  geometry.morphAttributes.position = [shape, point];
  const mesh = new Mesh(geometry, new MeshStandardMaterial());
  disposeModel(new Group().add(mesh, mesh.clone()));
  for (const { array } of [point, shape, index, interleaved]) expect(array.buffer.byteLength).toBe(0);
  const ofBlendshapes = new Float32Array(8);
  const texture = new DataArrayTexture(ofBlendshapes, 1, 1, 2);
  texture.dispose();
  texture.dispose();
  expect(ofBlendshapes.buffer.byteLength).toBe(0);
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

  it('smiles with closed lips: a mouth that is hardly open shows a thread of teeth', () => {
    const smile = blendshapeWeightsAt(50, { face: 'smile', since: 1 });
    expect(smile.get('jawOpen') ?? 0).toBe(0);
    expect(smile.get('mouthSmileLeft')).toBeGreaterThan(0.65);
  });

  it('is shown at once and stays with reduced motion', () => {
    expect(blendshapeWeightsAt(0, { face: 'kiss', since: 0 }, true).get('mouthPucker')).toBe(1);
  });
});
