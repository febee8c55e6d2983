#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""starts.py [BIN-DIR]: 64 starts that fail, several at once, each in its own way.

Nothing may be left of them but the box itself, which says why: no process, zombie, mount, cgroup
or socket.  With the programs of a build with -Dfaults=true the start is also broken at a step that
COFFER_SEED draws, and the supervisor killed there.
"""
import os
import random
import re
import subprocess
import sys

from lab import Lab, Tap, Wrong, become_subreaper, programs_of, read_dir, run, wait_for

STARTS = 64
AT_ONCE = 8
SHIM = ("cgroup", "clone", "maps", "userns", "sources", "setup", "ready", "posture")
INIT = ("receive", "stem", "sources", "root", "hostname", "landlock", "main", "procfs", "pivot",
        "ids-of-main", "masks", "namespaces", "rights", "posture")


def has_faults(programs):
    return subprocess.run([f"{programs}/coffer-shim", "--fault-points"], capture_output=True,
                          check=False).returncode == 0


def ways(programs, chance):
    """What fails, with the fault that does it, the arguments, and the exit code."""
    yield "a command that is not there", None, ["host", "--", "/nosuch"], 127
    yield "a directory that is not there", None, ["-w", "/nosuch", "host", "--", "true"], 126
    yield "a command that is none", None, ["host", "--", "/etc"], 126
    yield "a mount that is not there", "mount", ["host", "--", "true"], 125
    if not has_faults(programs):
        return
    true = ["host", "--", "true"]
    yield "the supervisor killed in mid-setup", f"init.setup.{chance.choice(INIT)}:kill", true, 125
    yield "a step of the supervisor", f"init.setup.{chance.choice(INIT)}:errno=ENOSPC", true, 125
    yield "a step of the shim", f"shim.launch.{chance.choice(SHIM)}:errno=ENOSPC", true, 125
    yield "the supervisor killed at birth", "newborn.execve:kill", true, 125
    yield "main killed before it was", "main.procfs:kill", true, 125


def begin(lab, number, way):
    """A start in the background; it is not to end well."""
    _, fault, arguments, _ = way
    name = f"box{number}"
    source = os.path.join(lab.home, f"source{number}")
    os.mkdir(source)
    lab.must("create", "--name", name, "-v", f"{source}:/mnt", *arguments)
    if fault == "mount":
        os.rmdir(source)
        fault = None
    lab.fault = fault
    try:
        return lab.begin("start", "-a", name)
    finally:
        lab.fault = None


def check(lab, number, way, result):
    what, fault, _, code = way
    if result.status == 0 or not result.err.startswith("coffer: "):
        raise Wrong(f"{what} ({fault}): {result}")
    box = lab.inspect(f"box{number}")
    if not box:
        raise Wrong(f"{what} ({fault}): there is no box; {result}")
    state = box["State"]
    if state["Running"] or state["Reason"] != "start failed" or state["ExitCode"] != code:
        raise Wrong(f"{what} ({fault}): {state}")
    # What is kept is what was said, the words and the kernel's, and which step of the launch it was.
    said, _, step = state["Error"].partition(" (launch: ")
    if not said or said not in result.err:
        raise Wrong(f"{what} ({fault}): kept {state['Error']!r} of {result.err!r}")
    wanted = re.match(r"shim\.launch\.([a-z]+):", fault or "")
    if wanted and step != f"{wanted[1]})":
        raise Wrong(f"{what} ({fault}): the step is {step!r}")


def sockets(lab):
    return [box for box in read_dir(f"{lab.home}/boxes")
            if os.path.exists(f"{lab.home}/boxes/{box}/control.sock")]


def check_host(lab):
    """The boxes are there, and nothing else."""
    kept = {f"{where}/{name}" for where in ("boxes", "names", "ids")
            for name in read_dir(f"{lab.home}/{where}")}
    lab.files = lambda: [f for f in Lab.files(lab) if f not in kept]
    lab.nothing_left()
    if sockets(lab):
        raise Wrong(f"sockets are left in {sockets(lab)}")


def change_while_looking(lab):
    """A client that waits for a start looks, and before it sleeps the start is done."""
    lab.must("create", "--name", "late", "host", "--", "sleep", "1000")
    box = lab.inspect("late")["Id"]
    lab.fault = "shim.launch.ready:delay=300"
    first = lab.begin("start", "late")
    wait_for("the monitor", lambda: os.path.exists(f"{lab.home}/boxes/{box}/identity"))
    lab.fault = "lib.link.wait#2:delay=600"
    second = lab.begin("start", "late")
    lab.fault = None
    # It must not be woken by the end of its patience, which is longer than ours.
    result = lab.end(second, limit=20)
    if lab.end(first).status != 0 or "running" not in result.err + lab.inspect("late")["State"]["Status"]:
        raise Wrong(f"{result}")
    lab.must("rm", "-f", "late")


def main():
    become_subreaper()
    programs = programs_of(sys.argv[1:])
    seed = os.environ.get("COFFER_SEED", "1")
    chance = random.Random(seed)
    lab, tap = Lab(programs), Tap()
    tap.note(f"seed {seed}")
    todo = []
    while len(todo) < STARTS:
        todo += ways(programs, chance)
    try:
        for first in range(0, STARTS, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, STARTS))
            going = [(n, todo[n], begin(lab, n, todo[n])) for n in numbers]
            for number, way, process in going:
                result = lab.end(process)
                try:
                    check(lab, number, way, result)
                    tap.verdict(True, f"{number}: {way[0]}")
                except Wrong as wrong:
                    tap.verdict(False, f"{number}: {wrong}")
        if has_faults(programs):
            try:
                change_while_looking(lab)
                tap.verdict(True, "what changes while a client looks wakes it")
            except Wrong as wrong:
                tap.verdict(False, str(wrong))
        try:
            check_host(lab)
            tap.verdict(True, f"{STARTS} failed starts left nothing on the host")
            lab.must("rm", "-a")
            del lab.files
            lab.nothing_left()
            tap.verdict(True, "and their boxes are gone, too")
        except Wrong as wrong:
            tap.verdict(False, str(wrong))
    finally:
        lab.close()
    return tap.end()


if __name__ == "__main__":
    run(main)
