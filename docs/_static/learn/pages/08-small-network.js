/* Page 8: the network of heights and weights, and exclusive or. */
"use strict";

Learn.lab("heights", (box, net) => {
  const { el, fmt } = Learn;
  const { X, y } = PythonNumbers.rows.heights;
  const wanted = JSON.stringify(PythonNumbers.trained.heights);
  const somebody = [1, 5];
  let network, losses;

  const counter = Learn.counter((n) => {
    const next = net.trainNetwork({ X, y, learningRate: 0.15, epochs: n, ...network });
    network = { weights: next.weights, biases: next.biases };
    losses.push(...next.losses);
    show();
  });

  function restart() {
    counter.reset();
    network = PythonNumbers.first.heights;
    losses = [];
    show();
  }

  Learn.buttons(box, {
    "1 epoch": () => counter.go(1),
    "100 epochs": () => counter.go(100),
    "4000 epochs": () => counter.go(4000),
    "Start again": restart,
  });
  const plot = Learn.plot(box, {
    title: "Loss of each epoch",
    x: { label: "epoch", min: 0, max: 4000 },
    y: { label: "mean cross-entropy", min: 0, max: 0.8 },
  });
  const people = Learn.table(box, {
    caption: "The four people",
    head: ["height", "weight", "group", "prediction", "model says"],
  });
  const result = Learn.status(box);
  box.append(el("h3", {}, "Somebody new"));
  const sliders = Learn.row(box);
  const limits = { min: -20, max: 20, step: 1, digits: 0 };
  ["Height, less the average (inches)", "Weight, less the average (pounds)"].forEach((label, j) =>
    Learn.slider(sliders, {
      label,
      ...limits,
      value: somebody[j],
      onInput: (value) => {
        somebody[j] = value;
        showSomebody();
      },
    }),
  );
  const answer = Learn.status(box);

  function showSomebody() {
    const [p] = net.predictNetwork([somebody], network);
    Learn.exact(box, "somebody", [...somebody, p]);
    answer.say(`Group ${p >= 0.5 ? 1 : 0}: the prediction is ${fmt(p)}.`);
  }

  function show() {
    const p = Array.from(net.predictNetwork(X, network));
    people.update(X.map((x, i) => [String(x[0]), String(x[1]), String(y[i]), p[i], String(p[i] >= 0.5 ? 1 : 0)]));
    plot.axis({ max: Math.max(4000, losses.length) }, {});
    plot.set(
      { lines: [{ name: "", xs: losses.map((_, i) => i), ys: losses, look: 0 }] },
      losses.length
        ? `After ${losses.length} epochs the loss is ${fmt(losses.at(-1))}. It was ${fmt(losses[0])} in the first epoch.`
        : "The network has learned nothing yet.",
    );
    const solved = p.every((value, i) => Math.abs(value - y[i]) < 0.01);
    const same = JSON.stringify(network) === wanted;
    result.say(
      ...(solved ? [Learn.solved(box, "all four are less than 0.01 away from their groups. ")] : []),
      ...(counter.done === 4000
        ? [same ? "All 17 numbers have the same bits as Python's." : "The numbers differ from Python's."]
        : []),
    );
    box.setAttribute("data-epoch", counter.done);
    Learn.exact(box, "weights", network);
    showSomebody();
  }

  restart();
});

Learn.lab("exclusive-or", (box, net) => {
  const { X, y } = PythonNumbers.rows.xor;
  const ends = { min: -0.5, max: 1.5 };
  const grid = Learn.grid(ends, ends);
  const kinds = {
    neuron: {
      first: () => ({ weights: [0, 0], bias: 0 }),
      train: (model, epochs) => net.trainNeuron({ X, y, learningRate: 0.1, epochs, ...model }),
      predict: (model, rows) => net.predictNeuron(rows, model.weights, model.bias),
    },
    network: {
      first: () => PythonNumbers.first.xor,
      train: (model, epochs) => net.trainNetwork({ X, y, learningRate: 0.5, epochs, ...model }),
      predict: (model, rows) => net.predictNetwork(rows, model),
    },
  };
  let kind = kinds.neuron;
  let model;

  const counter = Learn.counter((n) => {
    const { losses, activation, ...next } = kind.train(model, n);
    model = next;
    show();
  });

  function restart() {
    counter.reset();
    model = kind.first();
    show();
  }

  const chosen = Learn.choice(box, {
    label: "Model",
    value: "neuron",
    options: [
      ["neuron", "one neuron"],
      ["network", "a network with 4 hidden units"],
    ],
    onChange: (name) => {
      kind = kinds[name];
      restart();
    },
  });
  Learn.buttons(box, {
    "100 epochs": () => counter.go(100),
    "4000 epochs": () => counter.go(4000),
    "Start again": restart,
  });
  const plot = Learn.plot(box, {
    title: "What the model says for each pair of answers",
    x: { label: "first answer", ...ends },
    y: { label: "second answer", ...ends },
  });
  const rows = Learn.table(box, {
    caption: "The four rows",
    head: ["first", "second", "pass", "prediction", "model says"],
  });
  const result = Learn.status(box);

  function show() {
    const p = Array.from(kind.predict(model, X));
    const right = p.filter((value, i) => value >= 0.5 === (y[i] === 1)).length;
    plot.set(
      {
        points: [Learn.group(X, y, 1, "pass"), Learn.group(X, y, 0, "fail")],
        shade: grid.shade(kind.predict(model, grid.cells)),
      },
      `After ${counter.done} epochs the model is right on ${right} of 4 rows.`,
    );
    rows.update(X.map((x, i) => [String(x[0]), String(x[1]), String(y[i]), p[i], String(p[i] >= 0.5 ? 1 : 0)]));
    result.say(right === 4 ? Learn.solved(box, "right on all four rows.") : `Right on ${right} of 4 rows.`);
    box.setAttribute("data-model", chosen.value);
    box.setAttribute("data-epoch", counter.done);
    Learn.exact(box, "weights", model);
  }

  restart();
});
