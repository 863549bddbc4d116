"use strict";
// Filters of galleries, tables that are sorted by a click or a key. The page is whole without any of it.
(() => {
  const words = document.getElementById("words").dataset;

  // -- where a table cannot stand beside its picture, it is folded as the others are

  if (!matchMedia("(min-width: 72rem)").matches)
    for (const numbers of document.querySelectorAll(".beside > details")) numbers.open = false;

  // -- a gallery shows the pictures that carry one tag

  for (const filter of document.querySelectorAll(".gallery .filter")) {
    const shown = [...filter.closest(".gallery").querySelectorAll(".shown")];
    const select = filter.querySelector("select"), found = filter.querySelector(".found");
    select.addEventListener("change", () => {
      for (const one of shown) one.hidden = select.value !== "" && !one.dataset.tags.split(" ").includes(select.value);
      const count = shown.filter(one => !one.hidden).length;
      found.textContent = words.found.replace("{n}", count).replace("{total}", shown.length);
    });
    filter.hidden = false;
  }

  // -- a table is sorted by a column: up, down, and as it was

  const place = text => {
    const said = text.trim().replace(/−/g, "-").replace(/,(?=\d{3})/g, "");
    const number = said.match(/^[<>≈±+]?\s*(-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|-?∞)/i);
    if (!number) return NaN;
    if (number[1].endsWith("∞")) return number[1].startsWith("-") ? -Infinity : Infinity;
    const unit = said.slice(number[0].length).trim();
    const scale = {T: 1e12, G: 1e9, M: 1e6, k: 1e3, TiB: 2 ** 40, GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10,
                   ms: 1e-3, "µs": 1e-6, ns: 1e-9}[unit] || 1;
    return Number(number[1]) * scale;
  };
  const empty = text => ["", "–"].includes(text.trim());
  const order = (a, b, sign) => {
    if (empty(a) || empty(b)) return empty(a) - empty(b);  // what is absent stays last
    const [x, y] = [place(a), place(b)];
    if (!isNaN(x) && !isNaN(y)) return sign * (x < y ? -1 : x > y ? 1 : 0);
    return sign * a.localeCompare(b, document.documentElement.lang, {numeric: true});
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
    if (rows.length < 2) continue;
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = words.sort;
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = {none: "ascending", ascending: "descending", descending: "none"}[head.getAttribute("aria-sort") || "none"];
        for (const other of heads) other.removeAttribute("aria-sort");
        if (next !== "none") head.setAttribute("aria-sort", next);
        const sign = next === "descending" ? -1 : 1;
        const sorted = next === "none" ? rows
          : [...rows].sort((p, q) => order(p.cells[column].textContent, q.cells[column].textContent, sign));
        body.append(...sorted);
      });
    });
  }
})();
