export { SandboxError, SandboxProcess, sandboxFromEnvironment, type RunningSandbox } from './sandbox.js'
export {
  World,
  type ClockState,
  type Fault,
  type FaultState,
  type RequestLine,
  type TokenState,
  type WorldSettings,
  type WorldState,
} from './world.js'
