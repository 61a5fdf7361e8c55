/* Page 9: complaints and their cures. The text is in the page: of each item the complaint, the cure, and why. */
"use strict";

Learn.lab("cures", (box) => {
  const { el } = Learn;
  const list = box.querySelector("ul");
  const items = [...list.children].map(({ children: [complaint, cure, ...why] }) => ({
    complaint,
    cure: cure.textContent,
    why,
  }));
  const options = [
    ["", "choose a cure"],
    ...items.map(({ cure }) => [cure, cure]).sort(([a], [b]) => a.localeCompare(b)),
  ];
  const lines = items.map(({ complaint, cure, why }) => {
    const line = el("div", { class: "learn-cure" }, complaint);
    const chosen = Learn.choice(line, { label: "Cure", value: "", options });
    chosen.select.setAttribute("aria-label", `Cure for: ${complaint.textContent}`);
    return { line, chosen, cure, why: why.map((part) => part.textContent).join(" "), verdict: Learn.status(line) };
  });
  list.replaceWith(...lines.map(({ line }) => line));
  Learn.buttons(box, { "Check the cures": check });
  const result = Learn.status(box);

  function check() {
    let right = 0;
    for (const { chosen, cure, why, verdict } of lines) {
      const fits = chosen.value === cure;
      right += fits;
      verdict.say(
        el("span", { class: `learn-verdict-${fits ? "right" : "wrong"}` }, fits ? "✔ " : "✘ "),
        fits ? why : chosen.value ? "Another cure helps first here." : "Choose a cure.",
      );
    }
    box.toggleAttribute("data-solved", right === lines.length);
    result.say(`${right} of ${lines.length} are right.`);
  }
});
