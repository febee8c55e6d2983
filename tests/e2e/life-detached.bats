# SPDX-License-Identifier: Apache-2.0
# Who may die without a box dying with him, and who may not.

load helpers

# pids of `sleep N`.
there()
{
        pgrep -fx "sleep $1" > /dev/null
}

gone()
{
        ! there "$1"
}

# In a process group and session of its own; puts its leader into $leader.
group()
{
        setsid "$@" < /dev/null > /dev/null 2>&1 3>&- &
        leader=$!
}

setup_test()
{
        mark=$BASHPID$RANDOM
}

@test "kill -9 of the foreground client's process group ends the box, whatever main does with signals" {
        group bash -c "'$COFFER_BIN_DIR/coffer' run --rm --stop-timeout 1 --name b host -- \
                sh -c 'trap : TERM HUP; sleep 1$mark & while :; do wait; done'; :"
        until_true 20 there "1$mark"
        kill -KILL -- "-$leader"
        until_true 20 gone "1$mark"
        until_true 10 no_box
}

no_box()
{
        [ -z "$(raw_coffer ps -a -q)" ]
}

@test "kill -9 of the group that ran -d leaves a box that answers" {
        group bash -c "'$COFFER_BIN_DIR/coffer' run -d --name b host -- sleep 1$mark; exec sleep 2$mark"
        until_true 20 there "2$mark"
        kill -KILL -- "-$leader"
        coffer exec b echo alive
        expect_output alive
        coffer rm -f b
        expect_status 0
}

@test "SIGHUP, and a terminal that is closed, end a foreground box" {
        group "$COFFER_BIN_DIR/coffer" run --rm --stop-timeout 1 host -- sleep 1$mark
        until_true 20 there "1$mark"
        kill -HUP "$leader"
        until_true 20 gone "1$mark"
        printf '%s\n' raw close 'end 129' |
                timeout 60 python3 "$BATS_TEST_DIRNAME/terminal.py" "$COFFER_BIN_DIR/coffer" run \
                        --rm --stop-timeout 1 -it host -- sleep "2$mark"
        until_true 20 gone "2$mark"
}

@test "a dying attach changes nothing; a dying exec client ends its exec, unless it was -d" {
        raw_coffer run -d --name b host -- sleep "1$mark" > /dev/null
        group "$COFFER_BIN_DIR/coffer" attach --no-stdin b
        until_true 10 eval "raw_coffer events --since 1h --until 0s 2> /dev/null | grep -q attach || grep -q attach '$COFFER_HOME/events'"
        kill -KILL "$leader"
        group "$COFFER_BIN_DIR/coffer" exec b sleep "2$mark"
        until_true 20 there "2$mark"
        coffer exec -d b sleep "3$mark"
        until_true 20 there "3$mark"
        kill -KILL "$leader"
        until_true 20 gone "2$mark"
        there "3$mark" || explain "the detached exec is gone"
        there "1$mark" || explain "main is gone"
        coffer exec b true
        expect_status 0
}

@test "stop and rm -f work from another session, without an environment" {
        raw_coffer run -d --name b host -- sleep "1$mark" > /dev/null
        run --separate-stderr timeout 60 setsid --wait env -i COFFER_HOME="$COFFER_HOME" \
                "$COFFER_BIN_DIR/coffer" stop -t 0 b
        expect_status 0
        gone "1$mark" || explain "main is there"
        raw_coffer start b > /dev/null
        run --separate-stderr timeout 60 setsid --wait env -i COFFER_HOME="$COFFER_HOME" \
                "$COFFER_BIN_DIR/coffer" rm -f b
        expect_status 0
        gone "1$mark" || explain "main is there"
}

# The hierarchy of systemd, where it would put its units: v1's named one, or v2.
units()
{
        if [ -e /sys/fs/cgroup/systemd/cgroup.procs ]; then
                echo /sys/fs/cgroup/systemd
        else
                echo /sys/fs/cgroup
        fi
}

# in_cgroup PATH COMMAND…: below a directory of this test.
in_cgroup()
{
        local dir
        dir=$(units)/coffer-test-$mark$1
        shift
        mkdir -p "$dir" 2> /dev/null || skip "needs a cgroup tree to make directories in"
        # shellcheck disable=SC2016  # of the inner shell
        run --separate-stderr bash -c 'echo $$ > "$0/cgroup.procs" && exec "$@"' "$dir" \
                timeout 60 "$@" < /dev/null
}

remove_cgroups()
{
        local top
        top=$(units)/coffer-test-$mark
        [ ! -d "$top" ] || find "$top" -depth -type d -exec rmdir {} +
}

teardown_test()
{
        [ ! -d "$COFFER_HOME" ] || remove_boxes
        until_true 10 remove_cgroups
}

@test "run -d in a service says once that the box ends with it; outside it says nothing" {
        need_root
        in_cgroup /system.slice/ci.service "$COFFER_BIN_DIR/coffer" run -d --name b host -- sleep "1$mark"
        expect_status 0
        expect_in_stderr "the box ends when systemd ends ci.service, in which it was started"
        expect_in_stderr "hint: \`systemd-run --scope"
        expect_one_line_error
        # stop works from there, and from outside, where it was not started.
        coffer stop -t 0 b
        expect_status 0
        in_cgroup /plain "$COFFER_BIN_DIR/coffer" start b
        expect_status 0
        expect_equal "" "$stderr"
        in_cgroup /system.slice/cron.service env -i COFFER_HOME="$COFFER_HOME" \
                "$COFFER_BIN_DIR/coffer" rm -f b
        expect_status 0
        expect_equal "" "$stderr"
}
