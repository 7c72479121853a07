"use strict";
// Keeps an open page up to date, and draws again what is typed. Pages are whole without it.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// --- parts of the page -------------------------------------------------------------------

/** Put the parts of `text`, a whole page, in place of those here; `only`: the name of one. */
function replaceParts(text, only) {
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const part of all("[data-part]")) {
    const name = part.dataset.part;
    const fresh = page.querySelector(`[data-part="${CSS.escape(name)}"]`);
    if (!fresh || (only && name !== only) || fresh.outerHTML === part.outerHTML || (!only && isTypedIn(part))) continue;
    const kept = document.activeElement?.closest?.("[data-part]") === part ? pathOf(document.activeElement, part) : null;
    const open = all("details[open]", part).map(one => pathOf(one, part));
    const places = all(".wide", part).map(one => one.scrollLeft);
    part.replaceWith(fresh);
    open.forEach(path => at(fresh, path)?.setAttribute?.("open", ""));
    all(".wide", fresh).forEach((one, n) => { one.scrollLeft = places[n] ?? 0; });
    if (kept) at(fresh, kept)?.focus?.({ preventScroll: true });
  }
  tellAges();
}

/** Whether somebody fills in a form there: it is left alone. */
function isTypedIn(part) {
  return all("form[method=post] :is(input, textarea, select)", part).some(one =>
    one.type === "checkbox" ? one.checked !== one.defaultChecked
      : one.type !== "hidden" && "defaultValue" in one && one.value !== one.defaultValue);
}

function pathOf(element, root) {
  const path = [];
  for (let one = element; one !== root; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
  return path;
}

const at = (root, path) => path.reduce((one, n) => one?.children[n], root);

// --- what happens on the server ----------------------------------------------------------

const live = document.body.dataset.live?.split(" ") ?? [];
let stream = null, last = "", due = 0;

function listen() {
  if (document.hidden || stream) return;
  stream = new EventSource(last ? `/live?after=${last}` : "/live");
  stream.addEventListener("change", event => {
    last = event.lastEventId;
    if (live.some(type => type === "*" || event.data === type || event.data.startsWith(`${type}.`))) fetchSoon();
  });
  stream.onerror = () => { if (stream?.readyState === EventSource.CLOSED) { stop(); setTimeout(listen, 30000); } };
}

function stop() {
  stream?.close();
  stream = null;
}

/** Fetch the page again once what happens has paused for a moment; not oftener than each second. */
function fetchSoon() {
  if (due) return;
  due = setTimeout(async () => {
    try {
      const answer = await fetch(location.href, { redirect: "error" });
      if (answer.ok) replaceParts(await answer.text());
    } catch { /* the stream tells of the next change */ }
    due = 0;
  }, 1000);
}

if (live.length) {
  listen();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop();
    else { listen(); fetchSoon(); }
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", listen);
}

// --- what is drawn as it is typed --------------------------------------------------------

for (const form of all("form[data-redraw]")) {
  let pause = 0, before = null;
  form.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(async () => {
      before?.abort();
      before = new AbortController();
      const [address, part] = form.dataset.redraw.split("#");
      const typed = new URLSearchParams(new FormData(form));
      const given = form.method === "post" ? { method: "POST", body: typed } : {};
      try {
        const to = form.method === "post" ? address : `${address}?${typed}`;
        replaceParts(await (await fetch(to, { ...given, signal: before.signal })).text(), part);
      } catch { /* the next key tries again */ }
    }, 300);
  });
}

// --- ages --------------------------------------------------------------------------------

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
