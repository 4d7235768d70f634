// The backend between a console and Parse Server, as a small team would write it: Copresence's names for Parse's
// headers, and the two endpoints of the specification. Settings can be changed at /control/settings.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { Readable } = require('node:stream');
const express = require('express');
const config = require('./config');
const { MASTER, ParseUnreachable, requestParse, where } = require('./parse-rest');

const SETTINGS_FILE = path.join(config.STATE_DIR, 'settings.json');
const TICKETS_FILE = path.join(config.STATE_DIR, 'tickets.json');

const DEFAULT_SETTINGS = {
  /** Milliseconds from the token to its association with an avatar: the phone. */
  associate_after_ms: 300,
  /** Milliseconds from the association to the avatar. */
  making_ms: 1500,
  /** Bytes per second of a download; 0: no limit. */
  bytes_per_second: 0,
  /** Whether a URL is used up by its first request, or only by its last byte. */
  is_url_spent_by_first_request: true,
  /** The next n redeems spend their token, and a proxy answers 502. */
  redeem_then_502: 0,
  /** The next n redeems spend their token, and the answer is 500. */
  redeem_then_500: 0,
  /** The next n tokens are made, and the answer is 500. */
  generate_then_500: 0,
  /** The sessions of the next n logins are revoked at once. */
  revoke_next_sessions: 0,
  /** The process ends once a response with URLs was sent. */
  exit_after_delivery: false,
};

const readJson = (file, fallback) => (fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : fallback);
const settings = { ...DEFAULT_SETTINGS, ...readJson(SETTINGS_FILE, {}) };
const tickets = new Map(readJson(TICKETS_FILE, []));
const saveSettings = () => fs.writeFileSync(SETTINGS_FILE, JSON.stringify(settings));
const saveTickets = () => fs.writeFileSync(TICKETS_FILE, JSON.stringify([...tickets]));

/** Whether a setting that counts down applies to this request. */
function consume(setting) {
  if (settings[setting] === 0) return false;
  settings[setting] -= 1;
  saveSettings();
  return true;
}

const NGINX_502 = `<html>\r
<head><title>502 Bad Gateway</title></head>\r
<body>\r
<center><h1>502 Bad Gateway</h1></center>\r
<hr><center>nginx/1.22.1</center>\r
</body>\r
</html>\r
`;
const TOKEN_REFUSED = 'Provided Export Token string does not match an active Export Token';

/** A response of Parse Server that is passed on to the console. */
class PassedOn extends Error {
  constructor(response) {
    super(response.text);
    this.response = response;
  }
}

const fail = (response, status, code, error) => response.status(status).json({ code, error });
const badGateway = (response) => response.status(502).type('html').send(NGINX_502);
const passOn = (response, { status, type, text }) => response.status(status).type(type ?? 'json').send(text);

const handler = (handle) => async (request, response) => {
  try {
    await handle(request, response);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else if (error instanceof PassedOn) passOn(response, error.response);
    else if (error instanceof ParseUnreachable) badGateway(response);
    else {
      console.error(error);
      fail(response, 500, 1, 'Internal server error.');
    }
  }
};

/** A request to Parse Server whose refusal is passed on. */
async function must(method, requestPath, options) {
  const response = await requestParse(method, requestPath, options);
  if (response.status >= 400) throw new PassedOn(response);
  return response.json;
}

function parseHeaders(request) {
  const headers = {};
  for (const name of ['REST-API-Key', 'Session-Token']) {
    const value = request.get(`X-Copresence-${name}`);
    if (value) headers[`X-Parse-${name}`] = value;
  }
  return headers;
}

const api = express.Router();

// Parse's own login and logout, under Copresence's header names.
for (const endpoint of ['/login', '/logout']) {
  api.post(endpoint, express.text({ type: () => true }), handler(async (request, response) => {
    const body = typeof request.body === 'string' && request.body !== '' ? request.body : '{}';
    const answer = await requestParse('POST', endpoint, { headers: parseHeaders(request), body });
    const session = answer.json?.sessionToken;
    if (endpoint === '/login' && session && consume('revoke_next_sessions')) {
      const headers = { ...parseHeaders(request), 'X-Parse-Session-Token': session };
      await must('POST', '/logout', { headers, body: '{}' });
    }
    passOn(response, answer);
  }));
}

api.post('/generateExportToken', handler(async (request, response) => {
  const user = await must('GET', '/users/me', { headers: parseHeaders(request) });
  const owner = { __type: 'Pointer', className: '_User', objectId: user.objectId };
  const roles = await must('GET', `/roles?${where({ name: 'business', users: owner })}`, { headers: MASTER });
  if (roles.results.length === 0) {
    fail(response, 403, 119, 'Permission denied: a business account is required.');
    return;
  }
  const token = crypto.randomBytes(12).toString('base64url');
  const associatedAt = Date.now() + settings.associate_after_ms;
  const body = { token, owner, associatedAt, redeemed: 0, ACL: {} };
  await must('POST', '/classes/ExportToken', { headers: MASTER, body });
  if (consume('generate_then_500')) fail(response, 500, 1, 'Internal server error.');
  else response.json({ token });
}));

/** `payload_incomplete` of a token, or `null` if the avatar is ready. */
function progressOf(token) {
  const part = (Date.now() - token.associatedAt) / settings.making_ms;
  if (part >= 1) return null;
  if (part < 0) return { completion_progress: -1, completion_status: 'no_associated_avatar', queue_position: -1 };
  if (part < 0.2) return { completion_progress: 0, completion_status: 'in_queue', queue_position: 1 };
  return { completion_progress: Math.floor(part * 100), completion_status: 'processing', queue_position: -1 };
}

api.get('/redeemExportToken', handler(async (request, response) => {
  if (request.get('X-Copresence-REST-API-Key') !== config.REST_KEY) {
    response.status(403).json({ error: 'unauthorized' });
    return;
  }
  const token = request.get('X-Copresence-Export-Token') ?? '';
  const query = `/classes/ExportToken?limit=1&${where({ token })}`;
  const found = (await must('GET', query, { headers: MASTER })).results[0];
  if (!found || found.redeemed > 0) {
    fail(response, 400, 101, TOKEN_REFUSED);
    return;
  }
  const progress = progressOf(found);
  if (progress) {
    response.json({ avatar_ready: false, payload_incomplete: progress });
    return;
  }
  const body = { redeemed: { __op: 'Increment', amount: 1 } };
  const spent = await must('PUT', `/classes/ExportToken/${found.objectId}`, { headers: MASTER, body });
  if (spent.redeemed !== 1) {
    fail(response, 400, 101, TOKEN_REFUSED);
    return;
  }
  if (consume('redeem_then_502')) {
    badGateway(response);
    return;
  }
  if (consume('redeem_then_500')) {
    fail(response, 500, 1, 'Internal server error.');
    return;
  }
  const exports = (await must('GET', '/classes/AvatarExport', { headers: MASTER })).results;
  const delivery = exports.map(({ exportType, file }) => {
    const ticket = crypto.randomBytes(16).toString('base64url');
    tickets.set(ticket, { name: file.name, isUsed: false });
    const location = `${config.PUBLIC_URL}/files/${config.APP_ID}/${encodeURIComponent(file.name)}`;
    return { download_URL: `${location}?ticket=${ticket}`, export_type: exportType };
  });
  saveTickets();
  if (settings.exit_after_delivery) {
    settings.exit_after_delivery = false;
    saveSettings();
    response.on('finish', () => setImmediate(() => process.exit(1)));
  }
  response.json({ avatar_ready: true, payload_complete: delivery });
}));

// The files of Parse Server, once each.
api.get('/files/:app/:name', handler(async (request, response) => {
  const ticket = tickets.get(request.query.ticket);
  if (!ticket || ticket.isUsed || ticket.name !== request.params.name) {
    fail(response, 403, 119, 'This link has expired.');
    return;
  }
  if (settings.is_url_spent_by_first_request) {
    ticket.isUsed = true;
    saveTickets();
  }
  const range = request.get('Range');
  const headers = range && !settings.is_url_spent_by_first_request ? { Range: range } : {};
  const url = `${config.PARSE_URL}/files/${config.APP_ID}/${encodeURIComponent(ticket.name)}`;
  let stored;
  try {
    stored = await fetch(url, { headers });
  } catch (error) {
    throw new ParseUnreachable(error.message);
  }
  response.status(stored.status);
  for (const name of ['content-type', 'content-length', 'content-range', 'accept-ranges', 'etag']) {
    const value = stored.headers.get(name);
    if (value) response.set(name, value);
  }
  for await (const chunk of Readable.fromWeb(stored.body)) {
    for (let start = 0; start < chunk.length; start += 16384) {
      const part = chunk.subarray(start, start + 16384);
      if (response.destroyed) return;
      if (!response.write(part)) await new Promise((done) => response.once('drain', done).once('close', done));
      if (settings.bytes_per_second > 0) {
        await new Promise((done) => setTimeout(done, (part.length * 1000) / settings.bytes_per_second));
      }
    }
  }
  ticket.isUsed = true;
  saveTickets();
  response.end();
}));

const requests = [];
const app = express();
app.disable('x-powered-by');
app.use('/control', express.json());
app.post('/control/settings', (request, response) => {
  Object.assign(settings, request.body);
  saveSettings();
  response.json(settings);
});
app.get('/control/requests', (_request, response) => response.json(requests));
for (const [name, query] of [['sessions', '/sessions'], ['tokens', '/classes/ExportToken']]) {
  app.get(`/control/${name}`, handler(async (_request, response) => {
    response.json(await must('GET', `${query}?limit=0&count=1`, { headers: MASTER }));
  }));
}
app.use('/1', (request, _response, next) => {
  requests.push(`${request.method} ${request.path}`);
  next();
}, api);
app.listen(config.BACKEND_PORT, '127.0.0.1');
