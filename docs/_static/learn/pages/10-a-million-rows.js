/* Page 10: a million rows through the neuron's kernel, and through the same loop in JavaScript. */
"use strict";

Learn.lab("million", (box, net) => {
  const { el } = Learn;
  const N = 1_000_000;
  const RATE = 0.01;
  const found = {};
  let rows;

  /* The loop again, to show that it comes to the same weights. Math.exp may differ from the kernel's exp in the last bit. */
  function plainLoop({ X, y }) {
    let [w0, w1, bias] = [0, 0, 0];
    for (let i = 0; i < y.length; i++) {
      const error = 1 / (1 + Math.exp(-(X[2 * i] * w0 + X[2 * i + 1] * w1 + bias))) - y[i];
      w0 -= RATE * error * X[2 * i];
      w1 -= RATE * error * X[2 * i + 1];
      bias -= RATE * error;
    }
    return { weights: [w0, w1], bias };
  }

  const loops = {
    kernel: {
      name: "The package's kernel",
      run: ({ X, y, width }) => net.trainNeuron({ X, y, width, learningRate: RATE }),
    },
    plain: { name: "A plain JavaScript loop", run: plainLoop },
  };
  Learn.buttons(box, {
    "Run a million rows": () => start("kernel"),
    "Run the plain JavaScript loop": () => start("plain"),
  });
  const result = Learn.status(box);
  const table = Learn.table(box, {
    caption: "Your runs",
    head: ["", "best time (s)", "rows a second", "first weight", "second weight", "bias"],
  });
  table.element.classList.add("learn-named");
  const compared = Learn.status(box);

  /* The page shows first that it works, then works. */
  function start(kind) {
    result.say(rows ? "Running…" : "Making a million rows…");
    setTimeout(() => {
      rows = rows || net.passFailRows(N);
      const before = performance.now();
      const { weights, bias } = loops[kind].run(rows);
      const seconds = (performance.now() - before) / 1000;
      const best = Math.min(seconds, found[kind]?.best ?? Infinity);
      found[kind] = { model: { weights, bias }, best };
      show(kind, seconds);
    }, 50);
  }

  function show(kind, seconds) {
    result.say(
      `${loops[kind].name}: `,
      el("strong", {}, `${N.toLocaleString("en")} rows in ${seconds.toFixed(3)} seconds`),
      `, ${Math.round(N / seconds).toLocaleString("en")} rows a second.`,
    );
    const line = (name, best, { weights, bias }) => [
      name,
      best === null ? "–" : best.toFixed(3),
      best === null ? "–" : Math.round(N / best).toLocaleString("en"),
      ...[...weights, bias].map(String),
    ];
    table.update([
      ...Object.keys(found).map((key) => line(loops[key].name, found[key].best, found[key].model)),
      line('Python, engine="portable"', null, PythonNumbers.trained.million),
    ]);
    const said = [];
    if (found.kernel) {
      const same = JSON.stringify(found.kernel.model) === JSON.stringify(PythonNumbers.trained.million);
      said.push(
        same
          ? Learn.solved(box, "the kernel's weights have the same bits as Python's. ")
          : "The kernel's weights differ from Python's. ",
      );
      Learn.exact(box, "weights", found.kernel.model);
      box.setAttribute("data-seconds", found.kernel.best);
    }
    if (found.kernel && found.plain) {
      const gap = Learn.apart(found.kernel.model, found.plain.model);
      said.push(
        gap
          ? `The plain loop's weights differ from the kernel's by at most ${gap.toExponential(1)}.`
          : "The plain loop's weights have the same bits.",
      );
      box.setAttribute("data-gap", gap);
    }
    compared.say(...said);
  }
});
