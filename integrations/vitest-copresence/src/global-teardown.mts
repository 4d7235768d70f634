// `globalTeardown` of Jest: ends the sandbox that `global-setup` started.

import { stopStartedSandbox } from './started-sandbox.js'

export default async function stopSandboxOfAllWorkers(): Promise<void> {
  await stopStartedSandbox()
}
