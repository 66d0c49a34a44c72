#!/usr/bin/env python3
"""Checks every `#include "folder/..."` against the links that the including folder declares.

A folder under src/ may include another one only when its tapir_library() or tapir_api() links it, directly or through
the links of what it links. A header-only seam (llm_api, student_api) opens its own headers and nothing else of its
folder. Every declared link has to stand in the table of src/README.md. Tests are held to their tapir_test() links.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

# The headers that a seam opens.
SEAMS = {
    "llm_api": {"llm/chat_model.h", "llm/ask_all.h", "llm/ask_rows.h"},
    "student_api": {"student/student.h"},
}
CALL = re.compile(r"(tapir_library|tapir_api|tapir_test|target_link_libraries)\s*\(([^)]*)\)", re.S)
KEYWORDS = {"NAME", "SOURCES", "LINKS", "LABEL", "PUBLIC", "PRIVATE", "INTERFACE"}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


@dataclass
class Links:
    """What one target links: names of our own targets, without the tapir:: prefix."""

    public: set = field(default_factory=set)
    private: set = field(default_factory=set)


def arguments(text):
    """Splits the inside of a CMake call into {keyword: words}; words before any keyword stand under ''."""
    result, keyword = {"": []}, ""
    for word in re.sub(r"#[^\n]*", "", text).split():
        if word in KEYWORDS:
            keyword = word
            result.setdefault(keyword, [])
        else:
            result[keyword].append(word)
    return result


def own(words):
    return {re.sub(r"^tapir(::|_)", "", word) for word in words if re.match(r"tapir(::|_)", word)} - {"options", "torch"}


def read_links(cmake_file):
    """The targets that a CMakeLists.txt declares: name -> Links; tests under 'test'."""
    targets = {}
    for call, inside in CALL.findall(cmake_file.read_text()):
        words = arguments(inside)
        if call == "target_link_libraries":
            names = own(words[""][:1])
            for name in names:
                links = targets.setdefault(name, Links())
                links.public |= own(words.get("PUBLIC", [])) | own(words.get("INTERFACE", []))
                links.private |= own(words.get("PRIVATE", []))
        else:
            name = "test" if call == "tapir_test" else words["NAME"][0]
            targets.setdefault(name, Links()).public |= own(words.get("LINKS", []))
    return targets


def closure(names, targets):
    """The names and all that they link publicly."""
    seen, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue += targets[name].public if name in targets else []
    return seen


def allowed_headers(reachable):
    """(folders that may be included whole, single headers that may be)."""
    headers = set().union(*(SEAMS[name] for name in reachable if name in SEAMS))
    return {name for name in reachable if name not in SEAMS}, headers


def includes_of(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match and "/" in match.group(1):
            yield number, match.group(1)


def check_folder(root, files, folder, reachable, known, findings):
    folders, headers = allowed_headers(reachable)
    for path in files:
        for number, header in includes_of(path):
            target = header.split("/")[0]
            if target not in known or target == folder or target in folders or header in headers:
                continue
            findings.append(f"{path.relative_to(root)}:{number}: includes {header}, but {folder} does not link {target}")


def check_seams(root, targets, known, findings):
    """A seam's headers may include what the seam links, and each other."""
    for seam, headers in SEAMS.items():
        if seam not in targets:
            continue
        folders, others = allowed_headers(closure({seam}, targets))
        for header in sorted(headers):
            path = root / "src" / header
            for number, included in includes_of(path) if path.exists() else ():
                if included.split("/")[0] in known and included.split("/")[0] not in folders and included not in others:
                    findings.append(f"src/{header}:{number}: includes {included}, which {seam} does not link")


def read_table(readme):
    """Rows `| folder | ... | a, b |` of the table of allowed links: folder -> names."""
    table = {}
    for line in readme.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        match = re.fullmatch(r"`(\w+)/?`", cells[0]) if len(cells) >= 3 else None
        if match:
            table[match.group(1)] = set(re.findall(r"`(\w+)`", cells[-1]))
    return table


def check_table(targets, table, findings):
    for name, links in sorted(targets.items()):
        folder = name.removesuffix("_api")
        if folder not in table:
            findings.append(f"src/README.md: no row for {folder}")
            continue
        extra = (links.public | links.private) - table[folder] - {"base", f"{folder}_api", folder}
        for link in sorted(extra):
            findings.append(f"src/{folder}/CMakeLists.txt: {name} links {link}; the table of src/README.md does not allow it")


def tracked(root):
    names = subprocess.run(["git", "ls-files", "-z", "*.h", "*.cpp", "*CMakeLists.txt"], cwd=root, check=True,
                           capture_output=True, text=True).stdout.split("\0")
    return [root / name for name in names if name and (root / name).exists()]


def in_folder(files, folder):
    return [path for path in files if folder in path.parents and path.suffix in (".h", ".cpp")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    files = tracked(root)
    cmake = [path for path in files if path.name == "CMakeLists.txt"]
    source_lists = [path for path in cmake if path.parent.parent == root / "src"]
    targets = {}
    for path in source_lists:
        targets.update(read_links(path))
    known = {path.relative_to(root / "src").parts[0] for path in files
             if root / "src" in path.parents and path.parent != root / "src"}

    findings = []
    for path in source_lists:
        folder = path.parent.name
        links = read_links(path)
        direct = set().union(*(link.public | link.private for link in links.values()))
        check_folder(root, in_folder(files, path.parent), folder, closure(direct | set(links), targets), known, findings)
    for path in cmake:
        if path.parent.parent == root / "tests":
            links = read_links(path).get("test", Links())
            reachable = closure(links.public, targets)
            check_folder(root, in_folder(files, path.parent), f"tests/{path.parent.name}", reachable, known, findings)
    check_seams(root, targets, known, findings)
    check_table(targets, read_table(root / "src" / "README.md"), findings)
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
