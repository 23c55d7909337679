"use strict";
/* Every table of the study: sort, filter, page through, save as CSV. */
const passkTables = (() => {
  const at = (id) => document.getElementById(id);
  const { element, plain } = passkText;
  const PAGE = 100;
  let table = null;
  let state = null;
  let names = [];
  let only = {};
  let current = "";
  let meanings = {};

  /* The link to the rows behind a number of a row: the base's numbers lead to the base's responses. */
  function source(row, name) {
    const value = (name) => row[names.indexOf(name)];
    const has = (name) => value(name) !== undefined;
    const rows = (from, where) => "#rows?" + new URLSearchParams({ table: from, ...where });
    if (has("cell") && has("problem_id")) {
      const exact = has("sample") ? { sample: value("sample") } : {};
      const base = has("base") ? value("base") : undefined;
      const [cell, beside] = base && name.startsWith("base_") ? [base, value("cell")] : [value("cell"), base];
      return "#responses?" + new URLSearchParams({ cell, problem: value("problem_id"), ...(beside ? { beside } : {}), ...exact });
    }
    if (current === "deltas" || current === "flows" || current === "tests") return rows("coverage", { cell: value("cell") });
    if (current === "reviewed_models" || current === "reviewed_curves") return rows("reviewed_problems", { cell: value("cell") });
    if (current === "means") return rows("pass_at_k", { model: value("model"), sampler: value("sampler") });
    if (has("cell") && current !== "problems") return rows("problems", { cell: value("cell") });
    return null;
  }

  const header = (name) => passkData.headers[name] || name.replaceAll("_", " ");

  const VERDICT = { correct: "correct", no_answer: "no_answer", timeout: "timeout", error: "error", base_correct: "correct" };

  function shown(value) {
    if (typeof value !== "number") return String(value);
    const large = Number.isInteger(value) || Math.abs(value) >= 0.001;
    return (large ? String(Number(value.toPrecision(Number.isInteger(value) ? 15 : 4))) : value.toExponential(2)).replaceAll("-", "−");
  }

  function cellOf(row, place) {
    const value = row[place];
    if (value === undefined) return element("td", {});
    const number = typeof value === "number";
    const cell = element("td", number ? {} : { class: "text" });
    const address = number ? source(row, names[place]) : null;
    if (!address) { plain(cell, shown(value).slice(0, 300)); return cell; }
    const verdict = address.startsWith("#responses") && VERDICT[names[place]];
    const ended = address.startsWith("#responses") && names[place] === "truncated" ? "&finish=length" : "";
    cell.append(element("a", { href: address + (verdict ? "&verdict=" + verdict : "") + ended }, shown(value)));
    return cell;
  }

  function head() {
    const sorting = state.sorting[0];
    return element("tr", {}, ...names.map((name, place) => {
      const sorted = sorting && sorting.id === "c" + place;
      const button = element("button", { type: "button", title: meanings[name] || false, onclick: () => table.getColumn("c" + place).toggleSorting() },
        header(name) + (sorted ? (sorting.desc ? " ↓" : " ↑") : ""));
      const numbers = table.getRowModel().rows.some((row) => typeof row.original[place] === "number");
      return element("th", { scope: "col", class: numbers ? false : "text", "aria-sort": sorted ? (sorting.desc ? "descending" : "ascending") : "none" }, button);
    }));
  }

  function draw() {
    const rows = table.getRowModel().rows;
    const body = element("tbody", {}, ...rows.map((row) =>
      element("tr", {}, ...names.map((_, place) => cellOf(row.original, place)))));
    const rendered = element("table", {}, element("thead", {}, head()), body);
    at("table-place").replaceChildren(rendered);
    const total = table.getFilteredRowModel().rows.length;
    const first = state.pagination.pageIndex * PAGE;
    const filters = Object.entries(only).map(([name, value]) => `${header(name)} = ${value}`).join(", ");
    at("page-of").textContent = total === 0 ? "No matching row."
      : `${first + 1}–${first + rows.length} of ${total.toLocaleString("en")} rows` + (filters ? `, ${filters}` : "");
    at("earlier").disabled = !table.getCanPreviousPage();
    at("later").disabled = !table.getCanNextPage();
    at("every").classList.toggle("hidden", !filters);
  }

  function build(rows) {
    table = TableCore.createTable({
      data: rows,
      columns: names.map((name, place) => ({
        id: "c" + place, accessorFn: (row) => row[place], sortUndefined: "last", sortDescFirst: false,
        sortingFn: rows.some((row) => typeof row[place] === "number") ? "basic" : "alphanumeric",
      })),
      state: {}, onStateChange: () => {}, renderFallbackValue: null, autoResetAll: false,
      globalFilterFn: "includesString", getColumnCanGlobalFilter: () => true,
      getCoreRowModel: TableCore.getCoreRowModel(), getSortedRowModel: TableCore.getSortedRowModel(),
      getFilteredRowModel: TableCore.getFilteredRowModel(), getPaginationRowModel: TableCore.getPaginationRowModel(),
    });
    state = { ...table.initialState, pagination: { pageIndex: 0, pageSize: PAGE } };
    const onStateChange = (change) => {
      state = typeof change === "function" ? change(state) : change;
      table.setOptions((options) => ({ ...options, state, onStateChange }));
      draw();
      address(false);
    };
    table.setOptions((options) => ({ ...options, state, onStateChange }));
  }

  /* The columns of a table, the conditions on them, and the rows that meet these. */
  async function read(name, where) {
    const columns = await passkBlocks.get("table-" + name);
    const head = columns.map((column) => column[0]);
    const conditions = Object.fromEntries(Object.entries(where).filter(([key]) => head.includes(key)));
    const tests = Object.entries(conditions).map(([key, value]) => [head.indexOf(key), value]);
    const rows = [];
    for (let line = 1; line < columns[0].length; line += 1) {
      const row = columns.map((column) => (column[line] === null ? undefined : column[line]));
      if (tests.every(([place, value]) => String(row[place]) === value)) rows.push(row);
    }
    return { head, conditions, rows };
  }

  async function open(name, where = {}) {
    current = name;
    at("table").value = name;
    at("find").value = "";
    const entry = passkData.tables.find(([known]) => known === name);
    if (!entry) return;
    at("table-about").textContent = entry[2];
    meanings = entry[4];
    try {
      const found = await read(name, where);
      names = found.head;
      only = found.conditions;
      build(found.rows);
      const [, sign, column] = /^(-?)(.*)$/.exec(where.sort || "");
      if (names.includes(column)) state.sorting = [{ id: "c" + names.indexOf(column), desc: sign === "-" }];
      if (where.find) state.globalFilter = at("find").value = where.find;
      table.setOptions((options) => ({ ...options, state }));
      draw();
    } catch (error) {
      at("table-place").replaceChildren(element("p", {}, "Cannot load: " + error.message));
    }
  }

  /* Put table, filters, search and order into the address. */
  function address(fresh) {
    const sorting = state && state.sorting[0];
    const sort = sorting ? (sorting.desc ? "-" : "") + names[Number(sorting.id.slice(1))] : "";
    passkAddress.set("#rows", { table: current, ...only, find: at("find").value, sort }, fresh);
  }

  function field(value) {
    if (value === undefined || value === null) return "";
    let text = String(value);
    // A spreadsheet would run text that looks like a formula.
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
    return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  }

  function save(head, rows, name) {
    const text = [head, ...rows].map((row) => head.map((_, place) => field(row[place])).join(",")).join("\n") + "\n";
    const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    element("a", { href: address, download: `${passkData.name}-${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  async function saveRows(table, where, name) {
    const { head, rows } = await read(table, where);
    save(head, rows, name);
  }

  function csv() {
    if (table) save(names, table.getSortedRowModel().rows.map((row) => row.original), current);
  }

  function start() {
    at("table").append(...passkData.tables.map(([name, title, , rows]) =>
      element("option", { value: name }, `${title} (${rows.toLocaleString("en")})`)));
    at("table").addEventListener("change", () => open(at("table").value).then(() => address(true)));
    at("find").addEventListener("input", passkAddress.later(() => table && table.setGlobalFilter(at("find").value)));
    at("every").addEventListener("click", () => open(current).then(() => address(true)));
    at("copy-rows").addEventListener("click", () => { address(false); passkAddress.copy(at("copy-rows")); });
    at("earlier").addEventListener("click", () => table.previousPage());
    at("later").addEventListener("click", () => table.nextPage());
    at("csv").addEventListener("click", csv);
    open("summary");
  }
  return { open, save, saveRows, start };
})();
