// The six sounds of the stage, computed as samples: short, quiet, and the same on every machine.

/** The moments that have a sound. */
export const SOUNDS = ['focus', 'confirm', 'back', 'found', 'done', 'reveal'] as const;

/** One of these moments. */
export type Sound = (typeof SOUNDS)[number];

/** A tone of a sound. It rises over `attack` seconds, and then falls to nothing until its end. */
interface Tone {
  hertz: number;
  /** Seconds from the start of the sound. */
  at: number;
  seconds: number;
  attack: number;
  /** The height of its wave, 0 to 1. */
  gain: number;
}

const tone = (hertz: number, at: number, seconds: number, gain: number, attack = 0.006): Tone => ({
  hertz,
  at,
  seconds,
  attack,
  gain,
});

// Of one chord (C, E, G, C), so that sounds that overlap agree. Each adds up to −18 dB at most.
const TONES: Record<Sound, readonly Tone[]> = {
  focus: [tone(1046.5, 0, 0.06, 0.035, 0.004)],
  confirm: [tone(523.25, 0, 0.12, 0.07), tone(784, 0.05, 0.18, 0.07)],
  back: [tone(523.25, 0, 0.1, 0.06), tone(392, 0.05, 0.16, 0.06)],
  found: [tone(523.25, 0, 0.5, 0.055), tone(659.25, 0.1, 0.5, 0.055), tone(1046.5, 0.2, 0.7, 0.045)],
  done: [tone(784, 0, 0.35, 0.06), tone(1046.5, 0.12, 0.6, 0.06)],
  // It swells while the face appears.
  reveal: [
    tone(261.63, 0, 2.4, 0.05, 0.7),
    tone(392, 0.1, 2.3, 0.04, 0.8),
    tone(659.25, 0.25, 2.1, 0.02, 0.9),
    tone(1046.5, 0.5, 1.8, 0.01, 0.8),
  ],
};

/** The length of a sound in seconds. */
export function secondsOfSound(sound: Sound): number {
  return Math.max(...TONES[sound].map(({ at, seconds }) => at + seconds));
}

/** The samples of a sound, from −1 to 1. */
export function samplesOfSound(sound: Sound, samplesPerSecond: number): Float32Array<ArrayBuffer> {
  const samples = new Float32Array(Math.ceil(secondsOfSound(sound) * samplesPerSecond));
  for (const { hertz, at, seconds, attack, gain } of TONES[sound]) {
    const begin = Math.round(at * samplesPerSecond);
    const count = Math.min(Math.floor(seconds * samplesPerSecond), samples.length - begin);
    for (let i = 0; i < count; i += 1) {
      const t = i / samplesPerSecond;
      const rise = Math.min(1, t / attack);
      const fall = Math.max(0, 1 - (t - attack) / (seconds - attack));
      const envelope = Math.sin((rise * Math.PI) / 2) ** 2 * Math.min(1, fall) ** 2;
      // A little of the octave makes it softer than a pure sine, and audible on small speakers.
      const wave = 0.85 * Math.sin(2 * Math.PI * hertz * t) + 0.15 * Math.sin(4 * Math.PI * hertz * t);
      samples[begin + i] = (samples[begin + i] ?? 0) + gain * envelope * wave;
    }
  }
  return samples;
}
