# SPDX-License-Identifier: Apache-2.0
"""Tables for people, and the goals."""

NOT_RUN = "not run"

# (what, group, our row, field, op, [(word, other row or None, factor)]).  A goal with another row is
# a ratio in this very run; without one it is a number.
GOALS = (
    ("run --rm dir:R -- /bin/true", "start", "p50_ms", "<=",
     (("must", "bwrap", 1.5), ("must", "crun", 0.2), ("aim", "bwrap", 1.0))),
    ("exec into a running box", "exec", "p50_ms", "<=",
     (("must", "crun", 0.25), ("aim", "floor", 1.5))),
    ("PSS per idle box at 50, KiB", "memory 50", "pss_kib", "<=",
     (("must", None, 600), ("aim", None, 350))),
    ("starts per second, 8 at a time", "rate 8", "per_s", ">=",
     (("must", "bwrap", 0.6), ("aim", "bwrap", 1.0))),
    ("bytes through exec -i ... cat", "bytes", "mib_per_s", ">=",
     (("must", "cat | cat | cat", 0.5),)),
    ("ps -a over 1,000 stopped, 50 live boxes", "life ps", "p50_ms", "<=", (("must", "version", 10),)),
    ("adoption of 50 live boxes", "life adopt", "p50_ms", "<=", (("must", "version", 20),)),
    ("stop, main exits at once", "life stop", "p50_ms", "<=", (("must", "exec", 3),)),
)


def good(result):
    return result is not None and not result["failed"]


def table(title, head, rows, left=1):
    """Prints a table: the first columns to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in [head, *rows] if i < len(row) and len(row) == len(head))
              for i in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths], *rows]:
        if len(row) == len(head):
            cells = [cell.ljust(width) if i < left else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(row, widths))]
        else:  # a name and a reason
            cells = [row[0].ljust(widths[0]), *row[1:]]
        print("  " + "  ".join(cells).rstrip())


def number(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def ratio(result, others, name, field):
    other = others.get(name)
    if not good(other) or not other.get(field):
        return "-"
    return f"{number(result[field] / other[field])}x"


def print_group(title, results, columns, field, against):
    """columns: (head, field); against: names of rows to divide by."""
    head = ["", *(name for name, _ in columns), *(f"/ {name}" for name in against)]
    rows = []
    for name, result in results.items():
        if good(result):
            rows.append([name, *(number(result[key]) for _, key in columns),
                         *(ratio(result, results, other, field) for other in against)])
        else:
            why = result["error"] or result.get("reason") or "failed without a word"
            rows.append([name, f"{NOT_RUN}: {why}"])
    table(title, head, rows)
    for name, result in results.items():
        if good(result) and result.get("strays"):
            print(f"  {name}: processes were left after {result['strays']} runs")


def judge(results, group, field, op, other, factor):
    """Answers (measured, verdict)."""
    ours = results.get(group, {}).get("coffer")
    if not good(ours):
        return "", NOT_RUN
    value = ours[field]
    if other is not None:
        theirs = results[group].get(other)
        if not good(theirs):
            return "", f"{NOT_RUN} ({other})"
        value /= theirs[field]
    met = value <= factor if op == "<=" else value >= factor
    return number(value), "met" if met else "NOT met"


def print_goals(results):
    """Answers whether every must that could be measured is met."""
    rows, fine = [], True
    for what, group, field, op, limits in GOALS:
        for word, other, factor in limits:
            value, verdict = judge(results, group, field, op, other, factor)
            against = f" x {other}" if other else ""
            rows.append([what, word, f"{op} {factor:g}{against}", value, verdict])
            fine = fine and not (word == "must" and verdict == "NOT met")
    table("Goals", ["coffer", "", "limit", "measured", ""], rows, left=3)
    return fine
