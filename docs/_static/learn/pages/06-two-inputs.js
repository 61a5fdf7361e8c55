/* Page 6: a neuron with two inputs, its boundary, and a new student to drag. */
"use strict";

Learn.lab("two-inputs", (box, net) => {
  const { el, fmt } = Learn;
  const { X, y } = PythonNumbers.rows.students;
  const RATE = 0.05;
  const STUDY = { label: "hours of study", min: 0, max: 6 };
  const SLEEP = { label: "hours of sleep", min: 2, max: 11 };
  const grid = Learn.grid(STUDY, SLEEP);
  const student = { study: 3, sleep: 8 };
  let neuron, loss;

  const counter = Learn.counter((n) => {
    const next = net.trainNeuron({ X, y, learningRate: RATE, epochs: n, ...neuron });
    neuron = { weights: next.weights, bias: next.bias };
    loss = next.losses.at(-1);
    show();
  });

  function restart() {
    counter.reset();
    neuron = { weights: [0, 0], bias: 0 };
    loss = null;
    show();
  }

  Learn.buttons(box, {
    "1 epoch": () => counter.go(1),
    "100 epochs": () => counter.go(100),
    "5000 epochs": () => counter.go(5000),
    "Start again": restart,
  });
  const learned = Learn.flow(box, [
    { name: "epochs", label: "epochs" },
    { name: "study", label: "study weight" },
    { name: "sleep", label: "sleep weight" },
    { name: "bias", label: "bias" },
    { name: "loss", label: "loss of the last epoch" },
  ]);
  const plot = Learn.plot(box, { title: "Ten students, and one who is new", x: STUDY, y: SLEEP, height: 340 });
  const handle = el("button", { type: "button", class: "learn-handle" });
  const frame = el("div", { class: "learn-over" });
  plot.drawing.replaceWith(frame);
  frame.append(plot.drawing, handle);

  box.append(el("h3", {}, "The new student"));
  const typed = Learn.row(box);
  const study = number("Hours of study", STUDY, "study");
  const sleep = number("Hours of sleep", SLEEP, "sleep");
  const sum = Learn.flow(box, [
    { name: "study", label: "study" },
    "×",
    { name: "w0", label: "its weight" },
    "+",
    { name: "sleep", label: "sleep" },
    "×",
    { name: "w1", label: "its weight" },
    "+",
    { name: "bias", label: "bias" },
    "=",
    { name: "z", label: "sum" },
    "→",
    { name: "p", label: "chance of a pass" },
  ]);
  const answer = Learn.status(box);

  function number(label, axis, name) {
    const input = el("input", { type: "number", id: Learn.id("number"), min: axis.min, max: axis.max, step: 0.1 });
    input.addEventListener("input", () => {
      if (Number.isFinite(input.valueAsNumber)) move({ [name]: input.valueAsNumber }, input);
    });
    typed.append(el("div", { class: "learn-number" }, el("label", { for: input.id }, label), input));
    return input;
  }

  /* `source` is the field that the reader is typing into: it keeps its text. */
  function move(to, source = null) {
    Object.assign(student, to);
    student.study = Math.max(STUDY.min, Math.min(STUDY.max, student.study));
    student.sleep = Math.max(SLEEP.min, Math.min(SLEEP.max, student.sleep));
    for (const [input, value] of [
      [study, student.study],
      [sleep, student.sleep],
    ]) {
      if (input !== source) input.value = Number(value.toFixed(2));
    }
    showStudent();
  }

  function showStudent() {
    const x = [student.study, student.sleep];
    const z = net.logit(x, neuron.weights, neuron.bias);
    const [p] = net.predictNeuron([x], neuron.weights, neuron.bias);
    sum.set({
      study: fmt(x[0], 2),
      sleep: fmt(x[1], 2),
      w0: neuron.weights[0],
      w1: neuron.weights[1],
      bias: neuron.bias,
      z,
      p,
    });
    Learn.exact(box, "student", [...x, p]);
    const solved = counter.done === 5000 && x[0] === 3 && Math.abs(p - 0.5) <= 0.05;
    answer.say(
      `${fmt(x[0], 2)} hours of study, ${fmt(x[1], 2)} of sleep: ${Learn.word(p >= 0.5)}, with a chance of ${fmt(p, 3)}. `,
      ...(solved ? [Learn.solved(box, "the student is on the boundary.")] : []),
    );
    place();
  }

  function place() {
    const [left, top] = plot.pixel(student.study, student.sleep);
    handle.style.left = `${left}px`;
    handle.style.top = `${top}px`;
    handle.setAttribute(
      "aria-label",
      `New student: ${fmt(student.study, 2)} hours of study, ${fmt(student.sleep, 2)} of sleep. Arrow keys move it.`,
    );
  }

  function show() {
    const {
      weights: [w0, w1],
      bias,
    } = neuron;
    const xs = [STUDY.min, STUDY.max];
    const line = w1 ? [{ name: "boundary: the sum is 0", xs, ys: xs.map((x) => -(bias + w0 * x) / w1), look: 5 }] : [];
    const right = Array.from(net.predictNeuron(X, neuron.weights, bias)).filter(
      (value, i) => value >= 0.5 === (y[i] === 1),
    ).length;
    plot.set(
      {
        lines: line,
        points: [Learn.group(X, y, 1, "passed"), Learn.group(X, y, 0, "failed")],
        shade: grid.shade(net.predictNeuron(grid.cells, neuron.weights, bias)),
      },
      `After ${counter.done} epochs the neuron is right on ${right} of 10 students. ${
        w1
          ? "If the sleep weight is above 0, it says pass above the line."
          : "All weights are 0, so there is no line yet: every chance is 0.5."
      }`,
    );
    learned.set({ epochs: String(counter.done), study: w0, sleep: w1, bias, loss: loss === null ? "–" : loss });
    box.setAttribute("data-epoch", counter.done);
    Learn.exact(box, "weights", neuron);
    showStudent();
  }

  handle.addEventListener("keydown", (event) => {
    const [right, up] =
      { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] || [];
    if (right === undefined) return;
    event.preventDefault();
    const tenth = (value, by) => Number((value + 0.1 * by).toFixed(1));
    move({ study: tenth(student.study, right), sleep: tenth(student.sleep, up) });
  });
  handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const [right, up] = plot.under(event);
    move({ study: Number(right.toFixed(2)), sleep: Number(up.toFixed(2)) });
  });
  new ResizeObserver(place).observe(plot.element);
  restart();
  move({});
});
