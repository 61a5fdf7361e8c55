"use strict";

Learn.lab("one-neuron", (box, net) => {
  const { X, y: labels } = PythonNumbers.rows.hours;
  const hours = X.map(([h]) => h);
  const controls = Learn.row(box);
  const student = Learn.slider(controls, {
    label: "Hours of the student",
    min: 0,
    max: 5,
    step: 0.5,
    value: 3,
    digits: 1,
    onInput: show,
  });
  const weight = Learn.slider(controls, {
    label: "Weight",
    min: -2,
    max: 5,
    step: 0.1,
    value: 0.1,
    digits: 1,
    onInput: show,
  });
  const bias = Learn.slider(controls, {
    label: "Bias",
    min: -12,
    max: 4,
    step: 0.1,
    value: 0,
    digits: 1,
    onInput: show,
  });
  const worked = Learn.flow(box, [
    { name: "hours", label: "hours" },
    "\u00d7",
    { name: "weight", label: "weight" },
    "+",
    { name: "bias", label: "bias" },
    "=",
    { name: "sum", label: "sum" },
  ]);
  const plot = Learn.plot(box, {
    title: "The sum for each number of hours",
    x: { label: "hours of study", min: 0, max: 5 },
    y: { label: "sum", min: -8, max: 8 },
  });
  const score = Learn.status(box);

  function show() {
    const sum = (h) => net.logit([h], [weight.value], bias.value);
    const sums = hours.map(sum);
    const right = sums.filter((z, i) => (labels[i] ? z > 0 : z < 0)).length;
    const places = hours.map((h, i) => [h, sums[i]]);
    const z = sum(student.value);
    worked.set({ hours: student.value, weight: weight.value, bias: bias.value, sum: z }, 2);
    Learn.exact(box, "sums", sums);
    box.setAttribute("data-right", right);
    plot.set(
      {
        lines: [
          { xs: [0, 5], ys: [sum(0), sum(5)], look: 0, name: "the sum" },
          { name: "zero: neither pass nor fail", xs: [0, 5], ys: [0, 0], look: 5 },
        ],
        points: [
          Learn.group(places, labels, 0, "failed"),
          Learn.group(places, labels, 1, "passed"),
          { name: "the student of the first slider", look: 3, mark: "diamond", xs: [student.value], ys: [z] },
        ],
      },
      `The sums of students 1 to 4 are ${sums.map((value) => Learn.fmt(value, 2)).join(", ")}.`,
    );
    score.say(
      `${right} of 4 students are on the right side of zero.${right === 4 ? " Well done: you have trained a neuron by hand." : ""}`,
    );
  }

  show();
});
