import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

/** Leaves the Draco decoders out that three.js has for files other than glTF: a megabyte. */
function omitNonGltfDracoDecoders() {
  return {
    name: 'gltf-draco-decoder-only',
    enforce: 'pre' as const,
    transform(code: string, id: string) {
      if (!id.includes('/three/examples/jsm/loaders/DRACOLoader.js')) return null;
      return code.replace(/const (\w+_URL) = new URL\(.*\)\.toString\(\);/g, "const $1 = '';");
    },
  };
}

// `--mode fake` builds the same screens with a scripted host for a plain browser. The product does not contain it.
export default defineConfig(({ mode }) => ({
  base: './',
  plugins: [omitNonGltfDracoDecoders(), svelte(), ...(mode === 'test' ? [svelteTesting()] : [])],
  // The catalogues are outside this folder.
  server: { port: 5173, strictPort: true, fs: { allow: ['..'] } },
  build: {
    outDir: mode === 'fake' ? 'dist-fake' : 'dist',
    target: 'es2022',
    // The content security policy allows fonts from 'self' only: nothing is inlined as a data: URL.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // three.js is one lazy chunk of about this size.
    chunkSizeWarningLimit: 800,
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts', 'fake/**/*.test.ts'],
    restoreMocks: true,
    // Only for tests that hang: a busy machine is slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['fake/test-setup.ts'],
  },
}));
