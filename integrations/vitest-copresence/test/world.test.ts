import { describe, expect } from 'vitest'
import { World } from '../dist/index.js'
import { test } from '../dist/vitest.mjs'
import { generate, redeem } from './helpers.js'

const TWO_STEPS = `
name = "two-steps"
about = "Five seconds in the queue, then ready."
steps = [{ status = "in_queue", queue_position = 3, lasts = "5s" }]
`

test('an avatar is delivered', async ({ copresence }) => {
  const token = await generate(copresence)
  expect((await copresence.associate(token)).avatar).toBe('new')
  expect((await copresence.complete(token)).state).toBe('ready')
  const body = (await (await redeem(copresence, token)).json()) as { payload_complete: { download_URL: string }[] }
  const portrait = await fetch(body.payload_complete[2]?.download_URL ?? '')
  expect(portrait.headers.get('content-type')).toBe('image/png')
})

test('the seed is that of the name', async ({ copresence }) => {
  const again = await World.create({ seed: copresence.seed })
  expect(await generate(again)).toBe(await generate(copresence))
  await again.close()
  await expect(again.state()).rejects.toThrow('404')
})

test('states are forced, and a wrong one is refused', async ({ copresence }) => {
  const token = await generate(copresence)
  await copresence.associate(token, 'ari')
  expect((await copresence.fail(token)).state).toBe('failed')
  expect((await copresence.expire(token)).state).toBe('expired')
  await expect(copresence.fail(token)).rejects.toThrow('no longer active')
})

describe('with settings', () => {
  const settled = test.extend({ copresenceSettings: { scenarioFile: TWO_STEPS, paused: true } })

  settled('its own scenario is followed', async ({ copresence }) => {
    const token = await generate(copresence)
    expect((await copresence.associate(token)).queue_position).toBe(3)
    await copresence.advance(5)
    const [state] = (await copresence.state()).tokens
    expect(state?.state).toBe('ready')
  })
})

test('a program under test gets it as its environment', async ({ copresence }) => {
  const { COPRESENCE_SANDBOX_URL: url, COPRESENCE_API_KEY: key } = copresence.env
  const headers = { 'X-Copresence-REST-API-Key': key ?? '' }
  expect((await fetch(`${url}/redeemExportToken`, { headers })).status).toBe(400)
})
