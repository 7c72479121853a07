"use strict";
// Keeps an open page up to date, and draws again what is typed. Pages are whole without it.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const at = (root, path) => path.reduce((one, n) => one?.children[n], root);

function pathOf(element, root) {
  const path = [];
  for (let one = element; one !== root; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
  return path;
}

/** Whether somebody fills in a form there: it is left alone. */
function isTypedIn(part) {
  return all("form[method=post] :is(input:not([type=hidden]), textarea, select)", part).some(one =>
    one.options ? one.selectedOptions[0] !== ([...one.options].find(option => option.defaultSelected) ?? one.options[0])
      : one.type === "checkbox" ? one.checked !== one.defaultChecked : one.value !== one.defaultValue);
}

/** Put the parts of `text`, a whole page, in place of those here; `only`: the name of one. */
function replaceParts(text, only) {
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const part of all("[data-part]")) {
    const name = part.dataset.part, fresh = page.querySelector(`[data-part="${CSS.escape(name)}"]`);
    if (!fresh || (only ? name !== only : isTypedIn(part)) || fresh.outerHTML === part.outerHTML) continue;
    const active = document.activeElement, kept = part.contains(active) ? pathOf(active, part) : null;
    const open = all("details[open]", part).map(one => pathOf(one, part));
    const places = all(".wide", part).map(one => one.scrollLeft);
    part.replaceWith(fresh);
    open.forEach(path => at(fresh, path)?.setAttribute("open", ""));
    all(".wide", fresh).forEach((one, n) => { one.scrollLeft = places[n] ?? 0; });
    if (kept) at(fresh, kept)?.focus({ preventScroll: true });
  }
  tellAges();
}

// --- what happens on the server
const live = document.body.dataset.live?.split(" ") ?? [], told = document.getElementById("live");
let stream = null, last = document.body.dataset.seen ?? "", due = 0;

function tell(how) { if (told && told.textContent !== told.dataset[how]) told.textContent = told.dataset[how]; }

function listen() {
  if (document.hidden || stream) return;
  stream = new EventSource(last ? `/live?after=${last}` : "/live");
  stream.onopen = () => tell("on");
  stream.addEventListener("change", event => {
    last = event.lastEventId;
    if (live.some(type => type === "*" || event.data === type || event.data.startsWith(`${type}.`))) fetchSoon();
  });
  stream.onerror = () => {
    tell("off");
    if (stream?.readyState === EventSource.CLOSED) { stop(); setTimeout(listen, 30000); }
  };
}

function stop() { stream?.close(); stream = null; }

/** Fetch the page again a moment after something has happened: not oftener than each second. */
function fetchSoon() {
  due ||= setTimeout(async () => {
    try {
      const answer = await fetch(location.href, { redirect: "error" });
      if (answer.ok) replaceParts(await answer.text());
    } catch { tell("off"); }
    due = 0;
  }, 1000);
}

if (live.length) {
  listen();
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else { listen(); fetchSoon(); } });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", listen);
}

// --- what is drawn as it is typed
for (const form of all("form[data-redraw]")) {
  let pause = 0, before = null;
  form.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(async () => {
      before?.abort();
      before = new AbortController();
      const [address, part] = form.dataset.redraw.split("#"), typed = new URLSearchParams(new FormData(form));
      const posts = form.method === "post", given = posts ? { method: "POST", body: typed } : {};
      try {
        const answer = await fetch(posts ? address : `${address}?${typed}`, { ...given, signal: before.signal });
        replaceParts(await answer.text(), part);
      } catch { /* the next key tries again */ }
    }, 300);
  });
}

// --- ages
const ages = new Intl.RelativeTimeFormat(document.documentElement.lang, { style: "short" });
const units = [[60, 1, "second"], [3600, 60, "minute"], [172800, 3600, "hour"], [Infinity, 86400, "day"]];

function tellAges() {
  for (const time of all("time[data-age]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const [, size, unit] = units.find(([most]) => Math.abs(seconds) < most);
    time.textContent = ages.format(-Math.sign(seconds) * Math.floor(Math.abs(seconds) / size), unit);
  }
}
setInterval(() => { if (!document.hidden) tellAges(); }, 15000);
