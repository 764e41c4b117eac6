// Asks for the page again every few seconds and puts in what has changed: text by text, so that nothing jumps, what is
// open stays open, and the focus stays where it is. Without this script the page is the same, as of when it was loaded.
"use strict";

const REFRESH_MS = 5000;
const GIVE_UP_MS = 10000;
const KEPT = new Set(["open", "data-open"]); // what the reader has set on an element

const live = document.getElementById("live");
const pause = document.getElementById("pause");
let paused = false;
let timer = 0;
let known = null; // the ETag of what is shown
let trusted = null; // what the page said of itself before the connection was lost

function morph(from, to) {
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) {
      from.data = to.data;
      mark(from.parentElement);
    }
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE || from.hasAttribute("data-own")) return;
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && !KEPT.has(name)) from.removeAttribute(name);
  const before = [...from.childNodes];
  const after = [...to.childNodes];
  after.forEach((node, place) => {
    const old = before[place];
    if (old === undefined) from.append(document.importNode(node, true));
    else if (isSame(old, node)) morph(old, node);
    else old.replaceWith(document.importNode(node, true));
  });
  before.slice(after.length).forEach((node) => node.remove());
}

function isSame(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");
}

// A figure that has changed is marked for a moment; page.css leaves that out where less motion is wanted.
function mark(element) {
  const figure = element?.closest("data.money");
  if (!figure) return;
  figure.classList.remove("changed");
  requestAnimationFrame(() => figure.classList.add("changed"));
}

async function refresh() {
  clearTimeout(timer);
  if (paused || document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-cache", signal: AbortSignal.timeout(GIVE_UP_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.text(), answer.headers.get("etag"));
  } catch {
    lose();
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function show(text, tag) {
  if (tag !== null && tag === known && trusted === null) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  if (page.body.dataset.version !== document.body.dataset.version) {
    location.reload(); // the service was upgraded under us
    return;
  }
  const before = document.querySelector("[data-paid]")?.dataset.paid;
  morph(document.getElementById("main"), page.getElementById("main"));
  document.title = page.title;
  known = tag;
  trusted = null;
  const paid = document.querySelector("[data-paid]")?.dataset.paid;
  if (paid !== undefined && paid !== before) document.getElementById("said").textContent = paid;
}

// The figures stay, and are called what they are: of before.
function lose() {
  const news = document.getElementById("news");
  const trust = document.getElementById("trust");
  if (!news || !trust || trusted !== null) return;
  trusted = trust.textContent;
  trust.textContent = news.dataset.lost;
  news.className = "news alarmed";
}

function setPaused(wanted) {
  paused = wanted;
  live.textContent = paused ? live.dataset.off : live.dataset.on;
  pause.textContent = paused ? pause.dataset.resume : pause.dataset.pause;
  if (!paused) refresh();
}

if (pause) {
  pause.closest(".live").hidden = false;
  pause.addEventListener("click", () => setPaused(!paused));
}
document.addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((each) => {
  each.open = true;
  each.dataset.open = "to-print";
}));
addEventListener("afterprint", () => document.querySelectorAll("details[data-open]").forEach((each) => {
  each.open = false;
  delete each.dataset.open;
}));
timer = setTimeout(refresh, REFRESH_MS);
