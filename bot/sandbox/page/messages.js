// Messages as a channel and a thread show them.

import { draw as drawBlocks } from "./blocks.js";
import { clock, make, reconcile } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

/** Bring a list to the messages of a channel: no replies but broadcast ones, with their threads. */
export function drawChannel(list, messages, around) {
  const replies = new Map();
  for (const message of messages) {
    if (message.thread && !message.is_whisper) {
      replies.set(message.thread, [...(replies.get(message.thread) ?? []), message]);
    }
  }
  const shown = messages.filter((message) => !message.thread || message.is_broadcast);
  reconcile(list, shown.map((message) => {
    const under = replies.get(message.ts) ?? [];
    const key = message.ts;
    return { key, ...versioned(list, key, [message, under.length, under.at(-1)?.ts]), draw };
  }));

  function draw([message, count, last]) {
    return drawMessage(message, around, thread(message, count, last, around));
  }
}

/** Bring a list to a message and its replies. */
export function drawThread(list, messages, root, around) {
  const shown = messages.filter((message) => message.ts === root || message.thread === root);
  reconcile(list, shown.map((message) => ({
    key: message.ts,
    ...versioned(list, message.ts, [message]),
    draw: ([each]) => drawMessage(each, around, null),
  })));
}

const versions = new WeakMap();

/** Return `value` as it was before if its parts are still the same ones. */
function versioned(list, key, value) {
  if (!versions.has(list)) versions.set(list, new Map());
  const known = versions.get(list);
  const before = known.get(key);
  const isSame = before?.length === value.length && value.every((each, at) => each === before[at]);
  if (!isSame) known.set(key, value);
  return { value: isSame ? before : value };
}

function drawMessage(message, around, below) {
  const author = around.names.whole(message.author);
  const name = author?.name ?? message.author;
  const body = message.blocks.length
    ? drawBlocks(message.blocks, {
      names: around.names,
      press: (element, button) => around.press(message, element, button),
    })
    : [make("p", {}, mrkdwn(message.text, around.names))];
  const facts = { class: message.is_whisper ? "message whisper" : "message", "data-ts": message.ts };
  return make(
    "li",
    facts,
    avatar(author, name),
    make(
      "div",
      { class: "said" },
      message.is_whisper ? make("p", { class: "only-you" }, "Only visible to you") : null,
      make(
        "p",
        { class: "by" },
        make("strong", {}, name),
        author?.is_app ? make("span", { class: "tag" }, "APP") : null,
        make("time", {}, clock(Number(message.ts))),
        message.is_edited ? make("span", { class: "edited" }, "(edited)") : null,
      ),
      ...body,
      below,
    ),
  );
}

/** Draw what somebody goes by: a letter in one of eight colours, by their place among all. */
export function avatar(author, name) {
  const number = (author?.number ?? 0) % 8;
  const kind = author?.is_app ? "avatar app" : "avatar";
  return make("span", { class: kind, "data-colour": number, "aria-hidden": "true" }, name.slice(0, 1));
}

function thread(message, count, last, around) {
  if (message.is_whisper) return null;
  const words = count
    ? `${count} ${count === 1 ? "reply" : "replies"}, last at ${clock(Number(last))}`
    : "Reply in thread";
  return make(
    "button",
    {
      type: "button",
      class: count ? "thread-link" : "thread-link quiet",
      "data-focus": "thread",
      on: { click: () => around.openThread(message.thread ?? message.ts) },
    },
    words,
  );
}
