// What this program says aloud: the warning before a screen is cleared, and the screens where the operator wants it.

/** Words, and the language that they are in. */
export interface SpeechPart {
  text: string;
  /** As a BCP 47 tag. */
  tag: string;
}

/** Speaks a sentence where the machine has a voice for the language, else sounds two soft notes. */
export function speakOrChime(text: string, tag: string): void {
  if (!speakAvailable([{ text, tag }])) playChime();
}

/** Speaks one part after the other, each where the machine has a voice for its language; else it stays silent. */
export function speakParts(parts: readonly SpeechPart[]): void {
  const voices = globalThis.speechSynthesis as SpeechSynthesis | undefined;
  // What was read before is not on the screen any more, also where what is cannot be read.
  stopSpeaking();
  if (speakAvailable(parts) || !voices || voices.getVoices().length > 0) return;
  // Some systems list their voices only once they were asked for.
  lastParts = parts;
  voices.addEventListener?.('voiceschanged', () => lastParts === parts && speakAvailable(parts), {
    once: true,
  });
}

/**
 * Tells for which of these languages the machine has a voice: now, and again when its voices change; the answer ends
 * that.
 */
export function watchVoices(tags: readonly string[], tell: (voiced: string[]) => void): () => void {
  const speech = globalThis.speechSynthesis as SpeechSynthesis | undefined;
  const say = () => tell(tags.filter((tag) => findVoice(tag) !== undefined));
  say();
  speech?.addEventListener?.('voiceschanged', say);
  return () => speech?.removeEventListener?.('voiceschanged', say);
}

/** What was asked for last. */
let lastParts: readonly SpeechPart[] = [];

function findVoice(tag: string): SpeechSynthesisVoice | undefined {
  const speech = globalThis.speechSynthesis as SpeechSynthesis | undefined;
  const [language] = tag.split('-');
  return speech?.getVoices().find(({ lang }) => lang.split(/[-_]/)[0] === language);
}

function speakAvailable(parts: readonly SpeechPart[]): boolean {
  const speech = globalThis.speechSynthesis as SpeechSynthesis | undefined;
  const utterances = parts.flatMap(({ text, tag }) => {
    const voice = findVoice(tag);
    return voice ? [{ text, voice }] : [];
  });
  if (!speech || utterances.length === 0) return false;
  lastParts = parts;
  speech.cancel();
  for (const { text, voice } of utterances) {
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.voice = voice;
    utterance.lang = voice.lang;
    speech.speak(utterance);
  }
  return true;
}

/** Falls silent. */
export function stopSpeaking(): void {
  lastParts = [];
  (globalThis.speechSynthesis as SpeechSynthesis | undefined)?.cancel();
}

function playChime(): void {
  if (typeof AudioContext === 'undefined') return;
  const audio = new AudioContext();
  [660, 880].forEach((pitch, i) => {
    const start = audio.currentTime + i * 0.22;
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(0, start);
    loudness.gain.linearRampToValueAtTime(0.12, start + 0.03);
    loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.9);
    tone.connect(loudness).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 1);
    if (i === 1) tone.onended = () => void audio.close();
  });
}
