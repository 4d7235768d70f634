// The names, addresses and accounts of this peer. The variables are set by tests/tests/peers/parse_stack.rs.
const { POSTGRES_PORT, PARSE_PORT, BACKEND_PORT, PUBLIC_URL, STATE_DIR, GLB, PNG } = process.env;

module.exports = {
  POSTGRES_PORT: Number(POSTGRES_PORT),
  PARSE_PORT: Number(PARSE_PORT),
  BACKEND_PORT: Number(BACKEND_PORT),
  /** Where Parse Server answers; only the backend uses it. */
  PARSE_URL: `http://127.0.0.1:${PARSE_PORT}/parse`,
  /** What consoles are told to use: the base of all download URLs. A wrong value is what one of the tests is about. */
  PUBLIC_URL: PUBLIC_URL || `http://127.0.0.1:${BACKEND_PORT}/1`,
  /** Uploaded files, logs and settings; survives a restart of each part. */
  STATE_DIR,
  GLB,
  PNG,
  APP_ID: 'copresence',
  REST_KEY: 'peer-rest-key-0123456789abcdef',
  MASTER_KEY: 'peer-master-key-for-loopback-only',
  BUSINESS: { username: 'business@example.com', password: 'correct horse battery' },
  NO_ROLE: { username: 'plain@example.com', password: 'plain pass word' },
};
