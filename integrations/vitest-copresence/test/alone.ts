// Tests of several files, which run at the same time in several workers: each must see its own world alone.

import { expect } from 'vitest'
import { test as baseTest } from '../dist/vitest.mjs'
import { generate, redeem } from './helpers.js'

const test = baseTest.extend({ copresenceSettings: { seed: 1, paused: true } })

export function describeTestsThatAreAlone(file: number): void {
  for (let number = 0; number < 10; number += 1) {
    test.concurrent(`test ${number} is alone in its world`, async ({ copresence }) => {
      const code = 500 + file * 10 + number
      await copresence.setFaults([{ on: 'redeem', nth: 2, do: { status: { code } } }])
      const token = await generate(copresence)
      expect((await redeem(copresence, token)).status).toBe(200)
      expect((await redeem(copresence, token)).status).toBe(code)
      await copresence.advance(number)
      const state = await copresence.state()
      expect(state.clock.now_ms).toBe(number * 1000)
      expect(state.tokens.map((seen) => seen.token)).toEqual([token])
      const redeems = (await copresence.requests()).filter((line) => line.path === '/redeemExportToken')
      expect(redeems.map((line) => line.status)).toEqual([200, code])
    })
  }
}
