// What the staff's pages share: their words in one language, the station's time, and drawing that leaves alone what did not change.
"use strict";

let words = {}, language = "en", dictionary = {};
const element = (id) => document.getElementById(id);
const say = (key, what = "") => (words[key] ?? key).replaceAll("{desk}", words["desk.name"] ?? "").replaceAll("{}", what);
// A region's name in the page's language; a list has Chinese and English ones, a translation may bring its own.
const named = (code, names) => words[`region.${code}`] ?? (names ? (language.startsWith("zh") ? names.zh : names.en) || names.zh || names.en : "");

const make = (tag, attributes = {}, ...children) => {
  const space = ["svg", "rect", "title"].includes(tag) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const made = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(name, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
};

// Makes `old` look like `fresh` and changes nothing else: an element that is the same stays the same element, with its focus, its
// scroll position and the finger on it. Children with a `data-key` are found again wherever they moved.
const patch = (old, fresh) => {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open" && name !== "style") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old.style && old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
  const known = new Map([...old.children].filter((child) => child.dataset.key).map((child) => [child.dataset.key, child]));
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = child.dataset && child.dataset.key;
    const same = key ? known.get(key) : at && !(at.dataset && at.dataset.key) && at.nodeName === child.nodeName ? at : null;
    if (!same) {
      old.insertBefore(child, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else old.insertBefore(same, at);
    if (same.nodeType !== Node.ELEMENT_NODE) {
      if (same.data !== child.data) same.data = child.data;
    } else patch(same, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
};
// Fills an element with children, patching what is there.
const fill = (id, ...children) => {
  const there = element(id), fresh = there.cloneNode(false);
  fresh.append(...children.flat().filter(Boolean));
  patch(there, fresh);
};

const age = (seconds) => {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
};
// The time on the station's wall, which is the time of the machine that shows the page.
const clock = (at) => new Date(at).toLocaleTimeString(language, { hour12: false });

const speak = async () => {
  dictionary = await (await fetch("/strings.json")).json();
  const wanted = new URLSearchParams(location.search).get("lang") || navigator.language;
  language = [wanted, wanted.split("-")[0], wanted.startsWith("zh") ? "zh-CN" : "en"].find((one) => dictionary[one]) || "en";
  words = dictionary[language];
  document.documentElement.lang = language;
  document.querySelectorAll("[data-say]").forEach((place) => { place.textContent = say(place.dataset.say); });
  document.querySelectorAll("[data-label]").forEach((place) => { place.setAttribute("aria-label", say(place.dataset.label)); });
};
