"""The directive `commands`: every command and option of `tinynet-fast`, as the program itself describes them."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from tinynet_fast.cli.app import app as cli


def code(text: str) -> nodes.literal:
    return nodes.literal(text, text)


def context(command):
    return command.context_class(command, info_name=command.name)


def listed(command) -> nodes.definition_list:
    """The arguments and options of a command: how each is written, and what it does."""
    found = nodes.definition_list()
    for parameter in command.params:
        record = parameter.get_help_record(context(command))
        if record is not None:
            term, definition = nodes.term("", "", code(record[0])), nodes.paragraph("", " ".join(record[1].split()))
            found += nodes.definition_list_item("", term, nodes.definition("", definition))
    return found


class Commands(SphinxDirective):
    """A section for each command, with its help, its usage and its options."""

    def run(self) -> list[nodes.Node]:
        group = get_command(cli)
        return [self.section(name, group.commands[name]) for name in group.commands]

    def section(self, name: str, command) -> nodes.section:
        anchor = f"tinynet-fast-{name}"
        section = nodes.section(ids=[anchor], names=[anchor])
        section += nodes.title(name, "", code(name))
        for paragraph in (command.help or "").split("\n\n"):
            section += nodes.paragraph("", " ".join(paragraph.split()))
        usage = " ".join(["tinynet-fast", name, *command.collect_usage_pieces(context(command))])
        section += nodes.literal_block(usage, usage, language="text")
        if command.params:
            section += listed(command)
        return section


def setup(app) -> dict[str, bool]:
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
