"""What tests do in a page of the built site: click, press keys, drag, and read the numbers that a lab shows."""

import json
from pathlib import Path

from site_html import BUILT, all_html

ROOT = Path(__file__).parents[2]
LEARN = ROOT / "docs" / "learn"

# Pages as Sphinx names them. Without a built site there is one name, whose tests are skipped.
SITE_PAGES = ["index"]
if (BUILT / "searchindex.js").is_file():
    SITE_PAGES = sorted(path.relative_to(BUILT).with_suffix("").as_posix() for path in all_html())
LEARN_PAGES = sorted(f"learn/{path.stem}" for path in LEARN.glob("[0-9]*.md"))


class Page:
    """One page, opened from its file in a window of a given width."""

    def __init__(self, driver, name, width=1280):
        self.driver = driver
        driver.get_log("browser")  # what pages before this one logged
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get((BUILT / f"{name}.html").as_uri())
        self.wait("return !document.querySelector('.learn-lab:not([data-ready])')", "a lab is not ready")

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, css, within=None):
        return (within or self.driver).find_elements("css selector", css)

    def lab(self, name):
        return Part(self, self.driver.find_element("css selector", f'.learn-lab[data-lab="{name}"]'))

    def wait(self, script, what, *arguments):
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20).until(lambda _: self.js(script, *arguments), what)

    def problems(self):
        """Errors and warnings in the console. A resource that cannot be loaded is one of them."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def keys(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def tab_to(self, element):
        """Press Tab until the element has the focus, as somebody without a mouse does."""
        from selenium.webdriver.common.keys import Keys

        for _ in range(200):
            if self.driver.switch_to.active_element == element:
                return
            self.keys(Keys.TAB)
        raise AssertionError(f"Tab does not reach {element.get_attribute('outerHTML')[:200]}")

    def drag(self, element, target):
        """Drag by mouse, onto the middle of the target."""
        from selenium.webdriver.common.action_chains import ActionChains

        self.js("arguments[0].closest('.learn-order').scrollIntoView({block: 'center', behavior: 'instant'})", target)
        ActionChains(self.driver, duration=50).click_and_hold(element).move_to_element(target).release().perform()


class Part:
    """A lab or an exercise in a page."""

    def __init__(self, page, element):
        self.page, self.element = page, element

    def all(self, css):
        return self.page.all(css, self.element)

    def data(self, name):
        """The numbers (or the text) that the page keeps with all their digits."""
        text = self.element.get_attribute(f"data-{name}")
        try:
            return json.loads(text)
        except (json.JSONDecodeError, TypeError):
            return text

    def button(self, text):
        return next(button for button in self.all("button") if button.text == text)

    def click(self, text):
        self.page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", self.button(text))
        self.button(text).click()

    def press(self, text):
        """Reach a button by Tab and press it by Enter."""
        from selenium.webdriver.common.keys import Keys

        self.page.tab_to(self.button(text))
        self.page.keys(Keys.ENTER)

    def labelled(self, label):
        """The slider, choice or check box with this label."""
        found = next(element for element in self.all("label") if element.text == label)
        return self.element.find_element("id", found.get_attribute("for"))

    def slide(self, label, value):
        """Move a slider by its arrow keys to a value: only steps that the slider has can be reached."""
        from selenium.webdriver.common.keys import Keys

        slider = self.labelled(label)
        now, step = (float(slider.get_attribute(name)) for name in ("value", "step"))
        steps = round((value - now) / step)
        slider.send_keys((Keys.ARROW_RIGHT if steps > 0 else Keys.ARROW_LEFT) * abs(steps))
        assert abs(float(slider.get_attribute("value")) - value) < step / 2

    def drag_slider(self, label, value):
        """Move a slider to a value by mouse: near it by a click, then pixel by pixel."""
        from selenium.webdriver.common.action_chains import ActionChains

        slider = self.labelled(label)
        self.page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", slider)
        low, high, step = (float(slider.get_attribute(name)) for name in ("min", "max", "step"))
        width = slider.size["width"]
        pixel = (value - low) / (high - low) * (width - 16) + 8 - width / 2
        for _ in range(20):
            ActionChains(self.page.driver, duration=0).move_to_element_with_offset(slider, pixel, 0).click().perform()
            off = value - float(slider.get_attribute("value"))
            if abs(off) < step / 2:
                return
            pixel += 1 if off > 0 else -1
        raise AssertionError(f"{label} cannot be moved to {value}")

    def choose(self, label, text, keys=False):
        """Choose from a list, by mouse or by arrow keys."""
        from selenium.webdriver.common.keys import Keys
        from selenium.webdriver.support.ui import Select

        select = self.labelled(label)
        if keys:
            texts = [option.text for option in Select(select).options]
            steps = texts.index(text) - texts.index(Select(select).first_selected_option.text)
            self.page.tab_to(select)
            self.page.keys(*[Keys.ARROW_DOWN if steps > 0 else Keys.ARROW_UP] * abs(steps))
        else:
            Select(select).select_by_visible_text(text)

    def status(self):
        return " ".join(line.text for line in self.all("[role=status]"))
