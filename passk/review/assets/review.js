"use strict";
/* The reading room: one keystroke, one label, saved before the next response is shown. */
(() => {
  const at = (id) => document.getElementById(id);
  const { element, plain, show } = passkText;
  const KEYS = { v: "valid", f: "flawed", u: "unsure" };
  const AHEAD = 2; // responses fetched before they are asked for
  const items = [];
  const texts = new Map();
  let place = 0;
  let busy = false;
  let raw = false;

  async function ask(path, body) {
    const options = body === undefined ? {} : {
      method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
    };
    const answer = await fetch(path, options);
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    return found;
  }

  function complain(error) {
    const gone = error instanceof TypeError;
    at("problem").textContent = gone
      ? "Not saved: the reading room has stopped. Labels that were shown as saved are kept; start `passk review` again."
      : "Not saved: " + error.message;
    at("problem").classList.remove("hidden");
  }

  function fetched(index) {
    if (!texts.has(index)) {
      const found = ask("item/" + index);
      found.catch(() => texts.delete(index));
      texts.set(index, found);
      if (texts.size > 40) texts.delete(texts.keys().next().value);
    }
    return texts.get(index);
  }

  function marks() {
    const done = items.filter((item) => item.label).length;
    at("bar").max = Math.max(items.length, 1);
    at("bar").value = done;
    at("count").textContent = `${done} of ${items.length} labelled`;
    const { label } = items[place];
    for (const button of document.querySelectorAll("[data-label]")) {
      button.setAttribute("aria-pressed", String(button.dataset.label === label));
    }
  }

  async function go(index) {
    place = Math.max(0, Math.min(items.length - 1, index));
    const wanted = place;
    marks();
    at("note").value = items[place].note || "";
    at("where").textContent = "";
    plain(at("where"), `${place + 1} of ${items.length} · ${items[place].benchmark} · ${items[place].problem}`);
    try {
      const found = await fetched(wanted);
      if (wanted !== place) return;
      draw(found);
    } catch (error) { complain(error); }
    for (let step = 1; step <= AHEAD; step += 1) if (place + step < items.length) fetched(place + step);
  }

  function draw(found) {
    show(at("question"), found.question);
    show(at("gold"), gold(found.gold));
    show(at("answer"), found.answer || "nothing", true);
    at("detail").replaceChildren();
    plain(at("detail"), found.detail || "the verifier");
    show(at("response"), found.text, raw);
    const images = Array.from({ length: found.images }, (_, number) =>
      element("img", { src: `image/${place}/${number}`, alt: `Image ${number + 1} of the question` }));
    at("images").replaceChildren(...images);
    window.scrollTo(0, 0);
  }

  function gold(text) {
    try {
      const value = JSON.parse(text);
      return Array.isArray(value) ? value.map(String).join(" or ") : typeof value === "string" ? value : text;
    } catch { return text; }
  }

  async function once(work) {
    if (busy) return;
    busy = true;
    try {
      await work();
      at("problem").classList.add("hidden");
    } catch (error) { complain(error); } finally { busy = false; }
  }

  const say = (label) => once(async () => {
    const index = place;
    const kept = await ask("label", { item: index, label, note: at("note").value });
    Object.assign(items[index], { label: kept.label, note: kept.note });
    at("said").textContent = `Saved: response ${index + 1} is ${label}.`;
    at("note").blur();
    if (index + 1 < items.length) go(index + 1); else marks();
  });

  const undo = () => once(async () => {
    const back = await ask("undo", {});
    if (back.item === null) { at("said").textContent = "Nothing to undo in this session."; return; }
    Object.assign(items[back.item], { label: back.label, note: back.note });
    at("said").textContent = `Undone: response ${back.item + 1} is ${back.label || "not labelled"}.`;
    go(back.item);
  });

  function open() {
    const order = [...items.keys()].map((step) => (place + 1 + step) % items.length);
    const found = order.find((index) => !items[index].label);
    if (found === undefined) at("said").textContent = "Everything is labelled.";
    else go(found);
  }

  const agree = () => once(async () => {
    const box = at("agreement");
    if (!box.classList.toggle("hidden")) {
      const rows = await ask("agreement");
      const lines = rows.map((row) => {
        const line = element("p", {});
        const kappa = row.kappa === null ? "undefined" : row.kappa.toFixed(2);
        plain(line, `${row.reviewer} and ${row.other}: ${row.responses} responses by both, ` +
          (row.responses ? `${(100 * row.agreement).toFixed(0)} % alike, Cohen’s κ ${kappa}` : "nothing to compare"));
        return line;
      });
      box.replaceChildren(...(lines.length ? lines : [element("p", {}, "No second reviewer yet.")]));
    }
  });

  function toggleRaw() {
    raw = !raw;
    at("raw").setAttribute("aria-pressed", String(raw));
    fetched(place).then(draw).catch(complain);
  }

  const MOVES = { z: undo, j: () => go(place + 1), ArrowRight: () => go(place + 1), k: () => go(place - 1),
    ArrowLeft: () => go(place - 1), o: open, a: agree, r: toggleRaw, n: () => at("note").focus() };

  document.addEventListener("keydown", (event) => {
    if (!items.length || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target === at("note")) {
      if (event.key === "Escape" || event.key === "Enter") at("note").blur();
      return;
    }
    const act = KEYS[event.key] ? () => say(KEYS[event.key]) : MOVES[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  for (const button of document.querySelectorAll("[data-label]")) {
    button.addEventListener("click", () => say(button.dataset.label));
  }
  for (const [id, act] of Object.entries({ undo, back: MOVES.k, next: MOVES.j, open, agree, raw: toggleRaw })) {
    at(id).addEventListener("click", act);
  }

  ask("queue").then((found) => {
    items.push(...found.items);
    at("title").textContent = "";
    plain(at("title"), found.title);
    at("reviewer").textContent = "read by " + found.reviewer;
    at("empty").classList.toggle("hidden", items.length > 0);
    for (const id of ["room", "controls"]) at(id).classList.toggle("hidden", items.length === 0);
    if (!items.length) return;
    go(Math.max(0, items.findIndex((item) => !item.label)));
  }).catch(complain);
})();
