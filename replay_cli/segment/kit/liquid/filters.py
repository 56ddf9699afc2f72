"""The filters of Liquid that Segment's runtime has, as liquidjs runs them; an argument may be any JSON."""

import inspect
from collections.abc import Callable
from typing import Any

from replay_cli.segment.kit.liquid import date_filter, list_filters, number_filters, text_filters, web_filters
from replay_cli.segment.kit.liquid.coercion import bounded
from replay_cli.segment.kit.liquid.scope import plain

DISABLED = frozenset(
    {
        *{"array_to_sentence_string", "concat", "find", "find_exp", "find_index", "find_index_exp", "group_by"},
        *{"group_by_exp", "has", "has_exp", "map", "newline_to_br", "reject", "reject_exp", "reverse", "sort"},
        *{"sort_natural", "uniq", "where_exp", "type"},
    }
)
"""The filters that liquidjs has and that the runtime refuses."""

Filter = Callable[..., Any]


def _adapt(function: Filter) -> Filter:
    """Take python-liquid's values and any number of arguments; JavaScript ignores those that are too many."""
    parameters = inspect.signature(function).parameters.values()
    most = sum(parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters)
    names = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]

    def adapted(value: Any, *arguments: Any, **options: Any) -> Any:
        known = {name: plain(options[name]) for name in names if name in options}
        result = function(plain(value), *map(plain, arguments[: most - 1]), **known)
        if result.__class__ is str:
            bounded(len(result))
        return result

    return adapted


FILTERS: dict[str, Filter] = {
    name: _adapt(function)
    for functions in (
        text_filters.FILTERS,
        number_filters.FILTERS,
        list_filters.FILTERS,
        web_filters.FILTERS,
        date_filter.FILTERS,
    )
    for name, function in functions.items()
}
"""Filter → what it does."""
