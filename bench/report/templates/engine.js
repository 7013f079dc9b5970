// Trains a trial in the page: from the initial weights of bench/model/initialization.py, in the order of operations of
// bench/backends/numpy_loop.py. A trial is its parameters as a plan's document has them: of the extra ones, those that
// are not their defaults, so that a name that is not known here is something that cannot be done here. Its gate is the
// table { inputs: [N][I], targets: [N] }. Weights are one Float64Array: layer after layer, each [fan in][fan out], its
// bias.
//
// Shapes: N observations, I inputs, H hidden neurons, P weights and biases, K recorded iterations.
const Bench = (() => {
  "use strict";

  const NEVER = -1;
  const LEARNING = 0.01; // a slow training's loss still falls by more than this share in the last tenth of its budget
  const LOG_FLOOR = -100; // as in torch.nn.BCELoss
  const SLOPE_FLOOR = Math.fround(1e-12); // likewise
  const CEILING = 1 - 2 ** -23; // of a distance, as in bench/model/loss.py
  const CLIP_GUARD = 1e-6; // as in torch.nn.utils.clip_grad_norm_
  const MOST = 64; // observations, and hidden neurons: more would take too long to watch
  const CHOICES = {
    activation: ["sigmoid", "tanh", "relu", "symmetric", "linear"],
    loss: ["mse", "l1", "bce", "huber", "arctanh"],
    reduction: ["mean", "sum"],
    update: ["full", "online"],
    stop: ["never", "solved"],
    init: ["torch", "uniform", "normal", "truncated_normal", "xavier", "he"],
    init_bias: ["same", "zeros"],
    dtype: ["float32", "float64"],
    summation: ["library"], // JavaScript has no fused multiply-add
    encoding: ["binary", "bipolar"],
    output: ["sigmoid", "tanh", "symmetric", "linear"],
    optimizer: ["sgd", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "rprop", "signsgd", "normalized", "none"],
    success: ["tolerance", "correct", "loss"],
  };
  const [SIGMOID, TANH, RELU, SYMMETRIC] = [0, 1, 2, 3]; // places in the lists above: numbers are compared faster
  const [MSE, L1, BCE, HUBER] = [0, 1, 2, 3];
  const EXTRA = {
    encoding: "binary",
    target_low: 0,
    target_high: 1,
    output: "sigmoid",
    optimizer: "sgd",
    beta1: 0.9,
    beta2: 0.999,
    alpha: 0.99,
    epsilon: 1e-8,
    eta_minus: 0.5,
    eta_plus: 1.2,
    step_min: 1e-6,
    step_max: 50,
    learning_rate_output: 0, // that of the others
    weight_decay: 0,
    clip: 0,
    success: "tolerance",
    success_loss: 0,
    success_for: 1,
  };
  const OWN = { adamw: { weight_decay: 0.01 }, adagrad: { epsilon: 1e-10 } }; // defaults of optimizers
  const PLAIN = ["gate", "hidden", "hidden_bias", "output_bias", "init_low", "init_high", "init_scale", "draws_before"];
  PLAIN.push("learning_rate", "momentum", "iterations", "tolerance", "curve_points", "backend", "device");
  const KNOWN = new Set([...PLAIN, ...Object.keys(CHOICES), ...Object.keys(EXTRA)]);

  /** Return a trial with the parameters that its document leaves out. */
  const complete = (trial) => ({ ...EXTRA, ...OWN[trial.optimizer], ...trial });

  /** Return null, or a sentence that says what of a trial cannot be trained here. */
  const supports = (trial, gate) => {
    const asked = complete(trial);
    for (const [name, value] of Object.entries(asked)) {
      if (!KNOWN.has(name)) return `The page cannot train with ${name} = ${value}.`;
      // what an output may be, a hidden neuron need not be
      const known = name === "activation" ? CHOICES.activation.slice(0, -1) : CHOICES[name];
      if (!known || known.includes(value)) continue;
      return `The page cannot train with ${name} = ${value}; it can with ${known.join(", ")}.`;
    }
    const [layers, rows] = [String(trial.hidden), gate.targets.length];
    if (Array.isArray(gate.targets[0])) return `The page trains networks with one output; this one has ${gate.targets[0].length}.`;
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
    if (init === "normal" || init === "he") return normal;
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
      if (trial.init === "he") return drawn * bound;
      // in torch a float32 fused multiply-add: 24 + 24 bits fit a float64, so that only the last step rounds here too
      return torch ? Math.fround(drawn * (2 * Math.fround(bound)) - Math.fround(bound)) : drawn;
    };
    for (let k = 0; k < trial.draws_before; k++) draw(false);
    for (const { fanIn, fanOut, weight, bias } of layers) {
      // of nn.Linear, whose formula for weights gives the same in float32; He et al. 2015, equation 10; Glorot and
      // Bengio 2010, equation 16
      const scale = trial.init === "he" ? 2 / fanIn : 6 / (fanIn + fanOut);
      const bound = torch ? 1 / Math.sqrt(fanIn) : Math.sqrt(scale);
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

  /** Return what the trial's network is to say of each observation, as Trial.targets. */
  const targetsOf = (trial, gate) => {
    const { target_low: low, target_high: high } = complete(trial);
    return low === 0 && high === 1 ? gate.targets : gate.targets.map((target) => low + (high - low) * target);
  };

  /** Return what is between a target of 0 and one of 1. */
  const middleOf = (trial) => {
    const { target_low: low, target_high: high } = complete(trial);
    return (low + high) / 2;
  };

  /** Whether a prediction may be on the wrong side: no target is beyond 0 and 1, as in a regression. */
  const hasSides = (gate) => gate.targets.every((target) => target >= 0 && target <= 1);

  /** Return what is drawn white and what black, as `shades` of bench/stats/decision_surface.py. */
  const shadesOf = (trial, gate) => {
    const { target_low: low, target_high: high } = complete(trial);
    if (hasSides(gate)) return [low, high];
    const targets = targetsOf(trial, gate);
    const [least, greatest] = [Math.min(...targets), Math.max(...targets)];
    return least < greatest ? [least, greatest] : [least - 0.5, least + 0.5];
  };

  const kept = (single, value) => (single ? Math.fround(value) : value);

  const respond = (kind, z, single) => {
    if (kind === SIGMOID) return kept(single, 1 / (1 + Math.exp(-z)));
    if (kind === TANH) return kept(single, Math.tanh(z));
    if (kind === RELU) return kept(single, z < 0 ? 0 : z);
    if (kind === SYMMETRIC) return kept(single, kept(single, 1 / (1 + Math.exp(-z))) - 0.5);
    return kept(single, z);
  };

  /** Return an activation's slope in terms of its own output. */
  const slopeOf = (kind, a) => {
    if (kind === SIGMOID) return a * (1 - a);
    if (kind === TANH) return 1 - a * a;
    if (kind === RELU) return a > 0 ? 1 : 0;
    return kind === SYMMETRIC ? (0.5 + a) * (0.5 - a) : 1;
  };

  /**
   * Return a network over a table, with room for its outputs. In a float32 trial whatever is kept is rounded to float32
   * (weights, what an optimizer keeps of each, outputs), which is where such trainings stall or diverge; sums are
   * float64's.
   */
  const networkOf = (trial, inputs) => {
    const [width, rounded] = [inputs[0].length, trial.dtype === "float32" ? Math.fround : Number];
    const layers = layersOf(trial, width);
    const output = layers.at(-1);
    const hidden = layers.length > 1 ? output.fanIn : 0;
    const given = trial.encoding === "bipolar" ? (input) => rounded(2 * input - 1) : rounded;
    const table = Float64Array.from(inputs.flat(), given);
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
      output: CHOICES.activation.indexOf(trial.output),
      table,
      activations: hidden ? new Float64Array(inputs.length * hidden) : table,
      predictions: new Float64Array(inputs.length),
    };
  };

  /** Write the outputs of some rows of the table into the network. */
  const forward = (network, weights, start, stop) => {
    const { single, width, hidden, hiddenBias, features, outputWeight, outputBias, activation, output } = network;
    const { table, activations, predictions } = network;
    for (let n = start; n < stop; n++) {
      for (let j = 0; j < hidden; j++) {
        let z = 0;
        for (let i = 0; i < width; i++) z += table[n * width + i] * weights[i * hidden + j];
        if (hiddenBias >= 0) z += weights[hiddenBias + j];
        activations[n * hidden + j] = respond(activation, z, single);
      }
      let z = 0;
      for (let k = 0; k < features; k++) z += activations[n * features + k] * weights[outputWeight + k];
      if (outputBias >= 0) z += weights[outputBias];
      predictions[n] = respond(output, z, single);
    }
  };

  /** Return the outputs of a network for any inputs [M][I]. */
  const predict = (trial, weights, inputs) => {
    if (!inputs.length) return new Float64Array(0);
    const network = networkOf(complete(trial), inputs);
    forward(network, Float64Array.from(weights, network.rounded), 0, inputs.length);
    return network.predictions;
  };

  const lossValue = (loss, p, t) => {
    if (loss === MSE) return (p - t) ** 2;
    if (loss === L1) return Math.abs(p - t);
    if (loss === BCE) return (t - 1) * Math.max(Math.log1p(-p), LOG_FLOOR) - t * Math.max(Math.log(p), LOG_FLOOR);
    const distance = Math.abs(p - t);
    if (loss === HUBER) return distance < 1 ? (distance * distance) / 2 : distance - 0.5;
    const near = Math.min(distance, CEILING); // arctanh
    return near * Math.atanh(near) + Math.log1p(-near * near) / 2;
  };

  const lossSlope = (loss, p, t) => {
    if (loss === MSE) return 2 * (p - t);
    if (loss === L1) return Math.sign(p - t);
    if (loss === BCE) return (p - t) / Math.max((1 - p) * p, SLOPE_FLOOR);
    if (loss === HUBER) return Math.min(Math.max(p - t, -1), 1);
    return Math.atanh(Math.min(Math.max(p - t, -CEILING), CEILING));
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

  /** Whether every prediction is on its target's side of the middle. */
  const rightSide = (trial, predictions, targets) => {
    const middle = middleOf(trial);
    const own = trial.dtype === "float32" ? Math.fround(middle) : middle;
    for (let n = 0; n < targets.length; n++) {
      if (Number.isNaN(predictions[n]) || predictions[n] > own !== targets[n] > middle) return false;
    }
    return true;
  };

  /** Whether predictions are what the trial's `success` asks for. */
  const succeeds = (trial, predictions, targets) => {
    if (trial.success === "correct") return rightSide(trial, predictions, targets);
    if (trial.success === "tolerance") return within(trial, predictions, targets);
    const single = trial.dtype === "float32";
    return kept(single, lossOf(trial, predictions, targets)) <= kept(single, trial.success_loss);
  };

  // ---------------------------------------------------------------- training

  /** Write the loss's slope by every weight, over some rows whose outputs are known, into the gradient. */
  const backward = (network, weights, targets, loss, mean, gradient, start, stop) => {
    const { width, hidden, hiddenBias, features, outputWeight, outputBias, activation, output } = network;
    const { table, activations, predictions } = network;
    gradient.fill(0);
    for (let n = start; n < stop; n++) {
      const p = predictions[n];
      const slope = lossSlope(loss, p, targets[n]);
      const delta = (mean ? slope / (stop - start) : slope) * slopeOf(output, p);
      for (let k = 0; k < features; k++) gradient[outputWeight + k] += activations[n * features + k] * delta;
      if (outputBias >= 0) gradient[outputBias] += delta;
      for (let j = 0; j < hidden; j++) {
        const inner = delta * weights[outputWeight + j] * slopeOf(activation, activations[n * hidden + j]);
        for (let i = 0; i < width; i++) gradient[i * hidden + j] += table[n * width + i] * inner;
        if (hiddenBias >= 0) gradient[hiddenBias + j] += inner;
      }
    }
  };

  /** Do one step of gradient descent with momentum, as torch.optim.SGD; Nesterov's looks ahead. */
  const descend = ({ weights, velocity, rates, single }, gradient, trial) => {
    const [ahead, signs] = [trial.optimizer === "nesterov", trial.optimizer === "signsgd"];
    const momentum = kept(single, trial.momentum);
    for (let k = 0; k < weights.length; k++) {
      let step = gradient[k];
      if (momentum) velocity[k] = step = kept(single, step + velocity[k] * momentum);
      if (momentum && ahead) step = gradient[k] + momentum * step;
      if (signs) step = Math.sign(step);
      weights[k] = kept(single, weights[k] - rates[k] * step);
    }
  };

  const lengthOf = (gradient) => Math.sqrt(gradient.reduce((sum, slope) => sum + slope * slope, 0));

  const normalized = (training, gradient, trial) => {
    const length = lengthOf(gradient);
    if (length !== 0) for (let k = 0; k < gradient.length; k++) gradient[k] /= length;
    descend(training, gradient, trial);
  };

  // `velocity` is the mean of gradients
  const adam = ({ weights, velocity, square, rates, single, steps }, gradient, { beta1, beta2, epsilon }) => {
    const [first, second] = [1 - beta1 ** steps, Math.sqrt(1 - beta2 ** steps)];
    for (let k = 0; k < weights.length; k++) {
      velocity[k] = kept(single, velocity[k] + (1 - beta1) * (gradient[k] - velocity[k]));
      square[k] = kept(single, square[k] * beta2 + (1 - beta2) * gradient[k] * gradient[k]);
      const root = Math.sqrt(square[k]) / second + epsilon;
      weights[k] = kept(single, weights[k] - (rates[k] / first) * (velocity[k] / root));
    }
  };

  const rmsprop = ({ weights, velocity, square, rates, single }, gradient, { alpha, epsilon, momentum }) => {
    for (let k = 0; k < weights.length; k++) {
      square[k] = kept(single, square[k] * alpha + (1 - alpha) * gradient[k] * gradient[k]);
      let step = gradient[k] / (Math.sqrt(square[k]) + epsilon);
      if (momentum) velocity[k] = step = kept(single, velocity[k] * momentum + step);
      weights[k] = kept(single, weights[k] - rates[k] * step);
    }
  };

  const adagrad = ({ weights, square, rates, single }, gradient, { epsilon }) => {
    for (let k = 0; k < weights.length; k++) {
      square[k] = kept(single, square[k] + gradient[k] * gradient[k]);
      weights[k] = kept(single, weights[k] - rates[k] * (gradient[k] / (Math.sqrt(square[k]) + epsilon)));
    }
  };

  // `velocity` is the gradient before, and `square` how long a step is
  const rprop = ({ weights, velocity, square, rates, single, steps }, gradient, trial) => {
    const { eta_minus: less, eta_plus: more, step_min: least, step_max: most } = trial;
    for (let k = 0; k < weights.length; k++) {
      if (steps === 1) square[k] = rates[k];
      const same = kept(single, gradient[k] * velocity[k]);
      const size = square[k] * (same > 0 ? more : same < 0 ? less : 1);
      square[k] = kept(single, Math.min(Math.max(size, least), most));
      velocity[k] = same < 0 ? 0 : kept(single, gradient[k]);
      weights[k] = kept(single, weights[k] - Math.sign(velocity[k]) * square[k]);
    }
  };

  // as in bench/backends/numpy_steps.py
  const STEPS = { adam, adamw: adam, rmsprop, adagrad, rprop, normalized, none: () => {} };

  /** Do one step of the trial's optimizer down the gradient, which may be cut off, with the weights' decay. */
  const move = (training, gradient, trial) => {
    const { weights, rates, single } = training;
    const { clip, weight_decay: decay, optimizer } = trial;
    training.steps += 1;
    if (clip) {
      const factor = Math.min(clip / (lengthOf(gradient) + CLIP_GUARD), 1);
      for (let k = 0; k < gradient.length; k++) gradient[k] *= factor;
    }
    for (let k = 0; decay && k < weights.length; k++) {
      if (optimizer === "adamw") weights[k] = kept(single, weights[k] * (1 - rates[k] * decay));
      else gradient[k] += decay * weights[k];
    }
    (STEPS[optimizer] || descend)(training, gradient, trial);
  };

  /**
   * One training after `iteration` updates: its `weights [P]`, what its optimizer keeps of each (`velocity [P]` and
   * `square [P]`), the `predictions [N]` and the `loss` that they give, and when it first succeeded, and was on the right
   * side (-1: not yet). `step` changes the arrays in place.
   */
  class Training {
    #trial;
    #network;
    #targets;
    #gradient;
    #inARow = 0;

    constructor(document, gate, weights, { iterations = document.iterations } = {}) {
      const trial = complete(document);
      this.#trial = trial;
      this.#network = networkOf(trial, gate.inputs);
      const { rounded, parameters, predictions, outputWeight } = this.#network;
      this.#targets = Float64Array.from(targetsOf(trial, gate), rounded);
      this.#gradient = new Float64Array(parameters);
      this.budget = iterations;
      this.iteration = 0;
      this.weights = Float64Array.from(weights, rounded);
      this.velocity = new Float64Array(parameters);
      this.square = new Float64Array(parameters);
      this.rates = new Float64Array(parameters).fill(rounded(trial.learning_rate));
      this.rates.fill(rounded(trial.learning_rate_output || trial.learning_rate), outputWeight);
      this.single = this.#network.single;
      this.steps = 0;
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
      const { weights, iteration } = this;
      const [loss, mean] = [CHOICES.loss.indexOf(trial.loss), trial.reduction === "mean"];
      const rows = trial.update === "online" ? 1 : targets.length; // that an update looks at
      while (this.iteration < iteration + n && !this.done) {
        for (let start = 0; start < targets.length; start += rows) {
          if (start > 0) forward(network, weights, start, start + rows); // the first rows' are still known
          backward(network, weights, targets, loss, mean, gradient, start, start + rows);
          move(this, gradient, trial);
        }
        this.iteration += 1;
        this.#look();
      }
      return this.iteration - iteration;
    }

    /** Predict; keep the iteration if it is the first that is correct or solved, and the loss if it is the late one. */
    #look() {
      const [trial, targets] = [this.#trial, this.#targets];
      forward(this.#network, this.weights, 0, targets.length);
      if (this.iteration === Math.floor((9 * this.budget) / 10)) this.lateLoss = this.loss;
      if (this.correctAt === NEVER && rightSide(trial, this.predictions, targets)) this.correctAt = this.iteration;
      if (this.solvedAt !== NEVER) return;
      this.#inARow = succeeds(trial, this.predictions, targets) ? this.#inARow + 1 : 0;
      if (this.#inARow === trial.success_for) this.solvedAt = this.iteration;
    }
  }

  const train = (trial, gate, weights, options) => new Training(trial, gate, weights, options);

  /** Return what became of a training, at its end, by the rule of bench/model/outcome.py. */
  const outcome = (document, gate, { predictions, weights, lateLoss, solvedAt }) => {
    const [trial, targets] = [complete(document), targetsOf(document, gate)];
    const loss = lossOf(trial, predictions, targets);
    if (![loss, ...predictions, ...weights].every(Number.isFinite)) return "diverged";
    const lasted = trial.success_for === 1 || solvedAt !== NEVER; // to succeed at the end may not be enough
    if (lasted && succeeds(trial, predictions, targets)) return "solved";
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
    const found = { iterations: [], loss: [], predictions: [], weights: [] };
    for (const wanted of [...(Array.isArray(points) ? points : spaced(iterations, points)), iterations]) {
      training.step(wanted - training.iteration);
      if (found.iterations.at(-1) === training.iteration) continue;
      found.iterations.push(training.iteration);
      found.loss.push(training.loss);
      found.predictions.push(training.predictions.slice());
      found.weights.push(training.weights.slice());
    }
    const { solvedAt, correctAt } = training;
    return { ...found, solvedAt, correctAt, outcome: outcome(trial, gate, training) };
  };

  const ofTargets = { targetsOf, middleOf, hasSides, shadesOf };
  return { supports, initialWeights, train, record, predict, outcome, weightNames, ...ofTargets };
})();
