"use strict";
// The explorer: one start of one setting, trained in the page by engine.js, at any of its iterations.
(() => {
  const POINTS = 240, MOST_ITERATIONS = 300000, PLACES = 96, FRAME_MS = 40, MARGIN = 0.5;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const write = (value) => (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5) ? Number(value.toPrecision(3)).toString() : value.toExponential(1));

  // powers of ten where there are two or more of them, else round numbers, some four of them
  function ticks(low, high, logarithmic) {
    if (logarithmic && Math.log10(high / low) >= 2) {
      const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
      const step = Math.ceil((last - first + 1) / 5);
      return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, place) => 10 ** (first + place * step));
    }
    const power = 10 ** Math.floor(Math.log10((high - low) / 3));
    const step = power * [1, 2, 5, 10].find((factor) => (high - low) / (power * factor) <= 5);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(6)));
  }

  function explore(box) {
    const part = (name) => box.querySelector(`[data-x=${name}]`);
    const data = JSON.parse(part("data").textContent);
    for (const trial of data.trials) {
      // seeds are written as 0:100, the end excluded, or one by one
      trial.seeds = trial.seeds.split(",").filter(Boolean).flatMap((some) => {
        const [first, end] = some.split(":").map(Number);
        return end === undefined ? [first] : Array.from({ length: end - first }, (_, place) => first + place);
      });
    }
    const trials = new Map(data.trials.map((trial) => [trial.id, trial]));
    const state = { trial: null, gate: null, seed: 0, record: null, place: 0, timer: 0 };

    // what is chosen is in the address, so that it can be sent to somebody
    const fromAddress = () => {
      const asked = new URLSearchParams(location.hash.slice(1));
      const known = data.trials.find((trial) => asked.get("t") && trial.id.startsWith(asked.get("t")));
      return known ? [known.id, Number(asked.get("seed")) || 0] : null;
    };
    const toAddress = () => {
      history.replaceState(null, "", `#t=${state.trial.id.slice(0, 8)}&seed=${state.seed}`);
      document.dispatchEvent(new CustomEvent("chosen", { detail: state.trial.id.slice(0, 8) }));
    };

    const fateOf = (trial, seed) => {
      const place = trial.seeds.indexOf(seed);
      return place < 0 ? null : { fate: trial.fates[place], solvedAt: trial.solvedAt[place], loss: trial.losses[place] };
    };

    function choose(id, seed, { remember = true } = {}) {
      stop();
      Object.assign(state, { trial: trials.get(id), seed });
      state.gate = data.gates[state.trial.gate];
      part("trial").value = id;
      part("seed").value = seed;
      showStarts();
      const refused = Bench.supports(state.trial.parameters, state.gate);
      part("play").disabled = part("slider").disabled = refused !== null;
      state.record = null;
      if (refused !== null) {
        part("said").textContent = refused;
      } else {
        const start = Bench.initialWeights(state.trial.parameters, state.gate, seed);
        const iterations = Math.min(state.trial.parameters.iterations, MOST_ITERATIONS);
        state.record = Bench.record(state.trial.parameters, state.gate, start, iterations, POINTS);
        part("slider").max = state.record.iterations.length - 1;
        part("said").textContent = said(iterations);
        show(state.record.iterations.length - 1);
      }
      if (remember) toAddress();
    }

    function said(iterations) {
      const { record, trial, seed } = state;
      const at = record.solvedAt;
      const here = record.outcome === "solved" ? `solved after ${at.toLocaleString("en")} iterations` : `${record.outcome} after ${iterations.toLocaleString("en")} iterations`;
      const own = fateOf(trial, seed);
      if (iterations < trial.parameters.iterations) return `Here: ${here}, of ${trial.parameters.iterations.toLocaleString("en")}.`;
      if (own === null) return `Seed ${seed}: ${here}. The fates of the first ${trial.seeds.length.toLocaleString("en")} starts are listed above.`;
      const outcome = data.outcomes[own.fate];
      const there = outcome === "solved" && own.solvedAt !== null ? `solved after ${own.solvedAt.toLocaleString("en")}` : outcome;
      const loss = record.loss[record.loss.length - 1];
      const same = outcome === record.outcome && (outcome !== "solved" || own.solvedAt === at);
      const losses = own.loss === null ? "" : ` Final loss ${write(loss)}${write(loss) === write(own.loss) ? ", as there" : `, there ${write(own.loss)}`}.`;
      return `Seed ${seed}: ${here}${same ? ", as in the sweep" : `; in the sweep ${there}`}.${losses}`;
    }

    // the first starts as squares, of which one is chosen; arrows go from one to the next
    function showStarts() {
      const { trial, seed } = state;
      const squares = trial.seeds.map((own, place) => {
        const square = document.createElement("button");
        const outcome = data.outcomes[trial.fates[place]];
        const chosen = own === seed;
        square.type = "button";
        square.setAttribute("role", "radio");
        square.setAttribute("aria-checked", chosen);
        square.setAttribute("aria-label", `seed ${own}: ${outcome}`);
        square.title = `seed ${own}: ${outcome}`;
        square.tabIndex = chosen || (place === 0 && !trial.seeds.includes(seed)) ? 0 : -1;
        square.style.background = `var(--${outcome})`;
        square.addEventListener("click", () => choose(trial.id, own));
        return square;
      });
      part("starts").replaceChildren(...squares);
    }
    part("starts").addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const { seeds, id } = state.trial;
      const place = Math.max(seeds.indexOf(state.seed), 0);
      choose(id, seeds[(place + by + seeds.length) % seeds.length]);
      part("starts").querySelector("[aria-checked=true]").focus();
    });
    const another = (solves) => {
      const { seeds, fates, id } = state.trial;
      const from = seeds.indexOf(state.seed);
      for (let step = 1; step <= seeds.length; step++) {
        const place = (from + step) % seeds.length;
        if ((fates[place] === "s") === solves) return choose(id, seeds[place]);
      }
      part("said").textContent = `None of the first ${seeds.length} starts ${solves ? "solves it" : "fails"}.`;
    };
    part("solved").addEventListener("click", () => another(true));
    part("unsolved").addEventListener("click", () => another(false));
    part("trial").addEventListener("change", () => choose(part("trial").value, state.seed));
    part("seed").addEventListener("change", () => {
      const seed = Math.trunc(Number(part("seed").value));
      if (seed >= 0 && seed < 2 ** 32) choose(state.trial.id, seed);
      else part("said").textContent = "Seeds are whole numbers from 0 to 4,294,967,295.";
    });

    // one iteration of it
    function show(place) {
      state.place = place;
      const { record, gate } = state;
      part("slider").value = place;
      part("slider").setAttribute("aria-valuetext", `iteration ${record.iterations[place]}`);
      part("at").textContent = `After ${record.iterations[place].toLocaleString("en")} iterations, loss ${write(record.loss[place])}`;
      part("says").replaceChildren(...gate.targets.slice(0, 16).map((target, n) => {
        const row = document.createElement("tr");
        for (const [text, kind] of [[gate.inputs[n].join(" "), ""], [String(target), "n"], [record.predictions[place][n].toFixed(3), "n"]]) {
          const cell = row.insertCell();
          cell.textContent = text;
          cell.className = kind;
        }
        row.lastChild.classList.add(record.predictions[place][n] > 0.5 === target > 0.5 ? "holds" : "fails");
        return row;
      }));
      drawLines(part("loss"), [Array.from(record.loss)], true, colour(`--${record.outcome}`));
      const weights = Array.from(record.weights[0], (_, p) => record.weights.map((some) => some[p]));
      drawLines(part("weights"), weights, false, colour("--effect"));
      drawSurface();
    }

    function drawLines(canvas, lines, logarithmic, stroke) {
      const pen = canvas.getContext("2d"), { width, height } = canvas;
      const [left, right, top, bottom] = [74, 14, 10, 34];
      const known = lines.flat().filter((value) => Number.isFinite(value) && (!logarithmic || value > 0));
      const scale = logarithmic ? Math.log10 : (value) => value;
      const ends = known.length ? [scale(Math.min(...known)), scale(Math.max(...known))] : [0, 1];
      const room = (ends[1] - ends[0]) * 0.05 || 0.5;
      const [low, high] = [ends[0] - room, ends[1] + room];
      const last = Math.log1p(state.record.iterations[state.record.iterations.length - 1]) || 1;
      const x = (place) => left + (Math.log1p(state.record.iterations[place]) / last) * (width - left - right);
      const y = (value) => top + ((high - scale(value)) / (high - low)) * (height - top - bottom);
      pen.clearRect(0, 0, width, height);
      pen.font = "22px system-ui, sans-serif";
      pen.fillStyle = colour("--dim");
      pen.strokeStyle = colour("--line");
      pen.lineWidth = 1;
      pen.textAlign = "right";
      for (const value of ticks(logarithmic ? 10 ** low : low, logarithmic ? 10 ** high : high, logarithmic)) {
        pen.beginPath(); pen.moveTo(left, y(value)); pen.lineTo(width - right, y(value)); pen.stroke();
        pen.fillText(write(value), left - 8, y(value) + 7);
      }
      for (const [share, align] of [[0, "left"], [0.5, "center"], [1, "right"]]) {
        pen.textAlign = align;
        pen.fillText(Math.round(Math.expm1(share * last)).toLocaleString("en"), left + share * (width - left - right), height - 8);
      }
      pen.lineWidth = lines.length > 1 ? 2 : 4;
      pen.strokeStyle = stroke;
      pen.globalAlpha = lines.length > 1 ? 0.75 : 1;
      lines.forEach((line) => {
        pen.beginPath();
        let begun = false;
        line.forEach((value, place) => {
          if (!Number.isFinite(value) || (logarithmic && value <= 0)) { begun = false; return; }
          pen[begun ? "lineTo" : "moveTo"](x(place), y(value));
          begun = true;
        });
        pen.stroke();
      });
      pen.globalAlpha = 1;
      pen.strokeStyle = colour("--ink");
      pen.lineWidth = 1.5;
      pen.beginPath(); pen.moveTo(x(state.place), top); pen.lineTo(x(state.place), height - bottom); pen.stroke();
    }

    function drawSurface() {
      const canvas = part("surface"), pen = canvas.getContext("2d"), { width } = canvas;
      const { gate, record, place, trial } = state;
      canvas.parentElement.hidden = gate.inputs[0].length !== 2;
      if (canvas.parentElement.hidden) return;
      const span = [0, 1].map((axis) => {
        const values = gate.inputs.map((row) => row[axis]);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        return [low - MARGIN * (high - low || 1), high + MARGIN * (high - low || 1)];
      });
      const along = (axis, share) => span[axis][0] + share * (span[axis][1] - span[axis][0]);
      const grid = [];
      for (let row = 0; row < PLACES; row++) for (let column = 0; column < PLACES; column++) grid.push([along(0, (column + 0.5) / PLACES), along(1, 1 - (row + 0.5) / PLACES)]);
      const says = Bench.predict(trial.parameters, record.weights[place], grid);
      const image = new ImageData(PLACES, PLACES);
      says.forEach((value, index) => {
        const grey = Math.round(255 * (1 - Math.min(Math.max(value, 0), 1)));
        image.data.set([grey, grey, grey, 255], 4 * index);
      });
      const small = new OffscreenCanvas(PLACES, PLACES);
      small.getContext("2d").putImageData(image, 0, 0);
      pen.imageSmoothingEnabled = true;
      pen.drawImage(small, 0, 0, width, width);
      const px = (value) => ((value - span[0][0]) / (span[0][1] - span[0][0])) * width;
      const py = (value) => (1 - (value - span[1][0]) / (span[1][1] - span[1][0])) * width;
      half(pen, says, width);
      neurons(pen, span, px, py);
      gate.inputs.forEach(([a, b], n) => {
        const right = record.predictions[place][n] > 0.5 === gate.targets[n] > 0.5;
        pen.beginPath();
        pen.arc(px(a), py(b), width / 34, 0, 2 * Math.PI);
        pen.fillStyle = `hsl(0 0% ${100 - 100 * gate.targets[n]}%)`;
        pen.fill();
        pen.lineWidth = width / 80;
        pen.strokeStyle = colour(right ? "--solved" : "--stuck");
        pen.stroke();
      });
    }

    // the line at a half, cell by cell (marching squares)
    function half(pen, says, width) {
      const cell = width / PLACES;
      pen.strokeStyle = colour("--seed");
      pen.lineWidth = 3;
      pen.beginPath();
      for (let row = 0; row + 1 < PLACES; row++) for (let column = 0; column + 1 < PLACES; column++) {
        const at = (r, c) => says[(row + r) * PLACES + column + c] - 0.5;
        const ends = [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]].flatMap(([r, c, s, d]) => {
          const [one, other] = [at(r, c), at(s, d)];
          if (one > 0 === other > 0) return [];
          const t = one / (one - other);
          return [[(column + 0.5 + c + t * (d - c)) * cell, (row + 0.5 + r + t * (s - r)) * cell]];
        });
        if (ends.length === 2) { pen.moveTo(...ends[0]); pen.lineTo(...ends[1]); }
      }
      pen.stroke();
    }

    // where the sum of a hidden neuron is 0
    function neurons(pen, span, px, py) {
      const { trial, gate, record, place } = state;
      const named = new Map(Bench.weightNames(trial.parameters, gate).map((name, p) => [name, record.weights[place][p]]));
      pen.strokeStyle = colour("--effect");
      pen.lineWidth = 2;
      pen.setLineDash([8, 6]);
      for (let h = 0; named.has(`hidden[${h}].input[0]`); h++) {
        const [a, b, bias] = [named.get(`hidden[${h}].input[0]`), named.get(`hidden[${h}].input[1]`), named.get(`hidden[${h}].bias`) || 0];
        const steep = Math.abs(b) < Math.abs(a);
        const other = (value) => (steep ? -(bias + b * value) / a : -(bias + a * value) / b);
        pen.beginPath();
        for (const value of steep ? span[1] : span[0]) pen.lineTo(...(steep ? [px(other(value)), py(value)] : [px(value), py(other(value))]));
        pen.stroke();
      }
      pen.setLineDash([]);
    }

    // play, from the beginning if it is at its end
    function stop() {
      clearInterval(state.timer);
      state.timer = 0;
      part("play").textContent = "Play";
    }
    part("play").addEventListener("click", () => {
      if (state.timer) return stop();
      const last = state.record.iterations.length - 1;
      let place = state.place === last ? 0 : state.place;
      part("play").textContent = "Pause";
      state.timer = setInterval(() => {
        show(place);
        if (place++ === last) stop();
      }, FRAME_MS);
    });
    part("play").hidden = matchMedia("(prefers-reduced-motion: reduce)").matches; // the slider does the same, at rest
    part("slider").addEventListener("input", () => { stop(); show(Number(part("slider").value)); });

    box.hidden = false;
    for (const words of box.parentElement.querySelectorAll("[data-without-script]")) words.hidden = true;
    const asked = fromAddress();
    choose(...(asked || [data.first, trials.get(data.first).seeds[0] || 0]), { remember: false });
    document.addEventListener("trial", (event) => {
      const other = data.trials.find((trial) => trial.id.startsWith(event.detail));
      if (other) choose(other.id, state.seed);
    });
    addEventListener("hashchange", () => { const now = fromAddress(); if (now) choose(...now, { remember: false }); });
    new MutationObserver(() => state.record && show(state.place)).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }
  for (const box of document.querySelectorAll(".explorer")) explore(box);
})();
