"use strict";
// What one training looks like at any of its iterations: its loss, its weights, its decision surface, what it predicts.
// A box of the page with the parts of the macro `stages` shows whichever is opened in it, trained there by engine.js.
const Stages = (() => {
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

  /** Return what became of a training here, in words. */
  const became = (record, iterations) => {
    const at = record.outcome === "solved" ? record.solvedAt : iterations;
    return `${record.outcome} after ${at.toLocaleString("en")} iterations`;
  };

  /** Make a box ready; what it returns opens trainings in it. */
  const mount = (box) => {
    const part = (name) => box.querySelector(`[data-x=${name}]`);
    const state = { parameters: null, gate: null, record: null, place: 0, timer: 0 };

    /**
     * Train from the weights that a function returns, and show the end. Return the record and how many iterations it
     * is of, or the sentence that says why this cannot be trained in the page.
     */
    const open = (parameters, gate, startOf) => {
      stop();
      Object.assign(state, { parameters, gate, record: null });
      const refused = Bench.supports(parameters, gate);
      for (const shown of [box.querySelector(".stages"), part("play").parentElement]) shown.hidden = refused !== null;
      if (refused !== null) return { refused };
      const iterations = Math.min(parameters.iterations, MOST_ITERATIONS);
      state.record = Bench.record(parameters, gate, startOf(), iterations, POINTS);
      part("slider").max = state.record.iterations.length - 1;
      show(state.record.iterations.length - 1);
      return { refused, record: state.record, iterations };
    };

    // one iteration of it
    function show(place) {
      state.place = place;
      const { record, gate } = state;
      part("slider").value = place;
      part("slider").setAttribute("aria-valuetext", `iteration ${record.iterations[place]}`);
      part("at").textContent = `After ${record.iterations[place].toLocaleString("en")} iterations, loss ${write(record.loss[place])}`;
      const [targets, middle] = [Bench.targetsOf(state.parameters, gate), Bench.middleOf(state.parameters)];
      part("says").replaceChildren(...targets.slice(0, 16).map((target, n) => {
        const row = document.createElement("tr");
        for (const [text, kind] of [[gate.inputs[n].join(" "), ""], [write(target), "n"], [record.predictions[place][n].toFixed(3), "n"]]) {
          const cell = row.insertCell();
          cell.textContent = text;
          cell.className = kind;
        }
        if (Bench.hasSides(gate)) row.lastChild.classList.add(record.predictions[place][n] > middle === target > middle ? "holds" : "fails");
        return row;
      }));
      if (gate.targets.length > 16) part("says").insertRow().insertCell().textContent = `and ${gate.targets.length - 16} more`;
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
      const { gate, record, place, parameters } = state;
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
      const says = Bench.predict(parameters, record.weights[place], grid);
      const [white, black] = Bench.shadesOf(parameters, gate);
      const [targets, middle] = [Bench.targetsOf(parameters, gate), Bench.middleOf(parameters)];
      const shade = (value) => 1 - Math.min(Math.max((value - white) / (black - white), 0), 1);
      const image = new ImageData(PLACES, PLACES);
      says.forEach((value, index) => {
        const grey = Math.round(255 * shade(value));
        image.data.set([grey, grey, grey, 255], 4 * index);
      });
      const small = new OffscreenCanvas(PLACES, PLACES);
      small.getContext("2d").putImageData(image, 0, 0);
      pen.imageSmoothingEnabled = true;
      pen.drawImage(small, 0, 0, width, width);
      const px = (value) => ((value - span[0][0]) / (span[0][1] - span[0][0])) * width;
      const py = (value) => (1 - (value - span[1][0]) / (span[1][1] - span[1][0])) * width;
      const sides = Bench.hasSides(gate);
      if (sides) half(pen, says.map((value) => value - middle), width);
      neurons(pen, span, px, py);
      gate.inputs.forEach(([a, b], n) => {
        const right = record.predictions[place][n] > middle === targets[n] > middle;
        pen.beginPath();
        pen.arc(px(a), py(b), width / 34, 0, 2 * Math.PI);
        pen.fillStyle = `hsl(0 0% ${100 * shade(targets[n])}%)`;
        pen.fill();
        pen.lineWidth = width / 80;
        pen.strokeStyle = colour(!sides ? "--dim" : right ? "--solved" : "--stuck");
        pen.stroke();
      });
    }

    // the line where what it says is no nearer to a target of 0 than of 1, cell by cell (marching squares)
    function half(pen, beyond, width) {
      const cell = width / PLACES;
      pen.strokeStyle = colour("--seed");
      pen.lineWidth = 3;
      pen.beginPath();
      for (let row = 0; row + 1 < PLACES; row++) for (let column = 0; column + 1 < PLACES; column++) {
        const at = (r, c) => beyond[(row + r) * PLACES + column + c];
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
      const { parameters, gate, record, place } = state;
      const named = new Map(Bench.weightNames(parameters, gate).map((name, p) => [name, record.weights[place][p]]));
      pen.strokeStyle = colour("--effect");
      pen.lineWidth = 2;
      pen.setLineDash([8, 6]);
      for (let h = 0; named.has(`hidden[${h}].input[0]`); h++) {
        let [a, b, bias] = [named.get(`hidden[${h}].input[0]`), named.get(`hidden[${h}].input[1]`), named.get(`hidden[${h}].bias`) || 0];
        if (parameters.encoding === "bipolar") [a, b, bias] = [2 * a, 2 * b, bias - a - b]; // of inputs as they are shown
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

    // colours are the page's, of the light or of the dark
    const again = () => state.record && show(state.place);
    new MutationObserver(again).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    return { open, stop };
  };

  return { mount, write, became };
})();
