"""APIs for tests whose subject is not the API."""

from replay_cli.moengage.mapping import Api, Mapping
from replay_cli.moengage.preflight import MAX_BODY_BYTES


def plain_api(mapping: Mapping) -> Api:
    """An API with this mapping that has no concerns."""
    return Api("plain", mapping, lambda _body, _wire: (), MAX_BODY_BYTES)
