/* Quizzes, and steps to put in order. The text of both is in the page; here it becomes an exercise. */
"use strict";

(() => {
  const { el, id, status } = Learn;

  /* The first paragraph of a list's item is the answer or the step, all after it explains it. */
  function split(item) {
    const [first, ...rest] = item.children;
    const explanation = el("div", {}, ...rest);
    return { right: item.classList.contains("learn-right"), text: [...first.childNodes], explanation };
  }

  function verdict(word, ...parts) {
    return el(
      "span",
      { class: `learn-verdict-${word === "Right" ? "right" : "wrong"}` },
      `${word === "Right" ? "\u2714" : "\u2718"} ${word}. `,
      ...parts,
    );
  }

  function quiz(box) {
    const list = box.querySelector("ul");
    const items = [...list.children].map(split);
    const legend = el("legend");
    while (box.firstChild !== list) legend.append(box.firstChild);
    const name = id("quiz");
    const answers = items.map((item) => {
      const input = el("input", { type: "radio", name, id: id("answer") });
      return {
        ...item,
        input,
        line: el("div", { class: "learn-answer" }, input, el("label", { for: input.id }, ...item.text)),
      };
    });
    const check = el("button", { type: "button", class: "learn-button" }, "Check");
    const form = el("fieldset", {}, legend, ...answers.map(({ line }) => line), check);
    box.replaceChildren(form);
    const result = status(form);
    check.addEventListener("click", () => {
      const chosen = answers.find(({ input }) => input.checked);
      if (!chosen) return result.say("Choose an answer first.");
      box.setAttribute("data-result", chosen.right ? "right" : "wrong");
      result.say(verdict(chosen.right ? "Right" : "Not this one"), ...chosen.explanation.cloneNode(true).childNodes);
    });
  }

  /* Neither the right order nor its reverse, and the same at each visit: every second step first. */
  const shuffled = (steps) => [...steps.filter((_, i) => i % 2), ...steps.filter((_, i) => i % 2 === 0)];

  function order(box) {
    const right = [...box.querySelector("ol").children].map(split);
    right.forEach((step) => {
      step.name = step.text
        .map((node) => node.textContent)
        .join("")
        .trim();
    });
    const list = el("ol", { class: "learn-steps" });
    const result = { say() {} };
    const place = (step) => [...list.children].indexOf(step.line);

    function move(step, to) {
      const last = list.children.length - 1;
      const goal = Math.max(0, Math.min(last, to));
      if (goal === place(step)) return;
      step.line.remove();
      list.insertBefore(step.line, list.children[goal] || null);
      box.removeAttribute("data-result");
      for (const line of list.children) line.classList.remove("learn-placed", "learn-misplaced");
      result.say(`"${step.name}" is now number ${goal + 1} of ${last + 1}.`);
    }

    function line(step) {
      const arrow = (sign, word, by) =>
        el(
          "button",
          {
            type: "button",
            class: "learn-arrow",
            "aria-label": `Move ${word}: ${step.name}`,
            onclick: (event) => {
              move(step, place(step) + by);
              event.currentTarget.focus();
            },
          },
          sign,
        );
      const text = el("span", { class: "learn-step-text" }, ...step.text);
      step.line = el(
        "li",
        {},
        el("span", { class: "learn-grip", "aria-hidden": "true" }, "\u2630"),
        text,
        arrow("\u2191", "up", -1),
        arrow("\u2193", "down", 1),
      );
      step.line.addEventListener("keydown", (event) => {
        const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (!by) return;
        event.preventDefault();
        const button = event.target;
        move(step, place(step) + by);
        button.focus();
      });
      drag(step, text.previousSibling);
      drag(step, text);
      return step.line;
    }

    /* Pointer events serve mouse, pen and finger alike; the browser's own drag and drop does not work by touch. */
    function drag(step, handle) {
      handle.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        event.preventDefault();
        step.line.classList.add("learn-dragged");
        const follow = ({ clientY }) => {
          const others = [...list.children].filter((other) => other !== step.line);
          const above = others.filter((other) => {
            const { top, height } = other.getBoundingClientRect();
            return clientY > top + height / 2;
          });
          move(step, above.length);
        };
        const end = () => {
          step.line.classList.remove("learn-dragged");
          window.removeEventListener("pointermove", follow);
          window.removeEventListener("pointerup", end);
          window.removeEventListener("pointercancel", end);
        };
        window.addEventListener("pointermove", follow);
        window.addEventListener("pointerup", end);
        window.addEventListener("pointercancel", end);
      });
    }

    function check() {
      const lines = [...list.children];
      const wrong = right.filter((step, i) => {
        const placed = lines[i] === step.line;
        step.line.classList.toggle("learn-placed", lines.indexOf(step.line) === i);
        step.line.classList.toggle("learn-misplaced", lines.indexOf(step.line) !== i);
        return !placed;
      });
      box.setAttribute("data-result", wrong.length ? "wrong" : "right");
      if (!wrong.length) {
        const reasons = right.map((step) =>
          el("li", {}, el("strong", {}, step.name), ...step.explanation.cloneNode(true).childNodes),
        );
        return result.say(verdict("Right"), el("ol", {}, ...reasons));
      }
      const first = right.indexOf(wrong[0]);
      const there = right.find((step) => step.line === lines[first]);
      result.say(
        verdict("Not yet"),
        `Number ${first + 1} is not "${there.name}". About that step: `,
        ...there.explanation.cloneNode(true).childNodes,
      );
    }

    box.querySelector("ol").replaceWith(list);
    list.append(...shuffled(right).map(line));
    box.append(
      el(
        "p",
        { class: "learn-hint" },
        "Drag a step, or use its arrow buttons. Up and down keys work too when a button has the focus.",
      ),
    );
    box.append(el("button", { type: "button", class: "learn-button", onclick: check }, "Check the order"));
    result.say = status(box).say;
  }

  document.querySelectorAll(".learn-quiz").forEach(quiz);
  document.querySelectorAll(".learn-order").forEach(order);
})();
