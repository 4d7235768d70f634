// Tests of several files, which Jest runs at the same time in several workers: each must see its own world alone.

const { World } = require('../dist/index.js')

async function generate(world) {
  const headers = { 'X-Copresence-REST-API-Key': world.apiKey, 'X-Copresence-Session-Token': world.sessionToken }
  const response = await fetch(`${world.sandboxUrl}/generateExportToken`, { method: 'POST', headers })
  return (await response.json()).token
}

async function redeem(world, token) {
  const headers = { 'X-Copresence-REST-API-Key': world.apiKey, 'X-Copresence-Export-Token': token }
  return fetch(`${world.sandboxUrl}/redeemExportToken`, { headers })
}

/** Ten tests that run at the same time. */
exports.describeTestsThatAreAlone = (file) => {
  for (let number = 0; number < 10; number += 1) {
    test.concurrent(`test ${number} is alone in its world`, async () => {
      const world = await World.create({ seed: 1, paused: true })
      try {
        const code = 500 + file * 10 + number
        await world.setFaults([{ on: 'redeem', nth: 2, do: { status: { code } } }])
        const token = await generate(world)
        expect((await redeem(world, token)).status).toBe(200)
        expect((await redeem(world, token)).status).toBe(code)
        await world.advance(number)
        const state = await world.state()
        expect(state.clock.now_ms).toBe(number * 1000)
        expect(state.tokens.map((seen) => seen.token)).toEqual([token])
        const redeems = (await world.requests()).filter((line) => line.path === '/redeemExportToken')
        expect(redeems.map((line) => line.status)).toEqual([200, code])
      } finally {
        await world.close()
      }
    })
  }
}
