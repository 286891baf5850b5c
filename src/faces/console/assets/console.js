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
  const source = new EventSource("/live");
  let waiting = false;
  source.addEventListener("changed", async () => {
    const main = document.querySelector("main");
    if (waiting || document.hidden || main.contains(document.activeElement) && document.activeElement !== main) return;
    waiting = true;
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
      if (response.ok) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
        if (fresh) main.replaceChildren(...fresh.childNodes);
      }
    } finally {
      setTimeout(() => { waiting = false; }, 2000);
    }
  });
})();
