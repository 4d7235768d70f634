import { defineConfig } from 'vitest/config';

// The built screens in a real browser: `npm run test:browser`.
export default defineConfig({
  test: {
    environment: 'node',
    include: ['e2e/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Each file has its own browser, which can use two cores.
    maxWorkers: 2,
  },
});
