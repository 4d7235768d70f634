// Shows one screen at a time, sends the choice, and polls the status once a second.
// The server holds the state: a reloaded page continues from there.
import { Crop, decodePicture } from "./phone-crop.js";

const texts = JSON.parse(document.body.dataset.texts);
const token = new URLSearchParams(location.search).get("exportToken") ?? "";
const query = "exportToken=" + encodeURIComponent(token);
const byId = (id) => document.getElementById(id);
const screens = [...document.querySelectorAll(".screen")];
const notice = byId("notice");
/** Milliseconds. */
const POLL_INTERVAL = 1000;
const TIMEOUT = 8000;
const crop = new Crop(byId("crop"), byId("crop-picture"), byId("zoom"));
let timer = 0;
let failures = 0;
let polling = false;
let sending = false;
let opening = 0;
/** The last ticket of the visit, while it goes on in the background; null without one. */
let ticket = null;
let audio = null;

// --- screens

/** Screens before anything is sent. The phone's back button leaves them. */
const isInputScreen = (name) => name === "choose" || name === "preview";

function showScreen(name) {
  const before = document.body.dataset.screen;
  if (before === name) return;
  for (const screen of screens) screen.hidden = screen.id !== name;
  document.body.dataset.screen = name;
  if (before === "none") return;
  scrollTo(0, 0);
  // The focused element is hidden now: screen readers continue at the new heading.
  byId(name + "-head").focus({ preventScroll: true });
}

function enterScreen(name) {
  if (document.body.dataset.screen === "start") history.pushState({ walked: true }, "");
  showScreen(name);
}

function leaveScreen() {
  if (history.state?.walked) history.back();
  else returnToStart();
}

function returnToStart() {
  opening += 1;
  crop.clear();
  document.body.dataset.state = "no_associated_avatar";
  showScreen("start");
}

function showNotice(text) {
  notice.hidden = !text;
  setText("notice", text);
}

// A live region is announced whenever it is written, so it is written only on change.
function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function showStatus(state, { head, text, share, figure = "", unit = "", spoken = "", spins = false, percent }) {
  showScreen("status");
  byId("status").dataset.state = state;
  document.body.dataset.state = state;
  byId("status").classList.toggle("spins", spins);
  byId("arc").setAttribute("stroke-dasharray", `${share} 100`);
  setText("figure", figure);
  setText("unit", unit);
  setText("status-head", head);
  setText("status-text", text);
  setText("status-spoken", spoken);
  const meter = byId("meter");
  meter.hidden = percent === undefined;
  meter.value = percent ?? 0;
  byId("again").hidden = state !== "failed";
}

/** Shows the ticket beside the progress, and calls its visitor back as soon as the avatar is ready. */
function renderTicket(next) {
  const box = byId("ticket");
  box.hidden = !next;
  if (next) {
    box.dataset.colour = next.colour;
    box.dataset.state = next.state;
    byId("ticket-symbol").setAttribute("href", "static/tickets.svg#" + next.symbol);
    setText("ticket-name", texts.ticket_names[next.colour + " " + next.symbol] ?? "");
  }
  const becomesReady = next?.state === "ready" && ticket && ticket.state !== "ready";
  ticket = next;
  if (becomesReady) callVisitor();
}

/** Calls a visitor whose phone may be in a pocket, by vibration and sound where the browser allows them. */
function callVisitor() {
  if (navigator.userActivation?.hasBeenActive !== false) navigator.vibrate?.([250, 120, 250]);
  if (!audio) return;
  for (const [hertz, at] of [[784, 0], [1046.5, 0.16], [1318.5, 0.32]]) {
    const tone = new OscillatorNode(audio, { frequency: hertz });
    const volume = new GainNode(audio, { gain: 0 });
    const start = audio.currentTime + at;
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.25, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.7);
    tone.connect(volume).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.75);
  }
}

/** Prepares the sound. Browsers allow it from a touch on. */
function allowSound() {
  if (audio || typeof AudioContext === "undefined") return;
  try {
    audio = new AudioContext();
    audio.resume().catch(() => {});
  } catch {
    // A phone without sound only shows it.
    audio = null;
  }
}

/** Shows the state of the token. Returns whether it may still change. */
function renderView(view) {
  const next = view?.ticket ?? null;
  renderTicket(next);
  // The avatar waits for its visitor, or its files are on the way to the screen.
  if (next && next.state !== "failed" && ["ready", "spent"].includes(view.state)) {
    const isReady = next.state === "ready";
    const head = isReady ? texts.ticket_ready_head : texts.processing_head;
    const text = isReady ? texts.ticket_ready_text : texts.ticket_making_text;
    showStatus(isReady ? "ready" : "processing", { head, text, share: 100 });
    return true;
  }
  const state = view ? view.state : "unknown";
  const showMessages = (name, rest) =>
    showStatus(state, {
      head: texts[name + "_head"],
      text: next && next.state !== "failed" ? texts.ticket_making_text : texts[name + "_text"],
      ...rest,
    });
  switch (state) {
    case "no_associated_avatar":
      document.body.dataset.state = state;
      if (!isInputScreen(document.body.dataset.screen)) showScreen("start");
      return true;
    case "in_queue": {
      const place = view.queue_position;
      const known = typeof place === "number";
      showMessages("queue", {
        share: 22,
        spins: true,
        figure: known ? String(place) : "",
        unit: known ? texts.queue_unit : "",
        spoken: known ? texts.queue_place.replace("{n}", place) : "",
      });
      if (place === 1) setText("status-head", texts.queue_next_head);
      return true;
    }
    case "processing": {
      const percent = view.completion_progress ?? 0;
      showMessages("processing", { share: percent, figure: String(percent), unit: "%", percent });
      return true;
    }
    case "ready":
      showMessages("ready", { share: 100 });
      return true;
    case "failed":
      showMessages("failed", { share: view.completion_progress ?? 0 });
      return true;
    default:
      showMessages(state, { share: state === "spent" ? 100 : 0 });
      // With a ticket, its visitor still has to come back: the ticket changes until it is picked up.
      return Boolean(view?.ticket);
  }
}

// --- requests

async function fetchStatus() {
  const signal = AbortSignal.timeout(TIMEOUT);
  const response = await fetch("phone/status?" + query, { cache: "no-store", signal });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

async function pollStatus() {
  clearTimeout(timer);
  if (sending || polling) return;
  polling = true;
  let mayChange = true;
  try {
    const view = await fetchStatus();
    if (!sending) {
      if (notice.textContent === texts.offline) showNotice("");
      failures = 0;
      mayChange = isRecordingAgain(view) || renderView(view);
    }
  } catch {
    failures += 1;
    if (!sending) showNotice(texts.offline);
  } finally {
    polling = false;
  }
  // A hidden page does not poll; it resumes when it becomes visible. One with a ticket calls its visitor.
  if (mayChange && (!document.hidden || ticket)) schedulePoll(Math.min(failures + 1, 5) * POLL_INTERVAL);
}

/** Whether the visitor is back at the start to record again, while the state of the token is still "failed". */
function isRecordingAgain(view) {
  return view?.state === "failed" && document.body.dataset.state === "no_associated_avatar";
}

function schedulePoll(wait) {
  clearTimeout(timer);
  timer = setTimeout(pollStatus, wait);
}

async function associate(avatar, body) {
  if (sending) return;
  allowSound();
  sending = true;
  clearTimeout(timer);
  showNotice("");
  const before = document.body.dataset.screen;
  showStatus("sending", { head: texts.sending_head, text: texts.sending_text, share: 22, spins: true });
  let problem = "";
  try {
    const url = "phone/associate?" + query + "&avatar=" + encodeURIComponent(avatar);
    const response = await fetch(url, { method: "POST", body });
    if ([413, 415].includes(response.status)) problem = texts.picture_refused;
    // A conflict means that the token has an avatar, perhaps from this page: the next poll shows it.
    else if (!response.ok && ![404, 409].includes(response.status)) problem = texts.not_sent;
  } catch {
    problem = texts.not_sent;
  }
  sending = false;
  if (problem) {
    document.body.dataset.state = "no_associated_avatar";
    showScreen(before);
    showNotice(problem);
    schedulePoll(4 * POLL_INTERVAL);
    return;
  }
  crop.clear();
  pollStatus();
}

// --- input

for (const picker of document.querySelectorAll(".picker")) {
  picker.addEventListener("change", async () => {
    const file = picker.files[0];
    picker.value = "";
    if (!file) return;
    showNotice("");
    const mine = ++opening;
    try {
      const picture = await decodePicture(file);
      if (mine !== opening) return;
      crop.load(picture);
      enterScreen("preview");
    } catch {
      if (mine === opening) showNotice(texts.picture_unreadable);
    }
  });
}
/** Opens the camera. A phone that is played on the kiosk's own screen has none: it records without a picture. */
function recordNew() {
  const camera = byId("camera");
  if (camera) camera.click();
  else associate("new", null);
}

byId("record-new").addEventListener("click", recordNew);
byId("take-again").addEventListener("click", recordNew);
byId("pick-picture")?.addEventListener("click", () => byId("library").click());
byId("turn-picture").addEventListener("click", () => crop.turn());
byId("use-picture").addEventListener("click", async () => {
  const picture = await crop.picture();
  if (picture) associate("new", picture);
  else showNotice(texts.picture_unreadable);
});
byId("skip-picture")?.addEventListener("click", () => associate("new", null));
byId("choose-existing").addEventListener("click", () => {
  showNotice("");
  enterScreen("choose");
});
byId("again").addEventListener("click", returnToStart);
for (const back of document.querySelectorAll("[data-back]")) {
  back.addEventListener("click", () => {
    showNotice("");
    leaveScreen();
  });
}
for (const face of document.querySelectorAll("[data-avatar]")) {
  face.addEventListener("click", () => associate(face.dataset.avatar, null));
}
addEventListener("popstate", () => isInputScreen(document.body.dataset.screen) && returnToStart());
addEventListener("pageshow", (event) => event.persisted && pollStatus());
addEventListener("online", pollStatus);
addEventListener("offline", () => showNotice(texts.offline));
document.addEventListener("visibilitychange", () => {
  const over = ["spent", "expired", "unknown"].includes(document.body.dataset.state);
  if (!document.hidden && !over) pollStatus();
});

if (renderView(JSON.parse(document.body.dataset.view))) schedulePoll(POLL_INTERVAL);
