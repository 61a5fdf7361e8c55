/* Learn.plot: a plot with axes, drawn as SVG in the page's own colours and width, with a text below that says what it
   shows. Series differ in dashes and marks, not in colour alone. */
"use strict";

Learn.plot = (() => {
  const { el, id } = Learn;
  const PAD = { left: 64, right: 14, top: 12, bottom: 46 };
  const MARKS = {
    circle: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    cross: "M-5 -5L5 5M-5 5L5 -5",
    square: "M-5 -5h10v10h-10z",
    diamond: "M0 -7L7 0L0 7L-7 0z",
  };

  function svg(tag, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  Learn.svg = svg;

  /* Round numbers between two ends, about `wanted` of them. */
  function ticks(low, high, wanted) {
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
    return found;
  }

  function powers(low, high) {
    const found = [];
    const step = Math.ceil((Math.log10(high) - Math.log10(low)) / 8);
    for (let p = Math.ceil(Math.log10(low) - 1e-9); 10 ** p <= high * (1 + 1e-9); p += step) found.push(10 ** p);
    return found;
  }

  const tickText = (value) =>
    Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-5)
      ? value.toExponential(0)
      : String(Number(value.toPrecision(6)));

  /* A map from an axis' numbers to pixels. */
  function scale({ min, max, log }, from, to) {
    const f = log ? Math.log10 : (v) => v;
    const [low, high] = [f(min), f(max)];
    return (value) => from + ((f(value) - low) / (high - low)) * (to - from);
  }

  function axes(x, y, px, py, width, height) {
    const group = svg("g", { class: "learn-axes" });
    const bottom = height - PAD.bottom;
    for (const v of x.log ? powers(x.min, x.max) : ticks(x.min, x.max, width < 420 ? 4 : 8)) {
      group.append(
        svg("line", { x1: px(v), x2: px(v), y1: PAD.top, y2: bottom }),
        svg("text", { x: px(v), y: bottom + 18, "text-anchor": "middle" }, tickText(v)),
      );
    }
    for (const v of y.log ? powers(y.min, y.max) : ticks(y.min, y.max, 5)) {
      group.append(
        svg("line", { x1: PAD.left, x2: width - PAD.right, y1: py(v), y2: py(v) }),
        svg("text", { x: PAD.left - 7, y: py(v) + 4, "text-anchor": "end" }, tickText(v)),
      );
    }
    const middle = (PAD.top + bottom) / 2;
    group.append(
      svg(
        "text",
        { x: (PAD.left + width - PAD.right) / 2, y: height - 8, "text-anchor": "middle", class: "learn-axis" },
        x.label,
      ),
      svg(
        "text",
        { x: 13, y: middle, "text-anchor": "middle", class: "learn-axis", transform: `rotate(-90 13 ${middle})` },
        y.label,
      ),
    );
    return group;
  }

  /* Shades of a grid of chances from 0 to 1; values[j][i] stands at the i-th x and the j-th y from below. */
  function shade(values, x, y, px, py) {
    const group = svg("g", { class: "learn-shade" });
    const [rows, columns] = [values.length, values[0].length];
    const [wide, high] = [(px(x.max) - px(x.min)) / columns, (py(y.min) - py(y.max)) / rows];
    values.forEach((line, j) =>
      line.forEach((value, i) =>
        group.append(
          svg("rect", {
            x: px(x.min) + i * wide,
            y: py(y.min) - (j + 1) * high,
            width: wide,
            height: high,
            class: value >= 0.5 ? "learn-pass" : "learn-fail",
            "fill-opacity": (0.08 + Math.abs(value - 0.5) * 0.7).toFixed(3),
          }),
        ),
      ),
    );
    return group;
  }

  /* A line breaks where a number is not finite, or cannot stand on a log axis; what lies outside is clipped. */
  function path({ xs, ys }, x, y, px, py) {
    let open = false;
    let d = "";
    for (let i = 0; i < xs.length; i++) {
      const fits = Number.isFinite(ys[i]) && !(y.log && ys[i] <= 0) && !(x.log && xs[i] <= 0);
      if (fits) d += `${open ? "L" : "M"}${px(xs[i]).toFixed(1)} ${py(ys[i]).toFixed(1)}`;
      open = fits;
    }
    return d;
  }

  const swatch = (series) =>
    svg(
      "svg",
      { width: 34, height: 14, "aria-hidden": "true", class: `learn-series-${series.look}` },
      series.mark
        ? svg("path", { d: MARKS[series.mark], class: "learn-mark", transform: "translate(17 7)" })
        : svg("path", { d: "M1 7H33", class: "learn-line" }),
    );

  /* plot(parent, {title, x: {label, min, max, log}, y: {...}, height}) returns
       set({lines, points, shade}, text): draw anew; `text` says in words what is seen.
         lines:  [{name, xs, ys, look}]        `look` 0 to 5 is the colour and the dash
         points: [{name, xs, ys, look, mark}]  `mark` is circle, cross, square or diamond
         shade:  values[j][i] from 0 to 1, drawn below everything
       axis(x, y): change ends of the axes. */
  return function plot(parent, { title, x, y, height = 300 }) {
    const drawing = svg("svg", { role: "img", class: "learn-drawing" });
    const legend = el("ul", { class: "learn-legend" });
    const caption = el("p", { class: "learn-caption", id: id("plot") });
    const figure = el(
      "figure",
      { class: "learn-plot" },
      el("p", { class: "learn-title" }, title),
      drawing,
      legend,
      el("figcaption", {}, caption),
    );
    drawing.setAttribute("aria-label", title);
    drawing.setAttribute("aria-describedby", caption.id);
    parent.append(figure);
    const clip = id("clip");
    let shown = {};

    function draw() {
      const width = size();
      const [px, py] = scales();
      const inside = svg("g", { "clip-path": `url(#${clip})` });
      const box = svg(
        "clipPath",
        { id: clip },
        svg("rect", {
          x: PAD.left,
          y: PAD.top - 4,
          width: width - PAD.left - PAD.right,
          height: height - PAD.top - PAD.bottom + 8,
        }),
      );
      if (shown.shade) inside.append(shade(shown.shade, x, y, px, py));
      for (const series of shown.lines || []) {
        inside.append(svg("path", { d: path(series, x, y, px, py), class: `learn-line learn-series-${series.look}` }));
      }
      const marks = svg("g", {});
      for (const series of shown.points || []) {
        for (let i = 0; i < series.xs.length; i++) {
          marks.append(
            svg("path", {
              d: MARKS[series.mark],
              class: `learn-mark learn-series-${series.look}`,
              transform: `translate(${px(series.xs[i]).toFixed(1)} ${py(series.ys[i]).toFixed(1)})`,
            }),
          );
        }
      }
      drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
      drawing.setAttribute("height", height);
      drawing.replaceChildren(box, axes(x, y, px, py, width, height), inside, marks);
    }

    new ResizeObserver(draw).observe(figure);
    const size = () => Math.max(240, Math.floor(figure.clientWidth));
    const scales = () => [scale(x, PAD.left, size() - PAD.right), scale(y, height - PAD.bottom, PAD.top)];
    return {
      element: figure,
      drawing,
      /* The pixel of a place, from the drawing's upper left corner. */
      pixel(at, up) {
        const [px, py] = scales();
        return [px(at), py(up)];
      },
      /* The place under a pointer, on axes that are not logarithmic. */
      under({ clientX, clientY }) {
        const { left, top } = drawing.getBoundingClientRect();
        const back = ({ min, max }, from, to, pixel) => min + ((pixel - from) / (to - from)) * (max - min);
        return [
          back(x, PAD.left, size() - PAD.right, clientX - left),
          back(y, height - PAD.bottom, PAD.top, clientY - top),
        ];
      },
      set(next, text) {
        shown = next;
        const named = [...(next.lines || []), ...(next.points || [])].filter(({ name }) => name);
        legend.replaceChildren(...named.map((series) => el("li", {}, swatch(series), ` ${series.name}`)));
        caption.textContent = text;
        draw();
      },
      axis(nextX, nextY) {
        Object.assign(x, nextX);
        Object.assign(y, nextY);
      },
    };
  };
})();

/* Learn.group and Learn.grid: rows and shades as a plot takes them. */
Learn.group = (X, y, label, name) => {
  const rows = X.filter((_, i) => y[i] === label);
  return {
    name,
    look: label ? 2 : 1,
    mark: label ? "circle" : "cross",
    xs: rows.map(([first]) => first),
    ys: rows.map(([, second]) => second),
  };
};

/* A grid over two axes: `cells` are the middles of its fields, row by row from below; `shade(chances)` is for a plot. */
Learn.grid = (x, y, size = 24) => {
  const middle = ({ min, max }, i) => min + ((i + 0.5) * (max - min)) / size;
  return {
    cells: Array.from({ length: size * size }, (_, k) => [middle(x, k % size), middle(y, Math.floor(k / size))]),
    shade: (chances) => Array.from({ length: size }, (_, j) => chances.slice(j * size, (j + 1) * size)),
  };
};
