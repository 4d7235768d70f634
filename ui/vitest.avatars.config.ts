import { defineConfig } from 'vitest/config';

// The avatar files of `tests/avatars` in the built screens: `npm run test:avatars`.
export default defineConfig({
  test: {
    environment: 'node',
    include: ['e2e/avatars.corpus.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
