"use strict";
// Tables: sort by a heading, filter by words, some rows at a time. Text only, never HTML.
(function () {
  const order = new Intl.Collator("en", { numeric: true });

  function written(value, column) {
    if (value === null) return "–";
    if (column.kind !== "number") return String(value);
    return value.toLocaleString("en-US", {
      minimumFractionDigits: column.digits,
      maximumFractionDigits: column.digits,
    });
  }

  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return order.compare(String(one), String(other));
  }

  function element(name, attributes, text) {
    const made = document.createElement(name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function start(box) {
    const rows = JSON.parse(box.querySelector("script").textContent);
    const heads = Array.from(box.querySelectorAll("thead th"));
    const columns = heads.map((head) => ({
      kind: head.dataset.kind,
      digits: Number(head.dataset.digits),
    }));
    const words = rows.map((row) =>
      row.map((value, i) => written(value, columns[i])).join("\n").toLowerCase());
    const size = Number(box.dataset.page);
    const body = box.querySelector("tbody");
    const state = { column: -1, up: true, page: 0, found: rows.map((_, i) => i) };

    const tools = element("div", { class: "tools" });
    const label = element("label", {}, "Filter ");
    const filter = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
    const count = element("span", { class: "count", role: "status" });
    label.append(filter);
    tools.append(label, count);
    tools.hidden = rows.length < 8;
    box.prepend(tools);

    const pages = element("div", { class: "pages" });
    const back = element("button", { type: "button" }, "‹ previous");
    const where = element("span", {});
    const on = element("button", { type: "button" }, "next ›");
    pages.append(back, where, on);
    box.append(pages);

    function show() {
      const last = Math.max(0, Math.ceil(state.found.length / size) - 1);
      state.page = Math.min(state.page, last);
      const here = state.found.slice(state.page * size, (state.page + 1) * size);
      body.replaceChildren(...here.map((i) => {
        const line = element("tr", {});
        rows[i].forEach((value, c) => {
          line.append(element("td", { class: columns[c].kind }, written(value, columns[c])));
        });
        return line;
      }));
      count.textContent =
        state.found.length.toLocaleString("en-US") + " of " +
        rows.length.toLocaleString("en-US") + " rows";
      where.textContent = "page " + (state.page + 1) + " of " + (last + 1);
      back.disabled = state.page === 0;
      on.disabled = state.page === last;
      pages.hidden = last === 0;
    }

    function arrange() {
      const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      state.found = rows.map((_, i) => i)
        .filter((i) => wanted.every((word) => words[i].includes(word)));
      if (state.column >= 0) {
        const c = state.column, sign = state.up ? 1 : -1;
        state.found.sort((a, b) => {
          const one = rows[a][c], other = rows[b][c];
          // What is not known comes last, whichever way.
          if (one === null || other === null) return (one === null) - (other === null) || a - b;
          return sign * compare(one, other) || a - b;
        });
      }
      state.page = 0;
      show();
    }

    heads.forEach((head, i) => {
      const button = element("button", { type: "button" }, head.textContent);
      button.addEventListener("click", () => {
        state.up = state.column === i ? !state.up : true;
        state.column = i;
        heads.forEach((other, j) => {
          if (j === i) other.setAttribute("aria-sort", state.up ? "ascending" : "descending");
          else other.removeAttribute("aria-sort");
        });
        arrange();
      });
      head.replaceChildren(button);
    });
    filter.addEventListener("input", arrange);
    back.addEventListener("click", () => { state.page -= 1; show(); });
    on.addEventListener("click", () => { state.page += 1; show(); });
    show();
  }

  document.querySelectorAll(".table").forEach(start);

  const theme = document.getElementById("theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const name = () => { theme.textContent = current() === "dark" ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    name();
  });
  dark.addEventListener("change", name);
  name();
})();
