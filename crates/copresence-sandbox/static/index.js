"use strict";
// Refreshes tokens and requests once a second while the page is visible.

const byId = (id) => document.getElementById(id);
const tokens = byId("tokens");
const requests = byId("requests");
const notice = byId("notice");
const key = byId("key");
const LINES = 30;

async function fetchJson(path) {
  // Keeps the requests of this page out of the log.
  const headers = { "X-Sandbox-Watch": "1" };
  if (key.value) headers["X-Sandbox-Operator-Key"] = key.value;
  const response = await fetch(path, { headers, cache: "no-store" });
  if (response.ok) return response.json();
  throw new Error(response.status === 403 ? "closed" : `${path}: status ${response.status}`);
}

function tableRow(cells) {
  const tr = document.createElement("tr");
  for (const text of cells) tr.appendChild(document.createElement("td")).textContent = text;
  return tr;
}

function minutesAndSeconds(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function tokenRow(token, now) {
  const over = token.state === "spent" || token.state === "expired";
  const place = token.queue_position > 0 ? `place ${token.queue_position}` : "";
  const percent = token.completion_progress >= 0 ? `${token.completion_progress} %` : "";
  const used = token.downloads.filter((url) => url.state === "used").length;
  return tableRow([
    `…${token.token.slice(-4)}`,
    token.scenario,
    token.state.replaceAll("_", " "),
    place || (over ? "" : percent),
    over ? "" : `${minutesAndSeconds(token.expires_ms - now)} left`,
    String(token.redeems),
    token.downloads.length ? `${used} of ${token.downloads.length}` : "",
  ]);
}

function requestRow(line) {
  const status = line.status === 0 ? "no response" : String(line.status);
  const faults = line.faults ? line.faults.join(", ") : "";
  return tableRow([line.at.slice(11, 19), line.method, line.path, status, `${line.duration_ms} ms`, faults]);
}

async function refresh() {
  if (!document.hidden) {
    try {
      const [state, lines] = await Promise.all([fetchJson("sandbox/state"), fetchJson("sandbox/requests")]);
      const now = state.clock.now_ms;
      tokens.replaceChildren(...state.tokens.slice(-LINES).reverse().map((token) => tokenRow(token, now)));
      const others = lines.filter((line) => line.path !== "/" && !line.path.startsWith("/static/"));
      requests.replaceChildren(...others.slice(-LINES).reverse().map(requestRow));
      notice.textContent = state.tokens.length ? "" : "No token yet: generate one.";
      byId("operator").hidden = !key.value;
    } catch (error) {
      const closed = error.message === "closed";
      byId("operator").hidden = !closed && !key.value;
      notice.textContent = closed
        ? "From another machine, enter the operator key that was printed at the start."
        : `The sandbox does not respond (${error.message}).`;
    }
  }
  setTimeout(refresh, 1000);
}

refresh();
