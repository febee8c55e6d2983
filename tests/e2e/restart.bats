#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016
#
# Restart policies: what each does when main ends, who may end that, and what comes back after a
# boot or the death of the monitor.

load helpers

# inspected BOX TEMPLATE
inspected()
{
        raw_coffer inspect --format "$2" "$1"
}

# told BOX ACTION: when it happened, in nanoseconds, a line each
told()
{
        raw_coffer events --since 2020-01-01T00:00:00Z --until 0s --filter "box=$1" \
                --filter "event=$2" --format '{{.timeNano}}'
}

# happened BOX ACTION N: N times at least
happened()
{
        [ "$(told "$1" "$2" | wc -l)" -ge "$3" ]
}

is_state()
{
        [ "$(inspected "$1" '{{.State.Status}}')" = "$2" ]
}

expect_inspected()
{
        expect_equal "$3" "$(inspected "$1" "$2")"
}

# restarting BOX N: it waits to be started for the Nth time, or a later one
restarting()
{
        local state count
        read -r state count < <(inspected "$1" '{{.State.Status}} {{.RestartCount}}')
        [ "$state" = restarting ] && [ "$count" -ge "$2" ]
}

# between_runs COMMAND…: of a box b; tried again when main was started meanwhile
between_runs()
{
        local count
        for _ in 1 2 3 4 5 6 7 8 9 10; do
                until_true 60 restarting b 4
                count=$(inspected b '{{.RestartCount}}')
                "$@"
                [ "$(inspected b '{{.State.Status}} {{.RestartCount}}')" != "restarting $count" ] ||
                        return 0
        done
        return 1
}

gone()
{
        ! kill -0 "$1" 2> /dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2> /dev/null
}

# kill_shim BOX: with -9; it has let go of everything when this returns
kill_shim()
{
        local pid
        pid=$(inspected "$1" '{{.Identity.Pid}}')
        kill -9 "$pid"
        until_true 10 gone "$pid"
}

# As after a boot: nothing runs, and the monitor's record is of another one.
reboot_under()
{
        local box identity
        for box; do
                identity=$COFFER_HOME/boxes/$(inspected "$box" '{{.Id}}')/identity
                is_state "$box" exited || kill_shim "$box"
                [ ! -e "$identity" ] ||
                        sed -i 's/^boot_id .*/boot_id 00000000-0000-0000-0000-000000000000/' "$identity"
        done
}

# ---------------------------------------------------------------- when main ends

@test "on-failure:3 is tried three times more, each after twice the time, and all is told" {
        raw_coffer run -d --name b --restart on-failure:3 -v runs:/runs host -- sh -c '
                echo x >> /runs/all; n=$(wc -l < /runs/all)
                seq -f "run $n line %g" 2000
                echo "run $n error" >&2
                exit 7' > /dev/null
        until_true 30 is_state b exited
        expect_inspected b '{{.RestartCount}} {{.State.ExitCode}} {{.State.Restarting}}' '3 7 false'
        expect_inspected b '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' \
                'on-failure 3'

        # Nothing of the log is lost, nor twice there, nor out of order.
        expect_equal "$(for n in 1 2 3 4; do seq -f "run $n line %g" 2000; done)" \
                "$(raw_coffer logs b 2> /dev/null)"
        expect_equal "$(seq -f 'run %g error' 4)" "$(raw_coffer logs b 2>&1 > /dev/null)"

        mapfile -t starts < <(told b start)
        mapfile -t dies < <(told b die)
        expect_equal '4 4' "${#starts[*]} ${#dies[*]}"
        for i in 0 1 2; do
                waited=$(((starts[i + 1] - dies[i]) / 1000000))
                echo "before start $((i + 2)): $waited ms"
                [ $waited -ge $((100 << i)) ]
        done
        coffer events --since 2020-01-01T00:00:00Z --until 0s --filter event=die --format json
        expect_in_output '"exitCode":"7"'
        expect_in_output '"execDuration":"0"'
}

@test "each policy by its effect: who comes back after which end" {
        rows=$(cat << 'END'
no             1 never
no             0 never
on-failure     0 never
on-failure     3 again
on-failure:9   3 again
always         0 again
always         3 again
unless-stopped 0 again
unless-stopped 3 again
END
        )
        while read -r policy status _; do
                raw_coffer run -d --name "${policy/:/-}.$status" --restart "$policy" host -- \
                        sh -c "exit $status" > /dev/null
        done <<< "$rows"
        while read -r policy status again; do
                echo "--restart $policy, status $status: $again"
                box=${policy/:/-}.$status
                if [ "$again" = again ]; then
                        until_true 30 happened "$box" start 3
                else
                        until_true 30 is_state "$box" exited
                        expect_inspected "$box" '{{.RestartCount}} {{.State.ExitCode}}' "0 $status"
                        expect_equal 1 "$(told "$box" start | wc -l)"
                fi
        done <<< "$rows"
}

@test "a box without a policy has no launcher, and inspect says no" {
        raw_coffer run -d --name b host -- sleep 1000 > /dev/null
        expect_inspected b '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' \
                'no 0'
        run ! pgrep -P "$(inspected b '{{.Identity.Pid}}')" coffer-launch
}

@test "what is no policy is refused, and --rm with one" {
        for policy in yes always:3 on-failure:-1 on-failure:x; do
                coffer run --restart "$policy" host -- true
                expect_status 125
                expect_one_line_error
                expect_in_stderr "--restart '$policy'"
        done
        coffer run --rm --restart always host -- true
        expect_status 125
        expect_in_stderr '--rm and --restart exclude each other'
        coffer run --rm --restart no host -- true
        expect_status 0
}

@test "its time limit ends a run, not the box, and is a failure whatever main says" {
        coffer run --name b --restart on-failure:1 --timeout 300ms host -- \
                sh -c 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done'
        expect_status 124
        expect_output $'up\nup'
        expect_inspected b '{{.RestartCount}} {{.State.TimedOut}} {{.State.Status}}' '1 true exited'
        expect_equal 2 "$(told b die | wc -l)"
}

@test "a limit of memory holds at every start, and ends a run like any other failure" {
        need_limits
        coffer run --name b --restart on-failure:1 -m 32m host -- \
                sh -c 'echo up; exec tail /dev/zero'
        expect_status 137
        expect_output $'up\nup'
        expect_inspected b '{{.RestartCount}} {{.State.OOMKilled}}' '1 true'
}

@test "a supervisor that dies is a failure, too" {
        need_root
        raw_coffer run -d --name b --restart always host -- sleep 1000 > /dev/null
        kill -9 "$(pgrep -P "$(inspected b '{{.Identity.Pid}}')" coffer-init)"
        until_true 20 happened b start 2
        until_true 20 is_state b running
        expect_inspected b '{{.RestartCount}} {{.State.Reason}}' '1 '
        coffer logs b
        expect_in_stderr 'output may be cut here'
}

@test "a start that fails is the end: told, and not tried for ever" {
        mkdir "$BATS_TEST_TMPDIR/source"
        raw_coffer run -d --name b --restart always -v "$BATS_TEST_TMPDIR/source:/mnt/x" host -- \
                sh -c 'trap "exit 1" USR1; echo up; while :; do sleep 0.05; done' > /dev/null
        rmdir "$BATS_TEST_TMPDIR/source"
        raw_coffer kill -s USR1 b > /dev/null
        until_true 20 is_state b exited
        expect_inspected b '{{.State.Reason}} {{.State.ExitCode}} {{.RestartCount}}' \
                'start failed 125 1'
        [[ $(inspected b '{{.State.Error}}') == *"$BATS_TEST_TMPDIR/source"* ]]
        expect_equal '1 1' "$(told b start | wc -l) $(told b die | wc -l)"
}

@test "a command that is gone at the second start is the end, with its own status" {
        mkdir "$BATS_TEST_TMPDIR/bin"
        cp "$(command -v busybox || command -v true)" "$BATS_TEST_TMPDIR/bin/true"
        raw_coffer run -d --name b --restart always -v "$BATS_TEST_TMPDIR/bin:/mnt/bin" host -- \
                /mnt/bin/true > /dev/null
        until_true 20 happened b die 1
        rm "$BATS_TEST_TMPDIR/bin/true"
        until_true 20 is_state b exited
        expect_inspected b '{{.State.Reason}} {{.State.ExitCode}}' 'start failed 127'
}

# ---------------------------------------------------------------- who may end that

@test "stopped or killed by a client it stays down; by another signal it does not" {
        for end in 'stop' 'kill' 'kill -s TERM'; do
                echo "coffer $end"
                for policy in always unless-stopped on-failure; do
                        raw_coffer run -d --name $policy --restart $policy host -- \
                                sh -c 'trap "exit 9" TERM; while :; do sleep 0.05; done' > /dev/null
                done
                # shellcheck disable=SC2086 # a command and its options
                raw_coffer $end always unless-stopped on-failure > /dev/null
                for policy in always unless-stopped on-failure; do
                        until_true 20 is_state $policy exited
                        expect_inspected $policy '{{.RestartCount}}' 0
                        expect_equal 1 "$(told $policy start | wc -l)"
                        raw_coffer rm $policy > /dev/null
                done
                rm "$COFFER_HOME/events"
        done
        raw_coffer run -d --name b --restart always host -- \
                sh -c 'trap "exit 9" USR1; while :; do sleep 0.05; done' > /dev/null
        raw_coffer kill -s USR1 b > /dev/null
        until_true 20 happened b start 2
}

@test "start and restart begin to count anew, and the policy goes on" {
        raw_coffer run -d --name b --restart on-failure:2 host -- sh -c 'exit 1' > /dev/null
        runs=3
        for again in start restart; do
                until_true 30 happened b die $runs
                until_true 30 is_state b exited
                expect_inspected b '{{.RestartCount}}' 2
                raw_coffer $again b > /dev/null
                runs=$((runs + 3))
        done
        until_true 30 happened b die $runs
        until_true 30 is_state b exited
        expect_inspected b '{{.RestartCount}}' 2
        expect_equal $runs "$(told b start | wc -l)"
}

@test "between two runs: what is seen, and what is refused" {
        raw_coffer run -d --name b --restart always host -- sh -c 'exit 3' > /dev/null
        between_runs coffer ps --filter status=restarting --format '{{.Names}}: {{.Status}}'
        [[ $output =~ ^'b: Restarting (3) '.*' ago'$ ]] || explain "the status of ps"
        between_runs coffer inspect b --format \
                '{{.State.Status}} {{.State.Running}} {{.State.Restarting}} {{.State.Pid}} {{.State.ExitCode}}'
        expect_output 'restarting true true 0 3'
        for refused in 'exec b true' 'attach b' 'kill -s USR1 b'; do
                # shellcheck disable=SC2086 # a command and its arguments
                between_runs coffer $refused
                [ "$status" = 125 ] || [ "$status" = 1 ] || explain "$refused"
                expect_in_stderr 'is restarting'
        done
        between_runs coffer start b
        expect_status 1
        expect_in_stderr 'is running already'
        between_runs coffer rm b
        expect_status 1
        expect_in_stderr 'is running'
        coffer stop b
        expect_status 0
        expect_inspected b '{{.State.Status}}' exited
}

@test "between two runs every end is at once, and nothing comes after it" {
        for end in 'stop' 'kill' 'kill -s TERM' 'rm -f'; do
                echo "coffer $end"
                raw_coffer run -d --name b --restart always host -- sh -c 'exit 3' > /dev/null
                until_true 20 restarting b 4
                # shellcheck disable=SC2086 # a command and its options
                coffer $end b
                expect_status 0
                [ "$end" = 'rm -f' ] || {
                        until_true 10 is_state b exited
                        raw_coffer rm b > /dev/null
                }
                expect_equal "$(told b die | tail -n 1)" \
                        "$( (told b die; told b start) | sort -n | tail -n 1)"
                rm "$COFFER_HOME/events"
        done
}

# ---------------------------------------------------------------- who is connected

@test "wait returns at each end; the log is followed through all of them" {
        raw_coffer create --name b --restart on-failure:3 host -- \
                sh -c 'echo up; sleep 0.2; exit 5' > /dev/null
        raw_coffer start b > /dev/null
        raw_coffer logs -f b > "$BATS_TEST_TMPDIR/followed" 3>&- &
        client=$!
        coffer wait b
        expect_output 5
        [ "$(inspected b '{{.RestartCount}}')" -le 3 ]
        wait $client
        expect_equal $'up\nup\nup\nup' "$(cat "$BATS_TEST_TMPDIR/followed")"
        expect_inspected b '{{.State.Status}} {{.RestartCount}}' 'exited 3'
}

@test "attach ends with the run that it is attached to" {
        raw_coffer run -d --name b --restart always host -- \
                sh -c 'trap "exit 6" USR1; while :; do echo up; sleep 0.05; done' > /dev/null
        raw_coffer attach --no-stdin b > "$BATS_TEST_TMPDIR/attached" 3>&- &
        client=$!
        until_true 20 test -s "$BATS_TEST_TMPDIR/attached"
        raw_coffer kill -s USR1 b > /dev/null
        status=0
        wait $client || status=$?
        expect_status 6
        until_true 20 happened b start 2
}

@test "a foreground run follows its box, with one stream and the last status" {
        coffer run --name b --restart on-failure:2 -v runs:/runs host -- sh -c '
                echo x >> /runs/all; n=$(wc -l < /runs/all)
                seq -f "run $n line %g" 5000; echo "run $n" >&2; exit "$n"'
        expect_status 3
        expect_output "$(for n in 1 2 3; do seq -f "run $n line %g" 5000; done)"
        expect_equal "$(seq -f 'run %g' 3)" "$stderr"
        expect_equal 'exited' "$(inspected b '{{.State.Status}}')"
}

@test "standard input belongs to the first run; the next ones find its end" {
        run --separate-stderr timeout 30 "$COFFER_BIN_DIR/coffer" run -i --restart on-failure:1 host -- \
                sh -c 'read -r x; echo "got:$x"; exit 1' <<< one
        expect_status 1
        expect_output $'got:one\ngot:'
}

@test "a foreground box ends with its client, between two runs as well" {
        need_program setsid
        setsid "$COFFER_BIN_DIR/coffer" run --name b --restart always host -- sh -c 'exit 3' \
                > /dev/null 2>&1 3>&- &
        client=$!
        until_true 20 happened b die 1
        until_true 20 restarting b 5
        kill -9 $client
        until_true 10 is_state b exited
        expect_equal "$(told b die | tail -n 1)" \
                "$( (told b die; told b start) | sort -n | tail -n 1)"
}

@test "Ctrl-C in the foreground is the end, during a run and between two" {
        need_program setsid
        for main in 'exit 3' 'while :; do sleep 0.05; done'; do
                setsid "$COFFER_BIN_DIR/coffer" run --name b --restart always host -- sh -c "
                        trap 'exit 4' INT; $main" > /dev/null 2>&1 3>&- &
                client=$!
                if [ "$main" = 'exit 3' ]; then
                        until_true 20 happened b die 1
                        until_true 20 restarting b 5
                else
                        until_true 20 happened b start 1
                fi
                kill -INT $client
                status=0
                wait $client || status=$?
                echo "sh -c '$main': status $status"
                [ "$status" = 3 ] || [ "$status" = 4 ]
                expect_inspected b '{{.State.Status}} {{.State.ExitCode}}' "exited $status"
                expect_equal "$(told b die | tail -n 1)" \
                        "$( (told b die; told b start) | sort -n | tail -n 1)"
                raw_coffer rm b > /dev/null
                rm "$COFFER_HOME/events"
        done
}

@test "where few files may be opened boxes are started again, too" {
        ulimit -n 64
        coffer run --restart on-failure:1 host -- sh -c 'echo up; exit 3'
        expect_status 3
        expect_output $'up\nup'
}

# ---------------------------------------------------------------- after a boot

@test "start --restart starts what its policy names after the monitor's death, and nothing else" {
        for box in always unless-stopped on-failure no; do
                raw_coffer run -d --name "$box" --restart "$box" host -- sleep 1000 > /dev/null
        done
        raw_coffer run -d --name ended --restart on-failure host -- true > /dev/null
        raw_coffer create --name created --restart always host -- true > /dev/null
        raw_coffer run -d --name up --restart always host -- sleep 1000 > /dev/null
        until_true 20 is_state ended exited
        for box in always unless-stopped on-failure no; do
                kill_shim "$box"
        done

        coffer start --restart
        expect_status 0
        expect_output "$(for box in always unless-stopped on-failure; do
                raw_coffer ps -a -q --filter "name=$box"
        done)"
        for box in always unless-stopped on-failure up; do
                expect_inspected "$box" '{{.State.Status}} {{.RestartCount}}' 'running 0'
        done
        expect_inspected no '{{.State.Status}} {{.State.Reason}}' 'exited shim died'
        expect_inspected ended '{{.State.Status}}' exited
        expect_inspected created '{{.State.Status}}' created
        coffer start --restart
        expect_status 0
        expect_no_output
}

@test "after a boot: a box that was stopped comes back with always, not with unless-stopped" {
        for policy in always unless-stopped on-failure; do
                raw_coffer run -d --name "$policy-stopped" --restart "$policy" host -- sleep 1000 \
                        > /dev/null
                raw_coffer run -d --name "$policy-up" --restart "$policy" host -- sleep 1000 > /dev/null
                raw_coffer stop -t 0 "$policy-stopped" > /dev/null
        done
        reboot_under {always,unless-stopped,on-failure}-{stopped,up}
        expect_inspected always-up '{{.State.Reason}}' 'host restarted'
        coffer start --restart
        expect_status 0
        for box in always-{stopped,up} unless-stopped-up on-failure-up; do
                expect_inspected "$box" '{{.State.Status}}' running
        done
        for box in unless-stopped-stopped on-failure-stopped; do
                expect_inspected "$box" '{{.State.Status}}' exited
        done
}

@test "start --restart by several at once starts each box once, and none of them fails" {
        for i in 1 2 3 4 5 6; do
                raw_coffer run -d --name "b$i" --restart always host -- sleep 1000 > /dev/null
        done
        for i in 1 2 3 4 5 6; do kill_shim "b$i"; done
        for i in 1 2 3 4; do
                raw_coffer start --restart > "$BATS_TEST_TMPDIR/ids.$i" 2> "$BATS_TEST_TMPDIR/err.$i" 3>&- &
                pids[i]=$!
        done
        for i in 1 2 3 4; do
                wait "${pids[i]}" || {
                        cat "$BATS_TEST_TMPDIR/err.$i"
                        return 1
                }
        done
        expect_equal "$(raw_coffer ps -q | sort)" "$(sort "$BATS_TEST_TMPDIR"/ids.*)"
        for i in 1 2 3 4 5 6; do expect_equal 2 "$(told "b$i" start | wc -l)"; done
}

@test "start --restart tries all, says what failed, and then ends with 1" {
        mkdir "$BATS_TEST_TMPDIR/source"
        raw_coffer run -d --name bad --restart always -v "$BATS_TEST_TMPDIR/source:/mnt/x" host -- \
                sleep 1000 > /dev/null
        raw_coffer run -d --name good --restart always host -- sleep 1000 > /dev/null
        kill_shim bad
        kill_shim good
        rmdir "$BATS_TEST_TMPDIR/source"
        coffer start --restart
        expect_status 1
        expect_output "$(raw_coffer ps -q --filter name=good)"
        expect_one_line_error
        expect_in_stderr "$BATS_TEST_TMPDIR/source"
        # It stays due: the next boot may find its files again.
        mkdir "$BATS_TEST_TMPDIR/source"
        coffer start --restart
        expect_status 0
        expect_output "$(raw_coffer ps -q --filter name=bad)"
}

@test "start --restart names no boxes, and start without it must" {
        for args in '--restart b' '--restart --attach' '--restart -i'; do
                # shellcheck disable=SC2086 # options and arguments
                coffer start $args
                expect_status 2
                expect_one_line_error
        done
        coffer start
        expect_status 2
        expect_in_stderr '--restart'
}

# ---------------------------------------------------------------- the launcher

@test "the launcher has nothing open but its socket, the box and coffer-init, and dies with the shim" {
        raw_coffer run -d --name b --restart always host -- \
                sh -c 'trap "exit 9" USR1; while :; do sleep 0.05; done' > /dev/null
        shim=$(inspected b '{{.Identity.Pid}}')
        launcher=$(pgrep -P "$shim" coffer-launch)
        if [ "$(id -u)" = 0 ]; then
                id=$(raw_coffer ps -q)
                for round in 1 2; do
                        run readlink "/proc/$launcher"/fd/{0,1,2,3,4,5}
                        [[ $output == *"socket:"*"/boxes/$id"*"/coffer-init"* ]] ||
                                explain "what the launcher has open, round $round"
                        expect_equal 6 "$(find "/proc/$launcher/fd" -type l | wc -l)"
                        raw_coffer kill -s USR1 b > /dev/null
                        until_true 20 happened b start $((round + 1))
                done
                grep -q '^NoNewPrivs:.*1' "/proc/$launcher/status"
        else
                # Not dumpable: nobody of ours may look into it.
                run ! readlink "/proc/$launcher/fd/3"
        fi
        kill -9 "$shim"
        until_true 10 gone "$launcher"
}

@test "without its launcher a box lives on, and ends with its run" {
        raw_coffer run -d --name b --restart always host -- \
                sh -c 'trap "exit 9" USR1; while :; do sleep 0.05; done' > /dev/null
        kill -9 "$(pgrep -P "$(inspected b '{{.Identity.Pid}}')" coffer-launch)"
        raw_coffer exec b true
        raw_coffer kill -s USR1 b > /dev/null
        until_true 20 is_state b exited
        expect_inspected b '{{.State.Reason}}' 'start failed'
        [[ $(inspected b '{{.State.Error}}') == *launcher* ]]
}

# ---------------------------------------------------------------- the units

unit()
{
        sed "s#@bindir@/coffer#$COFFER_BIN_DIR/coffer#" \
                "$BATS_TEST_DIRNAME/../../packaging/systemd/$1/coffer-restart.service.in"
}

# verify KIND: as systemd reads it; prints what it does not like
verify()
{
        local user=
        [ "$1" = system ] || user=--user
        XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR timeout 60 systemd-analyze $user --man=no verify \
                "$BATS_TEST_TMPDIR/$1/coffer-restart.service" 2>&1
}

@test "systemd has nothing against the units, and would have" {
        need_program systemd-analyze
        for kind in system user; do
                mkdir "$BATS_TEST_TMPDIR/$kind"
                unit $kind > "$BATS_TEST_TMPDIR/$kind/coffer-restart.service"
                run verify $kind
                expect_status 0
                expect_no_output
                unit $kind | sed 's/^KillMode=process/KillMod=process/' \
                        > "$BATS_TEST_TMPDIR/$kind/coffer-restart.service"
                run verify $kind
                expect_in_output KillMod
        done
}

# boot_row: state and fix, as doctor sees it from where units of the test's own are
boot_row()
{
        raw_coffer doctor --format '{{.Control}} {{.State}} {{.Fix}}' | grep '^restart-at-boot' || :
}

@test "doctor says when nothing would start boxes that have a policy" {
        export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
        wants=$XDG_CONFIG_HOME/systemd/user/default.target.wants
        if [ "$(id -u)" = 0 ]; then
                fix='systemctl enable coffer-restart.service'
        else
                fix='systemctl --user enable coffer-restart.service && loginctl enable-linger'
        fi
        row=$(boot_row)
        [ "$row" = 'restart-at-boot off ' ] || skip "the unit of this host is enabled: $row"
        raw_coffer create --name b host true > /dev/null
        expect_equal 'restart-at-boot off ' "$(boot_row)"
        raw_coffer create --name c --restart always host true > /dev/null
        expect_equal "restart-at-boot off $fix" "$(boot_row)"

        mkdir -p "$wants"
        ln -s ../coffer-restart.service "$wants"
        expect_equal "restart-at-boot off $fix" "$(boot_row)" # a link to nothing
        : > "$wants/../coffer-restart.service"
        if [ "$(id -u)" = 0 ]; then
                # Units of users start no boxes of root's; those of the system do.
                expect_equal "restart-at-boot off $fix" "$(boot_row)"
                unshare -m --propagation private bash -c '
                        for dir in /etc/systemd /var/lib; do mount -t tmpfs tmpfs $dir || exit; done
                        mkdir -p /etc/systemd/system/x.target.wants &&
                        : > /etc/systemd/system/x.target.wants/coffer-restart.service &&
                        unset COFFER_HOME HOME && exec "$1" doctor --format "{{.Control}} {{.State}}"' \
                        - "$COFFER_BIN_DIR/coffer" > "$BATS_TEST_TMPDIR/rows" || :
                grep -qx 'restart-at-boot enforced' "$BATS_TEST_TMPDIR/rows"
        else
                expect_equal 'restart-at-boot degraded loginctl enable-linger' "$(boot_row)"
        fi
}

# ---------------------------------------------------------------- update --restart

@test "update --restart: a box that has a policy follows another one at once" {
        # It ends when it is told to, with the code that it is told.
        raw_coffer run -d --name b --restart unless-stopped -v told:/told host -- sh -c '
                until [ -e /told/end ]; do sleep 0.02; done
                read -r code < /told/end; rm /told/end; exit "$code"' > /dev/null
        end_with()
        {
                raw_coffer exec b sh -c "echo $1 > /told/.end && mv /told/.end /told/end"
        }
        coffer update --restart on-failure:5 b
        expect_status 0
        expect_output b
        expect_equal "" "$stderr"
        expect_inspected b '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' \
                'on-failure 5'
        end_with 3
        until_true 30 happened b start 2
        end_with 0
        until_true 30 is_state b exited
        expect_inspected b '{{.RestartCount}} {{.State.ExitCode}}' '1 0'

        # What was kept counts at the next start; and "no" in a running box.
        coffer update --restart always b
        expect_status 0
        expect_equal "" "$stderr"
        coffer start b
        end_with 0
        until_true 30 happened b start 4
        coffer update --restart no b
        expect_status 0
        expect_equal "" "$stderr"
        end_with 4
        until_true 30 is_state b exited
        expect_inspected b '{{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}' '4 no'
        expect_equal 4 "$(told b start | wc -l)"
}

@test "update --restart no: a box that waits to be started again is not" {
        raw_coffer run -d --name b --restart always host -- false > /dev/null
        between_runs coffer update --memory 64m b
        expect_status 1
        expect_in_stderr "is restarting"
        until_true 60 restarting b 5
        coffer update --restart no b
        expect_status 0
        until_true 10 is_state b exited
        expect_inspected b '{{.State.ExitCode}}' 1
        coffer start --restart
        is_state b exited
}

@test "update --restart: a running box that was started without a policy keeps it for later, and that is said" {
        raw_coffer run -d --name b host -- sleep 1000 > /dev/null
        coffer update --restart no b
        expect_status 0
        expect_equal "" "$stderr"
        coffer update --restart always b
        expect_status 0
        expect_output b
        expect_in_stderr "was started without a restart policy"
        expect_one_line_error
        expect_inspected b '{{.HostConfig.RestartPolicy.Name}}' always

        # Nobody is there who could; after a boot there is.
        coffer kill b
        until_true 10 is_state b exited
        expect_equal 1 "$(told b start | wc -l)"
        reboot_under b
        coffer start --restart
        expect_status 0
        is_state b running
        coffer update --restart on-failure b
        expect_status 0
        expect_equal "" "$stderr"
        coffer rm -f b

        raw_coffer create --name c --rm host -- true > /dev/null
        coffer update --restart always c
        expect_status 1
        coffer update --restart sometimes c
        expect_status 2
        coffer rm c
}
