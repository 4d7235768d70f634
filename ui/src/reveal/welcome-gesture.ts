// The gesture with which the avatar answers *Use this avatar*: a step towards the viewer, and a nod.

/** The gesture at a time. */
export interface WelcomeGesture {
  /** Whether the avatar steps forward, or stays there; otherwise it steps back. */
  isWanted: boolean;
  /** Seconds since that has changed. */
  since: number;
  /** How far it has stepped forward, 0 to 1. */
  share: number;
}

const STEP_SECONDS = 0.9;
const NOD_BEGINS_SECONDS = 0.45;
const NOD_SECONDS = 1.5;
const NOD_RADIANS = 0.12;

/** The gesture `seconds` later. */
export function welcomeGestureAfterTime(gesture: WelcomeGesture, seconds: number): WelcomeGesture {
  const step = (gesture.isWanted ? 1 : -1) * (seconds / STEP_SECONDS);
  return {
    ...gesture,
    since: gesture.since + seconds,
    share: Math.min(1, Math.max(0, gesture.share + step)),
  };
}

/** How far the head is bowed by the nod, in radians: twice, the second time less. */
export function nodAngleAt({ isWanted, since }: WelcomeGesture): number {
  const t = (since - NOD_BEGINS_SECONDS) / NOD_SECONDS;
  if (!isWanted || t <= 0 || t >= 1) return 0;
  return NOD_RADIANS * (1 - t) * Math.sin(2 * Math.PI * t) ** 2;
}
