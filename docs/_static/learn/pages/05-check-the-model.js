"use strict";

const FOUR = { ...PythonNumbers.rows.hours, weights: [0.1] };

Learn.lab("new-student", (box, net) => {
  const { weights, bias } = net.trainNeuron({ ...FOUR, learningRate: 0.1, epochs: 1000 });
  const controls = Learn.row(box);
  const hours = Learn.slider(controls, {
    label: "Hours of the new student",
    min: 0,
    max: 5,
    step: 0.1,
    value: 1,
    digits: 1,
    onInput: show,
  });
  const threshold = Learn.threshold(controls, show);
  const plot = Learn.plot(box, {
    title: "The chance for each number of hours",
    x: { label: "hours of study", min: 0, max: 5 },
    y: { label: "chance", min: 0, max: 1 },
    height: 260,
  });
  const said = Learn.status(box);
  const xs = Array.from({ length: 101 }, (_, i) => i / 20);
  const curve = { name: "trained neuron", xs, ys: net.predictNeuron(xs, weights, bias), look: 0 };
  Learn.exact(box, "weights", weights);
  Learn.exact(box, "bias", bias);

  function show() {
    const [chance] = net.predictNeuron([hours.value], weights, bias);
    const limit = threshold.value;
    Learn.exact(box, "chance", chance);
    box.setAttribute("data-answer", Learn.word(chance >= limit));
    plot.set(
      {
        lines: [curve, { name: "threshold", xs: [0, 5], ys: [limit, limit], look: 1 }],
        points: [{ name: "new student", xs: [hours.value], ys: [chance], look: 3, mark: "diamond" }],
      },
      `The curve rises from almost 0 to almost 1, and is steep between 2 and 3 hours.`,
    );
    said.say(`${Learn.fmt(hours.value, 1)} hours: chance ${Learn.fmt(chance)}, answer ${Learn.word(chance >= limit)}.`);
  }

  show();
});

Learn.lab("tuning", (box, net) => {
  const hours = [1, 1.5, 2, 2, 2.5, 3, 3.5, 4, 4.5, 5];
  const truth = [0, 0, 0, 0, 1, 0, 1, 1, 1, 1];
  const pairs = (values) => values.map((value) => [String(value), value.toLocaleString("en")]);
  const controls = Learn.row(box);
  const rate = Learn.choice(controls, {
    label: "Learning rate",
    options: pairs([0.01, 0.1, 0.5, 1]),
    value: "0.01",
    onChange: show,
  });
  const epochs = Learn.choice(controls, {
    label: "Epochs",
    options: pairs([1, 10, 100, 1000, 10000]),
    value: "10",
    onChange: show,
  });
  const threshold = Learn.threshold(controls, show);
  const score = Learn.status(box);
  const counts = Learn.table(box, {
    caption: "Confusion table of the ten students",
    head: ["", "passed", "failed"],
    named: true,
  });
  const table = Learn.table(box, {
    caption: "The ten students",
    head: ["hours", "chance", "model says", "result", ""],
  });

  function show() {
    const { weights, bias, losses } = net.trainNeuron({
      ...FOUR,
      learningRate: Number(rate.value),
      epochs: Number(epochs.value),
    });
    const chances = Array.from(net.predictNeuron(hours, weights, bias));
    const said = chances.map((chance) => (chance >= threshold.value ? 1 : 0));
    const count = (answer, label) => said.filter((s, i) => s === answer && truth[i] === label).length;
    const right = count(1, 1) + count(0, 0);
    table.update(
      hours.map((h, i) => [
        String(h),
        chances[i],
        Learn.word(said[i]),
        Learn.word(truth[i]),
        said[i] === truth[i] ? "\u2714" : said[i] ? "\u2718 false pass" : "\u2718 false fail",
      ]),
      [...hours.keys()].filter((i) => said[i] !== truth[i]),
    );
    counts.update([
      ["said pass", String(count(1, 1)), `${count(1, 0)} (false pass)`],
      ["said fail", `${count(0, 1)} (false fail)`, String(count(0, 0))],
    ]);
    Learn.exact(box, "weights", weights);
    Learn.exact(box, "bias", bias);
    Learn.exact(box, "chances", chances);
    box.setAttribute("data-right", right);
    score.say(
      `Right about ${right} of 10 students. Loss on the four students that the model was trained on: ${Learn.fmt(losses.at(-1))}.`,
    );
  }

  show();
});
