"use strict";
/* Starts the parts and follows links: #rows?table=…, #responses?cell=…. */
(() => {
  const at = (id) => document.getElementById(id);

  async function follow() {
    const [kind, query = ""] = location.hash.split("?");
    const filters = Object.fromEntries(new URLSearchParams(query));
    if (kind === "#rows") {
      const { table, ...where } = filters;
      await passkTables.open(table, where);
      at("tables").scrollIntoView();
    } else if (kind === "#responses") {
      await passkBrowser.open(filters);
      at("browser").scrollIntoView();
    }
  }

  const further = at("further");
  if (further) {
    further.addEventListener("click", () => {
      for (const item of document.querySelectorAll(".further")) item.classList.remove("hidden");
      further.remove();
    });
  }
  passkChart.start();
  passkTables.start();
  passkBrowser.start();
  window.addEventListener("hashchange", follow);
  if (location.hash) follow();
})();
