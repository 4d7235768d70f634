import { defineConfig } from 'vitest/config'

// The package is tested as others use it: from `dist`.
export default defineConfig({
  test: { globalSetup: ['./dist/global-setup.mjs'], include: ['test/**/*.test.ts'], pool: 'forks', maxWorkers: 4 },
})
