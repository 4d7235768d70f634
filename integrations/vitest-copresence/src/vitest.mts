// `test` of Vitest with the fixture `copresence`: a world of its own for each test.

import { createHash } from 'node:crypto'
import { test as baseTest } from 'vitest'
import { World, type RequestLine, type WorldSettings } from './world.js'

/** The fixtures of `test`. */
export interface CopresenceFixtures {
  /** The settings of the world; set them with `test.extend({ copresenceSettings: { … } })` or `test.scoped`. */
  copresenceSettings: WorldSettings
  /** A simulated Copresence backend for this test alone. */
  copresence: World
}

/** Number of request lines that are shown of a failed test. */
const SHOWN_REQUESTS = 40

/**
 * `test` with the fixture `copresence`. Without a seed in `copresenceSettings`, it is that of the test's name, so that each
 * run of a test sees the same tokens and avatars. The requests of a failed test are printed.
 */
export const test = baseTest.extend<CopresenceFixtures>({
  copresenceSettings: {},
  copresence: async ({ task, copresenceSettings }, use) => {
    const world = await World.create({ seed: seedOfName(`${task.file.name} ${fullName(task)}`), ...copresenceSettings })
    await use(world)
    // After a failed test, too: Vitest notes the failure before it cleans up.
    if (task.result?.state === 'fail') {
      const lines = await world.requests().catch(() => [])
      console.error(`Copresence sandbox (seed ${world.seed}):\n${describeRequests(lines)}`)
    }
    await world.close()
  },
})

interface NamedTask {
  name: string
  suite?: NamedTask | undefined
}

/** The name of a test with those of its suites. */
function fullName(task: NamedTask): string {
  return task.suite ? `${fullName(task.suite)} ${task.name}` : task.name
}

/** A seed that is the same for the same name. */
function seedOfName(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32BE()
}

function describeRequests(lines: RequestLine[]): string {
  if (lines.length === 0) return 'no request was sent to it'
  const shown = lines.slice(-SHOWN_REQUESTS).map((line) => {
    const faults = line.faults?.length ? `, faults: ${line.faults.join(', ')}` : ''
    const status = line.status || 'no answer'
    return `${(line.at_ms / 1000).toFixed(3)} s  ${line.method} ${line.path} → ${status} (${line.duration_ms} ms${faults})`
  })
  return shown.join('\n')
}
