"use strict";

Learn.lab("sigmoid", (box, net) => {
  const sum = Learn.slider(box, { label: "Sum", min: -8, max: 8, step: 0.1, value: 0, digits: 1, onInput: show });
  const worked = Learn.flow(box, [
    { name: "sum", label: "sum" },
    "\u2192 sigmoid \u2192",
    { name: "chance", label: "chance" },
  ]);
  const plot = Learn.plot(box, {
    title: "The sigmoid",
    x: { label: "sum", min: -8, max: 8 },
    y: { label: "chance", min: 0, max: 1 },
    height: 260,
  });
  const xs = Array.from({ length: 161 }, (_, i) => (i - 80) / 10);
  const curve = { name: "sigmoid", xs, ys: xs.map(net.sigmoid), look: 0 };

  function show() {
    const chance = net.sigmoid(sum.value);
    worked.set({ sum: sum.value }, 1);
    worked.set({ chance });
    Learn.exact(box, "chance", chance);
    plot.set(
      {
        lines: [curve],
        points: [{ name: "your sum", xs: [sum.value], ys: [chance], look: 3, mark: "diamond" }],
      },
      `A sum of ${Learn.fmt(sum.value, 1)} gives a chance of ${Learn.fmt(chance)}.`,
    );
  }

  show();
});

Learn.lab("threshold", (box, net) => {
  const names = ["Ada", "Ben", "Cleo", "Dev", "Eva", "Finn", "Gia"];
  const hours = [1, 2, 2.3, 2.5, 2.6, 3, 4];
  const chances = net.predictNeuron(hours, [1.5], -3.5);
  const threshold = Learn.threshold(box, show);
  const table = Learn.table(box, {
    caption: "The class",
    head: ["student", "hours", "chance", "at 0.5", "now", ""],
    named: true,
  });
  const said = Learn.status(box);
  const answer = (i, limit) => Learn.word(chances[i] >= limit);

  function show() {
    const limit = threshold.value;
    const flips = names.map((_, i) => answer(i, 0.5) !== answer(i, limit));
    table.update(
      names.map((name, i) => [
        name,
        String(hours[i]),
        chances[i],
        answer(i, 0.5),
        answer(i, limit),
        flips[i] ? "flips" : "",
      ]),
      [...flips.keys()].filter((i) => flips[i]),
    );
    const who = names.filter((_, i) => flips[i]);
    Learn.exact(box, "chances", chances);
    box.setAttribute("data-flips", who.join(" "));
    said.say(
      `At a threshold of ${Learn.fmt(limit, 2)}: ${who.length ? `${who.join(" and ")} changed sides.` : "nobody changes sides."}`,
    );
  }

  show();
});
