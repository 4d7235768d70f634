import { expect } from 'vitest'
import { test } from '../dist/vitest.mjs'
import { generate } from './helpers.js'

// Run by the test of the project that reads what is printed of a failed test.
test.runIf(process.env['COPRESENCE_TEST_OF_FAILURE'])('a failed test', async ({ copresence }) => {
  await generate(copresence)
  expect(copresence.seed).toBe(-1)
})

test('a world that has ended can be closed', async ({ copresence }) => {
  await copresence.close()
})
