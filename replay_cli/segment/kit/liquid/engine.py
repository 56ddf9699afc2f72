"""The tags of Liquid, and how a template is parsed and rendered: the one module where python-liquid's errors end."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TextIO

from liquid import BoundTemplate, Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.builtin.tags.unless_tag import UnlessNode, UnlessTag
from liquid.exceptions import LiquidError
from liquid.stream import TokenStream

from replay_cli.segment.kit.liquid.coercion import LARGEST_TEXT, output
from replay_cli.segment.kit.liquid.conditions import Condition
from replay_cli.segment.kit.liquid.filters import DISABLED, FILTERS
from replay_cli.segment.kit.liquid.scope import Scope, plain
from replay_cli.segment.kit.values import Evaluate, MappingError, Where

_TAGS = ("#", "assign", "capture", "comment", "decrement", "echo", "if", "increment", "liquid", "raw", "unless")
_DEEPEST = 30
_of_the_clock = re.compile(r"""["'](?:now|today)["']\s*\|\s*date""").search


class _OutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(output(plain(self.expression.evaluate(context))))


class _Output(Output):
    node_class = _OutputNode


class _EchoNode(EchoNode, _OutputNode):
    pass


class _Echo(EchoTag):
    node_class = _EchoNode


class _If(IfTag):
    def parse(self, stream: TokenStream) -> Node:
        return _with_conditions(super().parse(stream))


class _Unless(UnlessTag):
    def parse(self, stream: TokenStream) -> Node:
        return _with_conditions(super().parse(stream))


def _with_conditions(node: Node) -> Node:
    if isinstance(node, IfNode | UnlessNode):
        node.condition = Condition(node.condition)
        for alternative in node.alternatives:
            alternative.expression = Condition(alternative.expression)
    return node


class _Template(BoundTemplate):
    context_class = Scope

    def make_partial_namespace(self, partial: bool, render_args: Mapping[str, object]) -> Mapping[str, object]:
        return render_args


class _Environment(Environment):
    template_class = _Template
    suppress_blank_control_flow_blocks = False
    block_nesting_limit = _DEEPEST
    output_stream_limit = LARGEST_TEXT
    local_namespace_limit = 16 * LARGEST_TEXT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: tag for name, tag in self.tags.items() if name in (*_TAGS, "content", "illegal", "output")}
        for tag in (_Output, _Echo, _If, _Unless):
            self.add_tag(tag)
        self.filters = dict(FILTERS)


def compile_text(text: str, where: Where) -> Evaluate:
    """Parse a template and make the function that renders it.

    Evaluating raises `MappingError` where the runtime fails the message, or when too much would come out.

    Raises:
        MappingError: this is no Liquid, or has a tag or a filter that the runtime does not have, or has disabled.
    """
    if _of_the_clock(text):
        raise MappingError("the date of now would be the time of the replay, not of the message", where)
    body, end = _without_last_newline(text)
    template = _parse(body, where)
    for name in template.analyze(include_partials=False).filters:
        _require_filter(name, where)

    def evaluate(payload: Any) -> str:
        try:
            return template.render(payload if isinstance(payload, dict) else {}) + end
        except Exception as error:  # the gate of a foreign library: whatever a hostile message makes it raise
            raise MappingError(f"@liquid cannot be rendered of this message: {_said(error)}", where) from None

    return evaluate


def _without_last_newline(text: str) -> tuple[str, str]:
    """Part a template from the newline that ends its last text, which python-liquid strips after `-}}`."""
    last = text[max(text.rfind("}}"), text.rfind("%}")) + 2 :]
    return (text[:-1], "\n") if text.endswith("\n") and not last.isspace() else (text, "")


def _parse(text: str, where: Where) -> BoundTemplate:
    try:
        return _Environment(strict_filters=True).from_string(text)
    except Exception as error:  # as above: of a hostile template
        tags = ", ".join(sorted(_TAGS))
        raise MappingError(f"this is no Liquid that Segment runs: {_said(error)} (tags: {tags})", where) from None


def _said(error: Exception) -> str:
    """Give what an error says in one line, without python-liquid's picture of the place."""
    text = error.message if isinstance(error, LiquidError) else error.args[0] if error.args else type(error).__name__
    return str(text).partition("\n")[0]


def _require_filter(name: str, where: Where) -> None:
    if name in FILTERS:
        return
    what = f"Segment has disabled the filter {name}" if name in DISABLED else f"{name} is no filter that works here"
    words = ", ".join(dict.fromkeys([*get_close_matches(name, FILTERS, 1), *FILTERS]))
    raise MappingError(f"{what}: there are {words}", where)
