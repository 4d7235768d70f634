// Parse Server as its makers ship it: PostgreSQL, files and logs below the working directory. Nothing of
// Copresence is in it.
const express = require(require.resolve('express', { paths: [require.resolve('parse-server')] }));
const { ParseServer } = require('parse-server');
const FSFilesAdapter = require('@parse/fs-files-adapter');
const config = require('./config');

async function main() {
  const server = new ParseServer({
    databaseURI: `postgres://postgres@127.0.0.1:${config.POSTGRES_PORT}/postgres`,
    appId: config.APP_ID,
    masterKey: config.MASTER_KEY,
    restAPIKey: config.REST_KEY,
    serverURL: config.PARSE_URL,
    publicServerURL: config.PUBLIC_URL,
    accountLockout: { duration: 1, threshold: 3, unlockOnPasswordReset: true },
    revokeSessionOnPasswordReset: true,
    sessionLength: 3600,
    filesAdapter: new FSFilesAdapter(),
    fileUpload: { enableForPublic: false, enableForAnonymousUser: false, enableForAuthenticatedUser: false },
    allowClientClassCreation: false,
    enableAnonymousUsers: false,
  });
  await server.start();
  const app = express();
  app.use('/parse', server.app);
  app.listen(config.PARSE_PORT, '127.0.0.1');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
