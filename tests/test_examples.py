"""The files under `examples/` are what they are for: job files that `replay` takes, a schedule, a policy, alerts."""

import json
import re
import tomllib
from contextlib import chdir
from itertools import combinations
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import replay_cli
from replay_cli.cli.selecting import selection_from
from replay_cli.moengage.configuration import read_configuration
from replay_cli.segment.apart import are_apart
from replay_cli.segment.windows_csv import read_windows
from replay_cli.telling.metrics import STATES, Booked, Standing, render
from tests.support.parsing import parse
from tests.support.readme import arguments_of
from tests.support.workplace import CHECKOUT

EXAMPLES = CHECKOUT / "examples"
JOBS = sorted(path.name for path in EXAMPLES.glob("*.toml") if "mapping" not in path.name)


def pod() -> dict[str, Any]:
    manifest = yaml.safe_load((EXAMPLES / "cronjob.yaml").read_text())
    assert manifest["kind"] == "CronJob"
    template: dict[str, Any] = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return template


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("name", JOBS)
def test_each_job_file_can_be_given(name: str) -> None:
    parse(["run", "--job", name], EXAMPLES)


def test_jobs_of_one_workspace_have_no_message_in_common() -> None:
    """Or the second one would be refused what the first one has sent."""
    workspaces = {name: tomllib.loads((EXAMPLES / name).read_text()).get("workspace-id") for name in JOBS}
    pairs = [pair for pair in combinations(JOBS, 2) if workspaces[pair[0]] == workspaces[pair[1]]]
    assert pairs == [("backfill.toml", "failures.toml")]
    with chdir(EXAMPLES):
        one, other = (selection_from(parse(["run", "--job", name], EXAMPLES).params) for name in pairs[0])
    assert are_apart(one, other)


@pytest.mark.parametrize("name", JOBS)
def test_no_job_file_holds_a_secret(name: str) -> None:
    job = tomllib.loads((EXAMPLES / name).read_text())
    assert not {"api-key", "on-finish-url"} & job.keys()
    assert all(place.startswith("secrets/") for key, place in job.items() if key in ("api-key-file", "on-finish-file"))


def test_the_files_that_they_name_are_there() -> None:
    for name in JOBS:
        named = re.findall(r'"([\w-]+\.(?:csv|toml))"', (EXAMPLES / name).read_text())
        assert [file for file in named if not (EXAMPLES / file).is_file()] == []
    assert read_windows((EXAMPLES / "known-failures.csv").read_text()).rows
    assert read_configuration((EXAMPLES / "shop-mapping.toml").read_text(), "shop-mapping.toml").subscriptions


def test_each_line_of_the_crontab_can_be_given() -> None:
    """Five fields, and a command for the shell."""
    lines = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if re.match(r"[\d*]", line)]
    assert lines
    for line in lines:
        *times, command = line.split(None, 5)
        assert all(re.fullmatch(r"[\d*/,-]+", field) for field in times)
        assert "%" not in command  # cron makes a line end of it
        arguments = arguments_of(command.partition(" && ")[2])
        assert arguments is not None
        parse(arguments, EXAMPLES)


def test_the_cron_job_never_runs_twice_at_once_and_is_given_time_to_stop() -> None:
    manifest = yaml.safe_load((EXAMPLES / "cronjob.yaml").read_text())
    assert manifest["spec"]["concurrencyPolicy"] == "Forbid"
    assert manifest["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert pod()["restartPolicy"] == "Never"
    assert pod()["terminationGracePeriodSeconds"] >= 60
    assert {"requests", "limits"} <= container()["resources"].keys()


def test_the_cron_job_is_nobody_in_particular() -> None:
    user = re.findall(r"^USER (\d+):(\d+)$", (CHECKOUT / "Dockerfile").read_text(), flags=re.MULTILINE)
    context = pod()["securityContext"]
    assert [(str(context["runAsUser"]), str(context["runAsGroup"]))] == user
    assert context["runAsNonRoot"] is True
    own = container()["securityContext"]
    assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_what_the_cron_job_writes_lies_in_volumes_and_what_is_secret_in_files() -> None:
    mounts = {mount["mountPath"]: mount["name"] for mount in container()["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    assert {"/work", "/tmp", "/etc/replay"} == mounts.keys()
    assert all("emptyDir" in volumes[mounts[place]] for place in ("/work", "/tmp"))
    given = [item["path"] for source in volumes["jobs"]["projected"]["sources"] for item in _items(source)]
    job = tomllib.loads((EXAMPLES / "nightly.toml").read_text())
    assert {job["api-key-file"], job["on-finish-file"]} == set(given)
    assert job["checkpoint"].startswith("s3://")
    assert "env" not in container()
    assert parse([arg.replace("/etc/replay/", "") for arg in container()["args"]], EXAMPLES).info_name == "run"
    assert container()["image"].endswith(f":{replay_cli.__version__}")


def _items(source: dict[str, Any]) -> list[dict[str, str]]:
    items: list[dict[str, str]] = source.get("secret", {}).get("items", [])
    return items


def test_the_policy_lets_read_archives_and_keep_the_state_and_no_more() -> None:
    policy = json.loads((EXAMPLES / "iam-policy.json").read_text())
    allowed = {(action, statement["Resource"]) for statement in policy["Statement"] for action in statement["Action"]}
    archive, state = "arn:aws:s3:::acme-archive", "arn:aws:s3:::acme-replay"
    assert allowed == {
        ("s3:ListBucket", archive),
        ("s3:GetObject", f"{archive}/segment-logs/*"),
        ("s3:ListBucket", state),
        *((f"s3:{verb}", f"{state}/state/*") for verb in ("GetObject", "PutObject", "DeleteObject")),
        ("s3:AbortMultipartUpload", f"{state}/state/*"),
    }
    places = {tomllib.loads((EXAMPLES / name).read_text()).get("checkpoint", "") for name in JOBS}
    assert all(place.startswith("s3://acme-replay/state/") for place in places - {""})


def test_the_alerts_are_about_metrics_that_there_are() -> None:
    """Of `replay`, with labels as they are; and one of the collector's own."""
    booked = Booked(records={"dead_lettered": 1}, dead_letters={"http_400": 1}, attempts={"429": 1})
    told = {
        sample.name: sample.labels.keys()
        for family in text_string_to_metric_families(render({"nightly": Standing(booked=booked)}).decode())
        for sample in family.samples
    }
    (group,) = yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]:
        names = re.findall(r"(replay_\w+)(?:\{(\w+)=)?", rule["expr"])
        assert names or "node_textfile_mtime_seconds" in rule["expr"]
        assert all(name in told and (not label or label in told[name]) for name, label in names), rule
        assert set(re.findall(r"state=\"(\w+)\"", rule["expr"])) <= set(STATES)
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= {"job", "file"}
        assert set(re.findall(r"replay_\w+", rule["annotations"]["summary"])) <= told.keys()
        assert rule["expr"].count("(") == rule["expr"].count(")")
