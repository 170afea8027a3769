// Where a person types: Enter sends, Shift and Enter is a new line, `/` offers the commands.

import { make } from "./dom.js";

/**
 * Fill a form with a composer. `facts`: `id`, `label`, `commands()` to offer, and `send(words)`,
 * which tells whether the words may go from the box.
 */
export function fill(form, { id, label, commands, send }) {
  let offered = [];
  let chosen = 0;
  const box = make("textarea", {
    id,
    rows: 1,
    role: "combobox",
    "aria-label": label,
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": `${id}-offers`,
    placeholder: label,
    autocomplete: "off",
    spellcheck: "false",
  });
  const list = make("ul", { id: `${id}-offers`, class: "offers", role: "listbox", "aria-label": "Commands", hidden: true });
  const hint = make("p", { class: "hint", id: `${id}-hint` });
  const button = make("button", { type: "submit", class: "send", "aria-label": "Send" }, "➤");
  form.append(list, hint, box, button);

  box.addEventListener("input", look);
  box.addEventListener("blur", () => offer([]));
  box.addEventListener("keydown", press);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  return { relabel: (words) => { box.placeholder = words; box.setAttribute("aria-label", words); } };

  function look() {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
    const [command, ...rest] = box.value.split(" ");
    const isTyping = command.startsWith("/") && rest.length === 0;
    offer(isTyping ? commands().filter((each) => each.command.startsWith(command)) : []);
    const known = commands().find((each) => each.command === command);
    hint.textContent = known && rest.length && !rest.join("").trim() ? known.hint : "";
  }

  function offer(found) {
    offered = found;
    chosen = Math.min(chosen, Math.max(0, found.length - 1));
    list.hidden = found.length === 0;
    box.setAttribute("aria-expanded", String(found.length > 0));
    list.replaceChildren(...found.map((each, at) => make(
      "li",
      {
        role: "option",
        id: `${id}-offer-${at}`,
        "aria-selected": String(at === chosen),
        on: { mousedown: (event) => { event.preventDefault(); take(each); } },
      },
      make("strong", {}, each.command),
      " ",
      make("span", { class: "hint" }, each.hint),
      make("small", {}, each.description),
    )));
    if (found.length) box.setAttribute("aria-activedescendant", `${id}-offer-${chosen}`);
    else box.removeAttribute("aria-activedescendant");
  }

  function take(each) {
    box.value = `${each.command} `;
    box.focus();
    look();
  }

  function press(event) {
    const isOffering = offered.length > 0;
    const isEnter = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (isOffering && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : offered.length - 1)) % offered.length;
      offer(offered);
    } else if (isOffering && (event.key === "Tab" || (isEnter && box.value !== offered[chosen].command))) {
      take(offered[chosen]);
    } else if (isOffering && event.key === "Escape") {
      offer([]);
    } else if (isEnter) {
      submit();
    } else {
      return;
    }
    event.preventDefault();
  }

  async function submit() {
    const words = box.value;
    if (!words.trim()) return;
    box.value = "";
    look();
    if (!(await send(words)) && box.value === "") {
      box.value = words;
      look();
    }
  }
}
