// Keeps a page of a running search up to date: asks for the same page again and puts in place the parts that changed.
// Everything works without it, by loading the page anew.
"use strict";

(() => {
  const EVERY = 2000; // milliseconds between two looks
  const SLOWEST = 30000; // after failures
  let wait = EVERY;
  let tag = "";

  const say = (words) => {
    const place = document.getElementById("fresh");
    if (place) place.textContent = words;
  };

  // What the reader has done to a part, so that it survives the exchange.
  const name = (e) => [e.localName, e.getAttribute("href"), e.getAttribute("value"), e.textContent.trim()].join(" ");
  const reachable = "a, button, input, summary";

  const remember = (part) => ({
    open: [...part.querySelectorAll("details")].map((d) => d.open),
    marked: new Set([...part.querySelectorAll("input:checked")].map((i) => i.value)),
    focused: part.contains(document.activeElement) ? name(document.activeElement) : "",
  });

  const restore = (part, state) => {
    part.querySelectorAll("details").forEach((d, n) => { if (n in state.open) d.open = state.open[n]; });
    part.querySelectorAll("input[type=checkbox]").forEach((i) => { i.checked = state.marked.has(i.value); });
    if (state.focused) {
      const same = [...part.querySelectorAll(reachable)].find((e) => name(e) === state.focused);
      if (same) same.focus({ preventScroll: true });
    }
  };

  // Text that is being marked is left alone until it is not.
  const busy = (part) => {
    const picked = document.getSelection();
    return Boolean(picked && !picked.isCollapsed && picked.containsNode(part, true));
  };

  const exchange = (fresh) => {
    let skipped = false;
    for (const part of document.querySelectorAll("[data-part]")) {
      const next = fresh.getElementById(part.id);
      if (!next || next.isEqualNode(part.original || part)) continue;
      if (busy(part)) { skipped = true; continue; }
      const state = remember(part);
      const placed = document.importNode(next, true);
      placed.original = next;
      part.replaceWith(placed);
      restore(placed, state);
    }
    // A part that comes into being (the first law, say) needs the page anew.
    if (fresh.querySelectorAll("[data-part]").length !== document.querySelectorAll("[data-part]").length) location.reload();
    watchForms();
    return !skipped;
  };

  const look = async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 304) { say("live"); return; }
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (exchange(fresh)) tag = answer.headers.get("ETag") || "";
    say("live");
    if (!fresh.body.hasAttribute("data-live")) {
      document.body.removeAttribute("data-live");
      say("the run has ended");
    }
  };

  const again = async () => {
    if (!document.body.hasAttribute("data-live")) return;
    try {
      await look();
      wait = EVERY;
    } catch (error) {
      wait = Math.min(2 * wait, SLOWEST);
      say(/^\d+$/.test(error.message) ? "the archive cannot be read just now" : "the server does not answer");
    }
    setTimeout(again, wait);
  };

  // A button that needs so many marks is off until they are there.
  const watchForms = () => {
    for (const button of document.querySelectorAll("button[data-needs]")) {
      const form = button.form;
      const check = () => {
        button.disabled = form.querySelectorAll("input:checked").length !== Number(button.dataset.needs);
      };
      if (!form.watched) form.addEventListener("change", check);
      form.watched = true;
      check();
    }
  };

  watchForms();
  setTimeout(again, EVERY);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && document.body.hasAttribute("data-live")) look().catch(() => {});
  });
})();
