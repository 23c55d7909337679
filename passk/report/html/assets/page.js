"use strict";
/* Starts the parts and follows links: #rows?table=…, #responses?cell=…, #curves?k=…. */
(() => {
  const at = (id) => document.getElementById(id);

  async function follow() {
    const [kind, filters] = passkAddress.get();
    if (kind === "#rows") {
      const { table, ...where } = filters;
      await passkTables.open(table, where);
      at("tables").scrollIntoView();
    } else if (kind === "#responses") {
      await passkBrowser.open(filters);
      at("browser").scrollIntoView();
    } else if (kind === "#curves" && Object.keys(filters).length) {
      passkChart.open(filters);
      at("curves").scrollIntoView();
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
