# SPDX-License-Identifier: Apache-2.0
# Stop means gone: success only when nothing of the box is left, else what is left is named.

load helpers

# Two processes with arguments that no other test has.
setup_test()
{
        mark=$BASHPID$RANDOM
        box_line="sleep 1$mark & exec sleep 2$mark"
}

teardown_test()
{
        let_go
}

pid_of()
{
        pgrep -fx "sleep $1" || :
}

is_there()
{
        [ -n "$(pid_of "$1")" ]
}

# hold PID: as a debugger, until let_go.
hold()
{
        mkfifo "$BATS_TEST_TMPDIR/held" "$BATS_TEST_TMPDIR/hold"
        python3 "$BATS_TEST_DIRNAME/hold.py" "$1" \
                < "$BATS_TEST_TMPDIR/hold" > "$BATS_TEST_TMPDIR/held" 3>&- &
        exec {holding}> "$BATS_TEST_TMPDIR/hold"
        local word
        read -rt 20 word < "$BATS_TEST_TMPDIR/held"
        [ "$word" = held ] || skip "needs ptrace of what runs in a box"
}

let_go()
{
        [ -z "${holding-}" ] || exec {holding}>&-
        holding=
}

@test "stop of a box with a process that does not go fails and names it, and goes on to the end" {
        raw_coffer run -d --name b host -- sh -c "$box_line" > /dev/null
        until_true 10 is_there "1$mark"
        local pid
        pid=$(pid_of "1$mark")
        hold "$pid"
        coffer stop -t 0 b
        expect_status 1
        expect_in_stderr "is not gone: left is "
        expect_in_stderr "process $pid (sleep, dead but held by a debugger)"
        expect_one_line_error
        coffer ps -a --format '{{.Names}} {{.State}}'
        expect_output "b stopping"
        coffer rm -f b
        expect_status 1
        expect_in_stderr "process $pid (sleep, dead"
        [ -d "$COFFER_HOME/boxes/$(readlink "$COFFER_HOME/names/b")" ] || explain "its files are gone"
        let_go
        coffer wait b
        expect_output 137
        coffer rm b
        expect_status 0
}

@test "stop of a box whose main is held names main" {
        raw_coffer run -d --name b host -- sh -c "$box_line" > /dev/null
        until_true 10 is_there "2$mark"
        hold "$(pid_of "2$mark")"
        coffer stop -t 0 b
        expect_status 1
        expect_in_stderr "process $(raw_coffer inspect --format '{{.State.Pid}}' b) (sleep, dead"
        let_go
        coffer wait b
        expect_output 137
}

@test "a box whose monitor was killed is not removed while a process of it is left" {
        raw_coffer run -d --name b host -- sh -c "$box_line" > /dev/null
        until_true 10 is_there "1$mark"
        local pid
        pid=$(pid_of "1$mark")
        hold "$pid"
        kill -KILL "$(sed -n 's/^pid //p' "$COFFER_HOME/boxes/$(readlink "$COFFER_HOME/names/b")/identity")"
        coffer rm -f b
        expect_status 1
        expect_in_stderr "is left and does not die"
        let_go
        coffer rm b
        expect_status 0
        ! is_there "1$mark" || explain "it is there"
        ! is_there "2$mark" || explain "main is there"
}

@test "when a killed monitor's box is said to have ended, it has" {
        local i
        for i in 1 2 3 4 5; do
                raw_coffer run -d --name b host -- sh -c "$box_line" > /dev/null
                kill -KILL "$(sed -n 's/^pid //p' \
                        "$COFFER_HOME/boxes/$(readlink "$COFFER_HOME/names/b")/identity")"
                coffer wait b
                expect_output 137
                ! is_there "2$mark" || explain "main is there"
                coffer rm b
        done
}

is_a_crowd()
{
        [ "$(raw_coffer top bomb 2> /dev/null | wc -l)" -gt 20 ]
}

# Each process forks as long as it lives: whoever dies makes room for another one's child.
@test "a crowd that forks while it is being killed is gone when stop, kill or rm -f say so" {
        local how bomb='import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
        try:
                os.fork()
        except OSError:
                pass'
        for how in 'stop -t 0' 'kill' 'rm -f'; do
                raw_coffer run -d --name bomb --pids-limit 60 host -- python3 -c "$bomb" "$mark" > /dev/null
                until_true 20 is_a_crowd
                # shellcheck disable=SC2086  # two words
                coffer $how bomb
                expect_status 0
                [ "$how" != kill ] || raw_coffer wait bomb > /dev/null
                ! pgrep -f " $mark\$" || explain "$how left processes"
                raw_coffer rm -f bomb > /dev/null
        done
}
