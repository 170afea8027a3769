// Slack's mrkdwn as elements. Whatever it cannot read stays the text that it is.

import { clock, make } from "./dom.js";

const TOKENS = new RegExp(
  [
    "```([\\s\\S]+?)```",
    "(?<!\\u200b)`([^`\\n]*[^`\\n\\u200b])`",
    "<([^<>\\n]+)>",
    mark("*"),
    mark("_"),
    mark("~"),
  ].join("|"),
  "g",
);
const FORMATS = { 4: "strong", 5: "em", 6: "s" };
const DATES = {
  time: { hour: "numeric", minute: "2-digit" },
  time_secs: { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
};
const LINKS = new Set(["http:", "https:", "mailto:"]);

/** A mark such as *bold*: beside a letter, another mark or a zero-width space it is none. */
function mark(char) {
  const it = `\\${char}`;
  return `(?<![\\w${it}\\u200b])${it}(?!\\s)([^${it}\\n]*[^${it}\\n\\s\\u200b])${it}(?![\\w${it}])`;
}

/** Draw mrkdwn. `names` tells what ids stand for: person(id), group(id), channel(id), jump(url). */
export function mrkdwn(text, names) {
  const whole = document.createDocumentFragment();
  let quote = null;
  for (const line of fenced(text)) {
    const words = line.replace(/^(?:&gt;|>)\s*/, "");
    const isQuote = words !== line;
    if (isQuote && !quote) {
      quote = make("blockquote");
      whole.append(quote);
    }
    if (!isQuote) quote = null;
    const place = quote ?? whole;
    if (place.hasChildNodes() && !endsInBlock(place)) place.append(make("br"));
    inline(words, names, place);
  }
  return whole;
}

/** Split into lines, but never within a fence. */
function* fenced(text) {
  let rest = text;
  while (rest !== "") {
    const end = /^(?:```[\s\S]+?```|[^\n])*/.exec(rest)[0].length;
    yield rest.slice(0, end);
    rest = rest.slice(end + 1);
  }
}

function endsInBlock(place) {
  return ["PRE", "BLOCKQUOTE"].includes(place.lastChild.nodeName);
}

function inline(text, names, place) {
  let at = 0;
  const put = (words) => words && place.append(plain(words));
  for (const match of text.matchAll(TOKENS)) {
    put(text.slice(at, match.index));
    place.append(token(match, names));
    at = match.index + match[0].length;
  }
  put(text.slice(at));
}

function token(match, names) {
  const [whole, fence, code, angle] = match;
  if (fence !== undefined) return make("pre", {}, plain(fence.replace(/^\n|\n$/g, "")));
  if (code !== undefined) return make("code", {}, plain(code));
  if (angle !== undefined) return reference(angle, names, whole);
  const group = [4, 5, 6].find((each) => match[each] !== undefined);
  const element = make(FORMATS[group]);
  inline(match[group], names, element);
  return element;
}

/** Draw one <…>: a mention, a channel, a date, a link. */
function reference(inner, names, whole) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : decoded(inner.slice(bar + 1));
  const rest = target.slice(1);
  switch (target[0]) {
    case "@":
      return make("span", { class: "mention" }, `@${names.person(rest) ?? (label || rest)}`);
    case "#":
      return names.channel(rest, label || rest);
    case "!":
      return special(rest, label, names);
    default:
      return link(target, label, names) ?? plain(whole);
  }
}

function special(command, label, names) {
  const [word, ...facts] = command.split("^");
  if (word === "date") return make("time", { title: label }, dated(facts, label));
  const said = word === "subteam" ? names.group(facts[0]) ?? (label || facts[0]) : label || word;
  return make("span", { class: "mention loud" }, `@${said.replace(/^@/, "")}`);
}

function dated([seconds, pattern = ""], fallback) {
  const at = new Date(Number(seconds) * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => {
    if (name === "time_secs") return clock(Number(seconds));
    const format = DATES[name.replace(/_pretty$/, "")];
    return format ? new Intl.DateTimeFormat(undefined, format).format(at) : whole;
  });
}

function link(target, label, names) {
  let url;
  try {
    url = new URL(decoded(target));
  } catch {
    return null;
  }
  if (!LINKS.has(url.protocol)) return null;
  const words = label || decoded(target).replace(/^mailto:/, "");
  const jump = names.jump(url);
  if (jump) return make("a", { href: `#${url.pathname}`, on: { click: jump } }, words);
  const facts = { href: url.href, rel: "noreferrer noopener", target: "_blank" };
  return make("a", facts, words);
}

function plain(text) {
  return document.createTextNode(decoded(text));
}

function decoded(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
