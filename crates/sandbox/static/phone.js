// Shows one screen at a time, sends the choice, and asks for the status once a second.
// The server holds the truth: a reloaded page goes on where the token stands.
import { Crop, open } from "./phone-crop.js";

const texts = JSON.parse(document.body.dataset.texts);
const token = new URLSearchParams(location.search).get("exportToken") ?? "";
const query = "exportToken=" + encodeURIComponent(token);
const at = (id) => document.getElementById(id);
const screens = [...document.querySelectorAll(".screen")];
const notice = at("notice");
const ASK_EVERY = 1000;
const PATIENCE = 8000;
const crop = new Crop(at("crop"), at("crop-picture"), at("zoom"));
let timer = 0;
let failures = 0;
let asking = false;
let sending = false;
let opening = 0;

// --- screens

/** Screens that a visitor walks through before anything is sent; the phone's own back button leaves them. */
const walked = (name) => name === "choose" || name === "preview";

function show(name) {
  const before = document.body.dataset.screen;
  if (before === name) return;
  for (const screen of screens) screen.hidden = screen.id !== name;
  document.body.dataset.screen = name;
  if (before === "none") return;
  scrollTo(0, 0);
  // What had the focus is gone: a reader goes on at the new heading.
  at(name + "-head").focus({ preventScroll: true });
}

function enter(name) {
  if (document.body.dataset.screen === "start") history.pushState({ walked: true }, "");
  show(name);
}

function leave() {
  if (history.state?.walked) history.back();
  else toStart();
}

function toStart() {
  opening += 1;
  crop.clear();
  document.body.dataset.state = "no_associated_avatar";
  show("start");
}

function say(text) {
  notice.hidden = !text;
  put("notice", text);
}

// A live region speaks when its text changes: only then is it touched.
function put(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function status(state, { head, text, share, figure = "", unit = "", spoken = "", spins = false, percent }) {
  show("status");
  at("status").dataset.state = state;
  document.body.dataset.state = state;
  at("status").classList.toggle("spins", spins);
  at("arc").setAttribute("stroke-dasharray", `${share} 100`);
  put("figure", figure);
  put("unit", unit);
  put("status-head", head);
  put("status-text", text);
  put("status-spoken", spoken);
  const meter = at("meter");
  meter.hidden = percent === undefined;
  meter.value = percent ?? 0;
  at("again").hidden = state !== "failed";
}

/** Shows where the token stands; says whether it may still move. */
function render(view) {
  const state = view ? view.state : "unknown";
  const words = (name, rest) => status(state, { head: texts[name + "_head"], text: texts[name + "_text"], ...rest });
  switch (state) {
    case "no_associated_avatar":
      document.body.dataset.state = state;
      if (!walked(document.body.dataset.screen)) show("start");
      return true;
    case "in_queue": {
      const place = view.queue_position;
      const known = typeof place === "number";
      words("queue", {
        share: 22,
        spins: true,
        figure: known ? String(place) : "",
        unit: known ? texts.queue_unit : "",
        spoken: known ? texts.queue_place.replace("{n}", place) : "",
      });
      if (place === 1) put("status-head", texts.queue_next_head);
      return true;
    }
    case "processing": {
      const percent = view.completion_progress ?? 0;
      words("processing", { share: percent, figure: String(percent), unit: "%", percent });
      return true;
    }
    case "ready":
      words("ready", { share: 100 });
      return true;
    case "failed":
      words("failed", { share: view.completion_progress ?? 0 });
      return true;
    default:
      words(state, { share: state === "spent" ? 100 : 0 });
      return false;
  }
}

// --- the sandbox

async function ask() {
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch("/phone/status?" + query, { cache: "no-store", signal });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function follow() {
  clearTimeout(timer);
  if (sending || asking) return;
  asking = true;
  let goesOn = true;
  try {
    const view = await ask();
    if (!sending) {
      if (notice.textContent === texts.offline) say("");
      failures = 0;
      // Who looks at the failure decides when to go on.
      goesOn = retrying(view) || render(view);
    }
  } catch {
    failures += 1;
    if (!sending) say(texts.offline);
  } finally {
    asking = false;
  }
  // Nobody looks: the page goes on when somebody does.
  if (goesOn && !document.hidden) later(Math.min(failures + 1, 5) * ASK_EVERY);
}

/** Whether the visitor has gone back to the start to record again, while the token still says "failed". */
function retrying(view) {
  return view?.state === "failed" && document.body.dataset.state === "no_associated_avatar";
}

function later(wait) {
  clearTimeout(timer);
  timer = setTimeout(follow, wait);
}

async function send(avatar, body) {
  if (sending) return;
  sending = true;
  clearTimeout(timer);
  say("");
  const before = document.body.dataset.screen;
  status("sending", { head: texts.sending_head, text: texts.sending_text, share: 22, spins: true });
  let trouble = "";
  try {
    const url = "/phone/associate?" + query + "&avatar=" + encodeURIComponent(avatar);
    const answer = await fetch(url, { method: "POST", body });
    if ([413, 415].includes(answer.status)) trouble = texts.picture_refused;
    // A conflict means that the token has an avatar, perhaps from this very page: the status will tell.
    else if (!answer.ok && ![404, 409].includes(answer.status)) trouble = texts.not_sent;
  } catch {
    trouble = texts.not_sent;
  }
  sending = false;
  if (trouble) {
    document.body.dataset.state = "no_associated_avatar";
    show(before);
    say(trouble);
    later(4 * ASK_EVERY);
    return;
  }
  crop.clear();
  follow();
}

// --- what the visitor does

for (const picker of [at("camera"), at("library")]) {
  picker.addEventListener("change", async () => {
    const file = picker.files[0];
    picker.value = "";
    if (!file) return;
    say("");
    const mine = ++opening;
    try {
      const picture = await open(file);
      if (mine !== opening) return;
      crop.load(picture);
      enter("preview");
    } catch {
      if (mine === opening) say(texts.picture_unreadable);
    }
  });
}
at("record-new").addEventListener("click", () => at("camera").click());
at("take-again").addEventListener("click", () => at("camera").click());
at("pick-picture").addEventListener("click", () => at("library").click());
at("turn-picture").addEventListener("click", () => crop.turn());
at("use-picture").addEventListener("click", async () => {
  const picture = await crop.picture();
  if (picture) send("new", picture);
  else say(texts.picture_unreadable);
});
at("skip-picture").addEventListener("click", () => send("new", null));
at("choose-existing").addEventListener("click", () => {
  say("");
  enter("choose");
});
at("again").addEventListener("click", toStart);
for (const back of document.querySelectorAll("[data-back]")) {
  back.addEventListener("click", () => {
    say("");
    leave();
  });
}
for (const face of document.querySelectorAll("[data-avatar]")) {
  face.addEventListener("click", () => send(face.dataset.avatar, null));
}
addEventListener("popstate", () => walked(document.body.dataset.screen) && toStart());
addEventListener("pageshow", (event) => event.persisted && follow());
addEventListener("online", follow);
addEventListener("offline", () => say(texts.offline));
document.addEventListener("visibilitychange", () => {
  const over = ["spent", "expired", "unknown"].includes(document.body.dataset.state);
  if (!document.hidden && !over) follow();
});

if (render(JSON.parse(document.body.dataset.view))) later(ASK_EVERY);
