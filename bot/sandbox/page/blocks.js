// Block Kit as elements: https://docs.slack.dev/reference/block-kit/blocks. A block of a kind that
// is not drawn here is named, never left out.

import { make } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

const DRAWN = {
  header: (block) => make("h3", { class: "block-header" }, block.text.text),
  divider: () => make("hr"),
  section,
  context,
  actions,
  input,
  image: (block) => make("p", { class: "block-image" }, `(image: ${block.alt_text})`),
};

/** Draw blocks. `around` has `names` for mrkdwn and `press(element, button)` for buttons. */
export function draw(blocks, around) {
  return blocks.map((block) => {
    const drawn = DRAWN[block.type]?.(block, around);
    return drawn ?? make("p", { class: "block-unknown" }, `(${block.type})`);
  });
}

/** Draw a text object. */
export function text(object, names) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, names) : document.createTextNode(object.text);
}

function section(block, around) {
  const whole = make("div", { class: "block-section" });
  const body = make("div", { class: "block-text" });
  if (block.text) body.append(make("div", {}, text(block.text, around.names)));
  if (block.fields) {
    const fields = block.fields.map((field) => make("div", {}, text(field, around.names)));
    body.append(make("div", { class: "block-fields" }, ...fields));
  }
  whole.append(body);
  if (block.accessory) whole.append(element(block.accessory, around));
  return whole;
}

function context(block, around) {
  const told = block.elements.map((each) =>
    each.type === "image"
      ? make("span", {}, `(image: ${each.alt_text})`)
      : make("span", {}, text(each, around.names)),
  );
  return make("div", { class: "block-context" }, ...told);
}

function actions(block, around) {
  const all = block.elements.map((each) => element(each, around));
  return make("div", { class: "block-actions" }, ...all);
}

function element(each, around) {
  if (each.type !== "button") return make("span", { class: "block-unknown" }, `(${each.type})`);
  return make(
    "button",
    {
      type: "button",
      class: `button ${each.style ?? ""}`,
      "data-focus": each.action_id,
      "aria-label": each.accessibility_label,
      on: { click: (event) => around.press(each, event.currentTarget) },
    },
    each.text.text,
  );
}

function input(block, around) {
  const id = `field-${block.block_id}`;
  const asked = block.element;
  const facts = {
    id,
    name: block.block_id,
    maxlength: asked.max_length,
    minlength: asked.min_length,
    placeholder: asked.placeholder?.text,
    "aria-describedby": `${id}-note`,
    required: !block.optional,
  };
  const field = asked.type !== "plain_text_input"
    ? make("span", { class: "block-unknown" }, `(${asked.type})`)
    : make(asked.multiline ? "textarea" : "input", asked.multiline ? facts : { ...facts, type: "text" });
  if (asked.initial_value) field.value = asked.initial_value;
  const optional = block.optional ? make("small", {}, " (optional)") : null;
  return make(
    "div",
    { class: "block-input" },
    make("label", { for: id }, text(block.label, around.names), optional),
    field,
    make("small", { id: `${id}-note` }, block.hint ? text(block.hint, around.names) : null),
    make("p", { class: "field-error", "data-block": block.block_id, role: "alert" }),
  );
}
