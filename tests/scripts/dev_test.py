#!/usr/bin/env python3
"""Tests of ./dev and scripts/setup.sh with made-up system tools: nothing is installed, nothing is fetched."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = 'for last; do :; done; grep -qx "$last" installed && printf installed'


class Dev(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "scripts").mkdir()
        shutil.copy(ROOT / "dev", self.folder)
        shutil.copy(ROOT / "scripts" / "setup.sh", self.folder / "scripts")
        (self.folder / "bin").mkdir()
        (self.folder / "installed").write_text("")
        self.tool("dpkg-query", INSTALLED)

    def tool(self, name, body):
        path = self.folder / "bin" / name
        path.write_text("#!/bin/bash\n" + body + "\n")
        path.chmod(0o755)

    def bash(self, text):
        environment = {"PATH": f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder)}
        return subprocess.run(["bash", "-c", text], cwd=self.folder, env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)

    def setup_script(self, text):
        return self.bash("set -euo pipefail; source scripts/setup.sh; " + text)

    def packages(self):
        return self.setup_script('printf "%s\\n" "${packages[@]}"').stdout.split()

    def wheel(self, version):
        """A made-up wheel whose library is a real one of the system."""
        root = self.folder / ".venv" / "lib" / "python3.11" / "site-packages" / "torch"
        (root / "lib").mkdir(parents=True, exist_ok=True)
        (root / "version.py").write_text(f"__version__ = '{version}+cu130'\n")
        shutil.copy(os.path.realpath("/bin/ls"), root / "lib" / "libtorch_cpu.so")
        return root

    def test_alone_it_lists_its_verbs(self):
        done = self.bash("./dev")
        self.assertEqual(done.returncode, 0)
        for verb in ("setup", "build", "quickstart", "test", "bench", "lint", "format"):
            self.assertRegex(done.stdout, rf"(?m)^  {verb}\b")

    def test_unknown_verb_and_preset_are_usage_errors(self):
        self.assertEqual(self.bash("./dev biuld").returncode, 2)
        done = self.bash("./dev build --preset fast")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no preset 'fast'", done.stderr)

    def test_without_root_it_prints_the_one_line_and_stops(self):
        packages = self.packages()
        (self.folder / "installed").write_text("\n".join(packages[:-2]) + "\n")
        self.tool("id", "echo 1000")
        done = self.bash("./dev setup")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(packages[-2:])}\n",
                      done.stderr)

    def test_root_installs_what_is_missing_and_tries_again(self):
        self.tool("id", "echo 0")
        self.tool("sleep", ":")
        self.tool("apt-get", 'echo "$*" >>calls; [[ $1 == update ]] && exit 0; '
                             '[[ -e failed ]] || { touch failed; echo "no route"; exit 100; }; echo two >>installed')
        (self.folder / "installed").write_text("one\n")
        done = self.setup_script("need_packages one two")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no route", done.stderr)
        self.assertEqual((self.folder / "calls").read_text().splitlines(),
                         ["update -q", "install -y -q --no-install-recommends two"] * 2)

    def test_nothing_missing_calls_nobody(self):
        self.tool("apt-get", "echo called >>calls; exit 1")
        (self.folder / "installed").write_text("one\n")
        self.assertEqual(self.setup_script("need_packages one").returncode, 0)
        self.assertFalse((self.folder / "calls").exists())

    def test_wheel_of_a_later_version_serves_and_an_older_does_not(self):
        for version, serves in (("2.11.0", 0), ("2.11.1", 0), ("2.15.0", 0), ("3.0.0", 0), ("2.9.1", 1), ("2.10.0", 1)):
            with self.subTest(version):
                self.assertEqual(self.setup_script(f"torch_serves '{self.wheel(version)}'").returncode, serves)

    def test_wheel_whose_libraries_are_missing_does_not_serve(self):
        root = self.wheel("2.11.0")
        self.tool("ldd", "echo 'libcudart.so.13 => not found'")
        self.assertEqual(self.setup_script(f"torch_serves '{root}'").returncode, 1)

    def test_named_wheel_that_does_not_serve_is_an_error(self):
        done = self.setup_script("TAPIR_TORCH_ROOT=/nowhere need_torch")
        self.assertEqual(done.returncode, 2)
        self.assertIn("TAPIR_TORCH_ROOT=/nowhere", done.stderr)


if __name__ == "__main__":
    unittest.main()
