#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""matrix.py [BIN-DIR [POINT…]]: walks every fault point of a build with -Dfaults=true.

First each scenario runs undisturbed and tells by its trace which points it reaches; a point that
none reaches, or that no program lists, is a failure.  Then each point is struck in a scenario that
reaches it, drawn by COFFER_SEED, by one action, drawn as well, or by all with COFFER_FULL=1; and
after each:

  truth    `inspect` says what is so: a running box answers exec, any other has no process
  reason   the exit code is one that main gave, or there is a reason why not
  log      what main wrote before is there, and when the monitor died, the mark that it was cut
  use      the box can be started again and removed, or its name be given to another
  leaks    then no process, zombie, file, claim, volume, mount or cgroup is left

COFFER_CRASH_JOBS says how many run at once (2).  With COFFER_SCENARIOS=all each point is struck in
every scenario that reaches it, which takes hours.
"""
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import termios
import time

from lab import (Lab, Struck, Tap, Wrong, children, describe, programs_of, read, run, wait_for,
                 work)

LINE = "mark of main"
STAY = f"trap 'exit 3' TERM; echo {LINE}; sleep 1000 & wait"
SHORT = f"echo {LINE}; exit 7"
NAMED = ("--name", "m", "--stop-timeout", "1")
MEMORY, POLICY = ("--memory", "64m"), ("--restart", "always")
CODES = ("EIO", "ENOSPC", "ENOMEM", "EMFILE", "EPERM")
CUT = "output may be cut here"
ILL = "/tmp/ill"
TRIES = 3
MISSED = "was not reached this time"  # some are only when one program is faster than another
DIED = ("shim died", "supervisor died")
CLEAN_UP = "could not be cleaned up"

# --------------------------------------------------------------------------------- scenarios


def foreground(lab):
    """run --rm, as most boxes"""
    lab.faulty("run", "--rm", *NAMED, "host", "--", "sh", "-c", SHORT)


def kept(lab):
    """run, then start again, then rm"""
    lab.faulty("run", *NAMED, "host", "--", "sh", "-c", SHORT)
    lab.faulty("start", "-a", "m")
    lab.faulty("logs", "m")
    lab.faulty("rm", "m")


def detached(lab):
    """run -d, exec, kill, wait, stop, start, rm -f"""
    lab.faulty("run", "-d", *NAMED, "host", "--", "sh", "-c", STAY)
    lab.faulty("exec", "m", "true")
    lab.faulty("exec", "m", "sh", "-c", "exit 5")
    lab.faulty("exec", "m", "/nosuch")
    lab.faulty("exec", "-e", "LARGE=" + 40000 * "x", "m", "true")
    lab.faulty("kill", "-s", "CONT", "m")
    lab.going = [lab.begin("wait", "m")]
    lab.faulty("stop", "m")
    if not running(lab):
        lab.end(lab.going.pop())
    lab.faulty("start", "m")
    lab.faulty("rm", "-f", "m")


def terminal(lab):
    """run -it, detach by keys, attach, resize"""
    on_terminal(lab, ["run", "-it", *NAMED, "host", "--", "sh", "-c", f"echo {LINE}; read x; exit 4"],
                leave)
    on_terminal(lab, ["attach", "m"], answer)


def bad_command(lab):
    """a command that does not exist, a directory that does not"""
    lab.faulty("run", *NAMED, "host", "--", "/nosuch")
    lab.faulty("rm", "m")
    lab.faulty("run", "--rm", *NAMED, "-w", "/nosuch", "host", "--", "true")


def refused(lab):
    """a mount whose source is not there, or is gone when the box starts"""
    source = os.path.join(lab.home, "source")
    lab.faulty("create", *NAMED, "-v", f"{source}:/mnt", "host", "--", "true")
    os.mkdir(source)
    lab.faulty("create", *NAMED, "-v", f"{source}:/mnt", "host", "--", "sh", "-c", SHORT)
    os.rmdir(source)
    lab.faulty("start", "m")


def limited(lab):
    """a memory limit: the stem is placed in a cgroup"""
    lab.faulty("run", *NAMED, "--memory", "64m", "host", "--", "sh", "-c", SHORT)
    lab.faulty("rm", "-f", "m")


def paused(lab):
    """pause, update, unpause"""
    lab.faulty("run", "-d", *NAMED, "host", "--", "sh", "-c", STAY)
    lab.faulty("pause", "m")
    lab.faulty("update", *(MEMORY if os.getuid() == 0 else ()), *POLICY, "m")
    lab.faulty("unpause", "m")
    lab.faulty("rm", "-f", "m")


def orphaned(lab):
    """the shim is killed, and the next command finds it"""
    for last in ("ps", "-a"), ("rm", "-f", "m"):
        lab.faulty("run", "-d", *NAMED, "host", "--", "sh", "-c", STAY)
        pid = lab.shim_pid("m")
        if pid:
            lab.kill(pid)
        lab.faulty(*last)
        lab.faulty("rm", "-f", "m")


def volumes(lab):
    """unnamed volumes, which go with their box"""
    lab.faulty("run", "--rm", *NAMED, "-v", "/mnt", "host", "--", "sh", "-c", SHORT)
    lab.faulty("run", "-d", *NAMED, "-v", "/mnt", "host", "--", "sh", "-c", STAY)
    lab.faulty("rm", "-f", "-v", "m")


def named_volume(lab):
    """one with a name, which does not"""
    lab.faulty("volume", "create", "data")
    lab.faulty("run", "--rm", *NAMED, "-v", "data:/mnt", "host", "--", "sh", "-c", SHORT)
    lab.faulty("volume", "rm", "data")


def copied(lab):
    """files of a box that does not run, by a helper run"""
    lab.faulty("create", *NAMED, "host", "--", "sh", "-c", SHORT)
    lab.faulty("cp", "/etc/hostname", "m:/tmp/copy")
    lab.faulty("rm", "m")


def restarted(lab):
    """main dies, and is started again"""
    lab.faulty("run", *NAMED, "--restart", "on-failure:1", "host", "--", "sh", "-c", SHORT)
    lab.faulty("rm", "m")


def limited_again(lab):
    """the same in a cgroup: a launch makes one, and a launch that fails leaves none"""
    lab.faulty("run", *NAMED, "--memory", "64m", "--restart", "on-failure:1", "host", "--", "sh", "-c",
               SHORT)
    lab.faulty("rm", "m")


def cancelled(lab):
    """stopped between two runs"""
    lab.faulty("run", "-d", *NAMED, "--restart", "always", "host", "--", "sh", "-c", SHORT)
    # From the third on there is time enough between two of them.
    soon(lab, lambda box: box["State"]["Restarting"] and box["RestartCount"] >= 3)
    lab.faulty("stop", "m")
    lab.faulty("rm", "-f", "m")


def gone_source(lab):
    """what is to be mounted is gone when main is to be started again"""
    source = os.path.join(lab.home, "source")
    os.mkdir(source)
    lab.faulty("run", "-d", *NAMED, "--restart", "on-failure:1", "-v", f"{source}:/mnt", "host", "--",
               "sh", "-c", f"trap 'exit 7' USR1; echo {LINE}; sleep 1000 & wait")
    soon(lab, lambda _: LINE in lab.coffer("logs", "m").out)
    os.rmdir(source)
    lab.faulty("kill", "-s", "USR1", "m")
    soon(lab, lambda box: not box["State"]["Running"] and not box["State"]["Restarting"])
    lab.faulty("rm", "-f", "m")


def healthy(lab):
    """a box that is well, and then is not"""
    lab.faulty("run", "-d", *NAMED, "--health-cmd", f"test ! -e {ILL}", "--health-interval", "20ms",
               "--health-retries", "1", "host", "--", "sh", "-c", STAY)
    soon(lab, lambda box: box["State"]["Health"]["Status"] == "healthy")
    lab.faulty("exec", "m", "touch", ILL)
    soon(lab, lambda box: box["State"]["Health"]["Status"] == "unhealthy")
    lab.faulty("rm", "-f", "m")


def due(lab):
    """the shim is killed, and the box's policy starts it"""
    lab.faulty("run", "-d", *NAMED, "--restart", "always", "host", "--", "sh", "-c", STAY)
    pid = lab.shim_pid("m")
    if pid:
        lab.kill(pid)
    lab.faulty("start", "--restart")
    lab.faulty("exec", "m", "true")
    lab.faulty("rm", "-f", "m")


def updated(lab):
    """changed while it does not run"""
    lab.faulty("create", *NAMED, "host", "--", "sh", "-c", SHORT)
    lab.faulty("update", "--pids-limit", "100", "m")
    lab.faulty("start", "-a", "m")
    lab.faulty("rm", "m")


# The exit codes that main gives in each.
SCENARIOS = {foreground: {7}, kept: {7}, detached: {3}, terminal: {4, 129}, bad_command: set(),
             refused: {7}, limited: {7}, paused: {3}, orphaned: {3}, volumes: {3, 7},
             named_volume: {7}, copied: {7},
             restarted: {7}, limited_again: {7}, cancelled: {7}, gone_source: {7}, healthy: {3},
             due: {3}, updated: {7}}
FOREGROUND = ("foreground", "kept", "bad_command", "limited", "restarted", "limited_again")


def soon(lab, ready):
    """What comes by itself, if it comes: a box that does not run any more is waited for no longer."""
    def over():
        box = lab.inspect("m")
        state = box and box["State"]
        return not box or ready(box) or state["Status"] in ("exited", "failed", "created")
    try:
        wait_for("what comes by itself", over, 3)
    except Wrong:
        pass  # the judge sees what is
    lab.check_struck()


def running(lab):
    box = lab.inspect("m")
    return bool(box and box["State"]["Running"])


class Session:
    """A command on a terminal; it may end at any time."""

    def __init__(self, lab, argv):
        self.master, self.slave = pty.openpty()
        self.seen = b""
        self.lab = lab
        self.process = subprocess.Popen(
            lab.command(*argv), stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env=lab.environment(lab.fault), start_new_session=True,
            preexec_fn=lambda: __import__("fcntl").ioctl(0, termios.TIOCSCTTY, 0))

    def poll(self, ready):
        """True when it is so, False when the command has ended before."""
        end = time.monotonic() + 20
        while not ready():
            if self.process.poll() is not None:
                return False
            if time.monotonic() > end:
                self.process.kill()
                self.process.wait()
                raise Wrong(f"the terminal shows only {self.seen!r}")
            if select.select([self.master], [], [], 0.02)[0]:
                self.seen += os.read(self.master, 65536)
        return True

    def shows(self, text):
        return self.poll(lambda: text in self.seen)

    def raw(self):
        return self.poll(lambda: not termios.tcgetattr(self.slave)[3] & termios.ICANON)

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        self.poll(lambda: False)
        self.lab.note_end(self.process)
        os.close(self.master)
        os.close(self.slave)


def on_terminal(lab, argv, play):
    session = Session(lab, argv)
    play(session)
    session.end()
    lab.check_struck()


def leave(session):
    if session.shows(LINE.encode()) and session.raw():
        session.type(b"\x10\x11")


def answer(session):
    if session.raw():
        session.process.send_signal(signal.SIGWINCH)
        session.type(b"\n")


# ------------------------------------------------------------------------------- the judge


def check_code(box, codes, point):
    """Which of the ends that are true is it?"""
    state = box["State"]
    code, reason, error = state["ExitCode"], state["Reason"], state["Error"]
    if state["Status"] == "created":
        if code or reason:
            raise Wrong(f"a box that never ran has {code} {reason!r}")
        return "created"
    if reason == DIED[0] and "finish." in point and code not in codes:
        raise Wrong(f"the exit status that the supervisor had reported is lost: {code}")
    if reason in DIED and (code == 137 or code in codes):
        return f"{code}, {reason}"
    if reason == "start failed" and code in (125, 126, 127):
        if not error:
            raise Wrong("a start failed and nothing says why")
        return f"{code}, start failed"
    if point.endswith("main.send.ERROR") and code in (126, 127):
        return f"{code}"  # what main could not say is not known
    if reason == CLEAN_UP and error:
        return f"{code}, {reason}"
    if not reason and (code in codes or code == 137):
        return str(code)
    raise Wrong(f"an end that is not true: {code}, {reason!r}, {error!r}")


def check_log(lab, box):
    """What main wrote, or the mark that says why not."""
    state = box["State"]
    r = lab.must("logs", "m")
    text = r.out + r.err
    lines = text.replace("\r", "").splitlines()
    cut = any(CUT in line for line in lines)
    if state["Status"] == "created" or state["Reason"] == "start failed":
        return
    if state["ExitCode"] in (126, 127):
        return  # it never was
    if state["Reason"] in DIED and not cut:
        raise Wrong(f"the log has no mark that it was cut: {text!r}")
    if state["Running"] and LINE not in lines:
        wait_for("what main writes", lambda: LINE in lab.must("logs", "m").out.splitlines())
        return
    if state["ExitCode"] == 137 and not state["Reason"]:
        return  # its client was gone, perhaps before main had written
    if LINE not in lines and not cut:
        raise Wrong(f"the log lost what main wrote: {text!r}")
    for line in lines:
        if line not in ("", LINE) and CUT not in line:
            raise Wrong(f"the log has what nobody wrote: {text!r}")


def decide(lab, client):
    """What a killed client has set off goes on without it: to a box that runs, or to an end."""
    ends = client.argv[0] != "exec" and (SHORT in client.argv or client.argv[0] in ("rm", "stop"))

    def decided():
        return lab.no_children() or (not ends and running(lab))

    try:
        wait_for("the end of what a killed client has begun", decided, 3)
    except Wrong:
        pass  # it has begun nothing


def settle_down(lab, name):
    """A box whose foreground client is gone ends in its own time."""
    for r in lab.results:
        if r.status == -signal.SIGKILL:
            decide(lab, r)
    if name == "terminal" and running(lab):
        try:  # unless it was detached from
            wait_for("the end of a box without its client", lambda: not running(lab), 3)
        except Wrong:
            pass
    if name in FOREGROUND:
        wait_for("the end of a box without its client", lambda: not running(lab))


def check_update(lab, box, point):
    """What update said is true: 0 and kept, or not; and a box that ended over it is told of."""
    for r in lab.results:
        if "update" not in r.argv or "--restart" not in r.argv or r.status < 0:
            continue
        kept = box["HostConfig"]["RestartPolicy"]["Name"] == "always"
        if kept != (r.status == 0) or (os.getuid() == 0 and kept != (box["HostConfig"]["Memory"] > 0)):
            raise Wrong(f"kept is {kept}, but {r}")
        if r.status == 0 and ".UPDATE" in point:
            ended = box["State"]["Reason"] in DIED
            said = "ended before it had answered" if ended else "was started without a restart policy"
            if said not in r.err:
                raise Wrong(f"it does not say what counts from the next start: {r}")


def check_life(lab, box, point):
    """A box that runs lets others in; one that ends just now is looked at again."""
    if box["State"]["Paused"]:
        lab.must("unpause", "m")
    if box["State"]["Running"] and not box["State"]["Restarting"]:
        r = lab.coffer("exec", "m", "true")
        now = lab.inspect("m")
        again = now["State"]["Restarting"] or now["RestartCount"] > box["RestartCount"]
        # The stem is not asked whether it has entered: the first exec is told that it has not.
        if now["State"]["Running"] and not again and r.status != 0 and point != "stem.enter":
            raise Wrong(f"it does not run: {r}")
        box = now
    if box["State"]["Restarting"]:
        box = check_restarts(lab, box)
    if box["State"]["Running"] and "Health" in box["State"]:
        check_health(lab, point)
    return box


def is_live(box):
    return box["State"]["Running"] or box["State"]["Restarting"]


def check_rest(lab, box):
    """Of a box that does not run there are its files alone: not only once it is removed."""
    lab.see_ids()

    def left():
        lab.no_children()  # reaps
        said = box["State"]["Reason"] == CLEAN_UP  # and why
        return [describe(p) for p in children(os.getpid())] + ([] if said else lab.cgroups())
    try:
        wait_for("the end of what a box had", lambda: not left())
    except Wrong:
        raise Wrong(f"it does not run, and there are left: {', '.join(left())}") from None


def check_restarts(lab, box):
    """It is not left at that."""
    def goes_on():
        now = lab.inspect("m")
        return not now["State"]["Restarting"] or now["RestartCount"] > box["RestartCount"]
    wait_for("the next start", goes_on)
    return lab.inspect("m")


def check_health(lab, point):
    """The check goes on, and says what is so; one that could not go on says that all is not well."""
    ill = lab.coffer("exec", "m", "test", "-e", ILL).status == 0
    able = lab.coffer("exec", "m", "true").status == 0  # else no probe can be started
    true = "unhealthy" if ill or not able or point == "shim.health.timer" else "healthy"

    def says():
        state = lab.inspect("m")["State"]
        return not state["Running"] or state["Health"]["Status"] == true
    wait_for(f"that the box is {true}", says)


def check_use(lab, box, codes, point):
    """It can be used as if nothing had been."""
    if not is_live(box) and codes:
        r = lab.coffer("start", "m")
        # A start whose client was cut off goes on: it may have come to its end meanwhile.
        if "running already" in r.err and lab.cut_off and point.startswith("lib."):
            wait_for("the end of a start without its client", lambda: run_of(lab))
        elif r.status != 0:
            raise Wrong(f"cannot be started again: {r}")
    lab.must("rm", "-f", "-v", "m")


def run_of(lab):
    """Does it run, or has it run?"""
    state = lab.inspect("m")["State"]
    return state["Running"] or state["Status"] in ("exited", "failed")


def judge(lab, name, codes, point=""):
    """The state in words, or Wrong."""
    for process in lab.going:
        process.kill()
        process.communicate()
    if name in ("refused", "gone_source"):
        os.makedirs(os.path.join(lab.home, "source"), exist_ok=True)
    lab.must("ps", "-a")
    settle_down(lab, name)
    box = lab.inspect("m")
    if not box:
        verdict = "gone"
        lab.must("run", "--rm", *NAMED, "host", "--", "true")
    else:
        check_update(lab, box, point)
        box = check_life(lab, box, point)
        verdict = "runs" if is_live(box) else check_code(box, codes, point)
        if not is_live(box):
            check_rest(lab, box)
        check_log(lab, box)
        check_use(lab, box, codes, point)
    for left in os.listdir(lab.home):
        if left == "source":
            os.rmdir(os.path.join(lab.home, left))
    lab.must("ps", "-a")
    if name == "named_volume":  # nobody else knows of it
        lab.coffer("volume", "rm", "data")
        lab.must("volume", "ls")
    lab.nothing_left()
    return verdict


def check_words(lab, point):
    """Whoever did not do what was asked said so in a line; only a client that is killed is silent."""
    for r in lab.results:
        if r.status == -signal.SIGKILL and point.startswith("lib."):
            continue
        if r.status < 0:
            raise Wrong(f"a client died: {r}")
        if point.endswith("send.ERROR"):
            continue  # the words are what was lost
        if r.status in (1, 125, 126) and not r.err.startswith("coffer: "):
            raise Wrong(f"no word of why: {r}")


# ------------------------------------------------------------------------------- the matrix

# Points that not everybody reaches.
NEEDS = {".PLACE": "a cgroup that takes limits",
         ".hold.state": "a cgroup that can freeze", ".hold.thaw": "a cgroup that can freeze",
         "launcher.send.OK": "a cgroup that takes limits",
         "launcher.recv.ERROR": "an ordinary user, in whose boxes mounts are made",
         "shim.spawn.": "subordinate ids, which root has not",
         "launcher.spawn.": "subordinate ids, which root has not"}


def points_of(programs):
    found = []
    for name in ("coffer", "coffer-shim", "coffer-init"):
        found += subprocess.run([os.path.join(programs, name), "--fault-points"], check=True,
                                stdout=subprocess.PIPE, text=True).stdout.split()
    if len(found) != len(set(found)):
        sys.exit("a fault point has two places: " +
                 " ".join(sorted({p for p in found if found.count(p) > 1})))
    return sorted(found)


def undisturbed(programs, scenario):
    """What a scenario reaches when nothing is done to it; and that the judge is content then."""
    lab = Lab(programs)
    lab.trace = os.path.join(lab.home, "trace")
    try:
        scenario(lab)
        reached = {line.split()[0] for line in read(lab.trace).splitlines()}
        os.unlink(lab.trace)
        lab.trace = None
        judge(lab, scenario.__name__, SCENARIOS[scenario])
        return sorted(reached), ""
    except Wrong as wrong:
        return [], str(wrong)
    finally:
        lab.close()


def strike(programs, scenario, point, action):
    """One cell of the matrix: (fine, words)."""
    for _ in range(TRIES):
        fine, words = strike_once(programs, scenario, point, action)
        if words != MISSED:
            break
    return fine, words


def strike_once(programs, scenario, point, action):
    lab = Lab(programs)
    lab.trace = os.path.join(lab.home, "trace")
    lab.fault = f"{point}:{action}"
    if not action.startswith("delay"):
        lab.stop_at = f"{point} {action}\n"
    try:
        try:
            scenario(lab)
        except Struck:
            pass
        struck = f"{point} {action}\n" in read(lab.trace)
        os.unlink(lab.trace)
        lab.trace = lab.stop_at = None
        check_words(lab, point)
        lab.fault = None
        verdict = judge(lab, scenario.__name__, SCENARIOS[scenario], point)
        return True, verdict if struck else MISSED
    except Wrong as wrong:
        return False, str(wrong) + "".join(f"\n    {r}" for r in lab.results)
    finally:
        lab.close()


def strike_elsewhere(tap, programs, reach, point, action):
    """A point that the drawn scenario reaches only now and then, in all that may reach it."""
    for scenario in (s for s in SCENARIOS if point in reach[s]):
        fine, words = strike(programs, scenario, point, action)
        if words != MISSED:
            tap.verdict(fine, f"{point:30} {action:13} {scenario.__name__:11} {words}")
            return True
    return False


def draw(point, seed, full):
    chance = random.Random(f"{seed} {point}")
    code = chance.choice(CODES)
    actions = ["kill", f"errno={code}", f"delay={chance.choice((20, 100))}"]
    return actions if full else [chance.choice(actions[:2] * 2 + actions[2:])]


def plan(points, reach, seed, full, everywhere):
    cells = []
    for point in points:
        able = [s for s in SCENARIOS if point in reach[s]]
        if not everywhere and able:
            chance = random.Random(f"{seed} scenario {point}")
            able = [chance.choice([s for s in able if s is not refused] or able)]
        cells += [(point, action, s) for action in draw(point, seed, full) for s in able]
    return cells


def missing(tap, points, reach):
    """Points that are listed and not reached, or reached and not listed."""
    reached = set().union(*reach.values())  # by any
    skipped = []
    for part, need in NEEDS.items():
        if not any(part in p for p in reached):
            some = [p for p in points if part in p]
            tap.note(f"skipped, for want of {need}: {' '.join(some)}")
            skipped += some
    for point in points:
        if point not in reached and point not in skipped:
            tap.verdict(False, f"{point}: no scenario reaches it")
    for point in sorted(reached - set(points)):
        tap.verdict(False, f"{point}: no program lists it")


def main():
    programs = programs_of(sys.argv[1:2])
    seed = os.environ.get("COFFER_SEED", "1")
    full = os.environ.get("COFFER_FULL", "0") == "1"
    everywhere = os.environ.get("COFFER_SCENARIOS", "") == "all"
    jobs = int(os.environ.get("COFFER_CRASH_JOBS", "2"))
    points = points_of(programs)
    tap = Tap()
    tap.note(f"seed {seed}, {len(points)} points")
    scenarios = list(SCENARIOS)
    reach = {}
    for i, (reached, wrong) in work(programs, jobs, [(s,) for s in scenarios], undisturbed):
        reach[scenarios[i]] = reached
        tap.verdict(not wrong, f"{scenarios[i].__name__} undisturbed {wrong}")
    missing(tap, points, reach)
    if not any(".PLACE" in p for p in reach[limited]):
        reach[limited] = reach[limited_again] = []  # there are no limits here, and no box

    wanted = [p for p in points if not sys.argv[2:] or any(re.search(x, p) for x in sys.argv[2:])]
    cells = plan(wanted, reach, seed, full, everywhere)
    walked = set()
    for i, (fine, words) in work(programs, jobs, [(s, p, a) for p, a, s in cells], strike):
        point, action, scenario = cells[i]
        first, _, rest = words.partition("\n")
        tap.verdict(fine, f"{point:30} {action:13} {scenario.__name__:11} {first}")
        if rest:
            tap.note(rest)
        if words != MISSED:
            walked.add((point, action))
    for point, action in sorted({(p, a) for p, a, _ in cells} - walked):
        if not strike_elsewhere(tap, programs, reach, point, action):
            tap.verdict(False, f"{point} {action}: was never reached")
            continue
        walked.add((point, action))
    walked = {p for p, _ in walked}
    tap.note(f"{len(walked)} of {len(points)} points walked, {len(cells)} times")
    return tap.end()


if __name__ == "__main__":
    run(main)
