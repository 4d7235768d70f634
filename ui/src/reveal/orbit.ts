// How the figure is turned: it follows the hand at once, glides on a little, and takes up its slow turn again.

/** Radians: `yaw` round the upright axis, `pitch` up and down. */
export interface Orbit {
  yaw: number;
  pitch: number;
  /** Radians a second that it still glides. */
  spin: number;
  /** Seconds since a hand last touched it. */
  idle: number;
}

/** As it appears: a little aside, as one enters a stage. */
export const INITIAL_ORBIT: Orbit = { yaw: -0.55, pitch: 0.04, spin: 0, idle: 99 };

const MAX_PITCH = 0.55;
const SWAY_DELAY_SECONDS = 3.5;
const SWAY_RADIANS = 0.62;

/** Turned by a hand. */
export function turnOrbit(orbit: Orbit, x: number, y: number, seconds = 0): Orbit {
  const spin = seconds > 0 ? clampMagnitude(x / seconds, 6) : 0;
  return { yaw: orbit.yaw + x, pitch: clampMagnitude(orbit.pitch + y, MAX_PITCH), spin, idle: 0 };
}

/** After `seconds`: glides out; left alone, it sways slowly from side to side so that the face stays in sight. */
export function advanceOrbit(orbit: Orbit, seconds: number, clock: number): Orbit {
  const idle = orbit.idle + seconds;
  const spin = orbit.spin * Math.exp(-4 * seconds);
  let yaw = orbit.yaw + spin * seconds;
  let pitch = orbit.pitch;
  if (idle > SWAY_DELAY_SECONDS) {
    const goal = nearestFullTurn(yaw) + SWAY_RADIANS * Math.sin(clock * 0.42 - 1.1);
    const pull = 1 - Math.exp(-1.1 * seconds);
    yaw += (goal - yaw) * pull;
    pitch += (0.04 - pitch) * pull;
  }
  return { yaw, pitch, spin, idle };
}

/** The whole turn that lies nearest, so that it never unwinds. */
function nearestFullTurn(yaw: number): number {
  return Math.round(yaw / (2 * Math.PI)) * 2 * Math.PI;
}

function clampMagnitude(value: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, value));
}
