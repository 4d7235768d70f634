// Speech output: the idle warning, and the screens where the operator has turned this on.

/** A text and its language. */
export interface TextWithLanguage {
  text: string;
  /** A BCP 47 tag. */
  tag: string;
}

/** Speaks a sentence; plays two soft notes when the machine has no voice for the language. */
export function speakOrChime(text: string, tag: string): void {
  if (!trySpeakPartsWithVoice([{ text, tag }])) playChime();
}

/** Speaks the parts in order, each when the machine has a voice for its language. */
export function speakPartsHavingVoices(parts: readonly TextWithLanguage[]): void {
  const voices = globalThis.speechSynthesis as SpeechSynthesis | undefined;
  // The earlier text has left the screen, even if the new one cannot be spoken.
  stopSpeaking();
  if (trySpeakPartsWithVoice(parts) || !voices || voices.getVoices().length > 0) return;
  // Some systems list their voices only after the first request.
  lastParts = parts;
  voices.addEventListener?.('voiceschanged', () => lastParts === parts && trySpeakPartsWithVoice(parts), {
    once: true,
  });
}

/**
 * Reports for which of these languages the machine has a voice, now and after each change, until the returned
 * function is called.
 */
export function watchVoicedLanguages(tags: readonly string[], tell: (voiced: string[]) => void): () => void {
  const speech = globalThis.speechSynthesis as SpeechSynthesis | undefined;
  const say = () => tell(tags.filter((tag) => findVoiceForLanguage(tag) !== undefined));
  say();
  speech?.addEventListener?.('voiceschanged', say);
  return () => speech?.removeEventListener?.('voiceschanged', say);
}

/** What was requested last. */
let lastParts: readonly TextWithLanguage[] = [];

/** A voice of the machine for the language of a tag; undefined when there is none. */
function findVoiceForLanguage(tag: string): SpeechSynthesisVoice | undefined {
  const speech = globalThis.speechSynthesis as SpeechSynthesis | undefined;
  const [language] = tag.split('-');
  return speech?.getVoices().find(({ lang }) => lang.split(/[-_]/)[0] === language);
}

/** Tries to speak parts: those whose language has a voice on this machine. Returns whether any part is spoken. */
function trySpeakPartsWithVoice(parts: readonly TextWithLanguage[]): boolean {
  const speech = globalThis.speechSynthesis as SpeechSynthesis | undefined;
  const utterances = parts.flatMap(({ text, tag }) => {
    const voice = findVoiceForLanguage(tag);
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

/** Stops speaking. */
export function stopSpeaking(): void {
  lastParts = [];
  (globalThis.speechSynthesis as SpeechSynthesis | undefined)?.cancel();
}

/** Plays two soft notes. Does nothing without an AudioContext. */
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
