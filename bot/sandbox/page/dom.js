// Elements without innerHTML: text is always text.

/** Make an element. `facts` are attributes; `on` in it maps event names to listeners. */
export function make(tag, facts = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const drawn = new WeakMap();

/**
 * Bring the children of `parent` to `wanted`, a list of {key, value, draw}. What has not changed is
 * not touched; what is drawn anew keeps the focus and what was opened.
 */
export function reconcile(parent, wanted) {
  const before = drawn.get(parent) ?? new Map();
  const after = new Map();
  const keys = new Set(wanted.map(({ key }) => key));
  for (const [key, { element }] of before) {
    if (!keys.has(key)) element.remove(); // First: what stays is not moved, and so keeps the focus.
  }
  let at = parent.firstElementChild;
  for (const { key, value, draw } of wanted) {
    const kept = before.get(key);
    let element = kept?.element;
    if (!kept || kept.value !== value) {
      element = draw(value);
      if (kept) {
        if (at === kept.element) at = element;
        replace(kept.element, element);
      }
    }
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
    after.set(key, { element, value });
  }
  drawn.set(parent, after);
}

function replace(old, fresh) {
  const focus = document.activeElement;
  const name = old.contains(focus) ? focus.dataset.focus : undefined;
  const opened = new Set(
    [...old.querySelectorAll("details[open][data-focus]")].map((each) => each.dataset.focus),
  );
  old.replaceWith(fresh);
  for (const each of fresh.querySelectorAll("details[data-focus]")) {
    each.open = opened.has(each.dataset.focus);
  }
  if (name !== undefined) {
    [...fresh.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === name)?.focus();
  }
}

/** Keep a list at its end if it was there, whatever `change` does to it. */
export function keepAtEnd(list, change) {
  const wasAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  change();
  if (wasAtEnd) list.scrollTop = list.scrollHeight;
}

let lastNotice;

/** Tell the person something for a while. */
export function notice(words) {
  const place = document.getElementById("notices");
  clearTimeout(lastNotice);
  place.replaceChildren(make("p", {}, words));
  lastNotice = setTimeout(() => place.replaceChildren(), 6000);
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});

/** Write a moment in epoch seconds as the reader's local time. */
export function clock(seconds) {
  return CLOCK.format(new Date(seconds * 1000));
}
