#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# What goes into a box and comes out of it is exactly what was sent: words, bytes, numbers, signals.
# A full run walks all of them, otherwise COFFER_SEED draws some.

load helpers
load places

setup_test()
{
        use_root
        full=${COFFER_FULL:-0}
}

# exact WHAT [ARG…]: see exact.py.
exact()
{
        timeout --kill-after=5 "${limit_s:-120}" "$BATS_TEST_DIRNAME/exact.py" "$1" \
                "$COFFER_BIN_DIR/coffer" "$image" "${@:2}"
}

start_box()
{
        raw_coffer run -d --name box "$image" sleep 1000 > /dev/null
}

@test "echo hi says exactly hi, every time" {
        exact echoes $((full ? 500 : 60))
}

@test "words and variables arrive as they were given: spaces, quotes, nothing, bytes from 0x80 on" {
        exact argv
}

@test "random bytes through exec -i come back identical, and client and shim stay small" {
        start_box
        draw 192
        exact bytes box $((full ? 1024 : 64 + drawn))
}

@test "random bytes through run -i come back identical, and the client stays small" {
        draw 64
        exact run-bytes $((full ? 512 : 32 + drawn))
}

@test "exit statuses from 0 to 255, of execs and of main" {
        local code step=$((full ? 1 : 11))
        start_box
        draw "$step"
        exact statuses box "$drawn" "$step"
        for ((code = drawn; code < 256; code += full ? 1 : 37)); do
                coffer run --rm "$image" sh -c "exit $code"
                expect_status "$code"
        done
}

@test "each signal: its own in an exec, by kill under --init, through the client" {
        start_box
        exact signals box
}

@test "main is PID 1 of its namespace: what it has no handler for does nothing" {
        exact first
}

@test "stdout and stderr stay apart, whatever is larger than a pipe" {
        local both='yes out | head -c 300000; yes err | head -c 500000 >&2'
        start_box
        for command in "run --rm $image" "exec box" "run --rm --init $image"; do
                # shellcheck disable=SC2086
                raw_coffer $command sh -c "$both" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err"
                expect_equal "$(yes out | head -c 300000 | cksum)" "$(cksum < "$BATS_TEST_TMPDIR/out")"
                expect_equal "$(yes err | head -c 500000 | cksum)" "$(cksum < "$BATS_TEST_TMPDIR/err")"
        done
}

@test "the end of stdin is the end of stdin: empty, closed, after some bytes, after the process" {
        start_box
        for command in "run --rm -i $image" "exec -i box"; do
                # shellcheck disable=SC2086
                {
                        expect_equal "0" "$(raw_coffer $command wc -c < /dev/null)"
                        expect_equal "0" "$(raw_coffer $command wc -c <&-)"
                        expect_equal "3" "$(printf abc | raw_coffer $command wc -c)"
                        # What nobody reads ends neither side too early nor keeps it.
                        expect_equal "a" "$(yes a | raw_coffer $command head -n 1)"
                        expect_equal "x" "$(raw_coffer $command sh -c 'exec < /dev/null; echo x' < /dev/zero)"
                }
        done
        # Without -i stdin is empty at once, whatever the caller's is.
        expect_equal "0" "$(yes | head -n 10 | raw_coffer run --rm "$image" wc -c)"
        expect_equal "0" "$(yes | head -n 10 | raw_coffer exec box wc -c)"
}

@test "a closed stdout or stderr is no reason to lose the status" {
        local closed=0
        raw_coffer run --rm "$image" sh -c 'exit 5' >&- || closed=$?
        expect_equal 5 "$closed"
        closed=0
        raw_coffer run --rm "$image" sh -c 'exit 6' 2>&- || closed=$?
        expect_equal 6 "$closed"
}

@test "--timeout ends a box and an exec with 124, and only when the time is over" {
        start_box
        coffer run --rm --timeout 200ms "$image" sleep 1000
        expect_status 124
        coffer run --rm --timeout 200ms --init "$image" sleep 1000
        expect_status 124
        coffer run --rm --timeout 30s "$image" sh -c 'exit 3'
        expect_status 3
        coffer exec --timeout 200ms box sleep 1000
        expect_status 124
        coffer exec --timeout 30s box sh -c 'exit 3'
        expect_status 3
        coffer run --name late --timeout 200ms "$image" sleep 1000
        expect_status 124
        coffer inspect -f '{{.State.Status}}' late
        expect_output exited
}

@test "out of memory: 137, and inspect says OOMKilled" {
        need_limits
        coffer run --name hungry --memory 32m "$image" sh -c 'tail /dev/zero'
        expect_status 137
        coffer inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' hungry
        expect_output "true 137"
        coffer run --name modest --memory 64m "$image" true
        coffer inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' modest
        expect_output "false 0"
}

@test "the record is what was said: logs give back both streams" {
        coffer run --name said "$image" sh -c 'head -c 200000 /bin/busybox; head -c 100000 /bin/busybox >&2'
        raw_coffer logs said > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err"
        expect_equal "$(head -c 200000 "$root/bin/busybox" | cksum)" "$(cksum < "$BATS_TEST_TMPDIR/out")"
        expect_equal "$(head -c 100000 "$root/bin/busybox" | cksum)" "$(cksum < "$BATS_TEST_TMPDIR/err")"
}

# sleeps BOX: how many there are in it.
sleeps()
{
        raw_coffer exec "$1" sh -c 'ps -o args | grep -c "^sleep [0-9]" || :'
}

sleeps_are()
{
        [ "$(sleeps "$1")" = "$2" ]
}

@test "an exec that is ended, by its time or with its client, takes its children along" {
        local client
        kernel_from 6 9 || skip "needs a kernel that signals process groups by pidfd"
        raw_coffer run -d --stop-timeout 30s --name box "$image" tail -f /dev/null > /dev/null

        coffer exec --timeout 500ms box sh -c 'sleep 1111 & sleep 1112; true'
        expect_status 124
        until_true 10 sleeps_are box 0
        # The one that ends leaves one that does not mind SIGTERM.
        coffer exec --timeout 500ms box sh -c '(trap "" TERM; sleep 1113) & exec sleep 1114'
        expect_status 124
        until_true 10 sleeps_are box 0

        "$COFFER_BIN_DIR/coffer" exec box sh -c 'sleep 1115; true' > /dev/null &
        client=$!
        until_true 30 sleeps_are box 1
        kill -9 "$client"
        until_true 10 sleeps_are box 0

        # What ends by itself may leave a child behind, as with Docker.
        coffer exec --timeout 30s box sh -c 'sleep 1116 > /dev/null 2>&1 &'
        expect_status 0
        expect_equal 1 "$(sleeps box)"
}
