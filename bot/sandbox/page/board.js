// The venues: what is really open, falling; what was called there; what may go wrong.

import { clock, keepAtEnd, make, reconcile } from "./dom.js";

/** Draw every venue with its controls and its wire log; `again()` draws it once a log is opened. */
export function drawBoard(place, { venues, calls, controls, press, again }) {
  reconcile(place, venues.map((venue) => ({
    key: venue.name,
    value: venue.name,
    draw: () => frame(venue, again),
  })));
  venues.forEach((venue, at) => {
    const card = place.children[at];
    const mine = calls.filter((call) => call.venue === venue.name);
    card.querySelector("h3 b").textContent = venue.open.toLocaleString();
    card.classList.toggle("empty", venue.open === 0);
    drawTable(card.querySelector("table"), venue);
    drawControls(card.querySelector(".controls"), controls.filter((each) => each.group === venue.name), press);
    drawLog(card, venue, mine);
  });
}

/** Draw buttons that turn something on or off, or do something once. */
export function drawControls(place, controls, press) {
  reconcile(place, controls.map((control) => ({
    key: control.name,
    value: control,
    draw: () => make(
      "button",
      {
        type: "button",
        class: "control",
        title: control.hint,
        "data-focus": control.name,
        "aria-pressed": control.is_on === null ? null : String(control.is_on),
        on: { click: () => press(control) },
      },
      control.label,
      control.met ? make("b", {}, ` ${control.met}×`) : null,
    ),
  })));
}

function frame(venue, toggle) {
  return make(
    "article",
    { class: "venue", "aria-label": venue.title },
    make("h3", {}, venue.title, " ", make("b", {}), make("small", {}, " open")),
    make("table", {}, make("thead", {}, make("tr")), make("tbody")),
    make("div", { class: "controls", role: "group", "aria-label": `What if, at ${venue.title}` }),
    make(
      "details",
      { class: "wire", on: { toggle } },
      make("summary", {}),
      make("ol", { class: "calls", tabindex: 0, "aria-label": `Calls at ${venue.title}` }),
    ),
  );
}

/** A column an account, a row an order class; what has become empty stays, as a quiet 0. */
function drawTable(table, { accounts, classes }) {
  reconcile(table.querySelector("tr"), [
    { key: "class", value: "", draw: () => make("td") },
    ...accounts.map((account) => ({ key: account.name, value: account, draw: drawAccount })),
  ]);
  reconcile(table.querySelector("tbody"), classes.map((name) => {
    const counts = accounts.map((account) => account.by_class[name] ?? 0);
    return { key: name, value: counts.join(" "), draw: () => drawClass(name, counts) };
  }));
}

function drawAccount(account) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("i"));
  bar.firstChild.style.width = `${account.peak ? (100 * account.open) / account.peak : 0}%`;
  const count = make("b", { class: account.open ? "" : "none" }, account.open.toLocaleString());
  return make("th", { scope: "col", "data-account": account.name }, account.name, count, bar);
}

function drawClass(name, counts) {
  const cells = counts.map((count) => make("td", { class: count ? "" : "none" }, count.toLocaleString()));
  return make("tr", {}, make("th", { scope: "row", title: name }, name), ...cells);
}

function drawLog(card, venue, calls) {
  const last = calls.at(-1);
  const summary = card.querySelector("summary");
  const words = last
    ? `${venue.calls.toLocaleString()} ${venue.calls === 1 ? "call" : "calls"}, last: ${last.method} ${last.path} → ${last.code}`
    : "No calls yet";
  if (summary.textContent !== words) summary.textContent = words;
  const list = card.querySelector(".calls");
  if (!card.querySelector(".wire").open) return;
  keepAtEnd(list, () => reconcile(list, calls.map((call) => ({
    key: call.key,
    value: call,
    draw: drawCall,
  }))));
}

function drawCall(call) {
  return make(
    "li",
    { class: call.is_good ? "call" : "call bad" },
    make(
      "details",
      { "data-focus": "sent" },
      make(
        "summary",
        {},
        make("time", {}, clock(call.at)),
        make("span", { class: "account" }, call.account || "–"),
        make("span", { class: "path" }, `${call.method} ${call.path}`),
        make("span", { class: "code" }, call.code),
        make("span", { class: "signed", title: call.is_signed ? "The signature was checked and is right" : "The venue did not look at a signature, or it was wrong" }, call.is_signed ? "✓ signed" : "not checked"),
      ),
      make("code", {}, call.sent || "(nothing sent)"),
    ),
  );
}
