"""HTML as a browser reads it, for tests of the page of a report and of what notebooks show."""

from html.parser import HTMLParser

EMPTY = {"meta", "br", "img"}  # elements that have no end
HOSTILE = ["<script>alert(1)</script>", 'a" onload="x', "&amp; <b>", "\x1b[31m\udc80", "$x^$"]


class Page(HTMLParser):
    """What a browser would see; every element has to be closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
