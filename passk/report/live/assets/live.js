"use strict";
/* A run as it goes: the status, fetched every few seconds until the study is done. */
(() => {
  const at = (id) => document.getElementById(id);
  const { element, plain } = passkText;
  const SECONDS = 5;
  const STATES = ["running", "failed", "queued", "grading", "waiting", "done"];
  let found = null;
  let only = "";

  function duration(seconds) {
    if (seconds === null || seconds === undefined) return "";
    if (seconds < 60) return `${Math.round(seconds)} s`;
    const minutes = Math.round(seconds / 60);
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  const count = (number) => number.toLocaleString("en");
  const rate = (value) => (value ? `${Number(value.toPrecision(3))}/s` : "");
  const percent = (share) => `${(100 * share).toFixed(share && share < 0.1 ? 1 : 0)} %`;
  const amount = (part) => ("steps" in part ? [part.steps_done, part.steps] : [part.responses_done, part.responses]);

  function text(tag, attributes, value) {
    const made = element(tag, attributes);
    plain(made, value);
    return made;
  }

  function bar(done, total, words) {
    return element("progress", { max: Math.max(total, 1), value: done, "aria-label": words });
  }

  function whole(unit, done, total, pace) {
    const words = [`${count(done)} of ${count(total)}`, ...pace].filter(Boolean).join(", ");
    return element("div", { class: "whole" }, element("span", {}, unit), bar(done, total, unit),
      element("span", { class: "amount" }, words));
  }

  function shape(name, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  /* pass@1 on a line from 0 to 100 %, with its interval. */
  function drawing(result) {
    const place = (value) => 4 + 112 * value;
    const svg = shape("svg", { class: "interval", viewBox: "0 0 120 14", "aria-hidden": "true" });
    svg.append(shape("line", { class: "axis", x1: 4, x2: 116, y1: 7, y2: 7 }));
    svg.append(shape("line", { class: "range", x1: place(result.ci_low), x2: place(result.ci_high), y1: 7, y2: 7 }));
    svg.append(shape("circle", { cx: place(result.pass_at_1), cy: 7, r: 2.5 }));
    return svg;
  }

  function now(part) {
    const shards = part.shards[part.state];
    if (part.state === "running") return ["running", rate(part.per_second)].filter(Boolean).join(", ");
    return part.state === "failed" || part.state === "queued" ? `${shards} ${part.state}` : part.state;
  }

  function results(part) {
    const result = part.interim;
    if (!result) {
      const reward = part.reward === null || part.reward === undefined ? "" : `reward ${part.reward.toFixed(2)}`;
      return [element("td", { class: "text" }, reward), element("td", {}), element("td", {}), element("td", {})];
    }
    const one = (value) => (100 * value).toFixed(1);
    const ends = ` [${one(result.ci_low)}, ${one(result.ci_high)}]`;
    return [
      element("td", { class: "text" }, drawing(result), one(result.pass_at_1) + ends),
      element("td", {}, percent(result.truncated_share)),
      element("td", {}, percent(result.no_answer_share)),
      element("td", {}, count(result.responses)),
    ];
  }

  function row(part) {
    const [done, total] = amount(part);
    const share = "steps" in part ? `${done} of ${total} steps` : `${Math.floor(100 * done / Math.max(total, 1))} %`;
    const name = part.name.replace(/-[0-9a-f]{8}\b/, "");
    return element("tr", { class: part.state },
      text("th", { scope: "row", class: "text", title: part.name }, name),
      element("td", { class: "text" }, bar(done, total, "done"), share),
      element("td", { class: "text state" }, now(part)),
      element("td", { class: "text" }, part.state === "running" ? duration(part.seconds_left) : ""),
      ...results(part));
  }

  function filters() {
    const counts = STATES.map((state) => [state, found.parts.filter((part) => part.state === state).length]);
    at("states").replaceChildren(...[["", found.parts.length], ...counts].filter(([, number]) => number).map(([state, number]) =>
      element("button", { type: "button", "data-state": state, "aria-pressed": String(state === only), onclick: () => { only = state; draw(); } },
        `${count(number)} ${state || "in all"}`)));
  }

  function failure() {
    const last = found.failures[found.failures.length - 1];
    at("failure").classList.toggle("hidden", !last);
    if (!last) return;
    const message = text("div", {}, `Last failure: ${last.message}`);
    const log = text("div", { class: "quiet" }, `log: ${last.log}`);
    at("failure").replaceChildren(message, log, text("pre", { tabindex: "0" }, last.tail.join("\n")));
  }

  function draw() {
    const { total, trainings } = found;
    at("title").textContent = "";
    plain(at("title"), found.title);
    document.title = `${total.responses ? `${Math.floor(100 * total.responses_done / total.responses)} % · ` : ""}${found.title} · passk`;
    const steps = trainings.reduce((sum, part) => sum + part.steps, 0);
    const lines = [whole("responses", total.responses_done, total.responses,
      [rate(total.per_second), total.seconds_left ? `${duration(total.seconds_left)} left` : ""])];
    if (steps) lines.unshift(whole("steps", trainings.reduce((sum, part) => sum + part.steps_done, 0), steps, []));
    at("whole").replaceChildren(...lines);
    const runs = found.runs.map((run) => `${run.user}'s run of ${run.spec} (${run.host}, process ${run.pid}), since ${new Date(1000 * run.since).toLocaleString()}`);
    if (!runs.length) runs.push("no run is at work");
    if (found.scheduler !== "none") runs.push(`Slurm: ${found.scheduler}`);
    runs.push(found.report ? `report: ${found.report}` : "report: not written yet");
    at("runs").replaceChildren(...runs.map((words) => text("li", {}, words)));
    failure();
    if (only && !found.parts.some((part) => part.state === only)) only = "";
    filters();
    at("parts").replaceChildren(...found.parts.filter((part) => !only || part.state === only).map(row));
  }

  async function look() {
    try {
      const answer = await fetch("status");
      const value = await answer.json();
      if (!answer.ok) throw new Error(value.error);
      found = value;
      draw();
      const clock = new Date().toLocaleTimeString();
      at("updated").textContent = found.done ? `Done at ${clock}` : `Updated ${clock}`;
      at("problem").classList.add("hidden");
    } catch (error) {
      const gone = error instanceof TypeError;
      at("problem").textContent = gone
        ? "The server does not answer: the numbers below are old. Restart `passk serve`, or the tunnel."
        : error.message;
      at("problem").classList.remove("hidden");
    }
    if (!found || !found.done) setTimeout(look, 1000 * SECONDS);
  }
  look();
})();
