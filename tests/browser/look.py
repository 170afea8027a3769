"""What can be measured of a page as a person sees it."""

from __future__ import annotations

from playwright.async_api import Locator, Page

SCROLLABLE = """() => {
  const root = document.documentElement;
  const wide = [root, ...document.querySelectorAll("*")].filter((each) => {
    const canScroll = ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
    return (each === root || canScroll) && each.scrollWidth > each.clientWidth;
  });
  if (root.scrollHeight > root.clientHeight) wide.push(root);
  return wide.map((each) => `${each.tagName} ${each.id} ${each.className}`);
}"""


async def scrollable(page: Page) -> list[str]:
    """Name what can be scrolled sideways, and the page itself if it can be scrolled at all."""
    found: list[str] = await page.evaluate(SCROLLABLE)
    return found


FAINT = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, alpha / 255];
  };
  const over = ([r, g, b, alpha], ground) =>
    [r, g, b].map((value, at) => value * alpha + ground[at] * (1 - alpha));
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const colour = rgba(getComputedStyle(element).backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, ground(element.parentElement));
  };
  const light = (colour) => colour
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (element, pseudo) => {
    const behind = ground(element);
    const colour = over(rgba(getComputedStyle(element, pseudo).color), behind);
    const [high, low] = [light(colour), light(behind)].sort((one, other) => other - one);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const look = (element, words, pseudo) => {
    const ratio = contrast(element, pseudo);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${element.className}: ${words}`);
    look.count += 1;
  };
  look.count = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement, data } = walker.currentNode;
    if (data.trim() && parentElement.checkVisibility()) look(parentElement, data);
  }
  for (const each of document.querySelectorAll("[placeholder]")) {
    look(each, each.placeholder, "::placeholder");
  }
  return [look.count, found];
}"""


async def faint(page: Page) -> tuple[int, list[str]]:
    """Count the visible texts, and name those whose contrast is below 4.5 to 1 (WCAG AA)."""
    count, found = await page.evaluate(FAINT)
    return count, found


async def height(shown: Locator) -> float:
    """Return how high something is, in pixels."""
    box = await shown.bounding_box()
    assert box is not None, "it is not shown"
    return box["height"]
