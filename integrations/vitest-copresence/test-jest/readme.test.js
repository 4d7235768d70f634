// As in the README: one world for each test, which ends with it.

const { World } = require('../dist/index.js')

let world
const seen = []

beforeEach(async () => {
  world = await World.create({ scenario: 'existing-avatar' })
})
afterEach(async () => {
  await world.close()
})

test.each([1, 2])('test %i has a world of its own', async () => {
  expect((await world.state()).scenario).toBe('existing-avatar')
  expect(seen).not.toContain(world.id)
  seen.push(world.id)
})
