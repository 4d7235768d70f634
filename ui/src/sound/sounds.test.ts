import { afterEach, describe, expect, it, vi } from 'vitest';
import { playSound, setSoundsOn } from './sound-player';
import { SOUNDS, samplesOfSound, secondsOfSound } from './sounds';

const RATE = 48_000;
/** −18 dB. */
const LOUDEST = 10 ** (-18 / 20);

/** The largest deflection within a part of a sound, given in seconds. */
function peak(samples: Float32Array, from = 0, to = Number.POSITIVE_INFINITY): number {
  return samples
    .slice(Math.floor(from * RATE), Math.min(samples.length, Math.floor(to * RATE)))
    .reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

describe.each(SOUNDS)('the sound of %s', (sound) => {
  const samples = samplesOfSound(sound, RATE);
  const seconds = secondsOfSound(sound);

  it('is audible, and quiet', () => {
    expect(peak(samples)).toBeGreaterThan(0.02);
    expect(peak(samples)).toBeLessThan(LOUDEST);
  });

  it('begins and ends in silence, without a click', () => {
    expect(samples[0]).toBe(0);
    expect(peak(samples, 0, 0.0005)).toBeLessThan(0.005);
    expect(peak(samples, seconds - 0.002)).toBeLessThan(0.002);
    const steps = samples.map((value, i) => Math.abs(value - (samples[i - 1] ?? 0)));
    // No step is larger than those of its waves.
    expect(Math.max(...steps)).toBeLessThan(0.03);
  });

  it('falls at its end', () => {
    expect(peak(samples, seconds * 0.85)).toBeLessThan(peak(samples) * 0.35);
  });
});

it('is short, and shortest where it is heard most', () => {
  expect(secondsOfSound('focus')).toBeLessThan(0.1);
  for (const sound of ['confirm', 'back'] as const) expect(secondsOfSound(sound)).toBeLessThan(0.3);
  for (const sound of ['found', 'done'] as const) expect(secondsOfSound(sound)).toBeLessThan(1);
  expect(secondsOfSound('reveal')).toBeLessThan(2.5);
});

it('swells at the reveal', () => {
  const samples = samplesOfSound('reveal', RATE);
  expect(peak(samples, 0, 0.1)).toBeLessThan(peak(samples, 0.5, 1) * 0.2);
});

describe('the player', () => {
  afterEach(() => {
    setSoundsOn(false);
    vi.unstubAllGlobals();
  });

  /** Stands in for the platform's sound, and counts what is started. */
  function stubAudio() {
    const start = vi.fn();
    const made = vi.fn();
    vi.stubGlobal(
      'AudioContext',
      class {
        sampleRate = RATE;
        state = 'running';
        destination = {};
        constructor() {
          made();
        }
        createBuffer = () => ({ copyToChannel: () => {} });
        createBufferSource = () => ({ connect: () => {}, start, buffer: null });
        close = () => Promise.resolve();
      },
    );
    return { start, made };
  }

  it('is silent until the operator turns it on', () => {
    const { start, made } = stubAudio();
    playSound('confirm');
    expect(made).not.toHaveBeenCalled();
    setSoundsOn(true);
    playSound('confirm');
    playSound('focus');
    expect([made.mock.calls.length, start.mock.calls.length]).toEqual([1, 2]);
    setSoundsOn(false);
    playSound('confirm');
    expect(start).toHaveBeenCalledTimes(2);
  });

  it('asks for no sound before the first press', () => {
    const { made } = stubAudio();
    vi.stubGlobal('navigator', { userActivation: { hasBeenActive: false } });
    setSoundsOn(true);
    playSound('found');
    expect(made).not.toHaveBeenCalled();
  });

  it('survives a platform without a sound device', () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.stubGlobal(
      'AudioContext',
      class {
        constructor() {
          throw new Error('no device');
        }
      },
    );
    setSoundsOn(true);
    expect(() => playSound('done')).not.toThrow();
  });
});
