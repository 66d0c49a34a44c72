"""recipes/alpaca_offline.yaml on a small part of its data: the whole loop on real text, and what it says of held-out rows."""

import json
import pathlib
import sys
import tempfile

import real_text
import tapir_run


def check_ledgers(status):
    assert status["finished"], status
    for stage in status["stages"]:
        assert stage["in"] == stage["done"] + sum(stage["failed"].values()) + sum(stage["filtered"].values()), stage
        assert not stage["failed"], stage


def check_held_out(figures, rows):
    assert figures["items"] == rows
    by_name = {row["student"]: row for row in figures["students"]}
    assert sorted(by_name) == sorted(["s0", *(f"{arm}/round-{r}" for arm in ("plain", "tapir") for r in (1, 2, 3))])
    for name, row in by_name.items():
        assert 0 < row["loss"] < 10 and 1 <= row["score"] <= 10 and row["characters"] > 0, row
        assert sum(part["items"] for part in row["by_source"].values()) == row["items"] <= rows, row
        for key in ("to_s0", "to_plain"):
            if key not in row:
                continue
            low, high = row[key]["loss"]["interval"]
            assert low <= row[key]["loss"]["difference"] <= high, row[key]
            assert row[key]["wins"]["interval"][0] <= row[key]["wins"]["share"] <= row[key]["wins"]["interval"][1], row[key]
        assert ("to_plain" in row) == name.startswith("tapir/"), name


def main():
    if missing := real_text.missing():
        print(f"skipped: there is no {missing}")
        return real_text.SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        files = real_text.cut(folder, alpaca=240, gsm8k=60)
        settings = real_text.settings(files, real_text.student(folder, files))
        checks = json.loads(tapir_run.tapir("validate", real_text.RECIPE, *settings, "--json", check=0).stdout)
        assert "labelled rows" in {check["what"] for check in checks}, checks
        run = ("run", real_text.RECIPE, "--run-dir", folder / "run", *settings)
        told = tapir_run.tapir(*run, check=0).stdout
        assert "against plain" in told and "held-out rows" in told, told
        status = json.loads(tapir_run.tapir("status", folder / "run", "--json", check=0).stdout)
        check_ledgers(status)
        check_held_out(status["held_out"], 30)
        assert not status["usage"], "nobody was asked"
        report = (folder / "run" / "report.html").read_text()
        assert "id=\"held-out\"" in report and real_text.GSM8K in report
        # By source: numbers by their final answers, the rest by overlap.
        with tapir_run.database(folder / "run") as db:
            words = dict(db.execute("select i.source, group_concat(distinct substr(j.text, 1, 6)) from judgments j "
                                    "join instructions i on i.id = j.instruction_id group by i.source").fetchall())
        assert words == {real_text.GSM8K: "wanted", real_text.ALPACA: "ROUGE-"}, words
    return 0


if __name__ == "__main__":
    sys.exit(main())
