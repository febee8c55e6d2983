#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""recover.py [BIN-DIR]: the monitor, the supervisor, both, or the client of a box get SIGKILL.

Then any client makes the truth of it, several at once as well as one: 137 and why, the mark in the
log, nothing left, and a box that can be used again.
"""
import os
import signal
import sys

from lab import Lab, Tap, Wrong, become_subreaper, children, programs_of, read, run, wait_for

LINE = "mark of main"
STAY = f"trap 'exit 3' TERM; echo {LINE}; sleep 1000 & wait"
CUT = "output may be cut here"
RACERS = 10
ROUNDS = 3


def expect(true, words):
    if not true:
        raise Wrong(str(words))


def start(lab, *flags):
    lab.must("run", "-d", "--name", "m", *flags, "host", "--", "sh", "-c", STAY)
    wait_for("what main writes", lambda: LINE in lab.must("logs", "m").out)


def family(lab):
    """The pids of shim and supervisor."""
    shim = lab.shim_pid("m")
    inits = [p for p in children(shim) if read(f"/proc/{p}/comm").strip() == "coffer-init"]
    expect(len(inits) == 1, f"the supervisors of the box are {inits}")
    return shim, inits[0]


def state(lab):
    return lab.inspect("m")["State"]


def is_dead(lab, reason):
    s = state(lab)
    expect(s["Status"] == "exited" and not s["Running"], s)
    expect((s["ExitCode"], s["Reason"], s["Pid"]) == (137, reason, 0), s)
    r = lab.must("logs", "m")
    expect(LINE in r.out and CUT in r.out + r.err, f"the log: {r.out!r} {r.err!r}")
    expect((r.out + r.err).count(CUT) == 1, f"the mark is there more than once: {r.out!r}")


def victims(lab, who):
    shim, init = family(lab)
    return {"shim": [shim], "supervisor": [init], "both": [shim, init],
            "both, the other way round": [init, shim]}[who]


def reason_of(who):
    return "supervisor died" if who == "supervisor" else "shim died"


# ------------------------------------------------------------------------------------- tests


def a_killed_one_is_found(lab, who):
    """…and the box is used again, and gone in the end."""
    start(lab)
    lab.kill(*victims(lab, who))
    if who == "supervisor":
        # Its monitor lives to tell.
        lab.must("wait", "m")
    if who != "both, the other way round":
        is_dead(lab, reason_of(who))
    else:
        expect(state(lab)["Reason"] in ("shim died", "supervisor died"), state(lab))
    lab.must("start", "m")
    lab.must("exec", "m", "true")
    lab.must("rm", "-f", "m")
    lab.nothing_left()


def whoever_waits_is_told(lab, who):
    start(lab)
    pids = victims(lab, who)
    waiting = lab.begin("wait", "m")
    wait_for("a client that waits", lambda: connected(lab, waiting))
    lab.kill(*pids)
    r = lab.end(waiting)
    expect(r.status == 0 and r.out == "137\n", r)
    lab.must("rm", "m")
    lab.nothing_left()


def connected(lab, process):
    """Its control connection is there: a socket besides its standard streams."""
    fds = f"/proc/{process.pid}/fd"
    return any(os.readlink(f"{fds}/{fd}").startswith("socket:") for fd in os.listdir(fds))


def the_foreground_is_told(lab, who, *flags):
    going = lab.begin("run", "--name", "m", *flags, "host", "--", "sh", "-c", STAY)
    wait_for("a box that runs", lambda: running(lab))
    lab.kill(*victims(lab, who))
    r = lab.end(going)
    expect(r.status == 137, r)
    expect(reason_of(who) in r.err and r.err.count("\n") <= 2, r)
    expect(bool(lab.inspect("m")) == (not flags), "a --rm box goes, any other stays")
    lab.must("rm", "-f", "m")
    lab.nothing_left()


def running(lab):
    box = lab.inspect("m")
    return bool(box and box["State"]["Running"])


def a_client_that_dies(lab, flag):
    """…with its process group: the foreground box goes with it, a detached one does not."""
    flags = ["--name", "m", "--stop-timeout", "1", *flag, "host", "--", "sh", "-c", STAY]
    going = lab.begin("run", *flags, start_new_session=True)
    wait_for("a box that runs", lambda: running(lab))
    if flag == ["-d"]:
        lab.end(going)
        going = lab.begin("exec", "m", "sleep", "1000", start_new_session=True)
        wait_for("an exec", lambda: connected(lab, going))
    os.killpg(going.pid, signal.SIGKILL)
    going.communicate()
    if flag == ["-d"]:
        lab.must("exec", "m", "true")
    else:
        wait_for("the end of a box without its client", lambda: not running(lab))
    if not flag:
        expect((state(lab)["ExitCode"], state(lab)["Reason"]) == (3, ""), state(lab))
    lab.must("rm", "-f", "m")
    lab.nothing_left()


RACES = {
    "ps": lambda i: ("ps", "-a"),
    "rm": lambda i: ("rm", "m"),
    "rm -f": lambda i: ("rm", "-f", "m"),
    "start": lambda i: ("start", "m"),
    "everything": lambda i: (("ps", "-a"), ("start", "m"), ("rm", "m"), ("inspect", "m"),
                             ("rm", "-f", "m"))[i % 5],
}


def clients_race(lab, race):
    """Ten at once meet a box whose monitor has just died."""
    for _ in range(ROUNDS):
        start(lab)
        lab.kill(lab.shim_pid("m"))
        going = [lab.begin(*RACES[race](i)) for i in range(RACERS)]
        results = [lab.end(p) for p in going]
        for r in results:
            expect(r.status in (0, 1, 125) and (r.status == 0 or r.err.startswith("coffer: ")), r)
        won = [r for r in results if r.status == 0]
        if race == "start":
            expect(len(won) == 1, f"{len(won)} starts won: {[str(r) for r in results]}")
            lab.must("exec", "m", "true")
        elif race in ("ps", "rm -f"):
            expect(len(won) == RACERS, [str(r) for r in results if r.status != 0])
        elif race == "rm":
            expect(won, "nobody removed it")
        if race == "ps":
            is_dead(lab, "shim died")
        elif race.startswith("rm"):
            expect(not lab.inspect("m"), "it is still there")
        events = lab.must("events", "--since", "1h", "--until", "0s").out
        expect(events.count(" die ") + events.count('"die"') <= 1 or race in ("start", "everything"),
               f"it died more than once: {events}")
        lab.must("rm", "-f", "m")
        lab.nothing_left()
        os.unlink(f"{lab.home}/events")


def tests():
    for who in ("shim", "supervisor", "both", "both, the other way round"):
        yield f"{who} killed", a_killed_one_is_found, who
    for who in ("shim", "supervisor", "both"):
        yield f"{who} killed while somebody waits", whoever_waits_is_told, who
    for who in ("shim", "supervisor"):
        yield f"{who} killed of a foreground box", the_foreground_is_told, who
        yield f"{who} killed of a foreground box with --rm", the_foreground_is_told, who, "--rm"
    for flag in [], ["--rm"], ["-d"]:
        yield f"the client of run {' '.join(flag)} killed", a_client_that_dies, flag
    for race in RACES:
        yield f"{RACERS} clients at once after the death of the shim: {race}", clients_race, race


def main():
    become_subreaper()
    programs = programs_of(sys.argv[1:])
    tap = Tap()
    for words, test, *arguments in tests():
        lab = Lab(programs)
        try:
            test(lab, *arguments)
            tap.verdict(True, words)
        except Wrong as wrong:
            tap.verdict(False, words)
            tap.note(str(wrong))
        finally:
            lab.close()
    return tap.end()


if __name__ == "__main__":
    run(main)
