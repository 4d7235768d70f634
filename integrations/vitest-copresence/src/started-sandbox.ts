// The sandbox that the global set-up started, for the global teardown. Jest loads the two separately, so it is kept at the
// process.

import type { SandboxProcess } from './sandbox.js'

const KEY = Symbol.for('vitest-copresence.started-sandbox')

type ProcessWithSandbox = NodeJS.Process & { [KEY]?: SandboxProcess }

/** Remembers the sandbox that this process started. */
export function rememberStartedSandbox(sandbox: SandboxProcess): void {
  ;(process as ProcessWithSandbox)[KEY] = sandbox
}

/** Ends the sandbox that this process started. Returns whether there was one. */
export async function stopStartedSandbox(): Promise<boolean> {
  const started = (process as ProcessWithSandbox)[KEY]
  if (!started) return false
  delete (process as ProcessWithSandbox)[KEY]
  await started.stop()
  return true
}
