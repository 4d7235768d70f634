// Plays the sounds of the stage where the operator has turned them on.
import { inputDevice } from '../state/input-device.svelte';
import { type Sound, samplesOfSound } from './sounds';

let isOn = false;
let context: AudioContext | null = null;
const buffers = new Map<Sound, AudioBuffer>();

/** Turns the sounds on or off. */
export function setSoundsOn(on: boolean): void {
  isOn = on;
  if (on || !context) return;
  void context.close().catch(() => {});
  context = null;
  buffers.clear();
}

/** Plays a sound. Does nothing while sounds are off, and where the platform has none or allows none yet. */
export function playSound(sound: Sound): void {
  if (!isOn || typeof AudioContext === 'undefined') return;
  // Before the first press a page may make no sound, and a browser complains. It does not count those of a gamepad.
  if (navigator.userActivation?.hasBeenActive === false && inputDevice.last !== 'gamepad') return;
  try {
    context ??= new AudioContext();
    if (context.state === 'suspended') void context.resume().catch(() => {});
    const source = context.createBufferSource();
    source.buffer = getSynthesizedSoundBuffer(context, sound);
    source.connect(context.destination);
    source.start();
  } catch (error) {
    // No device, or too many contexts: a stage without sound is whole.
    console.warn('no sound can be played:', error);
  }
}

/** The audio buffer of a sound. Its samples are computed at the first call and kept. */
function getSynthesizedSoundBuffer(on: AudioContext, sound: Sound): AudioBuffer {
  const known = buffers.get(sound);
  if (known) return known;
  const samples = samplesOfSound(sound, on.sampleRate);
  const buffer = on.createBuffer(1, samples.length, on.sampleRate);
  buffer.copyToChannel(samples, 0);
  buffers.set(sound, buffer);
  return buffer;
}
