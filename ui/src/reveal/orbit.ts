// The rotation of the avatar: it follows the pointer, keeps gliding after it, and returns to a slow sway.

/** The rotation of the avatar in radians, `yaw` around the upright axis and `pitch` up and down, and its motion. */
export interface AvatarRotation {
  yaw: number;
  pitch: number;
  /** Remaining rotation in radians per second. */
  spin: number;
  /** Seconds since the last input. */
  idle: number;
}

/** The rotation at the start: nearly to the viewer, as the contour figure from which the avatar emerges. */
export const INITIAL_ORBIT: AvatarRotation = { yaw: -0.17, pitch: 0.04, spin: 0, idle: 99 };

const MAX_PITCH = 0.55;
const SWAY_DELAY_SECONDS = 3.5;
const SWAY_RADIANS = 0.24;

/**
 * The rotation after an input that turned the avatar by `x` and `y` radians within `seconds` (0: no gliding
 * afterwards).
 */
export function rotationAfterInput(orbit: AvatarRotation, x: number, y: number, seconds = 0): AvatarRotation {
  const spin = seconds > 0 ? clampMagnitude(x / seconds, 6) : 0;
  return { yaw: orbit.yaw + x, pitch: clampMagnitude(orbit.pitch + y, MAX_PITCH), spin, idle: 0 };
}

/** The orbit `seconds` later: gliding slows down, and without input the avatar sways around its front. */
export function rotationAfterTime(orbit: AvatarRotation, seconds: number, clock: number): AvatarRotation {
  const idle = orbit.idle + seconds;
  const spin = orbit.spin * Math.exp(-4 * seconds);
  let yaw = orbit.yaw + spin * seconds;
  let pitch = orbit.pitch;
  if (idle > SWAY_DELAY_SECONDS) {
    const goal = nearestFullTurnAngle(yaw) + SWAY_RADIANS * Math.sin(clock * 0.42 - 0.79);
    const pull = 1 - Math.exp(-1.1 * seconds);
    yaw += (goal - yaw) * pull;
    pitch += (0.04 - pitch) * pull;
  }
  return { yaw, pitch, spin, idle };
}

/** The full turn that is nearest to `yaw`, in radians: the avatar returns there and never unwinds. */
function nearestFullTurnAngle(yaw: number): number {
  return Math.round(yaw / (2 * Math.PI)) * 2 * Math.PI;
}

/** Limits the absolute value and keeps the sign. */
function clampMagnitude(value: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, value));
}
