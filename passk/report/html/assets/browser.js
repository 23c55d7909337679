"use strict";
/* Responses by problem and curve, of one curve or of two side by side; a block is loaded when one of
   its problems is chosen. What is shown is in the address, so that it can be shared. */
const passkBrowser = (() => {
  const at = (id) => document.getElementById(id);
  const { element, plain, reasoning, show } = passkText;
  const [PROBLEM, SAMPLE, VERDICT, ANSWER, CLASS, DETAIL, FINISH, TOKENS, TEXT, REASONING] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const LISTED = 200;
  const FOUND = window.Highlight && CSS.highlights ? new Highlight() : null;
  const counts = new Map(); // cell -> problem -> {problem, n, correct, ...}
  let verdicts = new Set(passkData.verdicts);
  let raw = false;
  let latest = 0;
  let ready = null;
  if (FOUND) CSS.highlights.set("found", FOUND);

  const look = (name) => (name === "correct" ? "v-correct" : name === "wrong" ? "v-wrong" : "v-other");
  const verdictOf = (row) => passkData.verdicts[row[VERDICT]] || "ungraded";
  const known = (cell) => passkData.cells.find((own) => own.id === cell);
  const cell = () => passkData.cells[Number(at("b-cell").value)];
  const beside = () => known(at("b-beside").value);
  const problem = () => at("b-problem").value;

  async function problems() {
    const columns = await passkBlocks.get("table-problems");
    const names = columns.map((column) => column[0]);
    const kept = ["cell", "problem_id", "n", "correct", "no_answer", "timeout", "error", "truncated"];
    const places = kept.map((name) => names.indexOf(name));
    for (let line = 1; line < columns[0].length; line += 1) {
      const [own, problem, n, correct, none, timeout, error, truncated] = places.map((place) => columns[place][line]);
      if (!counts.has(own)) counts.set(own, new Map());
      const wrong = n - correct - none - timeout - error;
      counts.get(own).set(problem, { problem, n, correct, wrong, no_answer: none, timeout, error, length: truncated });
    }
  }

  /* The responses of one curve to the chosen problem: a list, and the chosen one. */
  function pane(prefix, own) {
    const list = at(prefix + "-list");
    const one = at(prefix + "-one");
    let rows = [];
    let chosen = null;

    async function load(sample) {
      const source = own();
      rows = [];
      chosen = null;
      list.replaceChildren();
      at(prefix + "-name").textContent = "";
      at(prefix + "-shown").textContent = "";
      at(prefix + "-pane").classList.toggle("hidden", !source);
      if (!source) return;
      const entry = counts.get(source.id)?.get(problem());
      plain(at(prefix + "-name"), source.label + (entry ? `: ${entry.correct} of ${entry.n} correct` : ""));
      if (!(problem() in source.groups)) {
        one.replaceChildren("No responses were imported with these counts.");
        return;
      }
      const wanted = problem();
      const found = await passkBlocks.get(`responses-${passkData.cells.indexOf(source)}-${source.groups[wanted]}`);
      if (wanted !== problem() || source !== own()) return;
      rows = found.filter((row) => row[PROBLEM] === wanted).sort((a, b) => a[SAMPLE] - b[SAMPLE]);
      chosen = sample;
    }

    /* What of the problem's responses is not on the page. */
    function absent() {
      const entry = counts.get(own().id)?.get(problem());
      if (!passkData.partial || !entry || rows.length >= entry.n) return "";
      const correct = rows.filter((row) => verdictOf(row) === "correct").length;
      return `; on this page are ${correct} of ${entry.correct} correct responses and ${rows.length - correct} of ${entry.n - entry.correct} others`;
    }

    function draw() {
      if (!own()) return;
      const found = rows.filter(passes);
      at(prefix + "-shown").textContent = rows.length ? `${found.length} of ${rows.length} responses${absent()}` : "";
      list.replaceChildren();
      more(found, 0);
      const row = found.find((each) => String(each[SAMPLE]) === chosen) || found[0];
      if (row) choose(row);
      else if (rows.length) one.replaceChildren("No response matches these filters.");
    }

    function more(found, from) {
      for (const row of found.slice(from, from + LISTED)) {
        const name = verdictOf(row);
        const label = element("span", { class: look(name) });
        plain(label, `${name.replace("_", " ")}: `);
        const button = element("button", { type: "button", "data-sample": row[SAMPLE], onclick: () => { choose(row); address(false); } }, `${row[SAMPLE]} · `, label);
        plain(button, (row[ANSWER] || "–").slice(0, 60));
        list.append(button);
      }
      if (found.length > from + LISTED) {
        list.append(element("button", { type: "button", onclick: (event) => { event.currentTarget.remove(); more(found, from + LISTED); } }, "More"));
      }
    }

    function choose(row) {
      chosen = String(row[SAMPLE]);
      for (const button of list.children) button.setAttribute("aria-pressed", String(button.dataset.sample === chosen));
      const facts = element("dl", {});
      const add = (term, value) => {
        const text = element("dd", {});
        plain(text, String(value));
        facts.append(element("div", {}, element("dt", {}, term), text));
      };
      add("Response", row[SAMPLE]);
      add("Verdict", verdictOf(row).replace("_", " "));
      add("Extracted answer", row[ANSWER] || "none");
      if (row[DETAIL]) add("Reason", row[DETAIL]);
      add("Tokens", row[TOKENS]);
      add("Ended", passkData.finishes[row[FINISH]] === "length" ? "truncated at the limit" : passkData.finishes[row[FINISH]]);
      const text = element("div", { id: prefix + "-text" });
      show(text, row[TEXT], raw);
      one.replaceChildren(facts, ...reasoning(row[REASONING], raw), text);
      one.dataset.sample = row[SAMPLE];
      highlight();
    }

    /* Move to the response before or after the focused one. */
    list.addEventListener("keydown", (event) => {
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      const next = step && document.activeElement[step];
      if (!next) return;
      event.preventDefault();
      next.focus();
      if (next.dataset.sample) next.click();
    });
    return { load, draw, rows: () => rows, sample: () => chosen };
  }

  const main = pane("b", cell);
  const other = pane("b2", beside);

  function passes(row) {
    const wanted = at("b-class").value;
    const finish = at("b-finish").value;
    const words = at("b-find").value.toLowerCase();
    return (row[VERDICT] < 0 || verdicts.has(passkData.verdicts[row[VERDICT]]))
      && (!wanted || row[CLASS] === wanted) && (!finish || passkData.finishes[row[FINISH]] === finish)
      && (!words || row[TEXT].toLowerCase().includes(words) || (row[REASONING] || "").toLowerCase().includes(words));
  }

  /* Mark the words that are searched for, in both texts. */
  function highlight() {
    if (!FOUND) return;
    FOUND.clear();
    const words = at("b-find").value.toLowerCase();
    for (const place of words ? [at("b-text"), at("b2-text")] : []) {
      const walker = place && document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      while (walker && walker.nextNode()) {
        const text = walker.currentNode.data.toLowerCase();
        for (let from = text.indexOf(words); from >= 0; from = text.indexOf(words, from + words.length)) {
          const range = new Range();
          range.setStart(walker.currentNode, from);
          range.setEnd(walker.currentNode, Math.min(from + words.length, walker.currentNode.length));
          FOUND.add(range);
        }
      }
    }
  }

  const rate = (entry) => (entry ? entry.correct / entry.n : 0);
  const lost = (entry) => rate(counts.get(cell().base)?.get(entry.problem)) - rate(entry);
  const ORDERS = {
    rare: (a, b) => (a.correct || Infinity) - (b.correct || Infinity) || 0,
    lost: (a, b) => lost(b) - lost(a),
  };

  /* The problems of the chosen curve in the chosen order; with a trait, only those that have responses with it. */
  function fill(trait, wanted) {
    const all = [...(counts.get(cell().id) || new Map()).values()];
    const some = trait ? all.filter((entry) => entry[trait] > 0) : all;
    const listed = (some.length ? some : all).sort(ORDERS[at("b-order").value] || (() => 0));
    at("b-problem").replaceChildren(...listed.map((entry) => {
      const option = element("option", { value: entry.problem });
      plain(option, `${entry.problem} · ${entry.correct} of ${entry.n} correct`);
      return option;
    }));
    if (wanted && listed.some((entry) => entry.problem === wanted)) at("b-problem").value = wanted;
  }

  /* The curves of the same benchmark that can stand beside the chosen one; its base at first. */
  function companions(wanted) {
    const own = cell();
    const others = passkData.cells.filter((each) => each.benchmark === own.benchmark && each !== own);
    const first = wanted ?? own.base ?? "";
    at("b-beside").replaceChildren(element("option", { value: "" }, "nothing"),
      ...others.map((each) => element("option", { value: each.id }, each.label)));
    at("b-beside").value = others.some((each) => each.id === first) ? first : "";
  }

  async function load(samples = []) {
    const turn = ++latest;
    at("b-state").textContent = "Loading…";
    at("b-state").classList.remove("hidden");
    try {
      await Promise.all([main.load(samples[0]), other.load(samples[1]), ask(cell().benchmark, problem())]);
      if (turn !== latest) return;
      classes();
      draw();
      at("b-state").classList.add("hidden");
    } catch (error) {
      at("b-state").textContent = "Responses cannot be shown: " + error.message;
    }
  }

  function draw() {
    document.querySelector(".panes").classList.toggle("two", Boolean(beside()));
    main.draw();
    other.draw();
  }

  async function ask(benchmark, wanted) {
    const all = await passkBlocks.get("questions-" + passkData.questions.indexOf(benchmark));
    const found = all.find((row) => row[0] === wanted);
    const place = at("b-question");
    place.replaceChildren();
    if (!found) return;
    const question = element("div", {});
    show(question, found[1]);
    const gold = element("p", { class: "quiet" }, "Gold answer: ");
    plain(gold, found[2]);
    if (found[3]) gold.append(` · ${found[3]} images, not shown here`);
    place.append(question, gold);
  }

  function classes() {
    const times = new Map();
    for (const row of [...main.rows(), ...other.rows()]) if (row[CLASS]) times.set(row[CLASS], (times.get(row[CLASS]) || 0) + 1);
    const sorted = [...times].sort((a, b) => b[1] - a[1]).slice(0, 200);
    const before = at("b-class").dataset.wanted || at("b-class").value;
    at("b-class").dataset.wanted = "";
    at("b-class").replaceChildren(element("option", { value: "" }, "any"), ...sorted.map(([name, count]) => {
      const option = element("option", { value: name });
      plain(option, `${name.slice(0, 60)} (${count})`);
      return option;
    }));
    at("b-class").value = sorted.some(([name]) => name === before) ? before : "";
  }

  function chips() {
    at("b-verdicts").replaceChildren(...passkData.verdicts.map((name) => element("button", {
      type: "button", "data-verdict": name, "aria-pressed": String(verdicts.has(name)),
      onclick: () => { if (!verdicts.delete(name)) verdicts.add(name); chips(); draw(); address(false); at("b-verdicts").querySelector(`[data-verdict="${name}"]`).focus(); },
    }, name.replace("_", " "))));
  }

  function move(step) {
    const select = at("b-problem");
    select.selectedIndex = Math.max(0, Math.min(select.options.length - 1, select.selectedIndex + step));
    load().then(() => address(true));
  }

  /* Put what is shown into the address: as a new entry of the history, or in place of the last. */
  function address(fresh) {
    const shown = {
      cell: cell().id, problem: problem(), sample: main.sample(), beside: at("b-beside").value || "nothing", other: other.sample(),
      verdict: verdicts.size === passkData.verdicts.length ? "" : [...verdicts].join(","), finish: at("b-finish").value,
      answer: at("b-class").value, find: at("b-find").value, order: at("b-order").value, raw: raw ? "1" : "",
    };
    passkAddress.set("#responses", shown, fresh);
  }

  /* Show responses with these filters: cell, problem, sample, beside, verdict, finish, find. */
  async function open(filters = {}) {
    await begin();
    const index = passkData.cells.findIndex((each) => each.id === filters.cell);
    if (index >= 0) at("b-cell").value = String(index);
    companions(filters.beside);
    const wanted = (filters.verdict || "").split(",").filter((name) => passkData.verdicts.includes(name));
    verdicts = new Set(wanted.length ? wanted : passkData.verdicts);
    at("b-finish").value = passkData.finishes.includes(filters.finish) ? filters.finish : "";
    at("b-class").dataset.wanted = filters.answer || "";
    at("b-find").value = filters.find || "";
    at("b-order").value = ORDERS[filters.order] ? filters.order : "";
    setRaw(filters.raw === "1");
    chips();
    fill(filters.problem ? null : filters.verdict || filters.finish, filters.problem);
    await load([filters.sample, filters.other]);
  }

  function setRaw(wanted) {
    raw = wanted;
    at("b-raw").setAttribute("aria-pressed", String(raw));
  }

  function begin() {
    ready = ready || problems();
    return ready;
  }

  function start() {
    at("b-cell").append(...passkData.cells.map((own, index) => element("option", { value: index }, `${own.label} on ${own.title}`)));
    at("b-finish").append(element("option", { value: "" }, "any"),
      ...passkData.finishes.map((name) => element("option", { value: name }, name === "length" ? "truncated at the limit" : name)));
    chips();
    at("b-cell").addEventListener("change", () => { companions(); fill(null, problem()); load().then(() => address(true)); });
    at("b-beside").addEventListener("change", () => load([main.sample()]).then(() => address(true)));
    at("b-problem").addEventListener("change", () => load().then(() => address(true)));
    at("b-order").addEventListener("change", () => { fill(null, problem()); address(false); });
    for (const id of ["b-class", "b-finish"]) at(id).addEventListener("change", () => { draw(); address(false); });
    at("b-find").addEventListener("input", passkAddress.later(() => { draw(); highlight(); address(false); }));
    at("b-previous").addEventListener("click", () => move(-1));
    at("b-following").addEventListener("click", () => move(1));
    at("b-raw").addEventListener("click", () => { setRaw(!raw); draw(); address(false); });
    at("b-copy").addEventListener("click", () => { address(false); passkAddress.copy(at("b-copy")); });
    at("browser").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, pre, .display")) return;
      event.preventDefault();
      move(step);
    });
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { seen.disconnect(); if (!ready) open(); }
    }, { rootMargin: "200px" });
    seen.observe(at("browser"));
  }
  return { open, start };
})();
