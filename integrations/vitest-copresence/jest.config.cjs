// The package is tested as others use it: from `dist`. Modules are tests only where Node lets Jest load them.
const isForModules = (process.env.NODE_OPTIONS ?? '').includes('--experimental-vm-modules')

module.exports = {
  globalSetup: '<rootDir>/dist/global-setup.mjs',
  globalTeardown: '<rootDir>/dist/global-teardown.mjs',
  testMatch: [`<rootDir>/test-jest/**/*.test.${isForModules ? 'mjs' : 'js'}`],
  maxWorkers: 4,
}
