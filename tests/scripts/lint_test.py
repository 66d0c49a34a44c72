#!/usr/bin/env python3
"""Tests of scripts/lint_includes.py and scripts/lint_files.py on small made-up trees."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

TREE = {
    "src/README.md": "| folder | what | may link |\n|---|---|---|\n| `base` | x | - |\n| `records` | x | - |\n"
                     "| `store` | x | `records` |\n| `llm` | x | `records`, `store` |\n"
                     "| `teach` | x | `llm_api` |\n",
    "src/base/CMakeLists.txt": "tapir_library(NAME base SOURCES a.cpp LINKS Threads::Threads)",
    "src/base/a.h": "#pragma once\n",
    "src/records/CMakeLists.txt": "tapir_library(NAME records SOURCES r.cpp LINKS tapir::base)",
    "src/records/r.h": '#pragma once\n#include "base/a.h"\n',
    "src/store/CMakeLists.txt": "tapir_library(NAME store SOURCES s.cpp LINKS tapir::records)",
    "src/store/s.h": '#pragma once\n#include "records/r.h"\n',
    "src/llm/CMakeLists.txt": "tapir_api(NAME llm_api LINKS tapir::records)\n"
                              "tapir_library(NAME llm SOURCES c.cpp LINKS tapir::llm_api)\n"
                              "target_link_libraries(tapir_llm PRIVATE tapir::store)  # the cache\n",
    "src/llm/chat_model.h": '#pragma once\n#include "records/r.h"\n',
    "src/llm/client.h": "#pragma once\n",
    "src/llm/c.cpp": '#include "store/s.h"\n#include "llm/chat_model.h"\n',
    "src/teach/CMakeLists.txt": "tapir_library(NAME teach SOURCES t.cpp LINKS tapir::llm_api)",
    "src/teach/t.cpp": '#include "base/a.h"\n#include "llm/chat_model.h"\n#include "records/r.h"\n',
    "tests/teach/CMakeLists.txt": "tapir_test(NAME teach SOURCES t_test.cpp LINKS tapir::teach)",
    "tests/teach/t_test.cpp": '#include "llm/chat_model.h"\n#include "test_data.h"\n',
}


def lint(script, changes):
    """Exit status and output of the script on TREE with some files added or replaced."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**TREE, **changes}.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for command in (["init", "-q"], ["add", "-A"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
        done = subprocess.run([sys.executable, "-B", SCRIPTS / script, "--root", folder], capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, done.stdout


class Includes(unittest.TestCase):
    def finds(self, changes, words):
        status, output = lint("lint_includes.py", changes)
        self.assertEqual(status, 1, output)
        self.assertIn(words, output)
        self.assertEqual(len(output.strip().splitlines()), 1, output)

    def test_declared_and_transitive_links_pass(self):
        self.assertEqual(lint("lint_includes.py", {}), (0, ""))

    def test_folder_that_is_not_linked(self):
        self.finds({"src/teach/u.cpp": '\n#include "store/s.h"\n'}, "src/teach/u.cpp:2: includes store/s.h")

    def test_seam_opens_its_own_headers_only(self):
        self.finds({"src/teach/u.cpp": '#include "llm/client.h"\n'}, "includes llm/client.h, but teach does not link llm")

    def test_private_link_is_not_passed_on(self):
        changes = {
            "src/teach/CMakeLists.txt": "tapir_library(NAME teach SOURCES t.cpp LINKS tapir::llm)",
            "src/README.md": TREE["src/README.md"].replace("`llm_api`", "`llm`"),
            "src/teach/u.cpp": '#include "store/s.h"\n',
        }
        self.finds(changes, "src/teach/u.cpp:1: includes store/s.h")

    def test_seam_header_that_includes_more_than_the_seam_links(self):
        changes = {"src/llm/chat_model.h": '#pragma once\n#include "store/s.h"\n'}
        self.finds(changes, "src/llm/chat_model.h:2: includes store/s.h, which llm_api does not link")

    def test_link_that_the_table_does_not_allow(self):
        changes = {"src/teach/CMakeLists.txt": "tapir_library(NAME teach SOURCES t.cpp LINKS tapir::llm_api tapir::store)"}
        self.finds(changes, "teach links store; the table of src/README.md does not allow it")

    def test_folder_without_a_row(self):
        self.finds({"src/extra/CMakeLists.txt": "tapir_library(NAME extra SOURCES e.cpp LINKS tapir::base)"},
                   "no row for extra")

    def test_test_is_held_to_its_links(self):
        self.finds({"tests/teach/u_test.cpp": '#include "store/s.h"\n'}, "tests/teach does not link store")


class Files(unittest.TestCase):
    def finds(self, changes, words):
        status, output = lint("lint_files.py", changes)
        self.assertEqual(status, 1, output)
        self.assertIn(words, output)

    def test_clean_tree_passes(self):
        self.assertEqual(lint("lint_files.py", {}), (0, ""))

    def test_torch_outside_the_student(self):
        self.finds({"src/teach/u.cpp": "#include <ATen/ops/add.h>\n"}, "src/teach/u.cpp:1: torch headers belong in")

    def test_torch_in_the_student_passes(self):
        self.assertEqual(lint("lint_files.py", {"src/student/u.cpp": "#include <ATen/ops/add.h>\n"}), (0, ""))

    def test_umbrella_header(self):
        self.finds({"src/student/u.cpp": "#include <ATen/ATen.h>\n"}, "per-operator header")

    def test_long_file(self):
        self.finds({"src/teach/u.cpp": "\n" * 451}, "src/teach/u.cpp: 451 lines, at most 450")

    def test_library_that_prints(self):
        self.finds({"src/teach/u.cpp": 'void f() { std::cout << "x"; }\n'}, "library code never prints")

    def test_unfinished_work(self):
        self.finds({"src/teach/u.cpp": "// TODO: later\n"}, "unfinished")

    def test_header_without_guard(self):
        self.finds({"src/teach/u.h": "int f();\n"}, "src/teach/u.h: no #pragma once")


if __name__ == "__main__":
    unittest.main()
