"use strict";

const STUDENTS = PythonNumbers.rows.hours;

Learn.lab("training", (box, net) => {
  const EPOCHS = 1000;
  const learningRate = 0.1;
  const STAGES = [["hours", "weight", "bias"], ["sum"], ["prediction"], ["truth", "error"], ["newWeight", "newBias"]];
  const part = (name, label) => ({ name, label });
  const counter = Learn.counter(train);
  let stop = () => {};
  let state;

  Learn.buttons(box, {
    "Next row": nextRow,
    "Run an epoch": () => run(state.losses.length + 1),
    "Run to 1,000 epochs": () => run(EPOCHS),
    "Start again": reset,
  });
  const said = Learn.status(box);
  const flows = [
    [
      part("hours", "hours"),
      "\u00d7",
      part("weight", "weight"),
      "+",
      part("bias", "bias"),
      "=",
      part("sum", "sum"),
      "\u2192 sigmoid \u2192",
      part("prediction", "prediction"),
    ],
    [
      "prediction \u2212",
      part("truth", "truth"),
      "=",
      part("error", "error"),
      "\u2192 new",
      part("newWeight", "weight"),
      "and",
      part("newBias", "bias"),
    ],
  ].map((parts) => Learn.flow(box, parts));
  const table = Learn.table(box, {
    caption: "This epoch, row by row",
    head: ["hours", "truth", "sum", "prediction", "error", "error\u00b2", "new weight", "new bias"],
  });
  const plot = Learn.plot(box, {
    title: "Loss of each epoch",
    x: { label: "epoch", min: 1, max: EPOCHS, log: true },
    y: { label: "loss", min: 0.01, max: 3, log: true },
  });

  function mark(names) {
    for (const flow of flows) flow.mark(...names);
  }

  function set(numbers, digits) {
    const keep = (flow) => Object.fromEntries(Object.entries(numbers).filter(([name]) => flow.has(name)));
    for (const flow of flows) flow.set(keep(flow), digits);
  }

  function show() {
    const { weights, bias, rows, losses } = state;
    table.update(
      STUDENTS.X.map(([hours], i) => {
        const step = rows[i];
        const numbers = step
          ? [step.z, step.prediction, step.error, step.squaredError, step.weights[0], step.bias]
          : Array(6).fill("");
        return [String(hours), String(STUDENTS.y[i]), ...numbers];
      }),
      rows.length ? [rows.length - 1] : [],
    );
    Learn.exact(box, "weights", weights);
    Learn.exact(box, "bias", bias);
    Learn.exact(box, "losses", losses);
    const text = losses.length
      ? `The loss was ${Learn.fmt(losses[0])} in the first epoch, and ${Learn.fmt(losses.at(-1))} in epoch ${losses.length}. ` +
        "On both axes, each line of the grid is ten times the line before it."
      : "No epoch has been run yet.";
    plot.set({ lines: [{ name: "loss", xs: losses.map((_, i) => i + 1), ys: losses, look: 0 }] }, text);
  }

  /* One row. The stages light up one after the other; the numbers are there at once. */
  function nextRow() {
    halt();
    if (over()) return;
    if (state.rows.length === 4) state.rows = [];
    const i = state.rows.length;
    const { weights, bias } = state;
    const step = net.neuronStep({ x: STUDENTS.X[i], y: STUDENTS.y[i], weights, bias, learningRate });
    set({ hours: STUDENTS.X[i][0], truth: STUDENTS.y[i] }, 0);
    set({
      weight: weights[0],
      bias,
      sum: step.z,
      prediction: step.prediction,
      error: step.error,
      newWeight: step.weights[0],
      newBias: step.bias,
    });
    state = { ...state, weights: Array.from(step.weights), bias: step.bias, rows: [...state.rows, step] };
    if (i === 3)
      state.losses = [...state.losses, ...net.trainNeuron({ ...STUDENTS, learningRate, ...state.began }).losses];
    if (i === 3) state.began = { weights: state.weights, bias: state.bias };
    const high =
      step.error > 0 ? "too high, so the weight and the bias go down" : "too low, so the weight and the bias go up";
    said.say(
      `Student ${i + 1}: the prediction ${Learn.fmt(step.prediction)} was ${high}.${i === 3 ? " The epoch is over." : ""}`,
    );
    show();
    stop = Learn.play(STAGES.length, 500, (stage) => mark(STAGES[stage]));
  }

  function train(epochs) {
    const { weights, bias, losses } = state;
    const trained = net.trainNeuron({ ...STUDENTS, learningRate, epochs, weights, bias });
    const now = { weights: Array.from(trained.weights), bias: trained.bias };
    state = { ...now, began: now, rows: [], losses: [...losses, ...trained.losses] };
    show();
    if (epochs === 1 || state.losses.length === EPOCHS)
      said.say(
        `${state.losses.length} epochs done. Loss ${Learn.fmt(state.losses.at(-1))}, `,
        `weight ${Learn.fmt(now.weights[0])}, bias ${Learn.fmt(now.bias)}.`,
      );
  }

  /* Finish the epoch whose rows are being looked at, then run up to the goal. */
  function run(goal) {
    while (state.rows.length % 4) nextRow();
    halt();
    if (!over() && goal > state.losses.length) counter.go(goal - state.losses.length);
  }

  function over() {
    if (state.losses.length < EPOCHS) return false;
    said.say("All 1,000 epochs are done. Press Start again to train from the beginning.");
    return true;
  }

  function halt() {
    stop();
    counter.reset();
    mark([]);
  }

  function reset() {
    halt();
    const start = { weights: [0.1], bias: 0 };
    state = { ...start, began: start, rows: [], losses: [] };
    set(Object.fromEntries(STAGES.flat().map((name) => [name, "?"])));
    set({ weight: 0.1, bias: 0 });
    said.say("The weight is 0.1 and the bias is 0.");
    show();
  }

  reset();
});

Learn.lab("rates", (box, net) => {
  const RATES = [0.01, 0.1, 0.5, 1.0];
  const NAMES = ["0.01", "0.1", "0.5", "1.0"];
  const EPOCHS = 1000;
  Learn.buttons(box, { "Train with all four rates": train });
  const said = Learn.status(box);
  const picks = Learn.row(box);
  const checks = NAMES.map((rate) => Learn.check(picks, { label: `show ${rate}`, value: true, onChange: show }));
  const plot = Learn.plot(box, {
    title: "Loss of each epoch, for four learning rates",
    x: { label: "epoch", min: 1, max: EPOCHS, log: true },
    y: { label: "loss", min: 1e-4, max: 10, log: true },
  });
  const table = Learn.table(box, {
    caption: "Loss",
    head: ["rate", "epoch 0", "epoch 1", "epoch 100", "epoch 999", ""],
    named: true,
  });
  let losses = [];
  show();

  function train() {
    const swept = net.sweep({ ...STUDENTS, learningRates: RATES, epochs: EPOCHS, weights: [0.1] });
    losses = swept.losses.map((line) => Array.from(line));
    Learn.exact(
      box,
      "weights",
      swept.weights.map((weights) => weights[0]),
    );
    Learn.exact(box, "biases", swept.biases);
    Learn.exact(box, "losses", losses);
    const up = NAMES.filter((_, i) => losses[i][1] > losses[i][0]);
    said.say(`Trained. The loss rises in the second epoch with ${up.join(" and ")}: these rates overshoot.`);
    show();
  }

  function show() {
    const xs = Array.from({ length: EPOCHS }, (_, i) => i + 1);
    const shown = losses
      .map((ys, i) => ({ name: `rate ${NAMES[i]}`, xs, ys, look: i }))
      .filter((_, i) => checks[i].value);
    const text = losses.length
      ? `Losses of the last epoch: ${NAMES.map((rate, i) => `${Learn.fmt(losses[i].at(-1))} with ${rate}`).join(", ")}.`
      : "Nothing has been trained yet.";
    plot.set({ lines: shown }, text);
    table.update(
      losses.map((line, i) => [
        NAMES[i],
        line[0],
        line[1],
        line[100],
        line[999],
        line[1] > line[0] ? "overshoots" : "",
      ]),
      [...losses.keys()].filter((i) => losses[i][1] > losses[i][0]),
    );
  }
});
