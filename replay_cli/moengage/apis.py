"""The ways to hand messages to MoEngage, made of a job's settings."""

from collections.abc import Mapping as Settings
from collections.abc import Sequence
from typing import Any

from replay_cli.model import Message
from replay_cli.moengage.actions import actions_mapping
from replay_cli.moengage.bulk import bulk_event, bulk_mapping
from replay_cli.moengage.classic import classic_mapping
from replay_cli.moengage.mapping import Api, Draft, Mapping
from replay_cli.moengage.packing import packer
from replay_cli.moengage.preflight import MAX_BODY_BYTES, MAX_BULK_BYTES, make_check, make_screen

ACTIONS, CLASSIC, BULK = "actions", "classic", "bulk"
APIS = (ACTIONS, CLASSIC, BULK)


def make_api(settings: Settings[str, Any], workspace_id: str, *, most_users: int = 0, most_events: int = 0) -> Api:
    """Make the API that a job goes through.

    Args:
        settings: `api`, `project_name`, `update_existing_only`, `mapping` (a configuration's document) and `stamp`
            (name → value of a property on every event), each where it is set.
        workspace_id: goes into the paths.
        most_users: users that one bulk request may carry; 0: any number.
        most_events: events that it may carry; 0: any number.
    """
    name, stamp, project = settings.get("api", ACTIONS), settings.get("stamp") or {}, settings.get("project_name", "")
    existing, screen = settings.get("update_existing_only", False), make_screen(name)
    if name == BULK:
        mapping = bulk_mapping(workspace_id, update_existing_only=existing, stamp=stamp)
        pack = packer(most_users, most_events, MAX_BULK_BYTES)
        return Api(name, mapping, make_check(name), MAX_BULK_BYTES, pack, event_of=bulk_event, screen=screen)
    if name == CLASSIC:
        mapping = classic_mapping(workspace_id, project, update_existing_only=existing, stamp=stamp)
        return Api(name, mapping, make_check(name), MAX_BODY_BYTES, screen=screen)
    if document := settings.get("mapping"):
        # What other jobs do without.
        from replay_cli.moengage.configuration import Configuration
        from replay_cli.moengage.configured import configured_mapping

        mapping = configured_mapping(Configuration.from_document(document), workspace_id)
        mapping = _stamped(mapping, stamp)
        return Api(name, mapping, make_check(name), MAX_BODY_BYTES, time_of=_time_of, screen=screen)
    mapping = _stamped(actions_mapping(workspace_id, project, update_existing_only=existing), stamp)
    is_verbatim = not project and not stamp
    return Api(name, mapping, make_check(name), MAX_BODY_BYTES, screen=screen, is_verbatim=is_verbatim)


def _time_of(body: dict[str, Any]) -> object:
    return body.get("timestamp")


def _stamped(mapping: Mapping, stamp: Settings[str, str]) -> Mapping:
    """Put properties on every event that a mapping of the Segment endpoint gives."""
    if not stamp:
        return mapping

    def map_message(message: Message) -> Sequence[Draft]:
        drafts = mapping(message)
        for _, body, _ in drafts:
            if "event" in body:
                body["properties"] = {**body.get("properties", {}), **stamp}
        return drafts

    return map_message
