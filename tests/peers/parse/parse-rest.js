// Requests to Parse Server's REST API.
const config = require('./config');

/** Parse Server could not be reached. */
class ParseUnreachable extends Error {}

const MASTER = { 'X-Parse-Master-Key': config.MASTER_KEY };

/** One request. `body` is sent as it is if it is a string or a buffer, and as JSON otherwise. */
async function requestParse(method, path, { headers = {}, body } = {}) {
  const isJson = body !== undefined && !Buffer.isBuffer(body);
  try {
    const response = await fetch(config.PARSE_URL + path, {
      method,
      headers: {
        'X-Parse-Application-Id': config.APP_ID,
        ...(isJson ? { 'Content-Type': 'application/json' } : {}),
        ...headers,
      },
      body: isJson && typeof body !== 'string' ? JSON.stringify(body) : body,
    });
    const text = await response.text();
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, type: response.headers.get('content-type'), text, json };
  } catch (error) {
    throw new ParseUnreachable(error.message);
  }
}

/** `where` of a query, as a part of a URL. */
const where = (condition) => `where=${encodeURIComponent(JSON.stringify(condition))}`;

module.exports = { MASTER, ParseUnreachable, requestParse, where };
