// The two things that stand in a person's way: a button's confirm dialog, and a modal of the app's.

import { draw, text } from "./blocks.js";
import { make } from "./dom.js";

/** Ask what a button's `confirm` object asks; tells whether the person agrees. */
export function confirmed(dialog, asked, names) {
  return new Promise((resolve) => {
    const close = (value) => make(
      "button",
      {
        type: "button",
        class: value ? `button ${asked.style ?? "primary"}` : "button",
        on: { click: () => dialog.close(value) },
      },
      text(asked[value ? "confirm" : "deny"], names),
    );
    dialog.replaceChildren(
      make("h2", { id: "confirm-title" }, text(asked.title, names)),
      make("p", {}, text(asked.text, names)),
      make("div", { class: "dialog-actions" }, close(""), close("yes")),
    );
    dialog.setAttribute("aria-labelledby", "confirm-title");
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}

/**
 * Show the modal that a person has open, or none. `submit(values)` gives `{problem, errors}`;
 * `close()` tells the app that it was closed.
 */
export function showModal(dialog, part, { names, submit, close }) {
  const shown = part ? `${part.id} ${part.hash}` : "";
  if (dialog.dataset.shown === shown) return;
  dialog.dataset.shown = shown;
  if (!part) {
    dialog.close();
    return;
  }
  const { view } = part;
  let isBusy = false; // From a press until the app refuses it; whoever presses twice is told once.
  const problem = make("p", { class: "field-error", role: "alert" });
  const form = make(
    "form",
    { method: "dialog", novalidate: true },
    make(
      "header",
      {},
      make("h2", { id: "modal-title" }, text(view.title, names)),
      make("button", { type: "button", class: "plain", "aria-label": "Close", on: { click: leave } }, "✕"),
    ),
    make("div", { class: "modal-body" }, ...draw(view.blocks, { names, press: () => {} })),
    problem,
    make(
      "div",
      { class: "dialog-actions" },
      make("button", { type: "button", class: "button", on: { click: leave } }, view.close?.text ?? "Cancel"),
      view.submit ? make("button", { type: "submit", class: "button primary" }, view.submit.text) : null,
    ),
  );
  form.addEventListener("submit", send);
  dialog.oncancel = (event) => {
    event.preventDefault();
    leave();
  };
  dialog.onclose = () => {
    if (dialog.dataset.shown !== shown) return;
    dialog.dataset.shown = ""; // Escape again and again closes it all the same; it may come back.
    leave();
  };
  dialog.replaceChildren(form);
  dialog.setAttribute("aria-labelledby", "modal-title");
  if (!dialog.open) dialog.showModal();
  form.querySelector("input, textarea")?.focus();

  async function send(event) {
    event.preventDefault();
    if (isBusy) return;
    const values = Object.fromEntries(new FormData(form));
    const unfilled = [...form.querySelectorAll("[required]")].filter((each) => !each.value.trim());
    tell(Object.fromEntries(unfilled.map((each) => [each.name, "Please complete this required field."])));
    if (unfilled.length) {
      unfilled[0].focus();
      return;
    }
    isBusy = true;
    const answer = await submit(values);
    isBusy = !answer.problem && Object.keys(answer.errors).length === 0;
    problem.textContent = answer.problem;
    tell(answer.errors);
  }

  function tell(errors) {
    for (const place of form.querySelectorAll("[data-block]")) {
      place.textContent = errors[place.dataset.block] ?? "";
    }
  }

  async function leave() {
    if (isBusy) return;
    isBusy = true;
    isBusy = !(await close()).problem;
  }
}
