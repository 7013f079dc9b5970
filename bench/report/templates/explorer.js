"use strict";
// The explorer: any start of any setting, on the stages.
(() => {
  const { write } = Stages;

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
    const stages = Stages.mount(box);
    const state = { trial: null, seed: 0 };

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
      Object.assign(state, { trial: trials.get(id), seed });
      const { parameters, gate } = state.trial;
      part("trial").value = id;
      part("seed").value = seed;
      showStarts();
      const opened = stages.open(parameters, data.gates[gate], () => Bench.initialWeights(parameters, data.gates[gate], seed));
      part("how").hidden = opened.refused !== null;
      part("said").className = opened.refused === null ? "said" : "how";
      part("said").textContent = opened.refused === null ? said(opened) : opened.refused;
      if (remember) toAddress();
    }

    function said({ record, iterations }) {
      const { trial, seed } = state;
      const here = Stages.became(record, iterations);
      const own = fateOf(trial, seed);
      if (iterations < trial.parameters.iterations) return `Here: ${here}, of ${trial.parameters.iterations.toLocaleString("en")}.`;
      if (own === null) return `Seed ${seed}: ${here}. The fates of the first ${trial.seeds.length.toLocaleString("en")} starts are listed above.`;
      const outcome = data.outcomes[own.fate];
      const there = outcome === "solved" && own.solvedAt !== null ? `solved after ${own.solvedAt.toLocaleString("en")}` : outcome;
      const loss = record.loss[record.loss.length - 1];
      const same = outcome === record.outcome && (outcome !== "solved" || own.solvedAt === record.solvedAt);
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

    box.hidden = false;
    for (const words of box.parentElement.querySelectorAll("[data-without-script]")) words.hidden = true;
    const asked = fromAddress();
    choose(...(asked || [data.first, trials.get(data.first).seeds[0] || 0]), { remember: false });
    document.addEventListener("trial", (event) => {
      const other = data.trials.find((trial) => trial.id.startsWith(event.detail));
      if (other) choose(other.id, state.seed);
    });
    addEventListener("hashchange", () => { const now = fromAddress(); if (now) choose(...now, { remember: false }); });
  }
  for (const box of document.querySelectorAll(".explorer")) explore(box);
})();
