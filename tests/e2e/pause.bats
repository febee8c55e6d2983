#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# pause and unpause: everything of a box stands still, and all that is to end it ends it.

load helpers
load places

setup_test()
{
        use_root
}

# A box that says something all the time, by children that come and go.
start()
{
        local name=$1
        shift
        raw_coffer run -d --name "$name" "$@" "$image" \
                sh -c 'while :; do (echo tick); usleep 20000; done' > /dev/null
}

need_freezer()
{
        start probe
        raw_coffer pause probe > /dev/null 2>&1 || skip "needs a cgroup that can freeze"
        raw_coffer rm -f probe > /dev/null
}

said()
{
        raw_coffer logs "$1" | wc -l
}

says_more_than()
{
        [ "$(said "$1")" -gt "$2" ]
}

state()
{
        raw_coffer inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}}' "$1"
}

shim_of()
{
        raw_coffer inspect -f '{{.Identity.Pid}}' "$1"
}

# Of the box's cgroup in the v2 tree.
v2_dir()
{
        find /sys/fs/cgroup -maxdepth 8 -type d -name "coffer-$(raw_coffer inspect -f '{{.Id}}' "$1")" \
                -exec test -e '{}/cgroup.freeze' ';' -print
}

@test "pause: nothing goes on until unpause, and everybody says so" {
        local before
        need_freezer
        start box
        until_true 5 says_more_than box 3
        coffer pause box
        expect_status 0
        expect_output box
        before=$(said box)
        expect_equal "paused true true" "$(state box)"
        coffer ps --format '{{.Status}} {{.State}}'
        [[ $output =~ ^Up\ .*\(Paused\)\ paused$ ]] || explain "as Docker says it"
        coffer info -f '{{.ContainersPaused}}'
        expect_output 1
        # Longer than fifty of its rounds.
        ! until_true 1 says_more_than box "$before" > /dev/null
        coffer unpause box
        expect_status 0
        expect_output box
        expect_equal "running true false" "$(state box)"
        until_true 5 says_more_than box "$before"
        coffer events --since 1h --until 0s --format '{{.Action}}' --filter container=box
        [[ $output == *pause*unpause* ]] || explain "no events"
        # A second time its cgroup is there already.
        coffer pause box
        expect_status 0
        coffer unpause box
        expect_status 0
}

@test "pause: what begins something is refused at once, what looks works" {
        need_freezer
        start box -i
        coffer pause box
        limit_s=5
        coffer exec box true
        expect_status 125
        expect_in_stderr "is paused"
        expect_in_stderr "hint: \`coffer unpause"
        expect_one_line_error
        coffer attach box
        expect_status 125
        expect_in_stderr "is paused"
        coffer pause box
        expect_status 1
        expect_in_stderr "is paused"
        coffer start box
        expect_status 1
        coffer cp box:/etc/passwd "$BATS_TEST_TMPDIR/"
        expect_status 1
        expect_in_stderr "is paused"
        coffer logs box
        expect_status 0
        coffer inspect --posture box
        expect_status 0
        coffer unpause box
        coffer unpause box
        expect_status 1
        expect_in_stderr "is not paused"
        coffer exec box true
        expect_status 0
        coffer stop -t 0 box
        coffer pause box
        expect_status 1
        expect_in_stderr "is not running"
        coffer pause no-such-box
        expect_status 1
        expect_one_line_error
}

@test "pause: stop, rm -f and kill end a paused box" {
        local how
        need_freezer
        for how in "stop -t 0" "stop -t 20" "rm -f" "kill" "kill -s TERM" "restart -t 0"; do
                raw_coffer run -d --name box "$image" sh -c 'trap "exit 3" TERM; while :; do usleep 1000; done' \
                        > /dev/null
                coffer pause box
                expect_status 0
                limit_s=15
                # shellcheck disable=SC2086  # words on purpose
                coffer $how box
                expect_status 0
                if [ "$how" = "restart -t 0" ]; then
                        expect_equal "running true false" "$(state box)"
                elif [ "$how" != "rm -f" ]; then
                        coffer wait box
                        [[ $output == 137 || $output == 3 ]] || explain "$how"
                fi
                raw_coffer rm -f box > /dev/null
        done
}

@test "pause: a signal that ends nothing waits" {
        need_freezer
        raw_coffer run -d --name box "$image" sh -c 'trap "echo got it" USR1; echo up; while :; do usleep 1000; done' \
                > /dev/null
        until_true 5 says_more_than box 0
        coffer pause box
        coffer kill -s USR1 box
        expect_status 0
        expect_equal "paused true true" "$(state box)"
        expect_equal 1 "$(said box)"
        coffer unpause box
        until_true 5 says_more_than box 1
}

@test "pause: a foreground box ends with its client, paused or not" {
        local client
        need_freezer
        "$COFFER_BIN_DIR/coffer" run --rm --name box --stop-timeout 1 "$image" sleep 1000 &
        client=$!
        until_true 10 raw_coffer exec box true 2> /dev/null
        coffer pause box
        expect_status 0
        kill -KILL "$client"
        gone() { [ -z "$(raw_coffer ps -aq)" ]; }
        until_true 10 gone
}

# dies HOW: the shim of a paused box is killed; the box is gone all the same, and can be removed.
dies()
{
        local pids
        start dead "$@"
        coffer pause dead
        expect_status 0
        pids=$(raw_coffer inspect -f '{{.State.Pid}}' dead)
        kill -KILL "$(shim_of dead)"
        shim_gone() { [[ $(raw_coffer ps -a --format '{{.Status}}' --filter name=dead) == Failed* ]]; }
        until_true 15 shim_gone
        [ ! -e "/proc/$pids" ] || explain "main lives on"
        coffer ps -a --format '{{.Status}}' --filter name=dead
        expect_in_output "shim died"
        coffer rm dead
        expect_status 0
        expect_equal "" "$(find /sys/fs/cgroup -name 'coffer-*' -newer "$BATS_TEST_TMPDIR/begun")"
}

@test "pause: the shim's death takes a paused box along" {
        need_freezer
        touch "$BATS_TEST_TMPDIR/begun"
        dies
        if raw_coffer run --rm --memory 64m "$image" true > /dev/null 2>&1; then
                dies --memory 64m
        fi
}

v1_alone='
exec unshare -m --propagation private bash -exc '"'"'
mount -t tmpfs tmpfs /sys/fs/cgroup/unified
coffer() { timeout 20 "$COFFER_BIN_DIR/coffer" "$@"; }
coffer run -d --name v1 "$image" sh -c "while :; do (echo tick); usleep 20000; done"
coffer pause v1
id=$(coffer inspect -f "{{.Id}}" v1)
[ "$(cat /sys/fs/cgroup/freezer/coffer-$id/freezer.state)" = FROZEN ]
if coffer exec v1 true; then exit 1; fi
before=$(coffer logs v1 | wc -l)
[ "$(coffer logs v1 | wc -l)" = "$before" ]
coffer unpause v1
coffer exec v1 true
for how in "kill" "stop -t 0"; do
        coffer pause v1
        coffer $how v1
        coffer wait v1
        coffer start v1
done
coffer pause v1
kill -KILL "$(coffer inspect -f "{{.Identity.Pid}}" v1)"
died() { coffer ps -a --format "{{.Status}}" | grep -q "shim died"; }
until_true 20 died
coffer start v1
coffer pause v1
coffer rm -f v1
[ -z "$(ls -d /sys/fs/cgroup/*/coffer-$id)" ]'"'"

@test "pause: by the v1 freezer where there is no v2 tree" {
        need_root
        [ -d /sys/fs/cgroup/freezer ] && [ -d /sys/fs/cgroup/unified ] || skip "needs a hybrid host"
        export COFFER_BIN_DIR image
        bash -c "$v1_alone" > "$BATS_TEST_TMPDIR/said" 2>&1 ||
                { cat "$BATS_TEST_TMPDIR/said"; return 1; }
}

@test "pause: a box that somebody else froze refuses within a second, and stop thaws it" {
        local dir begun
        need_freezer
        start box
        coffer pause box
        coffer unpause box # so that it has a cgroup
        dir=$(v2_dir box)
        [ -n "$dir" ] || skip "needs a v2 tree"
        local where
        for where in "$dir/load" "$dir"; do
                echo 1 > "$where/cgroup.freeze"
                until_true 5 grep -q 'frozen 1' "$dir/load/cgroup.events"
                begun=${EPOCHREALTIME/[.,]/}
                coffer exec box true
                expect_status 125
                expect_in_stderr "frozen by somebody else"
                [ $((${EPOCHREALTIME/[.,]/} - begun)) -lt 1000000 ] || explain "took too long"
                coffer unpause box
                expect_status 0
                coffer exec box true
                expect_status 0
        done
        echo 1 > "$dir/cgroup.freeze"
        limit_s=10
        coffer stop -t 0 box
        expect_status 0
}

@test "pause: who forks and exits faster than he can be moved is frozen, or it is refused soon" {
        need_freezer
        raw_coffer run -d --name chain "$image" sh -c 'f() { f & }; f; exec sleep 1000' > /dev/null
        limit_s=15
        coffer pause chain
        if [ "$status" = 0 ]; then # he was slow for once
                coffer unpause chain
                expect_status 0
        else
                expect_status 1
                expect_in_stderr "fork and exit faster than they can be moved"
                expect_in_stderr "hint:"
                expect_one_line_error
        fi
        expect_equal "running true false" "$(state chain)"
        coffer exec chain true
        expect_status 0
}

@test "pause: where nothing can freeze it is refused by name" {
        start box
        if raw_coffer pause box > /dev/null 2>&1; then
                skip "boxes can be frozen here"
        fi
        coffer pause box
        expect_status 1
        expect_in_stderr "nothing here can freeze this box"
        expect_in_stderr "hint:"
        expect_one_line_error
        expect_equal "running true false" "$(state box)"
        coffer exec box true
        expect_status 0
}

@test "pause: several at once; one that cannot is reported and the rest goes on" {
        need_freezer
        start a
        start b
        coffer pause a no-such-box b
        expect_status 1
        expect_output $'a\nb'
        coffer unpause a b
        expect_status 0
}
