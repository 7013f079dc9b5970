"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text = "", attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };

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
    const node = make("td", cell.text, { title: cell.title, style: `background-color:${cell.colour};color:${cell.ink}` });
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

  // curves of any trial, drawn from the numbers that the figure's download has
  const csv = (uri) => {
    const text = decodeURIComponent(uri.slice(uri.indexOf(",") + 1));
    return text.trim().split("\n").slice(1).map((line) => {
      const cells = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g).map((cell) => cell.replace(/,$/, "").replace(/^"|"$/g, "").replace(/""/g, '"'));
      return { name: cells[0], numbers: cells.slice(1).map((cell) => (cell === "" ? NaN : Number(cell))) };
    });
  };
  const svgNode = (tag, attributes, text = "") => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    return node;
  };
  const drawFan = (rows) => {
    const [W, H, L, B, T, R] = [340, 240, 52, 34, 10, 12];
    const usable = rows.flatMap((row) => row.slice(1)).filter((v) => Number.isFinite(v) && v > 0);
    if (!usable.length) return make("p", "No loss of this trial can be drawn.");
    const low = Math.log10(Math.min(...usable)) - 0.05, high = Math.log10(Math.max(...usable)) + 0.05;
    const last = Math.max(rows[rows.length - 1][0], 1);
    const x = (v) => (L + (v / last) * (W - L - R)).toFixed(1);
    const y = (v) => (T + ((high - Math.log10(v)) / (high - low)) * (H - T - B)).toFixed(1);
    const svg = svgNode("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "Quantile fan of the loss of the chosen trial" });
    const step = Math.max(1, Math.ceil((high - low) / 5));
    const style = { "font-size": 11, fill: "var(--dim)" };
    let ticks = [];
    for (let p = Math.ceil(low); p <= high; p += step) ticks.push(10 ** p);
    if (ticks.length < 2) ticks = [10 ** low, 10 ** ((low + high) / 2), 10 ** high];
    for (const tick of ticks) {
      svg.append(svgNode("line", { x1: L, x2: W - R, y1: y(tick), y2: y(tick), stroke: "var(--line)" }));
      svg.append(svgNode("text", { ...style, x: L - 5, y: Number(y(tick)) + 4, "text-anchor": "end" }, Number(tick.toPrecision(2)).toString()));
    }
    for (const share of [0, 0.5, 1]) svg.append(svgNode("text", { ...style, x: x(share * last), y: H - B + 15, "text-anchor": share === 1 ? "end" : "middle" }, Math.round(share * last).toLocaleString("en")));
    svg.append(svgNode("text", { ...style, x: (L + W - R) / 2, y: H - 4, "text-anchor": "middle" }, "iteration"));
    const good = (row, place) => Number.isFinite(row[place]) && row[place] > 0;
    for (const [from, to, opacity] of [[1, 5, 0.15], [2, 4, 0.24]]) {
      const kept = rows.filter((row) => good(row, from) && good(row, to));
      const points = [...kept.map((row) => `${x(row[0])},${y(row[to])}`), ...kept.reverse().map((row) => `${x(row[0])},${y(row[from])}`)];
      svg.append(svgNode("polygon", { points: points.join(" "), fill: "var(--effect)", opacity }));
    }
    const line = rows.filter((row) => good(row, 3)).map((row) => `${x(row[0])},${y(row[3])}`).join(" ");
    svg.append(svgNode("polyline", { points: line, fill: "none", stroke: "var(--effect)", "stroke-width": 2.2 }));
    return svg;
  };
  for (const select of all("select[data-curves]")) {
    const link = document.getElementById(`${select.dataset.curves}-csv`);
    const place = document.getElementById(`${select.dataset.curves}-other`);
    let groups = null;
    select.addEventListener("change", () => {
      if (!groups) {
        groups = new Map();
        for (const row of csv(link.href)) groups.set(row.name, [...(groups.get(row.name) || []), row.numbers]);
      }
      place.replaceChildren(groups.has(select.value) ? drawFan(groups.get(select.value)) : make("p", "This trial has no curve."));
    });
    select.closest(".controls").hidden = false;
  }

  // commands to the clipboard; the colours by hand
  for (const button of all("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = button.dataset.copy;
      try { await navigator.clipboard.writeText(text); button.textContent = "copied"; }
      catch { const code = button.nextElementSibling; code.hidden = false; getSelection().selectAllChildren(code); }
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
  const contents = document.querySelector(".toc details");
  if (matchMedia("(min-width: 1180px)").matches) contents.open = true;
  addEventListener("beforeprint", () => { for (const one of all("details")) one.open = true; });
})();
