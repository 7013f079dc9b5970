// Trains a trial in the page: from the initial weights of bench/model/initialization.py, in the order of operations of
// bench/backends/numpy_loop.py. A trial is its parameters as a plan's document has them; its gate is the table
// { inputs: [N][I], targets: [N] }. Weights are one Float64Array: layer after layer, each [fan in][fan out], its bias.
//
// Shapes: N observations, I inputs, H hidden neurons, P weights and biases, K recorded iterations.
const Bench = (() => {
  "use strict";

  const NEVER = -1;
  const LEARNING = 0.01; // a slow training's loss still falls by more than this share in the last tenth of its budget
  const LOG_FLOOR = -100; // as in torch.nn.BCELoss
  const SLOPE_FLOOR = Math.fround(1e-12); // likewise
  const MOST = 64; // observations, and hidden neurons: more would take too long to watch
  const CHOICES = {
    activation: ["sigmoid", "tanh", "relu"],
    loss: ["mse", "l1", "bce", "huber"],
    reduction: ["mean", "sum"],
    update: ["full", "online"],
    stop: ["never", "solved"],
    init: ["torch", "uniform", "normal", "truncated_normal", "xavier"],
    init_bias: ["same", "zeros"],
    dtype: ["float32", "float64"],
    summation: ["library"], // JavaScript has no fused multiply-add
  };
  const [SIGMOID, TANH] = [0, 1]; // places in the lists above: the loops compare numbers, which is faster than words
  const [MSE, L1, BCE] = [0, 1, 2];

  /** Return null, or a sentence that says what of a trial cannot be trained here. */
  const supports = (trial, gate) => {
    for (const [name, known] of Object.entries(CHOICES)) {
      if (known.includes(trial[name])) continue;
      return `The page cannot train with ${name} = ${trial[name]}; it can with ${known.join(", ")}.`;
    }
    const [layers, rows] = [String(trial.hidden), gate.targets.length];
    if (!/^\d+$/.test(layers)) return `The page trains networks with one hidden layer or none; this one has ${layers}.`;
    if (Number(layers) > MOST) return `The page trains up to ${MOST} hidden neurons; this network has ${layers}.`;
    return rows > MOST ? `The page trains on up to ${MOST} observations; this table has ${rows}.` : null;
  };

  // ---------------------------------------------------------------- layout

  /** Return the layers of a network, each with the places of its weights and of its biases (-1: it has none). */
  const layersOf = (trial, inputs) => {
    const hidden = Number(trial.hidden);
    const layer = (fanIn, fanOut, hasBias, weight) => {
      const bias = weight + fanIn * fanOut;
      return { fanIn, fanOut, weight, bias: hasBias ? bias : -1, end: bias + (hasBias ? fanOut : 0) };
    };
    if (!hidden) return [layer(inputs, 1, trial.output_bias, 0)];
    const first = layer(inputs, hidden, trial.hidden_bias, 0);
    return [first, layer(hidden, 1, trial.output_bias, first.end)];
  };

  /** Return the names of all weights in their order, such as hidden[0].input[1] and output.bias. */
  const weightNames = (trial, gate) => {
    const layers = layersOf(trial, gate.inputs[0].length);
    return layers.flatMap(({ fanIn, fanOut, bias }, depth) => {
      const neurons = depth < layers.length - 1 ? Array.from({ length: fanOut }, (_, j) => `hidden[${j}]`) : ["output"];
      const sources = Array.from({ length: fanIn }, (_, i) => `${depth ? "hidden" : "input"}[${i}]`);
      if (bias >= 0) sources.push("bias");
      return sources.flatMap((source) => neurons.map((neuron) => `${neuron}.${source}`));
    });
  };

  // ---------------------------------------------------------------- initial weights

  /** Return a function that draws 32 bits at a time: MT19937 (Matsumoto and Nishimura 1998, init_genrand of 2002). */
  const twister = (seed) => {
    const state = new Uint32Array(624);
    state[0] = seed;
    for (let k = 1; k < 624; k++) state[k] = Math.imul(state[k - 1] ^ (state[k - 1] >>> 30), 1812433253) + k;
    let k = 0;
    return () => {
      const next = (k + 1) % 624;
      const mixed = (state[k] & 0x80000000) | (state[next] & 0x7fffffff);
      state[k] = state[(k + 397) % 624] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
      let y = state[k];
      k = next;
      y ^= y >>> 11;
      y ^= (y << 7) & 0x9d2c5680;
      y ^= (y << 15) & 0xefc60000;
      return (y ^ (y >>> 18)) >>> 0;
    };
  };

  const BITS = 120n; // behind the point
  const ONE = 1n << BITS;
  const atanh = (x) => {
    const square = (x * x) >> BITS;
    let sum = 0n;
    // a shift rounds down: the powers of a negative number end at -1
    for (let power = x, k = 1n; power > 0n || power < -1n; power = (power * square) >> BITS, k += 2n) sum += power / k;
    return sum;
  };
  const LOG_2 = 2n * atanh(ONE / 3n);

  /**
   * Return the logarithm of a number between 0 and 1, correctly rounded. NumPy draws normal numbers with that of the
   * C library, whose last digit differs once in a thousand; of Math.log, in some browsers, once in fourteen.
   */
  const exactLog = (x) => {
    let halvings = 0n;
    for (; x < Math.SQRT1_2; x *= 2) halvings += 1n;
    const scaled = BigInt(x * 2 ** 53) << (BITS - 53n);
    return Number(2n * atanh(((scaled - ONE) << BITS) / (scaled + ONE)) - halvings * LOG_2) / 2 ** Number(BITS);
  };

  /** Return a function that draws normal numbers as NumPy's RandomState: Marsaglia's polar method, two at a time. */
  const normals = (double) => {
    let first, second, square;
    let waiting = false;
    return (exact) => {
      waiting = !waiting;
      if (waiting) {
        do {
          first = 2 * double() - 1;
          second = 2 * double() - 1;
          square = first * first + second * second;
        } while (square >= 1 || square === 0);
      }
      const log = exact ? exactLog(square) : Math.log(square);
      return Math.sqrt((-2 * log) / square) * (waiting ? second : first);
    };
  };

  /** Return a function that draws a scheme's unscaled numbers; those that are not kept need not be exact. */
  const numbersOf = (init, seed) => {
    const word = twister(seed);
    if (init === "torch") return () => (word() & 0xffffff) / 16777216;
    const double = () => ((word() >>> 5) * 67108864 + (word() >>> 6)) / 9007199254740992;
    if (init === "uniform" || init === "xavier") return double;
    const normal = normals(double);
    if (init === "normal") return normal;
    return (exact) => {
      let drawn = normal(exact);
      while (Math.abs(drawn) > 2) drawn = normal(exact);
      return drawn;
    };
  };

  /** Return the initial weights of a seed, as Trial.initial_weights. */
  const initialWeights = (trial, gate, seed) => {
    const layers = layersOf(trial, gate.inputs[0].length);
    const weights = new Float64Array(layers.at(-1).end);
    const torch = trial.init === "torch";
    const draw = numbersOf(trial.init, seed);
    const scaled = (bound) => {
      const drawn = draw(true);
      if (trial.init === "uniform") return trial.init_low + (trial.init_high - trial.init_low) * drawn;
      if (trial.init === "xavier") return (2 * drawn - 1) * bound;
      // in torch a float32 fused multiply-add: 24 + 24 bits fit a float64, so that only the last step rounds here too
      return torch ? Math.fround(drawn * (2 * Math.fround(bound)) - Math.fround(bound)) : drawn;
    };
    for (let k = 0; k < trial.draws_before; k++) draw(false);
    for (const { fanIn, fanOut, weight, bias } of layers) {
      // of nn.Linear, whose formula for weights gives the same in float32; Glorot and Bengio 2010, equation 16
      const bound = torch ? 1 / Math.sqrt(fanIn) : Math.sqrt(6 / (fanIn + fanOut));
      for (let k = 0; k < fanIn * fanOut; k++) {
        const place = torch ? (k % fanIn) * fanOut + Math.floor(k / fanIn) : k; // nn.Linear's are [fan out][fan in]
        weights[weight + place] = scaled(bound);
      }
      if (bias < 0 || trial.init_bias !== "same") continue;
      for (let j = 0; j < fanOut; j++) weights[bias + j] = scaled(bound);
    }
    return weights.map((value) => value * trial.init_scale);
  };

  // ---------------------------------------------------------------- outputs and losses

  /**
   * Return a network over a table, with room for its outputs. In a float32 trial whatever is kept is rounded to float32
   * (weights, velocities, outputs), which is where such trainings stall or diverge; sums are float64's.
   */
  const networkOf = (trial, inputs) => {
    const [width, rounded] = [inputs[0].length, trial.dtype === "float32" ? Math.fround : Number];
    const layers = layersOf(trial, width);
    const output = layers.at(-1);
    const hidden = layers.length > 1 ? output.fanIn : 0;
    const table = Float64Array.from(inputs.flat(), rounded);
    return {
      rounded,
      single: trial.dtype === "float32",
      width,
      hidden,
      hiddenBias: hidden ? layers[0].bias : -1,
      features: output.fanIn, // what the output neuron sees: hidden neurons, or the inputs
      outputWeight: output.weight,
      outputBias: output.bias,
      parameters: output.end,
      activation: CHOICES.activation.indexOf(trial.activation),
      table,
      activations: hidden ? new Float64Array(inputs.length * hidden) : table,
      predictions: new Float64Array(inputs.length),
    };
  };

  /** Write the outputs of some rows of the table into the network. */
  const forward = (network, weights, start, stop) => {
    const { single, width, hidden, hiddenBias, features, outputWeight, outputBias, activation } = network;
    const { table, activations, predictions } = network;
    for (let n = start; n < stop; n++) {
      for (let j = 0; j < hidden; j++) {
        let z = 0;
        for (let i = 0; i < width; i++) z += table[n * width + i] * weights[i * hidden + j];
        if (hiddenBias >= 0) z += weights[hiddenBias + j];
        const a = activation === SIGMOID ? 1 / (1 + Math.exp(-z)) : activation === TANH ? Math.tanh(z) : z < 0 ? 0 : z;
        activations[n * hidden + j] = single ? Math.fround(a) : a;
      }
      let z = 0;
      for (let k = 0; k < features; k++) z += activations[n * features + k] * weights[outputWeight + k];
      if (outputBias >= 0) z += weights[outputBias];
      const p = 1 / (1 + Math.exp(-z));
      predictions[n] = single ? Math.fround(p) : p;
    }
  };

  /** Return the outputs of a network for any inputs [M][I]. */
  const predict = (trial, weights, inputs) => {
    if (!inputs.length) return new Float64Array(0);
    const network = networkOf(trial, inputs);
    forward(network, Float64Array.from(weights, network.rounded), 0, inputs.length);
    return network.predictions;
  };

  const lossValue = (loss, p, t) => {
    if (loss === MSE) return (p - t) ** 2;
    if (loss === L1) return Math.abs(p - t);
    if (loss === BCE) return (t - 1) * Math.max(Math.log1p(-p), LOG_FLOOR) - t * Math.max(Math.log(p), LOG_FLOOR);
    return ((p - t) * (p - t)) / 2; // huber, which is straight only where no output can be: farther than 1 away
  };

  const lossSlope = (loss, p, t) => {
    if (loss === MSE) return 2 * (p - t);
    if (loss === L1) return Math.sign(p - t);
    if (loss === BCE) return (p - t) / Math.max((1 - p) * p, SLOPE_FLOOR);
    return p - t;
  };

  const lossOf = (trial, predictions, targets) => {
    const loss = CHOICES.loss.indexOf(trial.loss);
    let sum = 0;
    for (let n = 0; n < targets.length; n++) sum += lossValue(loss, predictions[n], targets[n]);
    return trial.reduction === "mean" ? sum / targets.length : sum;
  };

  /** Whether every prediction is within the tolerance, judged in the trial's precision. */
  const within = (trial, predictions, targets) => {
    const single = trial.dtype === "float32";
    const tolerance = single ? Math.fround(trial.tolerance) : trial.tolerance;
    for (let n = 0; n < targets.length; n++) {
      const p = predictions[n];
      const t = targets[n];
      const distance = Math.abs(single ? Math.fround(Math.fround(p) - Math.fround(t)) : p - t);
      if (!(distance <= tolerance)) return false; // nor is what is no number
    }
    return true;
  };

  /** Whether every prediction is on its target's side of 0.5. */
  const rightSide = (predictions, targets) => {
    for (let n = 0; n < targets.length; n++) {
      if (!(predictions[n] >= 0 && predictions[n] > 0.5 === targets[n] > 0.5)) return false;
    }
    return true;
  };

  // ---------------------------------------------------------------- training

  /** Write the loss's slope by every weight, over some rows whose outputs are known, into the gradient. */
  const backward = (network, weights, targets, loss, mean, gradient, start, stop) => {
    const { width, hidden, hiddenBias, features, outputWeight, outputBias, activation } = network;
    const { table, activations, predictions } = network;
    gradient.fill(0);
    for (let n = start; n < stop; n++) {
      const p = predictions[n];
      const slope = lossSlope(loss, p, targets[n]);
      const delta = (mean ? slope / (stop - start) : slope) * (p * (1 - p));
      for (let k = 0; k < features; k++) gradient[outputWeight + k] += activations[n * features + k] * delta;
      if (outputBias >= 0) gradient[outputBias] += delta;
      for (let j = 0; j < hidden; j++) {
        const a = activations[n * hidden + j];
        const bend = activation === SIGMOID ? a * (1 - a) : activation === TANH ? 1 - a * a : a > 0 ? 1 : 0;
        const inner = delta * weights[outputWeight + j] * bend;
        for (let i = 0; i < width; i++) gradient[i * hidden + j] += table[n * width + i] * inner;
        if (hiddenBias >= 0) gradient[hiddenBias + j] += inner;
      }
    }
  };

  /** Do one step of gradient descent with momentum, as torch.optim.SGD. */
  const descend = (weights, velocity, gradient, rate, momentum, single) => {
    for (let k = 0; k < weights.length; k++) {
      let step = gradient[k];
      if (momentum) {
        step += velocity[k] * momentum;
        velocity[k] = step = single ? Math.fround(step) : step;
      }
      const weight = weights[k] - rate * step;
      weights[k] = single ? Math.fround(weight) : weight;
    }
  };

  /**
   * One training after `iteration` updates: its `weights [P]` and `velocity [P]`, the `predictions [N]` and the `loss`
   * that they give, and when it was first within the tolerance, and on the right side (-1: not yet). `step` changes the
   * arrays in place.
   */
  class Training {
    #trial;
    #network;
    #targets;
    #gradient;

    constructor(trial, gate, weights, { iterations = trial.iterations } = {}) {
      this.#trial = trial;
      this.#network = networkOf(trial, gate.inputs);
      const { rounded, parameters, predictions } = this.#network;
      this.#targets = Float64Array.from(gate.targets, rounded);
      this.#gradient = new Float64Array(parameters);
      this.budget = iterations;
      this.iteration = 0;
      this.weights = Float64Array.from(weights, rounded);
      this.velocity = new Float64Array(parameters);
      this.predictions = predictions;
      this.solvedAt = this.correctAt = NEVER;
      this.lateLoss = NaN; // the loss where the last tenth of the budget begins
      this.#look();
    }

    get loss() {
      return lossOf(this.#trial, this.predictions, this.#targets);
    }

    /** Whether its budget is used up, or it stops because it has been solved. */
    get done() {
      return this.iteration >= this.budget || (this.#trial.stop === "solved" && this.solvedAt !== NEVER);
    }

    /** Do n iterations, or as many as are left; return how many. */
    step(n = 1) {
      const [trial, network, targets, gradient] = [this.#trial, this.#network, this.#targets, this.#gradient];
      const { weights, velocity, iteration } = this;
      const [rate, momentum] = [network.rounded(trial.learning_rate), network.rounded(trial.momentum)];
      const [loss, mean] = [CHOICES.loss.indexOf(trial.loss), trial.reduction === "mean"];
      const rows = trial.update === "online" ? 1 : targets.length; // that an update looks at
      while (this.iteration < iteration + n && !this.done) {
        for (let start = 0; start < targets.length; start += rows) {
          if (start > 0) forward(network, weights, start, start + rows); // the first rows' are still known
          backward(network, weights, targets, loss, mean, gradient, start, start + rows);
          descend(weights, velocity, gradient, rate, momentum, network.single);
        }
        this.iteration += 1;
        this.#look();
      }
      return this.iteration - iteration;
    }

    /** Predict; keep the iteration if it is the first that is correct or solved, and the loss if it is the late one. */
    #look() {
      forward(this.#network, this.weights, 0, this.#targets.length);
      if (this.iteration === Math.floor((9 * this.budget) / 10)) this.lateLoss = this.loss;
      if (this.correctAt === NEVER && rightSide(this.predictions, this.#targets)) this.correctAt = this.iteration;
      if (this.solvedAt !== NEVER) return;
      if (within(this.#trial, this.predictions, this.#targets)) this.solvedAt = this.iteration;
    }
  }

  const train = (trial, gate, weights, options) => new Training(trial, gate, weights, options);

  /** Return what became of a training, at its end, by the rule of bench/model/outcome.py. */
  const outcome = (trial, gate, { predictions, weights, lateLoss }) => {
    const loss = lossOf(trial, predictions, gate.targets);
    if (![loss, ...predictions, ...weights].every(Number.isFinite)) return "diverged";
    if (within(trial, predictions, gate.targets)) return "solved";
    return lateLoss - loss > LEARNING * lateLoss ? "slow" : "stuck";
  };

  /** Return distinct iterations from 0 to the last, evenly spaced in log(1 + iteration). */
  const spaced = (iterations, points) => {
    const place = (_, k) => Math.round(Math.expm1((Math.log1p(iterations) * k) / (points - 1)));
    return [...new Set(Array.from({ length: points }, place))];
  };

  /** Train to the end; keep what there is at so many iterations, or at those of an ascending list, and at the end. */
  const record = (trial, gate, weights, iterations = trial.iterations, points = 200) => {
    const training = train(trial, gate, weights, { iterations });
    const kept = { iterations: [], loss: [], predictions: [], weights: [] };
    for (const wanted of [...(Array.isArray(points) ? points : spaced(iterations, points)), iterations]) {
      training.step(wanted - training.iteration);
      if (kept.iterations.at(-1) === training.iteration) continue;
      kept.iterations.push(training.iteration);
      kept.loss.push(training.loss);
      kept.predictions.push(training.predictions.slice());
      kept.weights.push(training.weights.slice());
    }
    const { solvedAt, correctAt } = training;
    return { ...kept, solvedAt, correctAt, outcome: outcome(trial, gate, training) };
  };

  return { supports, initialWeights, train, record, predict, outcome, weightNames };
})();
