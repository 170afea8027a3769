// The page: one stream of parts in, acts and presses out. It knows people, channels, messages and
// venues, and nothing of what the app is for.

import { drawBoard, drawControls } from "./board.js";
import { fill } from "./composer.js";
import { confirmed, showModal } from "./dialogs.js";
import { keepAtEnd, make, notice, reconcile } from "./dom.js";
import { avatar, drawChannel, drawThread } from "./messages.js";

const parts = new Map();
const at = { who: "", channel: "", thread: "" };
const WIDE = matchMedia("(min-width: 761px)"); // Narrower, a focus calls up the phone's keyboard.
const PATIENCE_MS = 10_000; // The app has three seconds to answer.
const by = (id) => document.getElementById(id);
let stream;
let isDue = false;
let isNew = true;

// What is known

const kind = (name) => [...parts].filter(([key]) => key.startsWith(`${name}/`)).map(([, part]) => part);
const people = () => parts.get("workspace")?.people ?? [];
const channels = () => kind("channel");
const place = () => channels().find((each) => each.id === at.channel);

function messages() {
  return kind("message")
    .filter((message) => message.channel === at.channel)
    .sort((one, other) => (one.ts < other.ts ? -1 : 1));
}

const names = {
  whole: (id) => {
    const number = people().findIndex((each) => each.id === id);
    return number < 0 ? undefined : { ...people()[number], number };
  },
  person: (id) => people().find((each) => each.id === id)?.name,
  group: (id) => parts.get("workspace")?.groups.find((each) => each.id === id)?.name,
  channel: (id, label) => {
    const found = channels().find((each) => each.id === id);
    const words = `#${found?.name ?? label}`;
    if (!found) return make("span", { class: "mention" }, words);
    const go = () => show({ channel: id, thread: "" }, "channel");
    return make("button", { type: "button", class: "mention plain", on: { click: go } }, words);
  },
  /** A link to a message of this workspace leads there. */
  jump: (url) => {
    const path = /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(url.pathname);
    const isOurs = url.hostname === `${parts.get("workspace")?.name}.slack.com`;
    if (!path || !isOurs || !channels().some((each) => each.id === path[1])) return null;
    return (event) => {
      event.preventDefault();
      const thread = url.searchParams.get("thread_ts") ?? "";
      show({ channel: path[1], thread }, thread ? "thread" : "channel");
      const there = document.querySelector(`[data-ts="${path[2]}.${path[3]}"]`);
      there?.scrollIntoView({ block: "center" });
      there?.classList.add("found");
      setTimeout(() => there?.classList.remove("found"), 2000);
    };
  },
};

// What is done

async function post(to, what) {
  try {
    const reply = await fetch(to, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(what),
    });
    if (reply.ok) return await reply.json();
    return { problem: await reply.text(), errors: {} };
  } catch {
    return { problem: "The sandbox does not answer. Has it ended?", errors: {} };
  }
}

async function act(what) {
  const answer = await post("acts", { who: at.who, ...what });
  if (answer.problem) notice(answer.problem);
  return answer;
}

async function press(message, element, button) {
  if (element.confirm) {
    const agrees = await confirmed(by("confirm"), element.confirm, names);
    if (!button.isConnected) focusAgain(message, element); // It was drawn anew behind the dialog.
    if (!agrees) return;
  }
  button.classList.add("busy");
  const { channel, ts } = message;
  await act({ act: "click", channel, ts, action: element.action_id, value: element.value ?? "" });
  button.classList.remove("busy");
}

function focusAgain(message, element) {
  const there = [...document.querySelectorAll(`[data-ts="${message.ts}"] [data-focus]`)];
  there.find((each) => each.dataset.focus === element.action_id)?.focus();
}

async function say(words, thread) {
  const answer = await act({ act: "say", channel: at.channel, words, ...(thread ? { thread } : {}) });
  by(thread ? "replies" : "messages").scrollTop = 1e9;
  return !answer.problem;
}

const control = async (one) => {
  const on = one.is_on === null ? null : !one.is_on;
  const answer = await post("presses", { control: one.name, on });
  if (answer.problem) notice(answer.problem);
};

// What is shown

function show(where, view) {
  const before = { ...at };
  Object.assign(at, where);
  if (view) document.body.dataset.view = view;
  draw();
  if (at.channel !== before.channel) by("messages").scrollTop = 1e9;
  if (at.thread !== before.thread) by("replies").scrollTop = 1e9;
}

function openThread(ts) {
  show({ thread: ts }, "thread");
  if (WIDE.matches) by("reply-box").focus();
}

function draw() {
  isDue = false;
  if (!parts.has("workspace")) return;
  if (!place()) Object.assign(at, { channel: channels()[0]?.id ?? "", thread: "" });
  const around = { names, press, openThread };
  const said = messages();
  if (!said.some((message) => message.ts === at.thread)) at.thread = "";
  by("workspace-name").textContent = parts.get("workspace").name;
  document.title = `${place() ? `#${place().name}` : ""} · ${parts.get("workspace").name}`;
  drawSide();
  drawHead();
  by("start").hidden = said.length > 0;
  keepAtEnd(by("messages"), () => drawChannel(by("messages"), said, around));
  by("thread").hidden = !at.thread;
  document.body.classList.toggle("has-thread", Boolean(at.thread));
  if (at.thread) keepAtEnd(by("replies"), () => drawThread(by("replies"), said, at.thread, around));
  drawVenues();
  drawTabs();
  if (location.hash !== `#${at.who}/${at.channel}`) {
    history.replaceState(null, "", `#${at.who}/${at.channel}`); // A reload finds its way back.
  }
  showModal(by("modal"), parts.get("modal"), {
    names,
    submit: (values) => act({ act: "submit", view: parts.get("modal")?.id ?? "", values }),
    close: () => act({ act: "close", view: parts.get("modal")?.id ?? "" }),
  });
  if (isNew && WIDE.matches && !parts.has("modal")) by("message-box").focus();
  isNew = false;
}

function drawSide() {
  reconcile(by("channels"), channels().map((channel) => ({
    key: channel.id,
    value: `${channel.name} ${channel.id === at.channel}`,
    draw: () => make("li", {}, make(
      "button",
      {
        type: "button",
        class: "plain",
        "data-focus": channel.id,
        "aria-current": channel.id === at.channel ? "true" : null,
        on: { click: () => show({ channel: channel.id, thread: "" }, "channel") },
      },
      titled(channel),
    )),
  })));
  const able = people().filter((each) => each.can_act);
  reconcile(by("actors"), able.map((each) => ({
    key: each.id,
    value: `${each.name} ${each.note} ${each.id === at.who}`,
    draw: () => drawActor(each),
  })));
  drawControls(by("everywhere"), kind("control").filter((each) => each.group === "everywhere"), control);
  const app = parts.get("app");
  by("app-state").hidden = !app;
  reconcile(by("app-parts"), Object.entries(app?.parts ?? {}).map(([name, words]) => ({
    key: name,
    value: words,
    draw: () => make("div", { class: words === "ready" ? "" : "bad" }, make("dt", {}, name), make("dd", {}, words)),
  })));
}

const titled = (channel) => `${channel.is_direct ? "@" : "#"} ${channel.name}`;

function drawActor(each) {
  const radio = make("input", {
    type: "radio",
    name: "actor",
    value: each.id,
    "data-focus": each.id,
    on: { change: () => actAs(each.id) },
  });
  radio.checked = each.id === at.who;
  return make(
    "label",
    {},
    radio,
    avatar(names.whole(each.id), each.name),
    make("span", {}, make("strong", {}, each.name), make("small", {}, each.note)),
  );
}

function drawHead() {
  const channel = place();
  by("channel-name").textContent = channel ? titled(channel) : "No channel";
  const shared = channel?.is_shared ? " · shared with another company" : "";
  by("channel-note").textContent = channel ? `${channel.members} members${shared}` : "";
  by("thread-place").textContent = channel ? `#${channel.name}` : "";
  const who = names.person(at.who) ?? "";
  composer.relabel(`Message #${channel?.name ?? ""} as ${who}`);
  replyComposer.relabel(`Reply as ${who}`);
}

function drawVenues() {
  const venues = kind("venue");
  const calls = [...parts]
    .filter(([key]) => key.startsWith("call/"))
    .map(([key, call]) => withKey(key, call));
  const told = { venues, calls, controls: kind("control"), press: control, again: drawVenues };
  keepPlace(() => drawBoard(by("venues"), told));
  const total = venues.reduce((sum, venue) => sum + venue.open, 0);
  by("board-note").textContent = `${total.toLocaleString()} orders open`;
  by("open-total").textContent = total.toLocaleString();
}

const withKey = (key, call) => {
  call.key = key;
  return call;
};

/** What is above must not push away what somebody reads. */
function keepPlace(change) {
  const list = by("venues");
  const top = list.scrollTop;
  change();
  list.scrollTop = top;
}

function drawTabs() {
  for (const tab of by("tabs").children) {
    tab.setAttribute("aria-selected", String(tab.dataset.view === document.body.dataset.view));
    if (tab.dataset.view === "thread") tab.disabled = !at.thread;
  }
  if (!at.thread && document.body.dataset.view === "thread") document.body.dataset.view = "channel";
}

// The stream

/** Hear what somebody sees. A hidden tab hears nothing: a browser has six streams for a host. */
function actAs(who) {
  at.who = who;
  stream?.close();
  if (document.hidden) return;
  stream = new EventSource(who ? `events?as=${encodeURIComponent(who)}` : "events");
  stream.onmessage = ({ data }) => hear(JSON.parse(data));
  stream.onopen = () => { by("link-state").textContent = ""; };
  stream.onerror = () => { by("link-state").textContent = "The sandbox does not answer."; };
}

function hear({ fresh, set, gone }) {
  if (fresh) parts.clear();
  if (fresh) at.who = set.me.id;
  for (const name of gone) parts.delete(name);
  for (const [name, part] of Object.entries(set)) parts.set(name, part);
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(draw);
}

const commands = () => parts.get("workspace")?.commands ?? [];
const composer = fill(by("composer"), {
  id: "message-box", label: "Message", commands, send: (words) => say(words, ""),
});
const replyComposer = fill(by("reply-composer"), {
  id: "reply-box", label: "Reply", commands, send: (words) => say(words, at.thread),
});
by("thread-close").addEventListener("click", () => {
  show({ thread: "" }, "channel");
  by("messages").focus();
});
by("tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("button");
  if (tab) show({}, tab.dataset.view);
});
document.addEventListener("visibilitychange", () => actAs(at.who));
const [who, channel] = location.hash.slice(1).split("/");
at.channel = channel ?? "";
actAs(who);
