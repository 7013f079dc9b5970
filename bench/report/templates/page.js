"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text = "", attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };

  // blocks of a sweep: one at a time, in all sections, chosen by tabs that stay in sight
  for (const article of all("article")) {
    const parts = all("[data-block]", article);
    const names = [...new Set(parts.map((part) => part.dataset.block))];
    if (names.length < 2) continue;
    const bar = make("div", "", { class: "blocks", role: "tablist", "aria-label": "Blocks of this sweep" });
    const sections = [...new Set(parts.map((part) => part.parentElement))];
    const notes = sections.map((section) => {
      const note = make("p", "", { class: "how" });
      section.append(note);
      return note;
    });
    const tabs = names.map((name) => make("button", name, { type: "button", role: "tab" }));
    const show = (name) => {
      tabs.forEach((tab) => {
        const chosen = tab.textContent === name;
        tab.setAttribute("aria-selected", chosen);
        tab.tabIndex = chosen ? 0 : -1;
      });
      for (const part of parts) part.hidden = part.dataset.block !== name;
      sections.forEach((section, place) => {
        const there = parts.some((part) => part.parentElement === section && !part.hidden);
        notes[place].textContent = there ? "" : `Nothing of “${name}” is shown here.`;
      });
    };
    tabs.forEach((tab, place) => {
      tab.addEventListener("click", () => {
        const section = sections.find((one) => one.getBoundingClientRect().bottom > 80);
        show(tab.textContent);
        if (scrollY > bar.offsetTop && section) section.scrollIntoView({ behavior: "instant" });
      });
      tab.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!by) return;
        const next = tabs[(place + by + tabs.length) % tabs.length];
        next.click();
        next.focus();
      });
    });
    bar.append(...tabs);
    article.querySelector("header").after(bar);
    article.classList.add("tabbed");
    show(article.dataset.main || names[0]);
    // a link to something of another block shows that block
    const reveal = () => {
      const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const part = target && target.closest("[data-block]");
      if (part && part.hidden && article.contains(part)) {
        show(part.dataset.block);
        target.scrollIntoView();
      }
    };
    addEventListener("hashchange", reveal);
    reveal();
  }

  // tables: a heading sorts, numbers by their value and what has none last; the field above filters
  const key = (row, place) => {
    const cell = row.cells[place];
    const value = cell.dataset.value;
    if (value !== undefined) return value === "" ? null : Number(value);
    return cell.textContent.trim();
  };
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  };
  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    const headings = all("thead th", table);
    headings.forEach((heading, place) => {
      const button = heading.querySelector("button");
      button.addEventListener("click", () => {
        const up = heading.getAttribute("aria-sort") !== "ascending";
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row, order) => ({ row, order, value: key(row, place) }));
        rows.sort((a, b) => compare(a.value, b.value, up ? 1 : -1) || a.order - b.order);
        body.append(...rows.map((entry) => entry.row));
      });
    });
  }
  for (const input of all("input[data-filters]")) {
    const table = document.getElementById(input.dataset.filters);
    const controls = input.closest(".controls");
    const count = controls.querySelector("output");
    controls.hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = words.length ? `${shown} of ${table.tBodies[0].rows.length}` : "";
    });
  }

  // heatmaps: over any two parameters, a panel for each combination of the others
  const heatCell = (cell) => {
    if (!cell) return make("td", "–", { class: "none" });
    const node = make("td", cell.text, { "data-trial": cell.trial, style: `background-color:${cell.colour};color:${cell.ink}` });
    if (cell.wide) node.className = "wide";
    node.append(make("small", cell.between));
    return node;
  };
  const heatPanel = (data, cells, down, across, title) => {
    const [d, a] = [data.names.indexOf(down), data.names.indexOf(across)];
    const table = make("table", "", { class: "heat-map" });
    table.append(make("caption", title));
    const head = table.createTHead().insertRow();
    head.append(make("td", "", { class: "none" }));
    for (const value of data.values[across]) head.append(make("th", value, { scope: "col" }));
    const body = table.createTBody();
    for (const line of data.values[down]) {
      const row = body.insertRow();
      row.append(make("th", line, { scope: "row" }));
      for (const column of data.values[across]) row.append(heatCell(cells.find((c) => c.at[d] === line && c.at[a] === column)));
    }
    const box = make("div", "", { class: "heat", tabindex: "0", role: "region", "aria-label": `Solved rates ${title}` });
    box.append(table);
    return box;
  };
  for (const controls of all("[data-heat]")) {
    const data = JSON.parse(document.getElementById(`${controls.dataset.heat}-data`).textContent);
    const place = document.getElementById(controls.dataset.heat);
    const [down, across] = all("select", controls);
    const draw = () => {
      const rest = data.names.filter((name) => name !== down.value && name !== across.value);
      const groups = new Map();
      for (const cell of data.cells) {
        const title = rest.map((name) => (/^-?[\d.]/.test(cell.at[data.names.indexOf(name)]) ? `${name}=` : "") + cell.at[data.names.indexOf(name)]).join(" ");
        if (!groups.has(title)) groups.set(title, []);
        groups.get(title).push(cell);
      }
      document.getElementById(`${controls.dataset.heat}-key`).firstElementChild.textContent = `${down.value} down, ${across.value} across.`;
      place.replaceChildren(...[...groups].map(([title, cells]) => heatPanel(data, cells, down.value, across.value, title)));
      place.dispatchEvent(new Event("redrawn", { bubbles: true }));
    };
    for (const [one, other] of [[down, across], [across, down]]) {
      let before = one.value;
      one.addEventListener("change", () => {
        if (one.value === other.value) other.value = before;
        before = one.value;
        draw();
      });
    }
    controls.hidden = false;
  }

  // trials: what one points at is named, what one clicks is pinned everywhere, and in the address
  const tip = make("div", "", { class: "tip", role: "status" });
  const chip = make("div", "", { class: "pin", role: "region", "aria-label": "The pinned trial" });
  tip.hidden = chip.hidden = true;
  document.body.append(tip, chip);
  for (const group of all("[data-trials]")) {
    const ids = group.dataset.trials.split(" ");
    const marks = all("path, use, text", group).filter((mark) => !mark.closest("defs"));
    if (ids.length > 1 && ids.length !== marks.length) continue; // some are not drawn: which is not known
    marks.forEach((mark, place) => { mark.dataset.trial = ids[ids.length > 1 ? place : 0]; });
  }
  // what each sweep says of its trials, and the block that shows each
  const told = new Map(all("article").map((article) => [article, JSON.parse(article.querySelector("[data-told]").textContent)]));
  let pinned = "";
  const paint = () => {
    for (const [article, known] of told) article.classList.toggle("pinning", pinned in known);
    for (const mark of all("[data-trial]")) mark.classList.toggle("pinned", mark.dataset.trial === pinned);
  };
  const pin = (id) => {
    const [article, known] = [...told].find(([, some]) => id in some) || [];
    pinned = article ? id : "";
    paint();
    chip.hidden = !article;
    if (!article) return;
    const [words, block] = known[id];
    const off = make("button", "unpin", { type: "button" });
    off.addEventListener("click", () => choose(""));
    const links = all("[id^=explorer-]", article).map((section) => {
      const link = make("a", "watch it learn", { href: `#${section.id}` });
      link.addEventListener("click", (event) => { event.preventDefault(); section.scrollIntoView(); });
      return link;
    });
    chip.replaceChildren(make("span", words), ...links, off);
    const tab = all(".blocks button", article).find((one) => one.textContent === block);
    if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
  };
  const choose = (id) => {
    history.replaceState(null, "", id ? `#t=${id}` : location.href.split("#")[0] + "#");
    pin(id);
    if (id) document.dispatchEvent(new CustomEvent("trial", { detail: id }));
  };
  const pointedAt = (event) => {
    const mark = event.target.closest("[data-trial]");
    return mark && told.get(mark.closest("article"))?.[mark.dataset.trial] ? mark : null;
  };
  addEventListener("click", (event) => {
    const mark = pointedAt(event);
    if (mark && !event.target.closest("a, button")) choose(mark.dataset.trial === pinned ? "" : mark.dataset.trial);
  });
  addEventListener("pointermove", (event) => {
    const mark = pointedAt(event);
    tip.hidden = !mark || event.pointerType === "touch" || mark.tagName === "TR";
    if (tip.hidden) return;
    tip.textContent = told.get(mark.closest("article"))[mark.dataset.trial][0];
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const above = event.clientY + 18 + tip.offsetHeight > innerHeight;
    tip.style.translate = `${left}px ${above ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18}px`;
  });
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  addEventListener("redrawn", paint);
  addEventListener("keydown", (event) => { if (event.key === "Escape" && pinned) choose(""); });
  document.addEventListener("chosen", (event) => pin(event.detail));
  const asked = () => (new URLSearchParams(location.hash.slice(1)).get("t") || "").slice(0, 8);
  addEventListener("hashchange", () => pin(asked()));
  if (asked()) pin(asked());

  // commands to the clipboard; the colours by hand
  for (const button of all("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = button.dataset.copy;
      try { await navigator.clipboard.writeText(text); button.textContent = "copied"; }
      catch { const code = button.parentElement.querySelector("code"); code.hidden = false; getSelection().selectAllChildren(code); }
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
    button.hidden = false;
  }
  const theme = document.getElementById("theme");
  theme.addEventListener("change", () => {
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
  });
  theme.parentElement.hidden = false;
  // the contents say where one is
  const sections = all("section[id]");
  const links = new Map(all(".toc a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(() => {
    const here = sections.findLast((section) => section.getBoundingClientRect().top < innerHeight / 3);
    for (const [id, link] of links) id === here?.id ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, { threshold: [0, 0.02, 0.1, 0.3, 0.6, 1] });
  for (const section of sections) seen.observe(section);
  const contents = document.querySelector(".toc details");
  if (matchMedia("(min-width: 1180px)").matches) contents.open = true;
})();
