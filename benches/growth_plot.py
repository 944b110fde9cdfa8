#!/usr/bin/env python3
"""Draws what `benches/run.sh growth` has printed as an SVG: growth_plot.py < output > picture.svg

Two panels on logarithmic axes, one for each table: the time of a search and the bytes of a row.
"""

import math
import re
import sys

WIDTH, HEIGHT, LEFT, TOP = 300, 220, 60, 40
ROW = re.compile(r"^ *(\d+) +(\d+) +(\d+) +(\d+) +([\d.]+) ms +([\d.]+) ms +([\d.]+)$")


def tables(lines):
    """The tables of the output, each a list of (rows, namespaces, bytes, milliseconds)."""
    found, current = [], []
    for line in lines:
        match = ROW.match(line)
        if match:
            rows, namespaces, _, size, p50, _, _ = match.groups()
            current.append((int(rows), int(namespaces), float(size), float(p50)))
        elif current:
            found.append(current)
            current = []
    return [*found, current] if current else found


def power(value):
    exponent = round(math.log10(value))
    return f"{value:g}" if exponent < 4 else f"10<tspan dy='-4' font-size='8'>{exponent}</tspan>"


def decades(values):
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)
    return [10.0**e for e in range(low, high + 1)]


def panel(offset, title, across, up, colour):
    """One panel: points of `across` and `up`, joined, on logarithmic axes."""
    x_marks, y_marks = decades(across), decades(up)

    def place(value, marks, length):
        return (math.log10(value) - math.log10(marks[0])) / (math.log10(marks[-1]) - math.log10(marks[0])) * length

    def x(value):
        return offset + LEFT + place(value, x_marks, WIDTH)

    def y(value):
        return TOP + HEIGHT - place(value, y_marks, HEIGHT)

    yield f'<text x="{offset + LEFT}" y="{TOP - 14}" font-weight="bold">{title}</text>'
    for mark in x_marks:
        yield f'<line x1="{x(mark):.1f}" y1="{TOP}" x2="{x(mark):.1f}" y2="{TOP + HEIGHT}" stroke="#ddd"/>'
        yield f'<text x="{x(mark):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{power(mark)}</text>'
    for mark in y_marks:
        yield f'<line x1="{offset + LEFT}" y1="{y(mark):.1f}" x2="{offset + LEFT + WIDTH}" y2="{y(mark):.1f}" stroke="#ddd"/>'
        yield f'<text x="{offset + LEFT - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{power(mark)}</text>'
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(across, up))
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for a, b in zip(across, up):
        yield f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>'


def draw(found):
    by_rows, by_namespaces = found
    step = WIDTH + LEFT + 20
    panels = [
        ("ms a search, by rows of a namespace", [r[0] for r in by_rows], [r[3] for r in by_rows], "#0b6"),
        ("bytes a row, by rows of a namespace", [r[0] for r in by_rows], [r[2] for r in by_rows], "#06b"),
        ("ms a search, by namespaces", [r[1] for r in by_namespaces], [r[3] for r in by_namespaces], "#0b6"),
        ("bytes a row, by namespaces", [r[1] for r in by_namespaces], [r[2] for r in by_namespaces], "#06b"),
    ]
    height = TOP + HEIGHT + 30
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * step} {2 * height}" '
        'font-family="sans-serif" font-size="12">'
    )
    yield '<rect width="100%" height="100%" fill="white"/>'
    for i, (title, across, up, colour) in enumerate(panels):
        yield f'<g transform="translate(0 {i // 2 * height})">'
        yield from panel(i % 2 * step, title, across, up, colour)
        yield "</g>"
    yield "</svg>"


def main():
    found = tables(sys.stdin)
    if len(found) != 2:
        sys.exit("this is not the output of `benches/run.sh growth`")
    print("\n".join(draw(found)))


if __name__ == "__main__":
    main()
