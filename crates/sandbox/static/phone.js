"use strict";
// Shows one screen at a time, sends the choice, and asks for the status once a second.
// The server holds the truth: a reloaded page goes on where the token stands.

const texts = JSON.parse(document.body.dataset.texts);
const token = new URLSearchParams(location.search).get("exportToken") ?? "";
const query = "exportToken=" + encodeURIComponent(token);
const at = (id) => document.getElementById(id);
const screens = [...document.querySelectorAll(".screen")];
const notice = at("notice");
const picker = at("picture");
const LONGEST_SIDE = 1280;
let picture = null;
let preview = null;
let timer = 0;
let sending = false;

function show(name) {
  for (const screen of screens) screen.hidden = screen.id !== name;
  if (document.body.dataset.screen !== name) scrollTo(0, 0);
  document.body.dataset.screen = name;
}

function say(text) {
  notice.hidden = !text;
  if (notice.textContent !== text) notice.textContent = text;
}

// A live region speaks when its text changes: only then is it touched.
function put(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function status(state, { head, text, share, figure = "", unit = "", spins = false }) {
  show("status");
  at("status").dataset.state = state;
  document.body.dataset.state = state;
  at("status").classList.toggle("spins", spins);
  at("arc").setAttribute("stroke-dasharray", `${share} 100`);
  put("figure", figure);
  put("unit", unit);
  put("status-head", head);
  put("status-text", text);
  at("again").hidden = state !== "failed";
}

function render(view) {
  const state = view ? view.state : "unknown";
  const words = (name, rest) => status(state, { head: texts[name + "_head"], text: texts[name + "_text"], ...rest });
  switch (state) {
    case "no_associated_avatar":
      document.body.dataset.state = state;
      if (!["choose", "preview"].includes(document.body.dataset.screen)) show("start");
      return false;
    case "in_queue": {
      const place = view.queue_position;
      words("queue", { share: 22, spins: true, figure: String(place), unit: texts.queue_unit });
      if (place === 1) put("status-head", texts.queue_next_head);
      return true;
    }
    case "processing":
      words("processing", { share: view.completion_progress, figure: String(view.completion_progress), unit: "%" });
      return true;
    case "ready":
      words("ready", { share: 100 });
      return true;
    case "failed":
      words("failed", { share: view.completion_progress });
      return true;
    default:
      words(state, { share: state === "spent" ? 100 : 0 });
      return false;
  }
}

async function ask() {
  const answer = await fetch("/phone/status?" + query, { cache: "no-store" });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function follow() {
  clearTimeout(timer);
  if (sending) return;
  let goesOn = true;
  try {
    const view = await ask();
    if (sending) return;
    say("");
    goesOn = render(view) || (view && view.state === "no_associated_avatar");
  } catch {
    say(texts.offline);
  }
  if (goesOn) timer = setTimeout(follow, 1000);
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
    show(before === "status" ? "start" : before);
    say(trouble);
    timer = setTimeout(follow, 4000);
    return;
  }
  drop();
  follow();
}

// Upright and small before it leaves the phone; whatever the browser can decode becomes a JPEG.
async function shrink(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(bitmap.width * scale);
    canvas.height = Math.round(bitmap.height * scale);
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    return blob ?? file;
  } catch {
    return file; // The server says whether it can be used.
  }
}

function drop() {
  if (preview) URL.revokeObjectURL(preview);
  at("preview-picture").removeAttribute("src");
  picture = preview = null;
  picker.value = "";
}

picker.addEventListener("change", async () => {
  const file = picker.files[0];
  if (!file) return;
  drop();
  picture = await shrink(file);
  preview = URL.createObjectURL(picture);
  at("preview-picture").src = preview;
  say("");
  show("preview");
});
at("record-new").addEventListener("click", () => picker.click());
at("take-again").addEventListener("click", () => picker.click());
at("use-picture").addEventListener("click", () => send("new", picture));
at("skip-picture").addEventListener("click", () => send("new", null));
at("choose-existing").addEventListener("click", () => show("choose"));
at("again").addEventListener("click", () => {
  clearTimeout(timer);
  document.body.dataset.state = "no_associated_avatar";
  show("start");
});
for (const back of document.querySelectorAll("[data-back]")) {
  back.addEventListener("click", () => {
    drop();
    show("start");
  });
}
for (const face of document.querySelectorAll("[data-avatar]")) {
  face.addEventListener("click", () => send(face.dataset.avatar, null));
}
addEventListener("pageshow", (event) => event.persisted && follow());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && timer) follow();
});

if (render(JSON.parse(document.body.dataset.view)) || document.body.dataset.screen === "start") {
  timer = setTimeout(follow, 1000);
}
