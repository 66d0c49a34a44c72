#!/usr/bin/env python3
"""Writes src/text/newer_characters.inc: what the reference's regular expressions know and older Unicode tables do not.

    tests/goldens/tokenizers/make_newer_characters.py   (in the environment of make_goldens.py, with a Python of Unicode 14)

The `tokenizers` package matches by its own tables of Unicode; Debian's PCRE2 has those of Unicode 14, ICU those of 15. The
file holds the ranges of characters of each general category that the package's \\p{...} matches and Unicode 14 does not.
"""
import pathlib
import unicodedata

from tokenizers import Regex, pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parents[3] / "src" / "text" / "newer_characters.inc"
CATEGORIES = ["Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "P"]


def matched(category, text):
    """The code points of text that the package's \\p{category} matches."""
    split = pre_tokenizers.Split(Regex(r"\p{%s}+" % category), "removed", invert=True)
    return {ord(c) for piece, _ in split.pre_tokenize_str(text) for c in piece}


def main():
    assert unicodedata.unidata_version == "14.0.0", "run with Python 3.11: the tables of Unicode 14 are needed"
    text = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    rows = []
    for category in CATEGORIES:
        theirs = matched(category, text)
        ours = {ord(c) for c in text if unicodedata.category(c).startswith(category)}
        assert not ours - theirs, f"{category}: characters have left the category"
        ranges = []
        for point in sorted(theirs - ours):
            if ranges and ranges[-1][1] == point - 1:
                ranges[-1][1] = point
            else:
                ranges.append([point, point])
        rows += [(first, last, category) for first, last in ranges]
    lines = ["// Made by tests/goldens/tokenizers/make_newer_characters.py."]
    lines += [f'{{0x{first:05X}, 0x{last:05X}, "{category}"}},' for first, last, category in sorted(rows)]
    OUT.write_text("\n".join(lines) + "\n")
    print(f"{len(rows)} ranges in {OUT}")


if __name__ == "__main__":
    main()
