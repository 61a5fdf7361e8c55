/* Page 7: blame in one neuron, and every gradient of the network for one row, beside PyTorch's. */
"use strict";

/* A number in few letters, however small. */
function few(value) {
  const text = Number.isInteger(value)
    ? String(value)
    : Math.abs(value) < 0.001
      ? value.toExponential(2)
      : Learn.fmt(value);
  return text.replaceAll("-", "−");
}

Learn.lab("blame", (box, net) => {
  const weights = [0.4, 0.1];
  const names = ["study", "sleep", "bias"];
  const row = { study: 2, sleep: 8, label: "0" };
  const line = Learn.row(box);
  for (const [name, max] of [
    ["study", 6],
    ["sleep", 10],
  ]) {
    Learn.slider(line, {
      label: `Hours of ${name}`,
      min: 0,
      max,
      step: 0.5,
      value: row[name],
      digits: 1,
      onInput: (value) => {
        row[name] = value;
        show();
      },
    });
  }
  Learn.choice(line, {
    label: "Truth (the label)",
    value: row.label,
    options: [
      ["0", "0: fail"],
      ["1", "1: pass"],
    ],
    onChange: (value) => {
      row.label = value;
      show();
    },
  });
  const error = Learn.flow(box, [
    { name: "prediction", label: "prediction" },
    "−",
    { name: "label", label: "label" },
    "=",
    { name: "error", label: "error" },
  ]);
  const table = Learn.table(box, {
    caption: "Who is to blame?",
    head: ["", "weight", "input", "error × input = gradient", "the step makes it"],
  });
  const result = Learn.status(box);

  function show() {
    const x = [row.study, row.sleep];
    const step = net.neuronStep({ x, y: Number(row.label), weights, bias: -1, learningRate: 1 }); // at rate 1 the nudge is the gradient
    const gradients = [...step.nudges, step.biasNudge];
    error.set({ prediction: step.prediction, label: row.label, error: step.error });
    const most = Math.abs(gradients[0]) > Math.abs(gradients[1]) ? 0 : 1;
    table.update(
      gradients.map((gradient, j) => [
        names[j],
        few([...weights, -1][j]),
        few([...x, 1][j]),
        few(gradient),
        gradient > 0 ? "smaller" : gradient < 0 ? "larger" : "stay",
      ]),
      [most],
    );
    Learn.exact(box, "gradients", gradients);
    result.say(
      most
        ? "The sleep weight has at least as much blame as the study weight."
        : Learn.solved(box, "the study weight has more blame, because its input is larger."),
    );
  }

  show();
});

/* The drawing of a 2-4-1 network: `set` shows numbers in units, marks units, and gives arrows the width of their gradients. */
function networkDrawing(parent) {
  const { el, svg } = Learn;
  const layers = [
    [
      ["height", 46, 130],
      ["weight", 46, 270],
    ],
    [
      ["h1", 200, 50],
      ["h2", 200, 150],
      ["h3", 200, 250],
      ["h4", 200, 350],
    ],
    [["output", 354, 200]],
  ];
  const drawing = svg("svg", { viewBox: "0 0 400 410", role: "img", class: "learn-network" });
  const caption = el("p", { class: "learn-caption", id: Learn.id("network") });
  drawing.setAttribute("aria-label", "The network: height and weight, four hidden units, the output");
  drawing.setAttribute("aria-describedby", caption.id);
  const arrows = layers.slice(1).map((units, k) =>
    layers[k].map(([, x1, y1]) =>
      units.map(([, x2, y2]) => {
        const made = svg("line", { x1: x1 + 28, y1, x2: x2 - 28, y2, class: "learn-arrow-line" });
        drawing.append(made);
        return made;
      }),
    ),
  );
  const units = layers.map((layer) =>
    layer.map(([name, x, y]) => {
      const circle = svg("circle", { cx: x, cy: y, r: 28 });
      const value = svg("text", { x, y: y + 5, class: "learn-unit-value" });
      const blame = svg("text", { x, y: y + 44, class: "learn-unit-blame" });
      drawing.append(svg("g", {}, circle, svg("text", { x, y: y - 34, class: "learn-unit-name" }, name), value, blame));
      return { circle, value, blame };
    }),
  );
  parent.append(el("figure", { class: "learn-plot" }, drawing, el("figcaption", {}, caption)));

  return function set({ values, blames, marked, gradients }, text) {
    units.forEach((layer, k) =>
      layer.forEach(({ circle, value, blame }, u) => {
        value.textContent = values[k] ? few(values[k][u]) : "";
        blame.textContent = blames[k] ? `δ ${few(blames[k][u])}` : "";
        circle.classList.toggle("learn-marked", marked === k);
      }),
    );
    arrows.forEach((layer, k) =>
      layer.forEach((line, j) =>
        line.forEach((arrow, u) => {
          const gradient = gradients[k] ? gradients[k][j][u] : 0;
          arrow.style.strokeWidth = 1 + 9 * Math.min(1, Math.abs(gradient) / 2);
          arrow.classList.toggle("learn-shown", Boolean(gradients[k]));
          arrow.classList.toggle("learn-negative", gradient < 0);
        }),
      ),
    );
    caption.textContent = text;
  };
}

Learn.lab("backwards", (box, net) => {
  const { el } = Learn;
  const { X, y } = PythonNumbers.rows.heights;
  const first = PythonNumbers.first.heights;
  const HIDDEN = ["h1", "h2", "h3", "h4"];
  const INPUTS = ["height", "weight"];
  const STAGES = [
    "Forward",
    "1. The output's delta",
    "2. Gradients of the arrows into the output",
    "3. and 4. Deltas of the hidden units",
    "5. Gradients of the arrows into the hidden units",
  ];
  const options = { learningRate: 0.15, ...first };
  const mean = net.networkStep({ X, y, ...options }).gradients;
  let [person, stage, step] = [0, 0, null];

  Learn.choice(box, {
    label: "Person",
    value: "0",
    options: X.map((x, i) => [String(i), `${i + 1}: height ${x[0]}, weight ${x[1]}, group ${y[i]}`]),
    onChange: (value) => {
      person = Number(value);
      show();
    },
  });
  Learn.buttons(box, { "Next step": () => go(1), Back: () => go(-1) });
  const title = Learn.status(box);
  const draw = networkDrawing(box);
  const work = el("div", { class: "learn-work", role: "region", tabindex: 0, "aria-label": "The step worked out" });
  box.append(work);
  box.append(el("h3", {}, "Beside PyTorch's gradients"));
  const table = Learn.table(box, {
    caption: "",
    head: ["arrow", "this person, here", "this person, PyTorch", "mean of all four, here", "mean of all four, PyTorch"],
  });
  table.element.classList.add("learn-named", "learn-gradients");
  const largest = Learn.status(box);

  function go(by) {
    stage = Math.max(0, Math.min(STAGES.length - 1, stage + by));
    show();
  }

  /* Every gradient in one list: a layer after the other, first its arrows, then its biases. */
  const listed = ({ weights, biases }) => weights.flatMap((layer, k) => [...layer.flat(), ...biases[k]]);
  const arrowNames = [
    ...[...INPUTS, "bias"].flatMap((from) => HIDDEN.map((to) => `${from} > ${to}`)),
    ...[...HIDDEN, "bias"].map((from) => `${from} > output`),
  ];

  /* The stage's products, with numbers that the kernel gave. */
  function products() {
    const { inputs, label, sums, outputs, deltas, prediction } = step.rows[0];
    const { weights, biases } = step.gradients;
    const sum = (xs, w, b) => `${xs.map((x, j) => `${few(x)} × ${few(w[j])}`).join(" + ")} + ${few(b)}`;
    const [d] = deltas[1];
    return [
      () => [
        ...HIDDEN.map(
          (name, u) =>
            `${name}: ${sum(
              inputs,
              first.weights[0].map((line) => line[u]),
              first.biases[0][u],
            )} = ${few(sums[0][u])}, sigmoid: ${few(outputs[0][u])}`,
        ),
        `output: ${sum(
          outputs[0],
          first.weights[1].map((line) => line[0]),
          first.biases[1][0],
        )} = ${few(sums[1][0])}, sigmoid: ${few(prediction)}`,
      ],
      () => [`δ of the output = prediction − label = ${few(prediction)} − ${label} = ${few(d)}`],
      () => [
        ...HIDDEN.map(
          (name, u) => `${name} > output: δ × ${name} = ${few(d)} × ${few(outputs[0][u])} = ${few(weights[1][u][0])}`,
        ),
        `bias > output: δ × 1 = ${few(biases[1][0])}`,
      ],
      () =>
        HIDDEN.map(
          (name, u) =>
            `δ of ${name}: ${few(d)} × ${few(first.weights[1][u][0])} × ${few(outputs[0][u])} × (1 − ${few(outputs[0][u])}) = ${few(deltas[0][u])}`,
        ),
      () =>
        HIDDEN.flatMap((name, u) => [
          ...INPUTS.map(
            (from, j) => `${from} > ${name}: ${few(deltas[0][u])} × ${few(inputs[j])} = ${few(weights[0][j][u])}`,
          ),
          `bias > ${name}: ${few(deltas[0][u])} × 1 = ${few(biases[0][u])}`,
        ]),
    ][stage]();
  }

  function show() {
    step = net.networkStep({ X: [X[person]], y: [y[person]], ...options });
    const { inputs, outputs, deltas } = step.rows[0];
    const { weights } = step.gradients;
    title.say(el("strong", {}, STAGES[stage]));
    work.replaceChildren(...products().map((line) => el("p", {}, line)));
    draw(
      {
        values: [inputs, ...outputs],
        blames: [null, stage >= 3 ? deltas[0] : null, stage >= 1 ? deltas[1] : null],
        marked: [1, 2, 2, 1, 1][stage],
        gradients: [stage === 4 ? weights[0] : null, stage >= 2 ? weights[1] : null],
      },
      `${STAGES[stage]}. The number in each circle is the value of this unit${stage ? ". The number below a unit is its delta, δ" : ""}.`,
    );
    const [here, torch, all, torchAll] = [
      step.gradients,
      PythonNumbers.torch[person + 1],
      mean,
      PythonNumbers.torch[0],
    ].map(listed);
    const digits = (value) => String(Number(value.toPrecision(10))).replace("-", "−");
    table.element.querySelector("caption").textContent = `Gradients: person ${person + 1}, and the mean of all four`;
    table.update(
      arrowNames.map((name, i) => [name, ...[here, torch, all, torchAll].map((values) => digits(values[i]))]),
    );
    const gap = (a, b) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    largest.say(
      `Largest difference: ${gap(here, torch).toExponential(1)} for this person, ${gap(all, torchAll).toExponential(1)} for the mean.`,
    );
    Learn.exact(box, "row", step.gradients);
    Learn.exact(box, "mean", mean);
    box.setAttribute("data-stage", stage);
    if (stage === STAGES.length - 1) box.setAttribute("data-solved", "");
  }

  show();
});
