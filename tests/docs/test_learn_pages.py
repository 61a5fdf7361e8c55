"""What holds for each Learn page: its exercises by mouse and by keys, its labels and headings, and a phone's width."""

import html
import re
from itertools import pairwise

import pytest
from learn_browser import LEARN, LEARN_PAGES, Part

pytestmark = pytest.mark.parametrize("name", LEARN_PAGES)

FENCE = r"^(:{3,})\{%s\}.*?\n(.*?)^\1$"
ANSWER = re.compile(r"^- \[([x ])\] .*?\n\n((?:^  .*\n|^\n)+)", re.MULTILINE)
STEP = re.compile(r"^\d\. (.*)\n\n((?:^   .*\n|^\n)+)", re.MULTILINE)

WIDER = """
  const inside = (element) => element.closest(".learn-table, pre, .table-wrapper, .sidebar-drawer, .toc-drawer");
  return [...document.querySelectorAll("article *")].filter((element) => !inside(element) &&
    element.getBoundingClientRect().right > document.documentElement.clientWidth + 1
  ).map((element) => element.outerHTML.slice(0, 120));
"""


def source(name, kind):
    """The texts of a page's directives of one kind."""
    page = (LEARN / f"{name.removeprefix('learn/')}.md").read_text(encoding="utf-8")
    return [match[2] for match in re.finditer(FENCE % kind, page, re.MULTILINE | re.DOTALL)]


def answers(quiz):
    """Of each answer, whether it is right, and the beginning of its explanation."""
    return [(mark == "x", start(text)) for mark, text in ANSWER.findall(f"{quiz}\n")]


def start(explanation):
    """The first plain words of an explanation: those before Markdown's signs."""
    return re.split(r"[`*\[_]", " ".join(explanation.split()))[0].strip()[:40]


def plain(text):
    """Sphinx turns quotes into curly ones; here they are as in the source."""
    return " ".join(text.translate({0x201C: '"', 0x201D: '"', 0x2018: "'", 0x2019: "'"}).split())


def parts(page, kind):
    return [Part(page, element) for element in page.all(f".learn-{kind}")]


def test_each_answer_of_a_quiz_explains_itself(page, name):
    shown = page(name)
    quizzes = source(name, "quiz")
    found = parts(shown, "quiz")
    assert len(found) == len(quizzes) > 0
    for part, quiz in zip(found, quizzes, strict=True):
        part.click("Check")
        assert "Choose an answer first" in part.status()
        radios = part.all("input[type=radio]")
        for radio, (right, explanation) in zip(radios, answers(quiz), strict=True):
            shown.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", radio)
            radio.click()
            part.click("Check")
            assert part.status().startswith("✔ Right." if right else "✘ Not this one."), quiz
            assert explanation in plain(part.status())
            assert part.data("result") == ("right" if right else "wrong")


def test_a_quiz_is_solved_by_keys(page, name):
    from selenium.webdriver.common.keys import Keys

    shown = page(name)
    for part, quiz in zip(parts(shown, "quiz"), source(name, "quiz"), strict=True):
        shown.tab_to(part.all("input[type=radio]")[0])
        right = [mark for mark, _ in answers(quiz)].index(True)
        shown.keys(Keys.SPACE, *[Keys.ARROW_DOWN] * right)
        part.press("Check")
        assert part.data("result") == "right"


def solve(part, steps, move):
    """Put the steps in order from the first one on; `move(line, i)` moves a line up to place i."""
    for i, (step, _) in enumerate(steps):
        texts = [text.text for text in part.all(".learn-step-text")]
        if texts.index(step) != i:
            move(part.all("li")[texts.index(step)], i)
        assert part.all(".learn-step-text")[i].text == step


@pytest.mark.parametrize("by", ["mouse", "buttons", "keys"])
def test_steps_are_put_in_order(page, name, by):
    from selenium.webdriver.common.keys import Keys

    shown = page(name)
    for part, text in zip(parts(shown, "order"), source(name, "order"), strict=True):
        steps = STEP.findall(f"{text}\n")
        part.click("Check the order")
        assert part.data("result") == "wrong"
        assert any(start(reason) in plain(part.status()) for _, reason in steps)

        def move(line, place, part=part):
            up = shown.all("button", line)[0]
            if by == "mouse":
                shown.drag(shown.all(".learn-step-text", line)[0], part.all("li")[place])
            elif by == "buttons":
                while part.all("li")[place] != line:
                    up.click()
            else:
                shown.tab_to(up)
                while part.all("li")[place] != line:
                    shown.keys(Keys.ARROW_UP)

        solve(part, steps, move)
        part.press("Check the order") if by == "keys" else part.click("Check the order")
        assert part.data("result") == "right"
        assert all(start(reason) in plain(part.status()) for _, reason in steps)


def test_headings_go_down_one_level_at_a_time(page, name):
    levels = page(name).js(
        "return [...document.querySelectorAll('article :is(h1,h2,h3,h4,h5,h6)')].map((h) => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_controls_and_pictures_have_names(page, name):
    shown = page(name)
    named = shown.all("article :is(input, select, button, [role=img], [role=region], [role=group])")
    assert named
    assert [element.get_attribute("outerHTML")[:200] for element in named if not element.accessible_name.strip()] == []
    for drawing in shown.all(".learn-drawing"):
        assert shown.js(
            "return document.getElementById(arguments[0].getAttribute('aria-describedby')).textContent", drawing
        )


def test_the_focus_is_seen(page, name):
    shown = page(name)
    shown.tab_to(shown.all("article .learn-quiz input")[0])
    assert shown.js("return getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_nothing_is_wider_than_a_phone(page, name):
    shown = page(name, width=360)
    assert shown.js("return document.documentElement.scrollWidth") <= 360
    assert shown.js(WIDER) == []


def test_without_javascript_the_text_teaches(name, built):
    page = (built / f"{name}.html").read_text(encoding="utf-8")
    text = plain(html.unescape(re.sub(r"<[^>]+>", "", page)))
    assert page.count("JavaScript is off.") == len(source(name, "lab"))
    for quiz in source(name, "quiz"):
        assert sum(right for right, _ in answers(quiz)) == 1
        assert all(explanation in text for _, explanation in answers(quiz))
