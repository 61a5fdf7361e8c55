/* Page 11: two runs over the same rows that start far apart, until they hold the same bits. */
"use strict";

Learn.lab("meeting", (box, net) => {
  const { el } = Learn;
  const RATES = { 0.1: 6_000, 0.01: 60_000, 0.001: 600_000 }; // and the rows that are shown
  const STARTS = { near: [0.5, 0.5, 0], far: [-5, 4, 1], opposite: [-6, 4, -3] };
  const A = [6, -4, 3];
  const FLOOR = 1e-17; // a distance of 0 is drawn here
  let [rate, start, stop, rows] = ["0.01", "far", () => {}, null];

  const line = Learn.row(box);
  Learn.choice(line, {
    label: "Learning rate",
    value: rate,
    options: [
      ["0.1", "0.1"],
      ["0.01", "0.01"],
      ["0.001", "0.001"],
    ],
    onChange: (value) => {
      rate = value;
      show(begin());
    },
  });
  Learn.choice(line, {
    label: "Run B starts",
    value: start,
    options: [
      ["near", "near A"],
      ["far", "far from A"],
      ["opposite", "at the opposite of A"],
    ],
    onChange: (value) => {
      start = value;
      show(begin());
    },
  });
  Learn.buttons(box, { "Run both": run });
  const plot = Learn.plot(box, {
    title: "How far are the two runs apart?",
    height: 320,
    x: { label: "rows", min: 1, max: 60_000, log: true },
    y: { label: "largest difference", min: FLOOR, max: 100, log: true },
  });
  const bits = el("div", {
    class: "learn-bits",
    role: "group",
    "aria-label": "The 64 bits of the first weight of both runs",
  });
  box.append(bits);
  const result = Learn.status(box);

  const model = ([w0, w1, bias]) => ({ weights: [w0, w1], bias });
  const gap = ({ a, b }) => Learn.apart(a, b);

  function begin() {
    stop();
    box.removeAttribute("data-equal");
    return { a: model(A), b: model(STARTS[start]), done: 0, xs: [], ys: [], equal: null };
  }

  /* Both runs train on the rows up to `end`. */
  function advance(state, end) {
    const part = {
      X: rows.X.subarray(2 * state.done, 2 * end),
      y: rows.y.subarray(state.done, end),
      width: 2,
      learningRate: Number(rate),
    };
    const next = (from) => {
      const { weights, bias } = net.trainNeuron({ ...part, ...from });
      return { weights, bias };
    };
    Object.assign(state, { a: next(state.a), b: next(state.b), done: end });
    const apart = gap(state);
    state.xs.push(end);
    state.ys.push(apart || FLOOR);
    if (!apart && state.equal === null) state.equal = end;
  }

  /* Numbers of rows that are about evenly spaced on a log axis: from 1, each about 4 in 100 more. */
  function places(last) {
    const found = [];
    for (let at = 1; at < last; at = Math.max(at + 1, Math.round(at * 1.04))) found.push(at);
    return [...found, last];
  }

  function run() {
    const state = begin();
    result.say("Running…");
    rows = rows || net.passFailRows(1_000_000);
    const stops = places(RATES[rate]);
    stop = Learn.play(
      stops.length,
      25,
      (i) => {
        advance(state, stops[i]);
        if (!Learn.still() || i === stops.length - 1) show(state);
      },
      () => finish(state),
    );
  }

  const binary = (value) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    return [...Array(8).keys()].map((i) => view.getUint8(i).toString(2).padStart(8, "0")).join("");
  };

  function showBits({ a, b }) {
    const [first, second] = [binary(a.weights[0]), binary(b.weights[0])];
    const digits = (own, other) => [...own].map((bit, i) => (bit === other[i] ? bit : el("mark", {}, bit)));
    bits.replaceChildren(
      ...[
        ["A", a, first, second],
        ["B", b, second, first],
      ].map(([name, run, own, other]) =>
        el(
          "div",
          {},
          el("p", {}, `Run ${name}: first weight ${run.weights[0]}`),
          el("code", {}, ...digits(own, other)),
        ),
      ),
    );
  }

  function show(state) {
    plot.axis({ max: RATES[rate] }, {});
    const met =
      state.equal === null ? [] : [{ name: "the same bits", xs: [state.equal], ys: [FLOOR], look: 2, mark: "diamond" }];
    plot.set(
      { lines: [{ name: "largest difference of two weights", xs: state.xs, ys: state.ys, look: 0 }], points: met },
      state.equal === null
        ? `After ${state.done} rows the runs differ by ${gap(state).toExponential(1)}.`
        : `The runs hold the same bits by row ${state.equal}, and stay equal. This axis cannot show 0, so 0 is drawn at the bottom.`,
    );
    showBits(state);
    box.setAttribute("data-rows", state.done);
    Learn.exact(box, "a", state.a);
    Learn.exact(box, "b", state.b);
  }

  function finish(state) {
    if (state.equal !== null) box.setAttribute("data-equal", state.equal);
    const met = state.equal === null ? "The runs have not met." : `Equal by row ${state.equal.toLocaleString("en")}. `;
    result.say(
      met,
      ...(state.equal !== null && state.equal < 5000 ? [Learn.solved(box, "fewer than 5,000 rows.")] : []),
    );
  }

  show(begin());
});
