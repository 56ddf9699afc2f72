import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_cli.errors import UsageError
from replay_cli.job import Job, dead_letter_path, refuse

CHECKPOINT = Path("job.ckpt")
JOB = Job(("/logs/a", "/logs/b"), "https://api-01.moengage.com", "W1", {"api": "actions", "strict": False})
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1, max_size=20)
JOBS = st.builds(
    Job, st.lists(TEXTS, min_size=1, max_size=3, unique=True).map(tuple), TEXTS, TEXTS, st.just({"api": "actions"})
)


def refusal(job: Job, stored: Job) -> str:
    with pytest.raises(UsageError) as raised:
        job.require_same(stored, CHECKPOINT)
    return str(raised.value)


def test_a_name_is_for_people_and_for_good() -> None:
    """A checkpoint is found by it: it must never change from one version to the next."""
    assert JOB.name == "a-0ee09837"
    assert Job(("s3://bucket/segment-logs/src 1/",), "sandbox", "w", {}).name.startswith("src-1-")
    assert Job(("/",), "sandbox", "w", {}).name.startswith("job-")
    assert Job(("/logs/*.gz",), "sandbox", "w", {}).name.startswith("gz-")


@given(JOBS)
def test_a_name_is_a_file_name(job: Job) -> None:
    assert Path(job.name).name == job.name
    assert len(job.name) <= 49
    assert job.name.isascii()
    assert not job.name.startswith((".", "-"))


@given(JOBS, JOBS)
def test_jobs_have_distinct_names_and_the_same_job_has_one(one: Job, other: Job) -> None:
    same = (set(one.sources), one.endpoint, one.workspace_id) == (
        set(other.sources),
        other.endpoint,
        other.workspace_id,
    )
    assert (one.name == other.name) == same
    assert one._replace(sources=tuple(reversed(one.sources))).name == one.name
    assert one._replace(settings={"api": "bulk"}).name == one.name, "settings do not make another job"


@given(JOBS)
def test_a_stored_job_is_the_same_job(job: Job) -> None:
    stored = Job.from_stored(json.loads(json.dumps(job.stored())))
    job.require_same(stored, CHECKPOINT)
    job._replace(sources=tuple(reversed(job.sources))).require_same(stored, CHECKPOINT)
    assert stored.name == job.name


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sources": ("/logs/c",)}, "job.ckpt belongs to another job: its sources are /logs/a, /logs/b, not /logs/c"),
        (
            {"endpoint": "sandbox"},
            "job.ckpt belongs to another job: its endpoint is https://api-01.moengage.com, not sandbox",
        ),
        ({"workspace_id": "W2"}, "job.ckpt belongs to another job: its workspace id is W1, not W2"),
    ],
)
def test_another_job_is_refused_naming_the_difference(changes: dict[str, Any], expected: str) -> None:
    assert refusal(JOB._replace(**changes), JOB) == f"{expected}: give this one another --name or --checkpoint"


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ({"strict": False}, {"strict": True}, "--strict was off until now in this job and is on here"),
        ({}, {"project_name": "x"}, "--project-name was not set until now in this job and is x here"),
        ({"project_name": "x"}, {}, "--project-name was x until now in this job and is not set here"),
        ({"event": ["a", "b"]}, {"event": ["a"]}, "--event was a, b until now in this job and is a here"),
        ({"only_ids": "blake2b:1"}, {}, "--only-ids was a list until now in this job and is not set here"),
        (
            {"except_ids": "blake2b:1"},
            {"except_ids": "blake2b:2"},
            "--except-ids was another list until now in this job",
        ),
        (
            {"a": 1, "b": 1},
            {"a": 2, "b": 2},
            "--a was 1 until now in this job and is 2 here; --b was 1 until now in this job and is 2 here",
        ),
    ],
)
def test_other_settings_are_refused_naming_all_the_options(then: Any, now: Any, said: str) -> None:
    differences = JOB._replace(settings=now).differences(JOB._replace(settings=then))
    with pytest.raises(UsageError) as raised:
        refuse(differences)
    new = "new one" if len(differences) == 1 else "new ones"
    assert str(raised.value) == (
        f"{said}: use the same again, go on with the {new} with --amend REASON, or begin a new job with --restart"
    )


def test_settings_do_not_make_another_job_and_all_differences_are_named() -> None:
    then, now = JOB._replace(settings={"a": 1, "b": True, "c": 1}), JOB._replace(settings={"b": False, "c": 1, "d": ""})
    now.require_same(then, CHECKPOINT)
    assert now.differences(then) == [("a", "1", "not set"), ("b", "on", "off"), ("d", "not set", "not set")]
    assert now.differences(now) == []


def test_no_two_checkpoints_share_a_dead_letter_file() -> None:
    assert dead_letter_path(Path("x/job.ckpt")) == Path("x/job.dead-letters.jsonl.gz")
    names = ["2025.01", "2025.02", "2025.ckpt", "2025.db", "job", "job.v1.ckpt"]
    paths = {dead_letter_path(Path(name)) for name in names}
    assert len(paths) == len(names)
    assert not paths & {Path(name) for name in names}
