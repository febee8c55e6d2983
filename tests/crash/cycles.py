#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cycles.py [BIN-DIR]: run, stop and rm, over and over, with random kills in between.

60 cycles, 1,000 with COFFER_FULL=1, by COFFER_SEED; COFFER_CYCLES says how many.  In each a box is
run in a way that is drawn, something happens to it at a time that is drawn, and it is removed.
After every tenth, and in the end, the host is exactly as before: processes and zombies, mounts,
cgroups, the files of the home and the open descriptors of the test itself.
"""
import os
import random
import signal
import sys

from lab import Lab, Tap, Wrong, children, programs_of, read_dir, run, wait_for, work

BATCH = 10
STAY = "trap 'exit 3' TERM; echo up; sleep 1000 & wait"
RUNS = {
    "detached": ["-d"],
    "detached --rm": ["-d", "--rm"],
    "foreground": [],
    "foreground --rm": ["--rm"],
    "volume": ["-d", "-v", "/mnt"],
    "short": ["--rm"],
}


def shims():
    """Ours is the only subreaper above them."""
    return children(os.getpid())


def pause(chance):
    """Nothing to wait for: any time is as good as another."""
    signal.sigtimedwait([], chance.random() * 0.06)


def hit(lab, chance, what, client):
    """A random one of all that runs for this box, the client included."""
    pause(chance)
    if what == "kill the client":
        client.kill()
    elif what == "kill a process":
        pids = [p for p in shims() if p != client.pid]
        for pid in list(pids):
            pids += children(pid)
        for pid in list(pids)[1:]:
            pids += children(pid)
        if pids:
            lab.kill(chance.choice(pids))
    elif what != "nothing":
        lab.coffer(*what.split())


HITS = ("nothing", "kill a process", "kill a process", "kill a process", "kill the client",
        "kill m", "stop m", "rm -f -v m", "start m", "restart m", "exec m true", "rm -v m",
        "ps -a")


def cycle(lab, chance):
    kind = chance.choice(list(RUNS))
    argv = ["sh", "-c", "echo up; exit 7"] if kind == "short" else ["sh", "-c", STAY]
    done = [kind]
    client = lab.begin("run", "--name", "m", "--stop-timeout", "1", *RUNS[kind], "host", "--", *argv)
    try:
        for _ in range(chance.randrange(1, 4)):
            what = chance.choice(HITS)
            done.append(what)
            hit(lab, chance, what, client)
        if client.poll() is None and kind.startswith("foreground"):
            client.terminate()
        lab.coffer("stop", "m")
        lab.end(client)
        lab.coffer("rm", "-f", "-v", "m")
        wait_for("an end of the box", lambda: removed(lab))
    except Wrong as wrong:
        raise Wrong(f"{', '.join(done)}: {wrong}") from None
    for r in lab.results:
        if r.status < 0 and -r.status not in (signal.SIGKILL, signal.SIGTERM):
            raise Wrong(f"{', '.join(done)}: {r}")
    lab.results.clear()
    return ", ".join(done)


def removed(lab):
    """A client may be killed just before its box begins: then that is found only now."""
    return lab.coffer("rm", "-f", "-v", "m").status == 0 and not lab.inspect("m")


def batch(programs, seed, first, count):
    lab = Lab(programs)
    fds = len(read_dir("/proc/self/fd"))
    done = []
    try:
        for n in range(first, first + count):
            done.append(cycle(lab, random.Random(f"{seed} {n}")))
        lab.must("ps", "-a")
        lab.nothing_left()
        if len(read_dir("/proc/self/fd")) != fds:
            raise Wrong("descriptors of the test are left open")
        return True, ""
    except Wrong as wrong:
        return False, f"{wrong}\n" + "\n".join(done)
    finally:
        lab.close()


def main():
    programs = programs_of(sys.argv[1:])
    seed = os.environ.get("COFFER_SEED", "1")
    full = os.environ.get("COFFER_FULL", "0") == "1"
    cycles = int(os.environ.get("COFFER_CYCLES", "1000" if full else "60"))
    jobs = int(os.environ.get("COFFER_CRASH_JOBS", "2"))
    tap = Tap()
    tap.note(f"seed {seed}")
    todo = [(seed, first, min(BATCH, cycles - first)) for first in range(0, cycles, BATCH)]
    for i, (fine, words) in work(programs, jobs, todo, batch):
        first, _, rest = words.partition("\n")
        tap.verdict(fine, f"cycles {todo[i][1]} to {todo[i][1] + todo[i][2] - 1} {first}")
        if rest:
            tap.note(rest)
    tap.note(f"{cycles} cycles")
    return tap.end()


if __name__ == "__main__":
    run(main)
