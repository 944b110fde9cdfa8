"""Runs the SQL blocks of one page of documentation, in their order and in one session: blocks.py PAGE

Blocks between ```sql and ``` are run, those marked ```sql,ignore are not. What a comment "-- => text" says must be what
the statement above it printed, several such comments being its last lines; "..." stands for anything:

    SELECT memory_profile.profile_get('user_123');
    -- => {"name": "Sarah Chen"}

An error that no such comment expects is a failure. One line per block tells the result.
"""

import re
import subprocess
import sys

PSQL = ["psql", "-X", "--quiet", "--no-align", "--tuples-only", "--field-separator= | ", "--set=VERBOSITY=terse"]
EXPECTED = re.compile(r"\s*-- => ?(.*)")
ERROR = re.compile(r"(ERROR|FATAL|PANIC):|psql: error:|invalid command|connection to server")


def blocks(page):
    """The blocks of a page, each with the number of its first line."""
    lines = open(page, encoding="utf-8").read().split("\n")
    block = None
    for number, line in enumerate(lines, 1):
        if block is None and line.strip() == "```sql":
            block = (number + 1, [])
        elif block is not None and line.strip() == "```":
            yield block
            block = None
        elif block is not None:
            block[1].append(line)
    if block is not None:
        sys.exit(f"{page}: the block at line {block[0]} has no end")


def expectations(lines, first):
    """The expected outputs of a block: the number of the line that each begins in, and its lines."""
    found = []
    for number, line in enumerate(lines, first):
        match = EXPECTED.match(line)
        if match and found and found[-1][0] + len(found[-1][1]) == number:
            found[-1][1].append(match[1])
        elif match:
            found.append((number, [match[1]]))
    return found


def script(lines, first, expected):
    """The block as psql reads it: each expectation becomes a mark in the output."""
    marks = {number for number, _ in expected}
    for number, line in enumerate(lines, first):
        yield f"\\echo @@{number}" if number in marks else line
    yield f"\n;\n\\echo @@end {first}\n"


def is_like(wanted, line):
    return re.fullmatch(".*".join(map(re.escape, wanted.rstrip().split("..."))), line.rstrip()) is not None


def compare(output, expected):
    """What is wrong with the output of a block, as lines of text."""
    wanted_at = {str(number): wanted for number, wanted in expected}
    printed = []
    for line in output:
        if not line.startswith("@@"):
            printed.append(line)
            continue
        wanted = wanted_at.get(line[2:], [])
        end = len(printed) - len(wanted)
        got = printed[max(end, 0) :]
        if len(got) != len(wanted) or not all(map(is_like, wanted, got)):
            yield from [f"line {line[2:]}: expected", *wanted, "and got", *(printed[-len(wanted) :] or ["nothing"])]
        yield from (f"unexpected: {line}" for line in printed[: max(end, 0)] if ERROR.match(line))
        printed = []


def main(page):
    found = [(first, lines, expectations(lines, first)) for first, lines in blocks(page)]
    text = "\n".join(line for first, lines, expected in found for line in script(lines, first, expected))
    run = subprocess.run(PSQL, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    output = iter(run.stdout.split("\n"))
    failures = 0
    for first, _, expected in found:
        of_block = []
        for line in output:
            of_block.append(line)
            if line == f"@@end {first}":
                break
        else:
            of_block.append("ERROR: the session ended")
            of_block.append("@@lost")
        faults = list(compare(of_block, expected))
        print(f"{page} line {first} ... {'FAILED' if faults else 'ok'}")
        for fault in faults:
            print(f"    {fault}")
        failures += bool(faults)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
