"use strict";

Learn.lab("guess-first", (box, net) => {
  const { X, y: labels } = PythonNumbers.rows.hours;
  const hours = X.map(([h]) => h);

  const limit = Learn.slider(box, {
    label: "Limit: hours for a pass",
    min: 0,
    max: 5,
    step: 0.1,
    value: 1,
    digits: 1,
    onInput: show,
  });
  const table = Learn.table(box, {
    caption: "The simple model and the truth",
    head: ["hours", "model says", "result", ""],
  });
  const score = Learn.status(box);
  const guess = Learn.slider(box, {
    label: "Your chance of a pass after 2.5 hours",
    min: 0,
    max: 1,
    step: 0.01,
    value: 0.5,
  });
  Learn.buttons(box, { Compare: compare });
  const answer = Learn.status(box);

  function show() {
    const said = hours.map((h) => (h >= limit.value ? 1 : 0));
    const right = said.filter((label, i) => label === labels[i]).length;
    table.update(
      hours.map((h, i) => [
        String(h),
        Learn.word(said[i]),
        Learn.word(labels[i]),
        said[i] === labels[i] ? "\u2714 right" : "\u2718 wrong",
      ]),
    );
    box.setAttribute("data-right", right);
    score.say(
      `Right about ${right} of 4 students.${right === 4 ? " Well done. Can you find another limit that is right?" : ""}`,
    );
  }

  function compare() {
    const { weights, bias } = net.trainNeuron({ X, y: labels, learningRate: 0.1, epochs: 1000, weights: [0.1] });
    const [chance] = net.predictNeuron([2.5], weights, bias);
    Learn.exact(box, "chance", chance);
    answer.say(
      `You said ${Learn.fmt(guess.value, 2)}. The trained neuron says ${Learn.fmt(chance)}: a little more likely a pass than a fail.`,
    );
  }

  show();
});
