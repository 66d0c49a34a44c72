"""resources: teacher and judge as servers that the run starts itself. The teacher's is down while a student trains, a kill
leaves none behind, and the run ends as the one whose teacher and judge are asked in process."""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import endpoint_test
import tapir_run

USAGE, ENDPOINT = 2, 4
RECIPE = "recipes/e2e.yaml"
MARKS = {"teacher": "4711", "judge": "4712"}  # a seed of faults that never come: how the processes are told apart


def settings(keep):
    out = []
    for role, mark in MARKS.items():
        command = f"{tapir_run.PROGRAM} gym serve --port {{port}} --seed 1 --fault-seed {mark}"
        out += [f"{role}.kind=openai", f"{role}.model=gym-{role}", f"resources.{role}.command={json.dumps(command)}",
                f"resources.{role}.keep={keep}"]
    return out


def servers():
    """Roles that have a server now."""
    up = set()
    for place in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().decode().split("\0")
        except OSError:
            continue
        up |= {role for role, mark in MARKS.items() if words[1:3] == ["gym", "serve"] and mark in words}
    return up


def stage_at_work(run_dir):
    try:
        with tapir_run.database(run_dir) as db:
            row = db.execute("select name from stages where finished = 0").fetchone()
    except Exception:  # no store yet
        return ""
    return row[0] if row else ""


def begin(run_dir, *more):
    command = tapir_run.command("run", RECIPE, "--run-dir", run_dir, *more)
    return subprocess.Popen(command, cwd=tapir_run.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def watched(process, run_dir):
    """Stages with the roles that had a server in the middle of them."""
    seen = {}
    while process.poll() is None:
        before, up = stage_at_work(run_dir), servers()
        if before and before == stage_at_work(run_dir):
            seen.setdefault(before, set()).update(up)
        time.sleep(0.01)
    return seen


def teacher_and_training_alternate(folder):
    process = begin(folder / "stage", *settings("stage"))
    seen = watched(process, folder / "stage")
    words = process.communicate()[0]
    assert process.returncode == 0, words
    trained = {stage: up for stage, up in seen.items() if stage.endswith("/train")}
    assert len(trained) > 1 and not any(trained.values()), seen
    assert any("teacher" in up for up in seen.values()), seen
    assert words.count("the server of the teacher is stopped") >= 1, words
    assert not servers()
    assert (folder / "stage" / "logs" / "server-teacher-1.log").exists()
    endpoint_test.same(folder / "inside", folder / "stage")


def killed_in_the_middle(folder):
    process = begin(folder / "killed", *settings("run"))
    end = time.monotonic() + 120
    while servers() != set(MARKS) and time.monotonic() < end:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    assert servers() == set(MARKS)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    end = time.monotonic() + 20
    while servers() and time.monotonic() < end:
        time.sleep(0.1)
    assert not servers(), "servers outlive the run that started them"
    tapir_run.tapir("run", RECIPE, "--run-dir", folder / "killed", *settings("run"), check=0)
    endpoint_test.same(folder / "inside", folder / "killed")


def what_cannot_be(folder):
    def refused(code, *words, setting):
        done = tapir_run.tapir("run", RECIPE, "--run-dir", folder / "refused", *settings("run"), *setting)
        assert done.returncode == code, (setting, done.returncode, done.stderr)
        for word in words:
            assert word in done.stderr, (setting, word, done.stderr)

    refused(USAGE, "resources.teacher.gpus names GPU 900", setting=["resources.teacher.gpus=900"])
    refused(USAGE, "there is no slot {gpu}", setting=["resources.teacher.command=serve {port} {gpu}"])
    refused(ENDPOINT, "did not start: exit status 3", "server-judge-1.log",
            setting=["resources.judge.command=" + json.dumps("exit 3; : {port}"), "resources.teacher.keep=stage"])
    assert not servers()


def timeline():
    done = tapir_run.tapir("validate", RECIPE, *settings("stage"), check=0)
    assert "servers up" in done.stdout and "s0/train" in done.stdout, done.stdout
    told = json.loads(tapir_run.tapir("validate", RECIPE, *settings("stage"), "--json", check=0).stdout)
    by_name = {stage["stage"]: stage["servers"] for stage in told["timeline"]}
    assert by_name["s0/train"] == [] and "teacher" in by_name["tapir/round-1/refine"], by_name
    assert isinstance(json.loads(tapir_run.tapir("validate", RECIPE, "--json", check=0).stdout), list)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        timeline()
        tapir_run.tapir("run", RECIPE, "--run-dir", folder / "inside", check=0)
        teacher_and_training_alternate(folder)
        killed_in_the_middle(folder)
        what_cannot_be(folder)


if __name__ == "__main__":
    sys.exit(main())
