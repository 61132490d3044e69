"use strict";
// Filters the rows that are in the page already. What is chosen stands in the address, so that it can be sent to others.
(() => {
  const form = document.getElementById("filter");
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const boxes = (name) => [...form.querySelectorAll(`input[name="${name}"]`)];
  const chosen = (name) => new Set(boxes(name).filter((box) => box.checked).map((box) => box.value));
  const differs = form.elements.differs;
  const sections = [...document.querySelectorAll("section")];

  function details(row) {
    const next = row.nextElementSibling;
    return next && next.classList.contains("details") ? next : null;
  }

  function open(row, wanted) {
    const button = row.querySelector("button");
    if (!button) return;
    button.setAttribute("aria-expanded", String(wanted));
    details(row).hidden = !wanted || row.hidden;
  }

  // What was found in a row's notes alone is shown, and folded up again when it is searched for no more.
  function unfold(row, terms) {
    const button = row.querySelector("button");
    const seen = row.textContent.toLowerCase();
    const found = !row.hidden && !terms.every((term) => seen.includes(term));
    const was = button.getAttribute("aria-expanded") === "true";
    const wanted = found || (was && !row.dataset.found);
    if (found && !was) row.dataset.found = "1";
    if (!found) delete row.dataset.found;
    open(row, wanted);
    highlight(details(row), wanted && !row.hidden ? terms : []);
  }

  function fits(row, terms, platforms, words, allWords) {
    if (!terms.every((term) => row.dataset.text.includes(term))) return false;
    const cells = [...row.querySelectorAll("td[data-platform]")].filter((cell) => platforms.has(cell.dataset.platform));
    if (!cells.length) return !row.querySelector("td[data-platform]");
    const said = cells.map((cell) => cell.dataset.words);
    if (differs.checked && new Set(said).size < 2) return false;
    const meaningful = said.join(" ").split(" ").filter((word) => allWords.has(word));
    return !meaningful.length || meaningful.some((word) => words.has(word));
  }

  function highlight(row, terms) {
    for (const old of row.querySelectorAll("mark")) old.replaceWith(...old.childNodes);
    row.normalize();
    if (!terms.length) return;
    const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const node of texts) {
      const text = node.data.toLowerCase();
      const at = terms.map((term) => [text.indexOf(term), term.length]).filter(([place]) => place >= 0).sort((a, b) => a[0] - b[0])[0];
      if (!at) continue;
      const found = node.splitText(at[0]);
      found.splitText(at[1]);
      const mark = document.createElement("mark");
      found.replaceWith(mark);
      mark.append(found);
    }
  }

  function apply() {
    const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const platforms = chosen("platform");
    const words = chosen("word");
    const allWords = new Set(boxes("word").map((box) => box.value));
    for (const cell of document.querySelectorAll("[data-platform]")) cell.hidden = !platforms.has(cell.dataset.platform);
    let total = 0;
    for (const section of sections) {
      const rows = [...section.querySelectorAll("tr.row")];
      let count = 0;
      for (const row of rows) {
        row.hidden = !fits(row, terms, platforms, words, allWords);
        highlight(row, row.hidden ? [] : terms);
        if (details(row)) unfold(row, terms);
        if (!row.hidden) count += 1;
      }
      section.querySelector(".count").textContent = count === rows.length ? String(count) : `${count} of ${rows.length}`;
      section.querySelector(".scroll").hidden = !count;
      section.querySelector(".none").hidden = count > 0;
      total += count;
    }
    shown.textContent = total === 1 ? "1 row" : `${total} rows`;
    remember(platforms, words);
  }

  function remember(platforms, words) {
    const state = new URLSearchParams();
    if (search.value.trim()) state.set("q", search.value.trim());
    if (platforms.size < boxes("platform").length) state.set("platforms", [...platforms].join("+"));
    if (words.size < boxes("word").length) state.set("words", [...words].join("+"));
    if (differs.checked) state.set("differs", "1");
    const hash = String(state);
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  function recall() {
    const state = new URLSearchParams(location.hash.slice(1));
    search.value = state.get("q") || "";
    for (const [key, name] of [["platforms", "platform"], ["words", "word"]]) {
      const wanted = state.has(key) ? new Set(state.get(key).split(/[+ ]/)) : null;
      for (const box of boxes(name)) box.checked = !wanted || wanted.has(box.value);
    }
    differs.checked = state.get("differs") === "1";
    apply();
  }

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  addEventListener("hashchange", recall);
  document.querySelector("nav").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-section]");
    if (!link) return;
    event.preventDefault(); // the address after the # is the filter's
    document.getElementById(link.dataset.section).scrollIntoView();
  });
  document.querySelector("main").addEventListener("click", (event) => {
    const row = event.target.closest("tr.row");
    const button = row && row.querySelector("button");
    if (button && !getSelection().toString()) open(row, button.getAttribute("aria-expanded") !== "true");
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && document.activeElement === search) {
      search.value = "";
      apply();
    }
  });
  recall();
})();
