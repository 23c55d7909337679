"use strict";
/* pass@k and differences against k: toggles, both kinds of interval, a reading at every k. */
const passkChart = (() => {
  const at = (id) => document.getElementById(id);
  const { element } = passkText;
  const hidden = new Set();
  const cells = new Map([...passkData.cells, ...passkData.series].map((cell) => [cell.id, cell]));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let plot = null;
  let shown = [];
  let ks = [];

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (cell) => (cell.color.startsWith("--") ? style(cell.color) : cell.color);
  const faint = (hex, share) => hex + Math.round(255 * share).toString(16).padStart(2, "0");

  /* "without guessable, graded" as people say it. */
  function words(kept) {
    const [problems, responses] = kept.split(", ");
    return (problems === "all" ? "all problems" : problems + " problems") + ", " + (responses === "graded" ? "as graded" : responses);
  }

  /* The curves wanted now: {cell, name, k, value, low, high, floor, thin}. */
  function curves() {
    const benchmark = at("benchmark").value;
    const second = at("interval").value === "second";
    const every = at("every-step").getAttribute("aria-pressed") === "true";
    const here = (curve) => {
      const cell = cells.get(curve.cell);
      return cell && cell.benchmark === benchmark && (every ? !cell.series : cell.last);
    };
    if (at("measure").value === "deltas") {
      return passkData.deltas.filter(here).map((curve) => ({
        cell: cells.get(curve.cell), k: curve.k, value: curve.delta, floor: [],
        name: `${cells.get(curve.cell).label} minus ${cells.get(curve.base)?.label ?? curve.base}`,
        low: second ? curve.band_low : curve.ci_low, high: second ? curve.band_high : curve.ci_high,
      }));
    }
    const one = (curve, note, thin) => ({
      cell: cells.get(curve.cell), name: cells.get(curve.cell).label + note, thin, k: curve.k,
      value: curve.pass_at_k, floor: curve.guess_floor || [],
      low: (second ? curve.noise_low : curve.ci_low) || [], high: (second ? curve.noise_high : curve.ci_high) || [],
    });
    const kept = at("kept").value;
    const changed = passkData.reviewed.filter((curve) => here(curve) && `${curve.problems}, ${curve.responses}` === kept);
    const plain = passkData.curves.filter(here).map((curve) => one(curve, "", changed.length > 0));
    return plain.concat(changed.map((curve) => one(curve, `: ${words(kept)}`, false)));
  }

  function column(curve, values) {
    const known = new Map(curve.k.map((k, place) => [k, values[place]]));
    return ks.map((k) => { const value = known.get(k); return value === null || value === undefined ? null : 100 * value; });
  }

  function series(curve) {
    const tint = colour(curve.cell);
    const dash = curve.cell.base && at("measure").value !== "deltas" ? undefined : at("measure").value === "deltas" ? undefined : [7, 3];
    const hollow = (u, place) => curve.k.map((k) => ks.indexOf(k)).filter((index) => (ks[index] > curve.cell.n / 2) === place);
    const points = {
      show: true, size: curve.thin ? 4 : 6, fill: tint, stroke: tint,
      filter: (u, index, show) => (show ? hollow(u, false) : null),
    };
    return [
      { label: curve.name, stroke: tint, width: curve.thin ? 1 : 2, dash: curve.thin ? [2, 3] : dash, points, spanGaps: true },
      { label: "low", stroke: "transparent", points: { show: false }, spanGaps: true },
      { label: "high", stroke: "transparent", points: { show: false }, spanGaps: true },
      { label: "floor", stroke: tint, width: 1, dash: [1, 4], points: { show: false }, spanGaps: true },
      { label: "near n", stroke: "transparent", spanGaps: true,
        points: { show: true, size: 6, stroke: tint, fill: style("--paper"), filter: (u, index, show) => (show ? hollow(u, true) : null) } },
    ];
  }

  function axis(more) {
    const grid = { stroke: style("--line"), width: 1 };
    return { stroke: style("--muted"), grid, ticks: grid, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", ...more };
  }

  function limits(u, low, high) {
    if (low === null || low === undefined) return [0, 100];
    const air = Math.max(0.06 * (high - low), 0.5);
    const signed = at("measure").value === "deltas";
    return signed ? [Math.min(low - air, 0), Math.max(high + air, 0)] : [Math.max(low - air, -1), Math.min(high + air, 101)];
  }

  function draw() {
    const all = curves();
    legend(all);
    shown = all.filter((curve) => !hidden.has(curve.name));
    ks = [...new Set(all.flatMap((curve) => curve.k))].sort((a, b) => a - b);
    const log = at("log").getAttribute("aria-pressed") === "true";
    const signed = at("measure").value === "deltas";
    const none = at("interval").value === "none";
    const floors = !signed && at("floor").getAttribute("aria-pressed") === "true";
    const data = [ks];
    const described = [{ label: "k" }];
    const bands = [];
    for (const curve of shown) {
      const place = data.length;
      const nothing = ks.map(() => null);
      const value = column(curve, curve.value);
      data.push(value, none ? nothing : column(curve, curve.low), none ? nothing : column(curve, curve.high),
        floors && !curve.thin ? column(curve, curve.floor) : nothing, value);
      described.push(...series(curve));
      if (!curve.thin) bands.push({ series: [place + 2, place + 1], fill: faint(colour(curve.cell), (dark.matches ? 0.7 : 0.45) / (shown.length + 1)) });
    }
    if (plot) plot.destroy();
    plot = new uPlot({
      width: at("chart").clientWidth || 300, height: at("chart").clientHeight || 300,
      scales: { x: { time: false, distr: log ? 3 : 1, log: 2, range: () => [ks[0], Math.max(ks[ks.length - 1], ks[0] + 1)] }, y: { range: limits } },
      axes: [
        axis({ label: "k (tries)", size: 30, labelSize: 22, splits: () => ticks(log), values: (u, splits) => splits.map((k) => String(k)), filter: (u, splits) => splits }),
        axis({ label: signed ? "difference in pass@k (points)" : "pass@k (%)", size: 52 }),
      ],
      series: described, bands, legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      hooks: { setCursor: [(u) => { if (u.cursor.idx !== null && u.cursor.idx !== undefined) read(u.cursor.idx); }], drawAxes: signed ? [zero] : [] },
    }, data, at("chart"));
    plot.over.addEventListener("click", clicked);
    at("k").max = String(Math.max(ks.length - 1, 0));
    read(Math.min(Number(at("k").dataset.place ?? ks.length - 1), ks.length - 1));
  }

  function ticks(log) {
    if (log || ks.length < 3) return ks;
    const least = ks[ks.length - 1] / 9;
    return ks.filter((k, place) => place === 0 || place === ks.length - 1 || (k >= least && ks[ks.length - 1] - k >= least));
  }

  function zero(u) {
    const y = Math.round(u.valToPos(0, "y", true));
    u.ctx.save();
    u.ctx.strokeStyle = style("--ink");
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  }

  const SVG = "http://www.w3.org/2000/svg";
  function swatch(curve) {
    const picture = document.createElementNS(SVG, "svg");
    const line = document.createElementNS(SVG, "line");
    const dash = curve.thin ? "2 3" : curve.cell.base || at("measure").value === "deltas" ? "none" : "6 3";
    for (const [key, value] of Object.entries({ width: 24, height: 10, "aria-hidden": "true" })) picture.setAttribute(key, value);
    for (const [key, value] of Object.entries({ x1: 0, x2: 24, y1: 5, y2: 5, stroke: colour(curve.cell), "stroke-width": curve.thin ? 1.5 : 2.5, "stroke-dasharray": dash })) line.setAttribute(key, value);
    picture.append(line);
    return picture;
  }

  function legend(all) {
    const focused = document.activeElement?.dataset?.curve;
    at("legend").replaceChildren(...all.map((curve) => element("button", {
      type: "button", "data-curve": curve.name, "aria-pressed": String(!hidden.has(curve.name)),
      onclick: () => { if (!hidden.delete(curve.name)) hidden.add(curve.name); draw(); address(); },
    }, swatch(curve), element("span", {}, curve.name))));
    if (focused) [...at("legend").children].find((button) => button.dataset.curve === focused)?.focus();
  }

  const number = (value) => (value === null || value === undefined ? "–" : (100 * value).toFixed(1).replace(/^-0\.0$/, "0.0").replace("-", "−"));

  function read(place) {
    if (!ks.length) return;
    at("k").dataset.place = String(place);
    at("k").value = String(place);
    at("k-shown").textContent = String(ks[place]);
    at("k").setAttribute("aria-valuetext", "k = " + ks[place]);
    const signed = at("measure").value === "deltas";
    const names = signed ? ["comparison", "points", "interval"] : ["curve", "pass@k in %", "interval", "guess floor"];
    const header = element("tr", {}, ...names.map((name, index) => element("th", { scope: "col", class: index ? "" : "text" }, name)));
    const rows = shown.map((curve) => {
      const index = curve.k.indexOf(ks[place]);
      const get = (values) => (index < 0 ? null : values[index]);
      const ends = at("interval").value === "none" || get(curve.low) === null || get(curve.low) === undefined ? "–" : `[${number(get(curve.low))}, ${number(get(curve.high))}]`;
      const value = element("button", { type: "button", onclick: () => trace(curve) }, number(get(curve.value)));
      return element("tr", {}, element("th", { scope: "row", class: "text" }, curve.name), element("td", {}, value),
        element("td", {}, ends), signed ? null : element("td", {}, number(get(curve.floor))));
    });
    at("readout").replaceChildren(element("thead", {}, header), element("tbody", {}, ...rows));
  }

  function trace(curve) {
    if (curve.cell.series) {
      location.hash = "#rows?" + new URLSearchParams({ table: "series_curves", benchmark: curve.cell.benchmark, series: curve.cell.series });
      return;
    }
    const table = at("measure").value === "deltas" ? "coverage" : "problems";
    location.hash = "#rows?" + new URLSearchParams({ table, cell: curve.cell.id });
  }

  function clicked() {
    const place = plot.cursor.idx;
    if (place === null || place === undefined || !shown.length) return;
    const height = plot.cursor.top;
    const far = (curve) => {
      const value = column(curve, curve.value)[place];
      return value === null ? Infinity : Math.abs(plot.valToPos(value, "y") - height);
    };
    trace(shown.reduce((best, curve) => (far(curve) < far(best) ? curve : best)));
  }

  function labels() {
    const signed = at("measure").value === "deltas";
    const [first, second] = at("interval").options;
    first.textContent = signed ? "at each k" : "over problems";
    second.textContent = signed ? "band over all k" : "sampling noise";
    at("floor").disabled = signed;
    at("kept").disabled = signed;
  }

  const PRESSED = { log: "true", floor: "true", "every-step": "false" };

  function csv() {
    const rows = shown.flatMap((curve) => curve.k.map((k, place) => [curve.name, k, curve.value[place], curve.low[place], curve.high[place]]));
    const measure = at("measure").value === "deltas" ? "delta" : "pass_at_k";
    passkTables.save(["curve", "k", measure, "low", "high"], rows, `${at("benchmark").value}-${at("measure").value}`);
  }

  /* Put what is shown into the address. */
  function address() {
    const shown = Object.fromEntries(["benchmark", "measure", "interval", "kept"].map((id) => [id, at(id).value]));
    for (const [id, first] of Object.entries(PRESSED)) {
      const pressed = at(id).getAttribute("aria-pressed");
      shown[id] = pressed === first ? "" : pressed;
    }
    passkAddress.set("#curves", { ...shown, k: at("k-shown").textContent, hidden: [...hidden].join("|") }, false);
  }

  /* Show the curves as an address says. */
  function open(filters) {
    for (const id of ["benchmark", "measure", "interval", "kept"]) {
      if ([...at(id).options].some((option) => option.value === filters[id])) at(id).value = filters[id];
    }
    for (const [id, first] of Object.entries(PRESSED)) at(id).setAttribute("aria-pressed", filters[id] === "true" || filters[id] === "false" ? filters[id] : first);
    hidden.clear();
    for (const name of (filters.hidden || "").split("|").filter(Boolean)) hidden.add(name);
    labels();
    draw();
    const place = ks.indexOf(Number(filters.k));
    if (place >= 0) read(place);
  }

  function start() {
    const benchmarks = new Map(passkData.cells.map((cell) => [cell.benchmark, cell.title]));
    at("benchmark").append(...[...benchmarks].map(([name, title]) => element("option", { value: name }, title)));
    const kept = [...new Set(passkData.reviewed.map((curve) => `${curve.problems}, ${curve.responses}`))];
    at("kept").append(...["all, graded", ...kept].map((name) => element("option", { value: name }, words(name))));
    at("kept-label").classList.toggle("hidden", kept.length === 0);
    for (const id of ["benchmark", "measure", "interval", "kept"]) {
      at(id).addEventListener("change", () => { labels(); draw(); address(); });
    }
    at("every-step").classList.toggle("hidden", passkData.cells.every((cell) => cell.last));
    for (const id of ["log", "floor", "every-step"]) {
      at(id).addEventListener("click", () => {
        at(id).setAttribute("aria-pressed", String(at(id).getAttribute("aria-pressed") !== "true"));
        draw();
        address();
      });
    }
    at("k").addEventListener("input", () => read(Number(at("k").value)));
    at("k").addEventListener("change", address);
    at("chart-csv").addEventListener("click", csv);
    at("copy-curves").addEventListener("click", () => { address(); passkAddress.copy(at("copy-curves")); });
    dark.addEventListener("change", draw);
    let width = 0;
    new ResizeObserver(() => {
      if (at("chart").clientWidth !== width) { width = at("chart").clientWidth; draw(); }
    }).observe(at("chart"));
  }
  return { open, start };
})();
