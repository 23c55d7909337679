"use strict";
/* Review: one keystroke, one label, saved before the next response is shown. */
(() => {
  const at = (id) => document.getElementById(id);
  const { element, plain, reasoning, show } = passkText;
  const KEYS = { v: "valid", f: "flawed", u: "unsure" };
  const PREFETCH = 2; // responses fetched ahead
  const items = [];
  const texts = new Map();
  let current = 0;
  let busy = false;
  let raw = false;

  async function request(path, body) {
    const options = body === undefined ? {} : {
      method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
    };
    const answer = await fetch(path, options);
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    return found;
  }

  function showError(error) {
    const gone = error instanceof TypeError;
    at("problem").textContent = gone
      ? "Not saved: the review server has stopped. Labels shown as saved are on disk. Restart `passk review`."
      : "Not saved: " + error.message;
    at("problem").classList.remove("hidden");
  }

  function fetchItem(index) {
    if (!texts.has(index)) {
      const found = request("item/" + index);
      found.catch(() => texts.delete(index));
      texts.set(index, found);
      if (texts.size > 40) texts.delete(texts.keys().next().value);
    }
    return texts.get(index);
  }

  function showProgress() {
    const done = items.filter((item) => item.label).length;
    at("bar").max = Math.max(items.length, 1);
    at("bar").value = done;
    at("count").textContent = `${done} of ${items.length} labelled`;
    const { label } = items[current];
    for (const button of document.querySelectorAll("[data-label]")) {
      button.setAttribute("aria-pressed", String(button.dataset.label === label));
    }
  }

  async function go(index) {
    current = Math.max(0, Math.min(items.length - 1, index));
    const wanted = current;
    showProgress();
    at("note").value = items[current].note || "";
    at("where").textContent = "";
    plain(at("where"), `${current + 1} of ${items.length} · ${items[current].benchmark} · ${items[current].problem}`);
    try {
      const found = await fetchItem(wanted);
      if (wanted !== current) return;
      render(found);
    } catch (error) { showError(error); }
    for (let step = 1; step <= PREFETCH; step += 1) if (current + step < items.length) fetchItem(current + step);
  }

  function render(found) {
    show(at("question"), found.question);
    show(at("gold"), gold(found.gold));
    show(at("answer"), found.answer || "none", true);
    at("detail").replaceChildren();
    plain(at("detail"), found.detail || "the verifier");
    at("reasoning").replaceChildren(...reasoning(found.reasoning, raw));
    show(at("response"), found.text, raw);
    const images = Array.from({ length: found.images }, (_, number) =>
      element("img", { src: `image/${current}/${number}`, alt: `Image ${number + 1} of the question` }));
    at("images").replaceChildren(...images);
    window.scrollTo(0, 0);
  }

  function gold(text) {
    try {
      const value = JSON.parse(text);
      return Array.isArray(value) ? value.map(String).join(" or ") : typeof value === "string" ? value : text;
    } catch { return text; }
  }

  async function exclusive(work) {
    if (busy) return;
    busy = true;
    try {
      await work();
      at("problem").classList.add("hidden");
    } catch (error) { showError(error); } finally { busy = false; }
  }

  const addLabel = (label) => exclusive(async () => {
    const index = current;
    const saved = await request("label", { item: index, label, note: at("note").value });
    Object.assign(items[index], { label: saved.label, note: saved.note });
    at("status").textContent = `Saved: response ${index + 1} is ${label}.`;
    at("note").blur();
    if (index + 1 < items.length) go(index + 1); else showProgress();
  });

  const undo = () => exclusive(async () => {
    const back = await request("undo", {});
    if (back.item === null) { at("status").textContent = "Nothing to undo in this session."; return; }
    Object.assign(items[back.item], { label: back.label, note: back.note });
    at("status").textContent = `Undone: response ${back.item + 1} is ${back.label || "unlabelled"}.`;
    go(back.item);
  });

  function nextUnlabelled() {
    const order = [...items.keys()].map((step) => (current + 1 + step) % items.length);
    const found = order.find((index) => !items[index].label);
    if (found === undefined) at("status").textContent = "Everything is labelled.";
    else go(found);
  }

  const agree = () => exclusive(async () => {
    const box = at("agreement");
    if (!box.classList.toggle("hidden")) {
      const rows = await request("agreement");
      const lines = rows.map((row) => {
        const line = element("p", {});
        const kappa = row.kappa === null ? "undefined" : row.kappa.toFixed(2);
        plain(line, `${row.reviewer} and ${row.other}: ${row.responses} responses in common, ` +
          (row.responses ? `${(100 * row.agreement).toFixed(0)} % equal labels, Cohen’s κ ${kappa}` : "nothing to compare"));
        return line;
      });
      box.replaceChildren(...(lines.length ? lines : [element("p", {}, "No other reviewer yet.")]));
    }
  });

  function toggleRaw() {
    raw = !raw;
    at("raw").setAttribute("aria-pressed", String(raw));
    fetchItem(current).then(render).catch(showError);
  }

  const MOVES = { z: undo, j: () => go(current + 1), ArrowRight: () => go(current + 1), k: () => go(current - 1),
    ArrowLeft: () => go(current - 1), o: nextUnlabelled, a: agree, r: toggleRaw, n: () => at("note").focus() };

  document.addEventListener("keydown", (event) => {
    if (!items.length || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target === at("note")) {
      if (event.key === "Escape" || event.key === "Enter") at("note").blur();
      return;
    }
    const act = KEYS[event.key] ? () => addLabel(KEYS[event.key]) : MOVES[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  for (const button of document.querySelectorAll("[data-label]")) {
    button.addEventListener("click", () => addLabel(button.dataset.label));
  }
  for (const [id, act] of Object.entries({ undo, back: MOVES.k, next: MOVES.j, open: nextUnlabelled, agree, raw: toggleRaw })) {
    at(id).addEventListener("click", act);
  }

  request("queue").then((found) => {
    items.push(...found.items);
    at("title").textContent = "";
    plain(at("title"), found.title);
    at("reviewer").textContent = "reviewer: " + found.reviewer;
    at("empty").classList.toggle("hidden", items.length > 0);
    for (const id of ["review", "controls"]) at(id).classList.toggle("hidden", items.length === 0);
    if (!items.length) return;
    go(Math.max(0, items.findIndex((item) => !item.label)));
  }).catch(showError);
})();
