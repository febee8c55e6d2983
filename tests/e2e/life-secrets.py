#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""life-secrets.py COFFER: what /proc shows of values that were given to a box.

Canaries go into a box by each way that there is, while every kind of coffer's processes runs.  Then
/proc/PID/cmdline and environ of all processes are searched.  An ordinary user may not read the
environment of some: that is even better, and what he may read is searched.
"""
import os
import secrets
import subprocess
import sys
import tempfile
import time

COFFER = sys.argv[1]
LIMIT_S = 60
WAYS = ("FROM_FILE", "INHERITED", "LITERAL", "EXEC_FILE", "NOT_PASSED")
CANARY = {way: f"canary-{way}-{secrets.token_hex(16)}" for way in WAYS}
MARK = 100000 + 2 * secrets.randbelow(10**8)  # others run this test beside us
MAIN, EXEC = ["sleep", str(MARK)], ["sleep", str(MARK + 1)]
KINDS = {"coffer", "coffer-shim", "coffer-init", "coffer-unpack"}


def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def argv_of(pid):
    return [os.path.basename(word) if n == 0 else word for n, word in enumerate(read(pid, "cmdline"))]


def look():
    """All processes: {pid: (argv, environment)}."""
    return {int(pid): (argv_of(pid), read(pid, "environ")) for pid in os.listdir("/proc") if pid.isdigit()}


def until(what, deadline=LIMIT_S):
    end = time.monotonic() + deadline
    while not what():
        if time.monotonic() > end:
            sys.exit(f"never came true: {what.__doc__}")


def run(*words):
    return subprocess.run([COFFER, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)


def check(found, seen, clients, box):
    """One look: who has which canary, and may."""
    # A client's child is in its memory until it executes another program.
    theirs = [found[pid][0] for pid in clients if pid in found]
    for pid, (argv, environment) in found.items():
        mine = pid in clients or pid == os.getpid() or (argv and argv in theirs)
        workload = argv in (MAIN, EXEC)
        if argv and argv[0] in KINDS:
            seen.add(argv[0])
        if argv and argv[0] == "coffer-shim" and box in argv and argv != ["coffer-shim", box]:
            sys.exit(f"the monitor's command line is {argv}")
        for way, value in CANARY.items():
            in_argv = any(value in word for word in argv)
            in_environment = any(value in word for word in environment)
            # What the caller himself wrote on a command line, or exported.
            given = mine and (way == "LITERAL" if in_argv else way in ("INHERITED", "NOT_PASSED"))
            wanted = workload and not in_argv and way != "NOT_PASSED"
            wanted = wanted and (way != "EXEC_FILE" or argv == EXEC)
            if (in_argv or in_environment) and not given and not wanted:
                sys.exit(f"the canary {way} is in {'argv' if in_argv else 'environ'} of {pid}: {argv}")
            if wanted and environment and f"{way}={value}" not in environment:
                sys.exit(f"the canary {way} is not in the environment of {argv}")


def main():
    seen, clients = set(), set()
    directory = tempfile.mkdtemp()
    environment = {**os.environ, "INHERITED": CANARY["INHERITED"], "NOT_PASSED": CANARY["NOT_PASSED"]}
    for name in "FROM_FILE", "EXEC_FILE":
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            file.write(f"{name}={CANARY[name]}\n")

    def client(*words):
        process = subprocess.Popen([COFFER, *words], env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        clients.add(process.pid)
        return process

    def runs(argv):
        def there():
            """the box runs its command"""
            return any(found == argv for found, _ in look().values())
        until(there)

    started = [client("run", "--name", "box", "--env-file", f"{directory}/FROM_FILE", "-e", "INHERITED",
                      "-e", f"LITERAL={CANARY['LITERAL']}", "host", "--", *MAIN)]
    runs(MAIN)
    box = run("ps", "--no-trunc", "-q").stdout.decode().strip()
    if ["coffer-shim", box] not in [argv for argv, _ in look().values()]:
        sys.exit(f"box {box!r} has no monitor by that name")
    started.append(client("exec", "--env-file", f"{directory}/EXEC_FILE", "box", *EXEC))
    runs(EXEC)
    started.append(client("logs", "-f", "box"))
    run("exec", "box", "dd", "if=/dev/zero", "of=/tmp/large", "bs=1M", "count=32")
    for attempt in range(20):
        copy = client("cp", "box:/tmp/large", f"{directory}/copy{attempt}")
        while copy.poll() is None:
            check(look(), seen, clients, box)
        os.unlink(f"{directory}/copy{attempt}")
        if "coffer-unpack" in seen:
            break
    run("rm", "-f", "box")
    for process in started:
        process.wait(LIMIT_S)
    if seen != KINDS:
        sys.exit(f"not all of coffer's programs were seen: {seen}")


main()
