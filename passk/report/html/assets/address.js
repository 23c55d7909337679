"use strict";
/* What is shown, as the part of the address after #: a link to it can be shared, and Back works. */
const passkAddress = (() => {
  const WAIT = 200; // milliseconds without a further key before a search begins

  function set(kind, values, fresh) {
    const filled = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    const address = `${kind}?${new URLSearchParams(filled)}`;
    if (address === location.hash) return;
    if (fresh) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  /* [kind, values] of the address now. */
  function get() {
    const [kind, query = ""] = location.hash.split("?");
    return [kind, Object.fromEntries(new URLSearchParams(query))];
  }

  async function copy(button) {
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copy it from the address bar";
    }
    setTimeout(() => { button.textContent = words; }, 1500);
  }

  /* A function that runs once its calls have stopped for a moment. */
  function later(run) {
    let waiting = 0;
    return () => { clearTimeout(waiting); waiting = setTimeout(run, WAIT); };
  }
  return { set, get, copy, later };
})();
