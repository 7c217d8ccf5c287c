#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""coverage.py ROOT OBJ LOG OUT PERCENT: adds up gcov's counters.

LOG/CASE/l1/gcov/ has what the kernel counted in each case, OBJ what the
compiler knows of it; OUT/files lists the files of the repository ROOT that
count. Writes OUT/table and OUT/uncovered; fails with less than PERCENT.
"""

import collections
import json
import pathlib
import subprocess
import sys


def notes_beside(data, obj):
    """gcov wants the compiler's notes next to the counters."""
    # debugfs has the object's absolute path.
    inside = pathlib.Path("/", *data.parts[data.parts.index("gcov") + 1:])
    notes = data.with_suffix(".gcno")
    if not notes.exists():
        notes.symlink_to(obj / inside.with_suffix(".gcno").relative_to(obj))
    return data


def read_counters(data, obj):
    """Yields file, line and count of an object's counters."""
    run = subprocess.run(["gcov", "--json-format", "--stdout", data], cwd=obj,
                         stdout=subprocess.PIPE, check=True)
    for file in json.loads(run.stdout)["files"]:
        for line in file["lines"]:
            yield file["file"], line["line_number"], line["count"]


def add_up(log, obj, wanted):
    """Counts by file and line, and how many cases there were."""
    source = obj.parent
    counts = {file: collections.Counter() for file in wanted}
    cases = set()
    for data in sorted(log.glob("*/l1/gcov/**/*.gcda")):
        cases.add(data.relative_to(log).parts[0])
        for file, line, count in read_counters(notes_beside(data, obj), obj):
            # Compiled in obj: most paths are relative to it.
            path = (obj / file).resolve()
            if path.is_relative_to(source):
                name = str(path.relative_to(source))
                if name in counts:
                    counts[name][line] += count
    return counts, len(cases)


def percent(covered, lines):
    return 100 * covered / lines if lines else 100


def write_table(counts, out):
    """The table; returns covered lines and all."""
    rows = []
    for file, lines in sorted(counts.items()):
        # A header that defines no function has no lines.
        if lines or file.endswith(".c"):
            rows.append((file, len(lines), sum(1 for n in lines.values() if n)))
    total = sum(row[1] for row in rows)
    covered = sum(row[2] for row in rows)
    with open(out / "table", "w", encoding="utf-8") as table:
        table.write(f"{'file':40} {'lines':>6} {'covered':>8} {'percent':>8}\n")
        for name, lines, hit in rows + [("total", total, covered)]:
            table.write(f"{name:40} {lines:6} {hit:8} {percent(hit, lines):8.1f}\n")
    return covered, total


def write_uncovered(counts, source, out):
    with open(out / "uncovered", "w", encoding="utf-8") as uncovered:
        for file, lines in sorted(counts.items()):
            text = (source / file).read_text().splitlines()
            for line in sorted(n for n, count in lines.items() if not count):
                uncovered.write(f"{file}:{line}: {text[line - 1].strip()}\n")


def main():
    root, obj, log, out = (pathlib.Path(arg) for arg in sys.argv[1:5])
    goal = float(sys.argv[5])
    wanted = (out / "files").read_text().split()
    counts, cases = add_up(log, obj, wanted)
    covered, total = write_table(counts, out)
    write_uncovered(counts, obj.parent, out)
    print((out / "table").read_text(), end="")

    # A file may have no lines of its own, but not no counters.
    missing = [file for file in wanted if file.endswith(".c")
               and not any(log.glob(f"*/l1/gcov/**/{file[:-1]}gcda"))]
    if missing:
        sys.exit(f"coverage: nothing was counted in {' '.join(missing)}")
    print(f"coverage: {percent(covered, total):.1f} % of {total} lines in {cases} cases,"
          f" the others are in {(out / 'uncovered').relative_to(root)}")
    if percent(covered, total) < goal:
        sys.exit(f"coverage: less than {goal:.0f} %")


if __name__ == "__main__":
    main()
