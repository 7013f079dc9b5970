"use strict";
// Maps: what every pixel is, three layers of colours, any pixel trained again from its very start, a part of it finer.
//
// A pixel is its column and its row from the bottom left, of those that are shown: every `step`-th of the whole map.
const Maps = (() => {
  const NEVER = 65535, NO_LOSS = 255, LOSSES = 254; // as in bench/report/map_picture.py
  const DRAGGED = 4; // pixels of the screen: less is a click
  const QUICK = 1e6; // iterations × observations × neurons: so few are trained without being asked for
  const AROUND = 8; // a finer map around a pixel is an eighth as wide and as high
  const SLIGHT = 1e-4; // of a power of ten: losses that differ by less are the same
  const GREY = "#4a4a4a", FAINT = 40;

  // ---------------------------------------------------------------- where a pixel is, and what it starts from

  /** Return the coordinate of a column or a row, bit for bit as Axis.values of bench/model/maps.py. */
  const coordinate = (axis, place, step, size) => {
    if (axis.log) return axis.values[place];
    const value = axis.low + ((place * step) / size) * (axis.high - axis.low);
    return axis.whole ? Math.floor(value) : value;
  };

  const at = (map, { column, row }) => [
    coordinate(map.x, column, map.step, map.width),
    coordinate(map.y, row, map.step, map.height),
  ];

  /** Return the parameters at these coordinates; where their scale is an axis, that of the initial weights is 1. */
  const parametersAt = (map, values) => {
    const parameters = { ...map.parameters };
    [map.x, map.y].forEach(({ kind, of }, place) => {
      if (kind !== "parameter" || of === "init_scale") return;
      parameters[of] = of === "hidden" ? String(values[place]) : values[place];
      // 0 would stand for the rate of the other layers: a rate that moves nothing is meant
      if (of === "learning_rate_output") parameters[of] ||= Number.MIN_VALUE;
    });
    return parameters;
  };

  /** Return the initial weights at these coordinates, as Map.batch of bench/model/maps.py. */
  const start = (map, parameters, values) => {
    const along = [map.x, map.y].map((axis, place) => [axis, values[place]]);
    const drawn = (seed) => Bench.initialWeights(parameters, map.gate, seed);
    const origin = map.start ? Float64Array.from(map.start) : drawn(map.seed);
    const toward = along.filter(([axis]) => axis.kind === "toward");
    const left = 1 - toward.reduce((sum, [, value]) => sum + value, 0);
    let weights = origin.map((weight) => left * weight);
    for (const [axis, value] of toward) {
      const there = drawn(axis.of);
      weights = weights.map((weight, p) => weight + value * there[p]);
    }
    for (const [axis, value] of along) if (axis.kind === "parameter" && axis.of === "init_scale") weights = weights.map((weight) => weight * value);
    for (const [axis, value] of along) {
      if (axis.kind !== "direction") continue;
      const direction = axis.directions[weights.length];
      weights = weights.map((weight, p) => weight + value * direction[p]);
    }
    for (const [axis, value] of along) if (axis.kind === "weight") weights[Bench.weightNames(parameters, map.gate).indexOf(axis.of)] = value;
    return weights;
  };

  /** Return what the page shows where one pixel ends and another begins, in the whole map; the ends as they were given. */
  const edge = (axis, place, size) => {
    if (place <= 0) return axis.low;
    if (place >= size) return axis.high;
    return axis.log ? axis.low * (axis.high / axis.low) ** (place / size) : axis.low + (place / size) * (axis.high - axis.low);
  };

  // ---------------------------------------------------------------- numbers in words

  const minus = (text) => text.replace(/^-/, "−");

  /** Return what writes an axis's coordinates, with as many digits as tell its pixels apart. */
  const writer = (axis, count) => {
    if (axis.whole) return (value) => minus(String(value));
    if (axis.log) {
      const digits = Math.min(Math.max(Math.ceil(-Math.log10((axis.high / axis.low) ** (1 / count) - 1)) + 1, 2), 17);
      return (value) => String(Number(value.toPrecision(digits)));
    }
    const gap = (axis.high - axis.low) / count;
    const decimals = Math.max(Math.ceil(-Math.log10(gap) - 1e-9), 0);
    const largest = Math.max(Math.abs(axis.low), Math.abs(axis.high));
    if (largest < 1e-4) {
      const digits = Math.min(Math.max(Math.ceil(Math.log10(largest / gap)), 1), 16);
      return (value) => minus(value.toExponential(digits));
    }
    return (value) => minus(value.toFixed(Math.min(decimals, 20)).replace(/^-(0(\.0*)?)$/, "$1"));
  };

  /** Return the shortest number within a hundredth of a pixel of where two pixels meet. */
  const shortest = (axis, place, size) => {
    const value = edge(axis, place, size);
    if (value === axis.low || value === axis.high) return String(value);
    const gap = axis.log ? value * ((axis.high / axis.low) ** (1 / size) - 1) : (axis.high - axis.low) / size;
    for (let digits = 1; digits < 17; digits++) {
      const short = Number(value.toPrecision(digits));
      if (Math.abs(short - value) <= gap / 100) return String(short);
    }
    return String(value);
  };

  /** Return an axis's part from one place to another as the command line has it; whole numbers keep whole ends. */
  const windowOf = (axis, from, to, size) => {
    if (!axis.whole) return `${shortest(axis, from, size)}:${shortest(axis, to, size)}`;
    const low = Math.floor(edge(axis, from, size));
    return `${low}:${Math.max(Math.ceil(edge(axis, to, size)), low + 1)}`;
  };

  const count = (number) => number.toLocaleString("en");

  // ---------------------------------------------------------------- what became of the pixels

  /** Return planes of bytes [rows × columns] that `planes` of bench/report/map_picture.py has written. */
  const unfold = async (text, columns) => {
    const deflated = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
    return { bytes: new Uint8Array(await new Response(stream).arrayBuffer()), columns };
  };
  const plane = ({ bytes, columns }, number, size) => {
    const found = bytes.slice(number * size, (number + 1) * size);
    for (let k = columns; k < size; k++) found[k] += found[k - columns];
    return found;
  };

  /** Return what became of every pixel: its fate, when it was solved, and its final loss in levels, from the top left. */
  const read = async (map) => {
    const size = map.columns * map.rows;
    const [times, losses] = [await unfold(map.times, map.columns), await unfold(map.losses, map.columns)];
    const [fate, high, low] = [0, 1, 2].map((number) => plane(times, number, size));
    return { fate, time: Uint16Array.from(high, (byte, k) => (byte << 8) | low[k]), loss: plane(losses, 0, size) };
  };

  // a colour as a canvas has it in memory: red first, whatever the machine's order of bytes
  const packed = (hex, alpha = 255) => {
    const digits = [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
    return new Uint32Array(Uint8ClampedArray.from([...digits, alpha]).buffer)[0];
  };

  /** Return the colours of all pixels in a layer; but those of one fate, if there is one, are faint. */
  const colours = (map, found, layer, only = -1) => {
    const { fate, time, loss } = found;
    const solved = map.fates.map(({ result }) => result === "solved");
    const table = (alpha) => {
      const fates = map.fates.map(({ colour }) => packed(colour, alpha));
      const [ramp, losses] = [map.ramp, map.lossRamp].map((some) => some.map((colour) => packed(colour, alpha)));
      const grey = packed(GREY, alpha);
      const levels = new Uint32Array(NEVER + 1).fill(ramp[ramp.length - 1]); // of the ramp, by when it was solved
      for (let k = 0, level = 0; k <= NEVER && level < map.cuts.length; k++) {
        while (level < map.cuts.length && map.cuts[level] < k * map.unit) level += 1;
        levels[k] = ramp[level];
      }
      const byLoss = Array.from({ length: NO_LOSS + 1 }, (_, k) => (k === NO_LOSS ? grey : losses[Math.round((k / LOSSES) * (losses.length - 1))]));
      if (layer === "loss") return (k) => byLoss[loss[k]];
      return (k) => (solved[fate[k]] ? levels[time[k]] : layer === "fate" ? fates[fate[k]] : grey);
    };
    const [plain, faint] = [table(255), table(FAINT)];
    return Uint32Array.from(fate, (code, k) => (only < 0 || code === only ? plain(k) : faint(k)));
  };

  // ---------------------------------------------------------------- one map of the page

  const make = (tag, className = "", text = "") => {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    return node;
  };

  function enliven(box, number, tip) {
    const part = (name) => box.querySelector(`[data-m=${name}]`);
    const map = JSON.parse(box.querySelector("[data-map-data]").textContent);
    const write = { x: writer(map.x, map.columns), y: writer(map.y, map.rows) };
    const state = { found: null, pointed: null, opened: null, taken: null, from: null, only: -1 };
    const stages = Stages.mount(part("stages"));

    // the canvas lies below the drawing, whose own pixels give way to it; what is pointed at lies above
    const panels = box.querySelector(".map-main .panels"), svg = panels.querySelector("svg");
    const [stack, canvas, over] = [make("div", "map-stack"), make("canvas"), make("div", "map-over")];
    const [across, down, ring, taken] = ["across", "down", "ring", "taken"].map((name) => make("i", name));
    const pen = canvas.getContext("2d");
    Object.assign(canvas, { width: map.columns, height: map.rows });
    canvas.setAttribute("aria-hidden", "true");
    stack.style.setProperty("--w", svg.style.getPropertyValue("--w"));
    svg.replaceWith(stack);
    stack.append(canvas, svg, over);
    over.append(taken, across, down, ring);
    for (const node of [canvas, over]) ["left", "top", "width", "height"].forEach((name, place) => { node.style[name] = `${100 * map.frame[place]}%`; });
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", panels.getAttribute("aria-label"));
    for (const name of ["role", "aria-label"]) panels.removeAttribute(name);
    over.tabIndex = 0;
    over.setAttribute("role", "application");
    over.setAttribute("aria-label", `Pixels of the map ${map.title}: arrows go from one to the next, Enter trains one`);
    box.querySelector(".map-main figcaption").after(part("layers"));
    panels.after(part("below"));
    part("layers").hidden = part("below").hidden = false;
    box.querySelector("[data-without-script]").hidden = true;

    // ------------------------------------------------------------ layers

    let reading = null;
    const load = () => (reading ||= read(map).then((found) => { state.found = found; paint(); }));
    const layer = () => part("layers").querySelector(":checked").value;
    function paint() {
      if (!state.found) return;
      const picture = pen.createImageData(map.columns, map.rows);
      new Uint32Array(picture.data.buffer).set(colours(map, state.found, layer(), state.only));
      pen.putImageData(picture, 0, 0);
      stack.classList.add("painted");
    }
    function showScale() {
      const scale = part("scale"), ramp = make("i");
      scale.hidden = layer() === "fate";
      const of = layer() === "time" ? map.ramp : map.lossRamp;
      ramp.style.background = `linear-gradient(90deg, ${of.join(", ")})`;
      const [low, high] = map.loss;
      const quantile = (share) => map.cuts[Math.round(share * (map.cuts.length - 1))];
      const ends = layer() === "loss" ? [0, 0.25, 0.5, 0.75, 1].map((share) => Stages.write(10 ** (low + share * (high - low)))) : map.cuts.length ? [0, 0.25, 0.5, 0.75, 1].map((share) => count(quantile(share))) : ["nothing is solved"];
      const words = make("span", "ends");
      words.append(...ends.map((end) => make("span", "", end)));
      const bar = make("span", "ramp");
      bar.append(ramp, words);
      const grey = make("i", "key");
      grey.style.background = GREY;
      const none = make("span", "");
      none.append(grey, layer() === "loss" ? "no number" : "not solved");
      scale.replaceChildren(make("b", "", layer() === "loss" ? "Final loss" : "Solved at iteration, by rank"), bar, none);
    }
    part("layers").addEventListener("change", () => { load(); paint(); showScale(); });
    for (const entry of box.querySelectorAll("[data-fate]")) {
      const light = (only) => () => { state.only = only; load(); paint(); mark(only); };
      entry.addEventListener("pointerenter", light(Number(entry.dataset.fate)));
      entry.addEventListener("pointerleave", light(-1));
    }
    function mark(code) {
      part("layers").closest(".map").classList.toggle("marking", code >= 0);
      for (const entry of box.querySelectorAll("[data-fate]")) entry.classList.toggle("on", Number(entry.dataset.fate) === code);
    }

    // ------------------------------------------------------------ one pixel

    const inside = ({ column, row }) => column >= 0 && row >= 0 && column < map.columns && row < map.rows;
    const place = ({ column, row }) => (map.rows - 1 - row) * map.columns + column;

    /** Return what the sweep says of a pixel. */
    const told = (pixel) => {
      const k = place(pixel), { fate, time, loss } = state.found;
      const [low, high] = map.loss;
      return {
        code: fate[k],
        fate: map.fates[fate[k]],
        solvedAt: time[k] === NEVER ? -1 : time[k] * map.unit,
        level: loss[k],
        loss: loss[k] === NO_LOSS ? NaN : 10 ** (low + (loss[k] / LOSSES) * (high - low)),
      };
    };
    const rounded = map.unit > 1 ? "about " : "";
    const wordsOf = ({ fate, solvedAt, level, loss }) => {
      const words = [fate.result === "solved" && solvedAt >= 0 ? `solved after ${rounded}${count(solvedAt)} iterations` : fate.name];
      if (fate.result !== "solved" && solvedAt >= 0) words.push(`was solved after ${rounded}${count(solvedAt)}, and lost it`);
      const beyond = map.loss[1] - map.loss[0] > SLIGHT ? { 0: "at most", [LOSSES]: "at least" }[level] : "";
      if (level !== NO_LOSS) words.push(`final loss ${beyond || "about"} ${Number(loss.toPrecision(2))}`);
      return words;
    };

    function showPixel(pixel) {
      for (const [node, shown] of [[across, pixel], [down, pixel], [ring, state.opened]]) {
        node.hidden = !shown;
        if (!shown) continue;
        node.style.left = node === across ? "0" : `${(100 * (shown.column + 0.5)) / map.columns}%`;
        node.style.top = node === down ? "0" : `${100 * (1 - (shown.row + 0.5) / map.rows)}%`;
      }
      part("around").disabled = !pixel && !state.opened;
      const shown = pixel || state.opened;
      if (!shown || !state.found) { mark(-1); part("readout").replaceChildren(); return; }
      const own = told(shown), values = at(map, shown);
      mark(pixel ? own.code : -1);
      const key = make("i", "key");
      key.style.background = own.fate.colour;
      const first = make("b");
      first.append(key, wordsOf(own).join(", "));
      const where = ["x", "y"].map((name, n) => `${map[name].words} ${write[name](values[n])}`).join(" · ");
      part("readout").replaceChildren(first, make("span", "", `${where} · pixel ${shown.column * map.step}, ${shown.row * map.step}`));
    }
    async function point(pixel) {
      state.pointed = pixel;
      await load();
      if (state.pointed === pixel) showPixel(pixel);
    }

    /** Train a pixel from its very start, beside what the sweep says of it. */
    async function open(pixel, { remember = true } = {}) {
      await load();
      state.opened = pixel;
      showPixel(state.pointed);
      part("opened").hidden = false;
      const values = at(map, pixel), parameters = parametersAt(map, values);
      const opened = stages.open(parameters, map.gate, () => start(map, parameters, values));
      part("stages").hidden = opened.refused !== null;
      part("said").textContent = opened.refused === null ? said(opened, told(pixel), parameters) : opened.refused;
      if (remember) history.replaceState(null, "", `#map=${number}&px=${pixel.column * map.step},${pixel.row * map.step}`);
    }
    function said({ record, iterations }, own, parameters) {
      const here = Stages.became(record, iterations);
      if (iterations < parameters.iterations) return `Trained here: ${here}, of ${count(parameters.iterations)}.`;
      if (!own.fate.result) return `Trained here: ${here}. In the map it is not trained yet.`;
      return `Trained here: ${here}${same(record, own) ? ", as in the map" : `; in the map: ${wordsOf(own).join(", ")}`}.`;
    }
    function same(record, own) {
      if ((record.outcome === "solved") !== (own.fate.result === "solved")) return false;
      if (record.outcome === "solved") return Math.abs(record.solvedAt - own.solvedAt) <= map.unit / 2;
      if (record.outcome === "diverged" || own.fate.result === "diverged") return record.outcome === own.fate.result;
      const [low, high] = map.loss, here = Math.log10(record.loss[record.loss.length - 1]);
      const step = (high - low) / LOSSES, within = Math.min(Math.max(here, low), high);
      return own.level === NO_LOSS || Math.abs(within - (low + own.level * step)) <= step + SLIGHT;
    }

    // ------------------------------------------------------------ a part of it

    /** Take the part between two pixels, both included, or none. */
    function take(one, other) {
      state.taken = one && [Math.min(one.column, other.column), Math.min(one.row, other.row), Math.max(one.column, other.column) + 1, Math.max(one.row, other.row) + 1];
      taken.hidden = part("zoom").hidden = !state.taken;
      if (!state.taken) return;
      const [left, bottom, right, top] = state.taken;
      Object.assign(taken.style, {
        left: `${(100 * left) / map.columns}%`,
        width: `${(100 * (right - left)) / map.columns}%`,
        top: `${100 * (1 - top / map.rows)}%`,
        height: `${(100 * (top - bottom)) / map.rows}%`,
      });
      const whole = (first, last, size) => [first * map.step, Math.min(last * map.step, size), size];
      const command = `${map.zoom} --x ${windowOf(map.x, ...whole(left, right, map.width))} --y ${windowOf(map.y, ...whole(bottom, top, map.height))}`;
      part("window").textContent = `${count((right - left) * map.step)} × ${count((top - bottom) * map.step)} pixels, finer:`;
      part("command").textContent = command;
      part("zoom").querySelector("[data-copy]").dataset.copy = command;
    }
    function takeAround(pixel) {
      const half = (size) => Math.max(Math.round(size / AROUND / 2), 1);
      const within = (value, size) => Math.min(Math.max(value, 0), size - 1);
      const corner = (side) => ({
        column: within(pixel.column + side * half(map.columns) - (side > 0), map.columns),
        row: within(pixel.row + side * half(map.rows) - (side > 0), map.rows),
      });
      take(corner(-1), corner(1));
    }
    part("around").addEventListener("click", () => takeAround(state.opened || state.pointed));
    part("clear").addEventListener("click", () => { take(null); part("around").focus(); });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") take(null); });

    // ------------------------------------------------------------ pointing, and keys

    const under = (event, keep = false) => {
      const frame = over.getBoundingClientRect();
      const pixel = {
        column: Math.floor(((event.clientX - frame.left) / frame.width) * map.columns),
        row: map.rows - 1 - Math.floor(((event.clientY - frame.top) / frame.height) * map.rows),
      };
      if (!keep) return inside(pixel) ? pixel : null;
      return { column: Math.min(Math.max(pixel.column, 0), map.columns - 1), row: Math.min(Math.max(pixel.row, 0), map.rows - 1) };
    };
    const far = (event) => Math.hypot(event.clientX - state.from.x, event.clientY - state.from.y) > DRAGGED;
    over.addEventListener("pointerdown", (event) => {
      const pixel = under(event);
      if (event.button || !pixel) return;
      state.from = { x: event.clientX, y: event.clientY, pixel, drags: event.pointerType !== "touch", moved: false };
      if (state.from.drags) over.setPointerCapture(event.pointerId); // a finger that moves scrolls the page
    });
    over.addEventListener("pointermove", (event) => {
      const pixel = under(event, state.from !== null);
      if (event.pointerType === "touch") return;
      if (state.from?.drags && (state.from.moved ||= far(event))) take(state.from.pixel, pixel);
      if (state.pointed?.column === pixel?.column && state.pointed?.row === pixel?.row) return follow(event);
      point(pixel).then(() => follow(event));
    });
    over.addEventListener("pointerup", (event) => {
      const { from } = state;
      state.from = null;
      if (!from || from.moved) return;
      over.focus({ preventScroll: true });
      if (event.pointerType === "touch") state.pointed = null;
      open(from.pixel);
    });
    over.addEventListener("pointercancel", () => { state.from = null; });
    over.addEventListener("pointerleave", () => { tip.hidden = true; if (!state.from) point(null); });
    function follow(event) {
      tip.hidden = !state.pointed || !state.found;
      if (tip.hidden) return;
      tip.textContent = wordsOf(told(state.pointed))[0];
      const left = Math.min(event.clientX + 16, innerWidth - tip.offsetWidth - 8);
      tip.style.translate = `${left}px ${Math.max(event.clientY - tip.offsetHeight - 12, 4)}px`;
    }
    over.addEventListener("focus", () => {
      if (over.matches(":focus-visible")) point(state.pointed || state.opened || { column: map.columns >> 1, row: map.rows >> 1 });
    });
    over.addEventListener("blur", () => point(null));
    over.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const pixel = state.pointed || state.opened || { column: map.columns >> 1, row: map.rows >> 1 };
      if (event.key === "Enter" || event.key === " ") open(pixel);
      else if (event.key.toLowerCase() === "z") takeAround(pixel);
      else {
        const by = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (!by) return;
        const [column, row] = by.map((one) => one * (event.shiftKey ? 10 : 1));
        point({
          column: Math.min(Math.max(pixel.column + column, 0), map.columns - 1),
          row: Math.min(Math.max(pixel.row + row, 0), map.rows - 1),
        });
      }
      tip.hidden = true;
      event.preventDefault();
    });

    // ------------------------------------------------------------ what is opened is in the address

    const fromAddress = () => {
      const asked = new URLSearchParams(location.hash.slice(1));
      const found = /^(\d+),(\d+)$/.exec(asked.get("px") || "");
      if (asked.get("map") !== String(number) || !found) return false;
      const pixel = { column: Math.floor(found[1] / map.step), row: Math.floor(found[2] / map.step) };
      if (!inside(pixel)) return false;
      open(pixel, { remember: false });
      box.scrollIntoView();
      return true;
    };
    // the origin, where it is in sight and quickly trained: else there is nothing to see of a pixel before one clicks
    const first = () => {
      const places = [map.x, map.y].map((axis, n) => {
        const size = n ? map.rows : map.columns;
        const share = ["toward", "direction"].includes(axis.kind) ? -axis.low / (axis.high - axis.low) : 0.5;
        return Math.floor((share >= 0 && share < 1 ? share : 0.5) * size);
      });
      const pixel = { column: places[0], row: places[1] }, parameters = parametersAt(map, at(map, pixel));
      const work = parameters.iterations * map.gate.targets.length * (Number(parameters.hidden) + 1);
      if (work <= QUICK && Bench.supports(parameters, map.gate) === null) open(pixel, { remember: false });
    };
    take(null);
    showPixel(null);
    fromAddress();
    addEventListener("hashchange", fromAddress);
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      load().then(() => { if (!state.opened) first(); });
    }, { rootMargin: "200px" }).observe(stack);
  }

  const boxes = [...document.querySelectorAll("[data-map]")];
  if (boxes.length) {
    const tip = make("div", "tip");
    tip.hidden = true;
    document.body.append(tip);
    addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
    boxes.forEach((box, place) => enliven(box, place + 1, tip));
  }
  return { at, parametersAt, start, read };
})();
