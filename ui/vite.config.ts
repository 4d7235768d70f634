import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

// `--mode fake` builds the same screens over a scripted host for a plain browser; the product never contains it.
export default defineConfig(({ mode }) => ({
  base: './',
  plugins: [svelte(), ...(mode === 'test' ? [svelteTesting()] : [])],
  // The catalogues stand beside this folder.
  server: { port: 5173, strictPort: true, fs: { allow: ['..'] } },
  build: {
    outDir: mode === 'fake' ? 'dist-fake' : 'dist',
    target: 'es2022',
    // The page's policy allows fonts from 'self' only: nothing is inlined as a data: address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // three.js is one lazy chunk of about this size.
    chunkSizeWarningLimit: 800,
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts', 'fake/**/*.test.ts'],
    restoreMocks: true,
    // For a test that hangs: a machine with much to do may take long over a good one.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['fake/test-setup.ts'],
  },
}));
