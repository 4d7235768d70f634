// `globalSetup` of Vitest and of Jest: starts one sandbox for all workers, unless the environment names one.
//
// Vitest calls the function that is returned at the end; Jest calls `global-teardown`.

import { SandboxProcess, removeSandboxFromEnvironment, sandboxFromEnvironment, setSandboxInEnvironment } from './sandbox.js'
import { rememberStartedSandbox, stopStartedSandbox } from './started-sandbox.js'

export default async function startSandboxForAllWorkers(): Promise<() => Promise<void>> {
  if (sandboxFromEnvironment() === undefined) {
    const started = await SandboxProcess.start()
    setSandboxInEnvironment(started.running)
    rememberStartedSandbox(started)
  }
  return async () => {
    if (await stopStartedSandbox()) removeSandboxFromEnvironment()
  }
}
