"use strict";
// Shows tokens and requests as they are, once a second while somebody looks.

const at = (id) => document.getElementById(id);
const tokens = at("tokens");
const requests = at("requests");
const notice = at("notice");
const key = at("key");
const LINES = 30;

async function ask(path) {
  // What this page asks every second is no line of the log.
  const headers = { "X-Sandbox-Watch": "1" };
  if (key.value) headers["X-Sandbox-Operator-Key"] = key.value;
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.ok) return answer.json();
  throw new Error(answer.status === 403 ? "closed" : `${path} answered ${answer.status}`);
}

function row(cells) {
  const tr = document.createElement("tr");
  for (const text of cells) tr.appendChild(document.createElement("td")).textContent = text;
  return tr;
}

function clock(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function tokenRow(token, now) {
  const over = token.state === "spent" || token.state === "expired";
  const place = token.queue_position > 0 ? `place ${token.queue_position}` : "";
  const percent = token.completion_progress >= 0 ? `${token.completion_progress} %` : "";
  const used = token.downloads.filter((url) => url.state === "used").length;
  return row([
    `…${token.token.slice(-4)}`,
    token.scenario,
    token.state.replaceAll("_", " "),
    place || (over ? "" : percent),
    over ? "" : `${clock(token.expires_ms - now)} left`,
    String(token.redeems),
    token.downloads.length ? `${used} of ${token.downloads.length}` : "",
  ]);
}

function requestRow(line) {
  const status = line.status === 0 ? "no answer" : String(line.status);
  const faults = line.faults ? line.faults.join(", ") : "";
  return row([line.at.slice(11, 19), line.method, line.path, status, `${line.duration_ms} ms`, faults]);
}

async function look() {
  if (!document.hidden) {
    try {
      const [state, lines] = await Promise.all([ask("sandbox/state"), ask("sandbox/requests")]);
      const now = state.clock.now_ms;
      tokens.replaceChildren(...state.tokens.slice(-LINES).reverse().map((token) => tokenRow(token, now)));
      const others = lines.filter((line) => line.path !== "/" && !line.path.startsWith("/static/"));
      requests.replaceChildren(...others.slice(-LINES).reverse().map(requestRow));
      notice.textContent = state.tokens.length ? "" : "No token yet: generate one.";
      at("operator").hidden = !key.value;
    } catch (error) {
      const closed = error.message === "closed";
      at("operator").hidden = !closed && !key.value;
      notice.textContent = closed
        ? "From another machine this needs the operator key that was printed at the start."
        : `The sandbox does not answer (${error.message}).`;
    }
  }
  setTimeout(look, 1000);
}

look();
