"""What records are known by: in other versions of their object, and in the window where duplicates are looked for."""

from collections.abc import Mapping

from replay_cli.ledger.changes import hash_of, is_message_id, number_of
from replay_cli.model import Skipped
from replay_cli.preparation import Prepared
from replay_cli.segment.duplicates import DUPLICATE, Window, duplicates


def known_by(prepared: Prepared) -> dict[int, bytes]:
    """Return what the records that become requests are known by in another version of their object, by ordinal."""
    known = {
        request.ordinals[0]: (message_id, request.records[0])
        for request, message_id in zip(prepared.requests, prepared.message_ids, strict=True)
    }
    return {ordinal: hash_of(*known[ordinal]) for ordinal in sorted(known)}


def message_numbers(prepared: Prepared, hashes: Mapping[int, bytes]) -> dict[int, int]:
    """Return what a window knows a batch's records by: of those that have a message id, ordinal → number, in order.

    Args:
        prepared: the batch.
        hashes: what its records are known by, from `known_by`; or some of them.
    """
    named = {
        request.ordinals[0]
        for request, message_id in zip(prepared.requests, prepared.message_ids, strict=True)
        if is_message_id(message_id)
    }
    return {ordinal: number_of(hash_) for ordinal, hash_ in hashes.items() if ordinal in named}


def leave_out_duplicates(prepared: Prepared, window: Window) -> Prepared:
    """Take a batch into the window and skip its duplicates, as a run does when it opens the batch."""
    found = duplicates(message_numbers(prepared, known_by(prepared)), window)
    if not found:
        return prepared
    left = [index for index, request in enumerate(prepared.requests) if request.ordinals[0] not in found]
    return prepared._replace(
        requests=[prepared.requests[index] for index in left],
        message_ids=[prepared.message_ids[index] for index in left],
        events=[prepared.events[index] for index in left],
        times=[prepared.times[index] for index in left],
        skipped=[*prepared.skipped, *(Skipped(ordinal, DUPLICATE) for ordinal in sorted(found))],
    )
