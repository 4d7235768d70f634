import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// The real sandbox from outside, its phone page in a real browser: `npm run test:sandbox`.
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    environment: 'node',
    include: ['sandbox/**/*.test.ts'],
    // Generous: they may share two cores with much else.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
