// The package as an ECMAScript module: `NODE_OPTIONS=--experimental-vm-modules jest`.

import { expect, test } from '@jest/globals'
import { World } from '../dist/index.js'

test('a module gets a world, too', async () => {
  const world = await World.create({ seed: 1 })
  expect((await world.state()).tokens).toEqual([])
  await world.close()
})
