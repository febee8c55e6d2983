#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""terminal.py COMMAND [ARG...] < SCRIPT: a program on a terminal of its own, and somebody typing.

The script has one step a line; \\n, \\xHH and the like in texts are as in Python:

    expect TEXT     the terminal shows it within 20 seconds
    send TEXT       type it
    raw             the program has switched the terminal to raw mode: before that, keys are not its
    size ROWS COLS  the window changes
    signal NAME     the program gets a signal
    run COMMAND     somebody else does that meanwhile, in a shell
    close           the terminal is closed
    stopped         the program is stopped, as by Ctrl-Z of its own shell
    end STATUS      it ends with this status (128 and the signal that ended it), and the terminal is
                    in the mode it had before
"""
import codecs
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

LIMIT = 20


class Terminal:
    def __init__(self, argv):
        self.master, self.slave = pty.openpty()
        self.seen = b""
        self.size(24, 80)
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 64)
            os.execvp(argv[0], argv)

    def size(self, rows, cols):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def read(self, seconds):
        if self.master < 0 or not select.select([self.master], [], [], seconds)[0]:
            return
        try:
            self.seen += os.read(self.master, 65536)
        except OSError:
            pass

    def expect(self, text):
        end = time.monotonic() + LIMIT
        while text not in self.seen:
            if time.monotonic() > end:
                sys.exit(f"never saw {text!r}, only {self.seen!r}")
            self.read(0.2)
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def wait(self, options):
        """The wait status, while the output is read so that nothing blocks."""
        end = time.monotonic() + LIMIT
        while True:
            pid, status = os.waitpid(self.pid, options | os.WNOHANG)
            if pid:
                return status
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                sys.exit(f"did not end; the terminal shows {self.seen!r}")
            if self.master >= 0:
                self.read(0.05)
            else:
                select.select([], [], [], 0.05)

    def raw(self):
        end = time.monotonic() + LIMIT
        while termios.tcgetattr(self.slave)[3] & termios.ICANON:
            if time.monotonic() > end:
                sys.exit("never switched the terminal to raw mode")
            self.read(0.02)

    def close(self):
        os.close(self.slave)
        os.close(self.master)
        self.master = -1

    def end(self, wanted):
        status = self.wait(0)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        if code != wanted:
            sys.exit(f"ended with {code}, not {wanted}; the terminal shows {self.seen!r}")
        if self.master >= 0 and termios.tcgetattr(self.slave) != self.before:
            sys.exit("the terminal was not restored")


def text_of(word):
    return codecs.decode(word, "unicode_escape").encode("latin-1")


def main():
    terminal = Terminal(sys.argv[1:])
    for line in sys.stdin:
        step, _, rest = line.strip().partition(" ")
        if step == "expect":
            terminal.expect(text_of(rest))
        elif step == "send":
            os.write(terminal.master, text_of(rest))
        elif step == "raw":
            terminal.raw()
        elif step == "size":
            terminal.size(*map(int, rest.split()))
        elif step == "signal":
            os.kill(terminal.pid, getattr(signal, "SIG" + rest))
        elif step == "run":
            subprocess.run(rest, shell=True, check=True, stdout=subprocess.DEVNULL)
        elif step == "close":
            terminal.close()
        elif step == "stopped":
            if not os.WIFSTOPPED(terminal.wait(os.WUNTRACED)):
                sys.exit("was not stopped")
        elif step == "end":
            terminal.end(int(rest))
        elif step:
            sys.exit(f"no such step: {line}")


if __name__ == "__main__":
    main()
