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
  function save(content, type, name) {
    const address = URL.createObjectURL(new Blob([content], { type }));
    passkText.element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  /* A figure of the page as a file of its own, in the colours of the light theme. */
  function drawing(svg) {
    const copy = svg.cloneNode(true);
    const [, , width, height] = svg.getAttribute("viewBox").split(/[ ,]+/);
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    const colours = passkData.colours;
    return new XMLSerializer().serializeToString(copy).replace(/var\(--([\w-]+)\)/g, (whole, name) => colours[name] || whole);
  }

  async function picture(svg) {
    const image = new Image();
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(drawing(svg));
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 3 * image.width;
    canvas.height = 3 * image.height;
    const context = canvas.getContext("2d");
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
  }

  async function download(event) {
    const { kind, table, benchmark } = event.target.dataset;
    const figure = event.target.closest("figure");
    const name = `${figure.id}.${kind}`;
    const svg = figure.querySelector("svg");
    if (kind === "svg") save(drawing(svg), "image/svg+xml", name);
    else if (kind === "png") save(await picture(svg), "image/png", name);
    else if (kind === "csv") passkTables.saveRows(table, benchmark ? { benchmark } : {}, figure.id);
    else if (kind === "txt") save(figure.querySelector("figcaption").textContent + "\n", "text/plain", name);
    else passkText.element("a", { href: "figures/" + name, download: name }).click();
  }
  for (const button of document.querySelectorAll(".downloads button")) button.addEventListener("click", download);
  passkChart.start();
  passkTables.start();
  passkBrowser.start();
  window.addEventListener("hashchange", follow);
  if (location.hash) follow();
})();
