"""Which rows of a folder's tables a selection leaves out together (pure)."""

from replay_cli.segment.content import Content
from replay_cli.segment.criteria import OTHER_TYPE
from replay_cli.segment.layout import source_of, span, types_of
from replay_cli.segment.row_groups import (
    RowsSelector,
    first_of,
    rows_always,
    rows_happened_in,
    rows_in_windows,
    rows_of_events,
    rows_of_types,
    rows_received_in,
    rows_without_identifies,
)
from replay_cli.segment.selection import Selection


def rows_selector(selection: Selection, folder: str) -> RowsSelector | None:
    """Return what decides for many rows of an object in a folder at once; None when nothing can be left out so.

    What it leaves out, the selection leaves out row by row as well (`row_groups` says for which reasons).
    """
    if (reason := selection.reason_against(folder)) is not None:
        return rows_always(reason)
    source, known, windows = source_of(folder), span(folder), selection.windows
    return first_of(
        [
            rows_received_in(selection.received, known),
            None if windows is None else rows_in_windows(windows.of_source(source), known),
            rows_happened_in(selection.event_time),
            *_by_content(selection.content, types_of(folder)),
        ]
    )


def _by_content(content: Content, types: frozenset[str] | None) -> list[RowsSelector | None]:
    """Make what decides by what is in the rows, in the order of their reasons.

    Args:
        content: what is meant.
        types: the only types that the folder can have; None when that is not known.
    """
    if not content.meets_types(types):
        return [rows_always(OTHER_TYPE)]
    return [
        rows_of_types(content.types) if content.types else None,
        rows_without_identifies if content.without_identifies else None,
        rows_of_events(content.events) if content.events else None,
    ]
