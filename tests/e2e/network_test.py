"""recipes/alpaca_offline.yaml with teacher and judge behind an endpoint of which 30 % of all attempts fail, killed every few seconds:
it ends as the run whose endpoint is well. The endpoint counts what it was sent."""

import argparse
import pathlib
import sys
import tempfile
import time

import endpoint_test
import real_text
import stub_llm
import tapir_run

IN_FLIGHT = 16  # of each role; they are asked by turns
AGAIN = ("throttle", "error", "cut", "half")  # faults after which the same is sent again


def network(stub):
    """The recipe's network form: the teacher labels, answers what is unanswered, expands and refines; the judge judges all."""
    return [*stub.settings(f"max_concurrent_requests={IN_FLIGHT}", "max_retries=30"), "judge.by_source=[]",
            "judge.max_attempts=10", "difficulty.threshold=2", "difficulty.pilot_rows=40", 'tasks.labelled=""', "tasks.label_rows=100",
            "data.responses=missing", "teach.expand=true", "teach.refine=all"]


def answers(run_dir):
    """Every reply that is kept and every answer of the teacher, in the order of their texts."""
    with tapir_run.database(run_dir) as db:
        return (sorted(db.execute("select author, instruction_id, text from responses")),
                db.execute("select count(*) from replies where status = 'ok' and text = ''").fetchone()[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpaca", type=int, default=160)
    parser.add_argument("--gsm8k", type=int, default=40)
    parser.add_argument("--kill-every", type=float, default=2, help="seconds")
    options = parser.parse_args()
    if missing := real_text.missing():
        print(f"skipped: there is no {missing}")
        return real_text.SKIPPED
    with tempfile.TemporaryDirectory() as folder, stub_llm.serving() as well, stub_llm.serving(fault_rate=0.3) as faulty:
        folder = pathlib.Path(folder)
        files = real_text.cut(folder, options.alpaca, options.gsm8k, answered=0.8)
        settings = real_text.settings(files, real_text.student(folder, files))
        whole, killed = (("run", real_text.RECIPE, "--run-dir", folder / name, *settings, *network(stub))
                         for name, stub in (("whole", well), ("killed", faulty)))
        tapir_run.tapir(*whole, check=0)
        start = time.monotonic()
        with open(folder / "log.txt", "w") as log:
            kills = endpoint_test.kill_often(tapir_run.command(*killed), log, options.kill_every)
        seconds = time.monotonic() - start
        endpoint_test.same(folder / "whole", folder / "killed")
        kept, empty = answers(folder / "killed")
        assert kept == answers(folder / "whole")[0] and empty == 0, "a failure is kept as an answer"

        sends, distinct = sum(faulty.sends.values()), len(faulty.sends)
        replies, booked, failed, unknown = tapir_run.usage(folder / "killed")
        again = sum(faulty.faults[kind] for kind in AGAIN)
        print(f"{seconds:.1f} s, {kills} kills; the endpoint: {distinct} distinct requests, {sends} sends, faults {dict(faulty.faults)}; "
              f"the store: {replies} replies, {booked} sends, {failed} failed, {unknown} unknown; sent again without a fault: "
              f"{sends - distinct - again} (in flight at the kills: at most {IN_FLIGHT * kills})")
        assert kills > 2, "it was not killed"
        assert failed == 0 and unknown == 0
        assert min(faulty.faults.values()) > 5
        assert sends <= distinct + again + IN_FLIGHT * kills
        # Every reply is there: once more, nobody is asked.
        tapir_run.tapir(*killed, check=0)
        assert sum(faulty.sends.values()) == sends
    return 0


if __name__ == "__main__":
    sys.exit(main())
