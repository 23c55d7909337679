"use strict";
/* Responses by problem and curve; a block is loaded when one of its problems is chosen. */
const passkBrowser = (() => {
  const at = (id) => document.getElementById(id);
  const { element, plain, reasoning, show } = passkText;
  const [PROBLEM, SAMPLE, VERDICT, ANSWER, CLASS, DETAIL, FINISH, TOKENS, TEXT, REASONING] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const LISTED = 200;
  const counts = new Map(); // cell -> [{problem, n, correct, ...}]
  let rows = [];
  let verdicts = new Set(passkData.verdicts);
  let raw = false;
  let latest = 0;
  let ready = null;

  const cell = () => passkData.cells[Number(at("b-cell").value)];
  const look = (name) => (name === "correct" ? "v-correct" : name === "wrong" ? "v-wrong" : "v-other");

  async function problems() {
    const columns = await passkBlocks.get("table-problems");
    const names = columns.map((column) => column[0]);
    const kept = ["cell", "problem_id", "n", "correct", "no_answer", "timeout", "error", "truncated"];
    const places = kept.map((name) => names.indexOf(name));
    for (let line = 1; line < columns[0].length; line += 1) {
      const [own, problem, n, correct, none, timeout, error, truncated] = places.map((place) => columns[place][line]);
      if (!counts.has(own)) counts.set(own, []);
      const wrong = n - correct - none - timeout - error;
      counts.get(own).push({ problem, n, correct, wrong, no_answer: none, timeout, error, length: truncated });
    }
  }

  /* The problems of the chosen curve; with a trait, only those that have responses with it. */
  function fill(trait, wanted) {
    const all = counts.get(cell().id) || [];
    const some = trait ? all.filter((entry) => entry[trait] > 0) : all;
    const listed = some.length ? some : all;
    at("b-problem").replaceChildren(...listed.map((entry) => {
      const option = element("option", { value: entry.problem });
      plain(option, `${entry.problem} · ${entry.correct} of ${entry.n} correct`);
      return option;
    }));
    if (wanted && listed.some((entry) => entry.problem === wanted)) at("b-problem").value = wanted;
  }

  async function load(sample) {
    const own = cell();
    const problem = at("b-problem").value;
    const turn = ++latest;
    if (!(problem in own.groups)) {
      rows = [];
      at("b-list").replaceChildren();
      at("b-one").replaceChildren("No responses were imported with these counts.");
      return;
    }
    at("b-state").textContent = "Loading…";
    try {
      const index = passkData.cells.indexOf(own);
      const found = await passkBlocks.get(`responses-${index}-${own.groups[problem]}`);
      if (turn !== latest) return;
      rows = found.filter((row) => row[PROBLEM] === problem).sort((a, b) => a[SAMPLE] - b[SAMPLE]);
      await ask(own.benchmark, problem);
      classes();
      list(sample);
    } catch (error) {
      at("b-state").textContent = "Responses cannot be shown: " + error.message;
    }
  }

  async function ask(benchmark, problem) {
    const all = await passkBlocks.get("questions-" + passkData.questions.indexOf(benchmark));
    const found = all.find((row) => row[0] === problem);
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
    for (const row of rows) if (row[CLASS]) times.set(row[CLASS], (times.get(row[CLASS]) || 0) + 1);
    const sorted = [...times].sort((a, b) => b[1] - a[1]).slice(0, 200);
    const before = at("b-class").value;
    at("b-class").replaceChildren(element("option", { value: "" }, "any"), ...sorted.map(([name, count]) => {
      const option = element("option", { value: name });
      plain(option, `${name.slice(0, 60)} (${count})`);
      return option;
    }));
    at("b-class").value = times.has(before) ? before : "";
  }

  function passing() {
    const wanted = at("b-class").value;
    const finish = at("b-finish").value;
    return rows.filter((row) => (row[VERDICT] < 0 || verdicts.has(passkData.verdicts[row[VERDICT]]))
      && (!wanted || row[CLASS] === wanted) && (!finish || passkData.finishes[row[FINISH]] === finish));
  }

  function list(sample) {
    const found = passing();
    const limit = passkData.limit ? `, the first ${passkData.limit} of each problem` : "";
    at("b-state").textContent = `${found.length} of ${rows.length} responses${limit}`;
    at("b-list").replaceChildren();
    more(found, 0);
    const chosen = found.find((row) => String(row[SAMPLE]) === sample) || found[0];
    if (chosen) one(chosen); else at("b-one").replaceChildren("No response matches these filters.");
  }

  function more(found, from) {
    for (const row of found.slice(from, from + LISTED)) {
      const name = passkData.verdicts[row[VERDICT]] || "ungraded";
      const label = element("span", { class: look(name) });
      plain(label, `${name.replace("_", " ")}: `);
      const button = element("button", { type: "button", "data-sample": row[SAMPLE], onclick: () => one(row) }, `${row[SAMPLE]} · `, label);
      plain(button, (row[ANSWER] || "–").slice(0, 60));
      at("b-list").append(button);
    }
    if (found.length > from + LISTED) {
      at("b-list").append(element("button", { type: "button", onclick: (event) => { event.currentTarget.remove(); more(found, from + LISTED); } }, "More"));
    }
  }

  function one(row) {
    for (const button of at("b-list").children) {
      button.setAttribute("aria-pressed", String(button.dataset.sample === String(row[SAMPLE])));
    }
    const name = passkData.verdicts[row[VERDICT]] || "ungraded";
    const facts = element("dl", {});
    const add = (term, value) => {
      const text = element("dd", {});
      plain(text, String(value));
      facts.append(element("div", {}, element("dt", {}, term), text));
    };
    add("Response", row[SAMPLE]);
    add("Verdict", name.replace("_", " "));
    add("Extracted answer", row[ANSWER] || "none");
    if (row[DETAIL]) add("Reason", row[DETAIL]);
    add("Tokens", row[TOKENS]);
    add("Ended", passkData.finishes[row[FINISH]] === "length" ? "truncated at the limit" : passkData.finishes[row[FINISH]]);
    const text = element("div", { id: "b-text" });
    show(text, row[TEXT], raw);
    at("b-one").replaceChildren(facts, ...reasoning(row[REASONING], raw), text);
    at("b-one").dataset.sample = row[SAMPLE];
  }

  function chips() {
    at("b-verdicts").replaceChildren(...passkData.verdicts.map((name) => element("button", {
      type: "button", "data-verdict": name, "aria-pressed": String(verdicts.has(name)),
      onclick: () => { if (!verdicts.delete(name)) verdicts.add(name); chips(); list(); at("b-verdicts").querySelector(`[data-verdict="${name}"]`).focus(); },
    }, name.replace("_", " "))));
  }

  function move(step) {
    const select = at("b-problem");
    select.selectedIndex = Math.max(0, Math.min(select.options.length - 1, select.selectedIndex + step));
    load();
  }

  /* Show responses with these filters: cell, problem, sample, verdict, finish. */
  async function open(filters = {}) {
    await begin();
    const index = passkData.cells.findIndex((known) => known.id === filters.cell);
    if (index >= 0) at("b-cell").value = String(index);
    verdicts = new Set(passkData.verdicts.includes(filters.verdict) ? [filters.verdict] : passkData.verdicts);
    at("b-finish").value = passkData.finishes.includes(filters.finish) ? filters.finish : "";
    at("b-class").value = "";
    chips();
    fill(filters.problem ? null : filters.verdict || filters.finish, filters.problem);
    await load(filters.sample);
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
    at("b-cell").addEventListener("change", () => { fill(null, at("b-problem").value); load(); });
    at("b-problem").addEventListener("change", () => load());
    at("b-class").addEventListener("change", () => list());
    at("b-finish").addEventListener("change", () => list());
    at("b-previous").addEventListener("click", () => move(-1));
    at("b-following").addEventListener("click", () => move(1));
    at("b-raw").addEventListener("click", () => {
      raw = !raw;
      at("b-raw").setAttribute("aria-pressed", String(raw));
      const shown = rows.find((row) => String(row[SAMPLE]) === at("b-one").dataset.sample);
      if (shown) one(shown);
    });
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { seen.disconnect(); if (!rows.length) open(); }
    }, { rootMargin: "200px" });
    seen.observe(at("browser"));
  }
  return { open, start };
})();
