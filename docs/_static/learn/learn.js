/* The parts of which the Learn pages' labs are made: controls, tables, buttons, live text. Plain scripts, no framework.
   Numbers come from the kernels (tinynet.js); this file only shows them. plot.js draws, exercises.js has quiz and order. */
"use strict";

const Learn = (() => {
  let count = 0;

  const id = (name) => `learn-${name}-${++count}`;

  /* An element with attributes and children. A function among the attributes (`onclick`) is an event's listener. */
  function el(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(name.replace(/^on/, ""), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  /* A number as the page shows it. Never "-0.0000": a reader would wonder about the sign. */
  function fmt(value, digits = 4) {
    if (!Number.isFinite(value)) return String(value);
    const text = value.toFixed(digits);
    return Number(text) === 0 ? text.replace("-", "") : text;
  }

  /* Keep numbers with all their digits on an element, as data-NAME, so that a test can compare the last bit. */
  function exact(element, name, values) {
    element.setAttribute(`data-${name}`, JSON.stringify(ArrayBuffer.isView(values) ? Array.from(values) : values));
  }

  /* What a label of 0 or 1, or an answer that is false or true, says of a student. */
  const word = (label) => (label ? "pass" : "fail");

  /* The largest difference between the weights and biases of two neurons. */
  function apart(a, b) {
    const all = ({ weights, bias }) => [...weights, bias];
    return Math.max(...all(a).map((value, j) => Math.abs(value - all(b)[j])));
  }

  const still = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  /* Call `frame(i)` for i = 0 .. n-1, one every `delay` ms; at once if the reader prefers no motion.
     Returns a function that stops it. `done` is called after the last frame, not if it was stopped. */
  function play(n, delay, frame, done = () => {}) {
    let timer = null;
    const step = (i) => {
      if (i >= n) return done();
      frame(i);
      timer = setTimeout(step, delay, i + 1);
    };
    if (still()) {
      for (let i = 0; i < n; i++) frame(i);
      done();
    } else step(0);
    return () => clearTimeout(timer);
  }

  /* Count up to a goal in at most 60 frames. `advance(n)` does the next n; `go(n)` moves the goal n further away. */
  function counter(advance) {
    let [done, goal, stop] = [0, 0, null];
    function run() {
      const some = Math.ceil((goal - done) / 60);
      stop = () => {};
      const halt = play(
        Math.ceil((goal - done) / some),
        25,
        () => {
          const next = Math.min(some, goal - done);
          done += next;
          advance(next);
        },
        () => {
          stop = null;
          if (done < goal) run();
        },
      );
      if (stop) stop = halt;
    }
    return {
      get done() {
        return done;
      },
      go(n) {
        goal += n;
        if (!stop) run();
      },
      reset() {
        if (stop) stop();
        [done, goal, stop] = [0, 0, null];
      },
    };
  }

  /* Build each lab of this name when the kernels are ready: `build(box, TinyNet)`. */
  function lab(name, build) {
    for (const box of document.querySelectorAll(`.learn-lab[data-lab="${name}"]`)) {
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `Lab: ${name.replace(/-/g, " ")}`);
      TinyNet.ready
        .then((net) => {
          build(box, net);
          box.setAttribute("data-ready", "");
        })
        .catch((problem) => {
          box.append(
            el(
              "p",
              { role: "alert", class: "learn-problem" },
              `This lab cannot run here: ${problem.message || problem}`,
            ),
          );
          throw problem;
        });
    }
  }

  /* A row in which controls stand side by side. */
  function row(parent, ...children) {
    const made = el("div", { class: "learn-row" }, ...children);
    parent.append(made);
    return made;
  }

  /* A labelled slider with its value. `onInput(value)` is called when the reader moves it, and not by `set`. */
  function slider(parent, { label, min, max, step, value, digits = 2, onInput = () => {} }) {
    const input = el("input", { type: "range", id: id("slider"), min, max, step, value });
    const shown = el("output", { for: input.id });
    const show = () => {
      shown.value = fmt(input.valueAsNumber, digits);
      input.setAttribute("aria-valuetext", shown.value);
    };
    input.addEventListener("input", () => {
      show();
      onInput(input.valueAsNumber);
    });
    parent.append(el("div", { class: "learn-slider" }, el("label", { for: input.id }, label), input, shown));
    show();
    return {
      input,
      get value() {
        return input.valueAsNumber;
      },
      set(number) {
        input.value = number;
        show();
      },
    };
  }

  /* The slider of a threshold on a chance. */
  const threshold = (parent, onInput) =>
    slider(parent, { label: "Threshold", min: 0.05, max: 0.95, step: 0.05, value: 0.5, onInput });

  /* A labelled choice between [value, text] pairs. */
  function choice(parent, { label, options, value, onChange = () => {} }) {
    const select = el("select", { id: id("choice") });
    for (const [key, text] of options) select.append(el("option", { value: key, selected: key === value }, text));
    select.addEventListener("change", () => onChange(select.value));
    parent.append(el("div", { class: "learn-choice" }, el("label", { for: select.id }, label), select));
    return {
      select,
      get value() {
        return select.value;
      },
      set(key) {
        select.value = key;
      },
    };
  }

  /* A labelled check box. */
  function check(parent, { label, value = false, onChange = () => {} }) {
    const input = el("input", { type: "checkbox", id: id("check"), checked: value });
    input.addEventListener("change", () => onChange(input.checked));
    parent.append(el("div", { class: "learn-check" }, input, el("label", { for: input.id }, label)));
    return {
      input,
      get value() {
        return input.checked;
      },
    };
  }

  /* Buttons side by side: {text: action}. Returns them by their text. */
  function buttons(parent, actions) {
    const made = {};
    const line = row(parent);
    line.classList.add("learn-buttons");
    for (const [text, action] of Object.entries(actions)) {
      made[text] = el("button", { type: "button", class: "learn-button", onclick: () => action(made[text]) }, text);
      line.append(made[text]);
    }
    return made;
  }

  /* Text that a screen reader says when it changes. */
  function status(parent) {
    const line = el("p", { class: "learn-status", role: "status", "aria-live": "polite" });
    parent.append(line);
    return {
      element: line,
      say(...parts) {
        line.replaceChildren(...parts);
      },
    };
  }

  /* The words that a lab's task is solved; a test finds the mark on the lab. */
  function solved(box, text) {
    box.setAttribute("data-solved", "");
    return el("strong", { class: "learn-verdict-right" }, `\u2714 Solved: ${text}`);
  }

  /* A table of numbers. `update(rows, marked)`: cells are text, numbers or elements; `marked` rows stand out.
     `named`: the first cell of a row is its name. */
  function table(parent, { caption, head, rows = [], named = false }) {
    const body = el("tbody");
    const title = el("caption", { id: id("caption") }, caption);
    const header = el("tr", {}, ...head.map((text) => el(text ? "th" : "td", text ? { scope: "col" } : {}, text)));
    const frame = el(
      "div",
      { class: "learn-table", role: "region", tabindex: 0, "aria-labelledby": title.id },
      el("table", {}, title, el("thead", {}, header), body),
    );
    const cell = (value, i) =>
      el(...(named && i === 0 ? ["th", { scope: "row" }] : ["td", {}]), typeof value === "number" ? fmt(value) : value);
    const update = (next, marked = []) =>
      body.replaceChildren(
        ...next.map((cells, i) =>
          el("tr", marked.includes(i) ? { class: "learn-marked", "aria-current": "true" } : {}, ...cells.map(cell)),
        ),
      );
    parent.append(frame);
    update(rows);
    return { element: frame, update };
  }

  /* Named numbers in boxes with signs between them, as in 3 x 0.1 + 0 = 0.3. `parts` are {name, label} or a sign. */
  function flow(parent, parts) {
    const values = {};
    const line = el("div", { class: "learn-flow" });
    for (const part of parts) {
      if (typeof part === "string") line.append(el("span", { class: "learn-sign" }, part));
      else {
        values[part.name] = el("span", { class: "learn-value" }, "?");
        line.append(
          el("span", { class: "learn-cell" }, el("span", { class: "learn-name" }, part.label), values[part.name]),
        );
      }
    }
    parent.append(line);
    return {
      element: line,
      has: (name) => name in values,
      set(numbers, digits = 4) {
        for (const [name, value] of Object.entries(numbers)) {
          values[name].textContent = typeof value === "number" ? fmt(value, digits) : value;
        }
      },
      mark(...names) {
        for (const [name, element] of Object.entries(values)) {
          element.parentNode.classList.toggle("learn-marked", names.includes(name));
        }
      },
    };
  }

  return {
    el,
    id,
    fmt,
    exact,
    word,
    apart,
    still,
    play,
    counter,
    lab,
    row,
    slider,
    threshold,
    choice,
    check,
    buttons,
    status,
    solved,
    table,
    flow,
  };
})();
