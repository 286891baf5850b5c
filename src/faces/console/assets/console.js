// Nothing here is needed: pages that change are asked for anew, and "/" goes to the box.
"use strict";
(() => {
  const find = document.getElementById("find");
  document.addEventListener("keydown", (event) => {
    const inField = event.target.closest("input, textarea, select");
    if (event.key === "/" && find && !inField && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      find.focus();
    }
  });
  if (!document.body.hasAttribute("data-live") || !window.EventSource) return;
  const main = document.querySelector("main");
  const PAUSE_MS = 2000;
  let isStale = false;
  let isBusy = false;
  let isWritten = false;
  // What somebody writes, has unfolded or stands in stays as it is.
  const isUsed = () => isWritten || main.querySelector("details[open]") || main !== document.activeElement && main.contains(document.activeElement);
  const renew = async () => {
    if (!isStale || isBusy || document.hidden || isUsed()) return;
    isStale = false;
    isBusy = true;
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
      const fresh = response.ok && new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
      if (isUsed()) isStale = true;
      else if (fresh) main.replaceChildren(...fresh.childNodes);
    } finally {
      setTimeout(() => { isBusy = false; renew(); }, PAUSE_MS);
    }
  };
  main.addEventListener("input", () => { isWritten = true; });
  main.addEventListener("focusout", () => setTimeout(renew));
  main.addEventListener("toggle", renew, true);
  document.addEventListener("visibilitychange", renew);
  new EventSource("/live").addEventListener("changed", () => {
    isStale = true;
    renew();
  });
})();
