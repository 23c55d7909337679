"use strict";
/* Untrusted text as nodes: maths by KaTeX (as MathML), code by highlight.js, bold, code and headings
   of Markdown as elements, everything else as text nodes. Nothing here or in either library turns a string into markup. */
const passkText = (() => {
  const FIRST = 20000; // characters shown at once; the rest on request
  const MORE = 100000;
  const LONGEST_FORMULA = 4000;
  const MOST_FORMULAS = 400;
  const LONGEST_CODE = 60000;
  // Controls, bidirectional marks and other characters that show nothing or move what is shown.
  const UNSEEN =
    /[\u0000-\u0008\u000b-\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
  const MARKS = /(?<![\w*])\*\*(?=\S)([^*\n]{1,300})(?<=\S)\*\*(?![\w*])|(?<!`)`([^`\n]{1,300})`(?!`)|(?<=^|\n)#{1,6} ([^\n]{1,300})/g;
  const BOX = "\\boxed{";
  const OPENER = /```|\\boxed\{|\$\$|\\\[|\\\(|\$|\\begin\{(equation|align|gather|multline)\*?\}/g;
  const CLOSER = { "$$": "$$", "\\[": "\\]", "\\(": "\\)", $: "$", "```": "```" };

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === false || value === null || value === undefined) continue;
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else made.setAttribute(key, value === true ? "" : String(value));
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  function code(point) {
    return "U+" + point.toString(16).toUpperCase().padStart(4, "0");
  }

  /* Text whose unseen characters are named, so that nothing hides and nothing is turned around. */
  function plain(target, text) {
    let from = 0;
    for (const found of text.matchAll(UNSEEN)) {
      target.append(text.slice(from, found.index));
      target.append(element("span", { class: "unseen" }, code(found[0].charCodeAt(0))));
      from = found.index + 1;
    }
    target.append(text.slice(from));
  }

  function formula(target, source, tex, display) {
    const place = element(display ? "div" : "span", { class: display ? "maths display" : "maths" });
    try {
      katex.render(tex, place, {
        output: "mathml", displayMode: display, throwOnError: true, strict: false, trust: false,
        maxExpand: 200, maxSize: 10,
      });
      place.title = source.length < 300 ? source : "";
      if (display) place.tabIndex = 0;
      target.append(place);
    } catch {
      plain(target, source);
    }
  }

  function tokens(target, node) {
    for (const child of node.children) {
      if (typeof child === "string") target.append(child);
      else {
        const scope = child.scope ? "hljs-" + child.scope.split(".")[0] : "";
        const span = element("span", { class: scope });
        tokens(span, child);
        target.append(span);
      }
    }
  }

  function program(target, source) {
    const [, name, body] = /^```([^\n`]*)\n?([\s\S]*?)(?:```)?$/.exec(source);
    const inner = element("code", {});
    const language = name.trim().toLowerCase() || "python";
    try {
      if (body.length > LONGEST_CODE || body.search(UNSEEN) >= 0 || !hljs.getLanguage(language)) throw 0;
      tokens(inner, hljs.highlight(body, { language, ignoreIllegals: true })._emitter.rootNode);
      if (inner.textContent !== body) throw 0;
    } catch {
      inner.replaceChildren();
      plain(inner, body);
    }
    target.append(element("pre", { class: "code", tabindex: "0" }, inner));
  }

  /* Where the brace closes that was opened before `from`; -1 where it does not. */
  function closing(text, from) {
    const end = Math.min(text.length, from + LONGEST_FORMULA);
    for (let at = from, depth = 1; at < end; at += 1) {
      if (text[at] === "\\") at += 1;
      else if (text[at] === "{") depth += 1;
      else if (text[at] === "}" && (depth -= 1) === 0) return at;
    }
    return -1;
  }

  /* Yield [kind, source, inside] for text, formulas and code; linear in the text's length. */
  function* pieces(text) {
    const next = {}; // closer -> [searched from, where it is]
    const find = (closer, from) => {
      const known = next[closer];
      if (!known || from < known[0] || (known[1] >= 0 && known[1] < from)) {
        next[closer] = [from, text.indexOf(closer, from)];
      }
      return next[closer][1];
    };
    let from = 0;
    OPENER.lastIndex = 0;
    for (let found; (found = OPENER.exec(text)); ) {
      const opener = found[0];
      if (opener === BOX) {
        const last = closing(text, found.index + BOX.length);
        if (last < 0) continue;
        if (found.index > from) yield ["text", text.slice(from, found.index)];
        from = last + 1;
        yield ["inline", text.slice(found.index, from), text.slice(found.index, from)];
        OPENER.lastIndex = from;
        continue;
      }
      const start = found.index + opener.length;
      const closer = CLOSER[opener] || opener.replace("begin", "end");
      let end = find(closer, start);
      const fenced = opener === "```";
      if (fenced && end < 0) end = text.length;
      const inside = end < 0 ? "" : text.slice(start, end);
      const fits = fenced || (inside.trim() && inside.length <= LONGEST_FORMULA);
      const money = opener === "$" && (/^\s|\s$|\n\s*\n/.test(inside) || /\d/.test(text[end + 1] || ""));
      if (end < 0 || !fits || money) continue;
      if (found.index > from) yield ["text", text.slice(from, found.index)];
      from = Math.min(end + closer.length, text.length);
      const source = text.slice(found.index, from);
      const display = opener === "$$" || opener === "\\[" || opener.startsWith("\\begin");
      yield fenced ? ["code", source] : [display ? "display" : "inline", source,
        opener.startsWith("\\begin") ? source : inside];
      OPENER.lastIndex = from;
    }
    if (from < text.length) yield ["text", text.slice(from)];
  }

  /* Text with the marks of Markdown for bold, code and headings; other marks stay as they are. */
  function prose(target, text) {
    let from = 0;
    for (const found of text.matchAll(MARKS)) {
      plain(target, text.slice(from, found.index));
      const [whole, bold, inline, heading] = found;
      const made = element(inline === undefined ? "strong" : "code", heading === undefined ? {} : { class: "heading" });
      if (heading === undefined) plain(made, bold ?? inline);
      else prose(made, heading);
      target.append(made);
      from = found.index + whole.length;
    }
    plain(target, text.slice(from));
  }

  function part(target, text) {
    let formulas = 0;
    for (const [kind, source, inside] of pieces(text)) {
      if (kind === "text") prose(target, source);
      else if (kind === "code") program(target, source);
      else if (++formulas > MOST_FORMULAS) plain(target, source);
      else formula(target, source, inside, kind === "display");
    }
  }

  /* Show a text inside `target`: the beginning at once, the rest piece by piece on request. */
  function show(target, text, raw) {
    const draw = raw ? plain : part;
    target.replaceChildren();
    target.classList.add("response-text");
    draw(target, text.slice(0, FIRST));
    let shown = FIRST;
    if (text.length <= FIRST) return;
    const button = element("button", { type: "button", class: "more" });
    const label = () => {
      button.textContent = "Show more (" + (text.length - shown).toLocaleString("en") + " characters left)";
    };
    button.addEventListener("click", () => {
      button.remove();
      draw(target, text.slice(shown, shown + MORE));
      shown += MORE;
      if (shown < text.length) { label(); target.append(button); }
    });
    label();
    target.append(button);
  }

  /* The reasoning that a server gave apart from the text, folded; nothing where there is none. */
  function reasoning(text, raw) {
    if (!text) return [];
    const shown = element("div", {});
    show(shown, text, raw);
    return [element("details", {}, element("summary", {}, "Reasoning (not graded)"), shown)];
  }

  return { element, plain, reasoning, show };
})();
