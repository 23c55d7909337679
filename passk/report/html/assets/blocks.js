"use strict";
/* Blocks of data: in the page, or in a file of the folder beside it; loaded on demand. */
const passkData = JSON.parse(document.getElementById("data").textContent);

const passkBlocks = (() => {
  const waiting = new Map();
  const read = new Map();
  const BLOCK_FILE = /^[a-z0-9_-]+\.js$/;
  const folder = encodeURIComponent(passkData.folder);
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("passk-blocks", { createScriptURL: (name) => address(name) })
    : { createScriptURL: (name) => address(name) };

  function address(name) {
    if (!BLOCK_FILE.test(name)) throw new TypeError("not a block: " + name);
    return folder + "/" + name;
  }

  function text(name) {
    const inside = document.getElementById("block-" + name);
    if (inside) return Promise.resolve(inside.textContent);
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(name, resolve);
      script.onerror = () => reject(new Error(
        `${passkData.folder}/${name}.js is missing. Keep that folder beside this page.`));
      script.src = policy.createScriptURL(name + ".js");
      script.onload = () => script.remove();
      document.head.append(script);
    });
  }

  window.passkBlock = (name, packed) => {
    const resolve = waiting.get(name);
    waiting.delete(name);
    if (resolve) resolve(packed);
  };

  async function lines(name) {
    const packed = atob(await text(name));
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const whole = await new Response(stream).text();
    return whole.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  /* The lines of a block; the latest 12 blocks are cached. */
  function get(name) {
    if (!read.has(name)) {
      const found = lines(name);
      found.catch(() => read.delete(name));
      read.set(name, found);
      if (read.size > 12) read.delete(read.keys().next().value);
    }
    return read.get(name);
  }
  return { get };
})();
