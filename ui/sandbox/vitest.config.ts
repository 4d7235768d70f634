import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tests of the real sandbox and its phone page in a real browser: `npm run test:sandbox`.
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    environment: 'node',
    include: ['sandbox/**/*.test.ts'],
    // The machine may be busy.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
