#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# Health checks: what is run, when, as whom, and what it makes of the box.

load helpers
load places

setup_test()
{
        use_root
}

# start NAME FLAG… [-- COMMAND…]: a box that is probed often; the command is sleep.
start()
{
        local name=$1 flags=()
        shift
        while [ $# -gt 0 ] && [ "$1" != -- ]; do
                flags+=("$1")
                shift
        done
        shift || :
        [ $# -gt 0 ] || set -- sleep 1000
        raw_coffer run -d --name "$name" --health-interval 100ms "${flags[@]}" "$image" "$@" > /dev/null
}

health()
{
        raw_coffer inspect --format "{{$2}}" "$1"
}

# probe NAME N KEY: of the N-th of the last probes
probe()
{
        raw_coffer inspect "$1" |
                python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["State"]["Health"]["Log"][int(sys.argv[1])][sys.argv[2]])' "$2" "$3"
}

is()
{
        [ "$(health "$1" "$2")" = "$3" ]
}

becomes()
{
        until_true 30 is "$1" .State.Health.Status "$2"
}

probed()
{
        [ "$(health "$1" 'len .State.Health.Log')" -ge "$2" ]
}

actions()
{
        raw_coffer events --since 1h --until 0s --format '{{.Action}}' "$@"
}

# pack CONFIG: $image is an archive whose image says CONFIG.
pack()
{
        tar -C "$root" --owner=0 --group=0 --numeric-owner -cf "$BATS_TEST_TMPDIR/layer.tar" .
        python3 "$BATS_TEST_DIRNAME/pack-image.py" "$BATS_TEST_TMPDIR/layer.tar" \
                "$BATS_TEST_TMPDIR/oci.tar" "$BATS_TEST_TMPDIR/docker.tar" "$1"
        image=oci-archive:$BATS_TEST_TMPDIR/oci.tar
}

@test "a box is starting, healthy, unhealthy and healthy again, and ps, inspect and events say so" {
        start one --health-cmd 'cat /tmp/well' --health-retries 2 --health-start-period 1h \
                --health-start-interval 100ms
        raw_coffer run -d --name other "$image" sleep 1000 > /dev/null
        expect_equal starting "$(health one .State.Health.Status)"
        coffer ps --format '{{.Names}} {{.Status}}'
        expect_in_output "(health: starting)"
        # In the start period a failure is none.
        until_true 30 probed one 3
        expect_equal "starting 0" "$(health one '.State.Health.Status}} {{.State.Health.FailingStreak')"
        expect_equal 1 "$(probe one 0 ExitCode)"

        raw_coffer exec one sh -c 'echo ever so > /tmp/well'
        becomes one healthy
        coffer ps --format '{{.Names}} {{.Status}}' --filter health=healthy
        [[ $output == "one Up "*" (healthy)" ]] || explain "expected one, healthy"
        coffer ps --format '{{.Names}}' --filter health=none
        expect_output other
        coffer inspect --format '{{json .State.Health.Log}}' one
        expect_in_output '"ExitCode":0,"Output":"ever so\u000a"'

        raw_coffer exec one rm /tmp/well
        becomes one unhealthy
        [ "$(health one .State.Health.FailingStreak)" -ge 2 ]
        coffer ps --format '{{.Status}}' --filter health=unhealthy
        expect_in_output "(unhealthy)"
        raw_coffer exec one touch /tmp/well
        becomes one healthy
        expect_equal 0 "$(health one .State.Health.FailingStreak)"

        # Probes are no events but for what they change.
        expect_equal $'create\nstart\nhealth_status: healthy\nhealth_status: unhealthy\nhealth_status: healthy' \
                "$(actions --filter container=one)"
        expect_equal 3 "$(actions --filter event=health_status | wc -l)"
        expect_equal 1 "$(actions --filter 'event=health_status: unhealthy' | wc -l)"
        coffer events --since 1h --until 0s --filter event=health_status \
                --format '{{.Type}} {{.status}} {{.Actor.Attributes.name}} {{.Actor.Attributes.image}}'
        expect_in_output "container health_status: healthy one $image"

        # What does not run is not well; the last probes are kept.
        raw_coffer exec one rm /tmp/well
        raw_coffer stop -t 0 one > /dev/null
        expect_equal "exited unhealthy 5" "$(health one '.State.Status}} {{.State.Health.Status}} {{len .State.Health.Log')"
        coffer ps -a --format '{{.Status}}' --filter name=one
        [[ $output == "Exited (137) "*ago ]] || explain "expected no word on its health"
        raw_coffer start one > /dev/null
        expect_equal starting "$(health one .State.Health.Status)"
}

@test "without a start period the retries count from the start, and a command that is not there fails" {
        start one --health-cmd 'exit 7' --health-retries 3
        becomes one unhealthy
        [ "$(health one .State.Health.FailingStreak)" -ge 3 ]
        expect_equal 7 "$(probe one 0 ExitCode)"
        [ "$(health one 'len .State.Health.Log')" -ge 3 ]
        pack '{"Healthcheck": {"Test": ["CMD", "/no/such/probe"], "Retries": 1}}'
        start two
        becomes two unhealthy
        coffer inspect --format '{{json .State.Health.Log}}' two
        expect_in_output '"ExitCode":-1,"Output":"run '"'/no/such/probe'"
}

@test "a probe that hangs is killed with its children, and the box goes on" {
        start one --health-cmd 'sleep 1111 & echo hanging; exec sleep 2222' --health-timeout 500ms \
                --health-retries 1
        becomes one unhealthy
        coffer inspect --format '{{json .State.Health.Log}}' one
        expect_in_output '"ExitCode":-1,"Output":"Health check exceeded timeout (500ms): hanging\u000a"'
        # The kernel signals groups by pidfd from 6.9 on; before, it is the probe alone.
        until_true 30 probed one 3
        coffer exec one sh -c 'ps -o args | grep -c "[s]leep 2222" || :'
        [ "$output" -le 1 ] || explain "probes pile up"
        if kernel_from 6 9; then
                coffer exec one sh -c 'ps -o args | grep -c "[s]leep 1111" || :'
                [ "$output" -le 1 ] || explain "children of probes are left"
        fi
        coffer exec one echo alive
        expect_output alive
}

@test "what a probe writes is kept up to 4096 bytes, whatever the bytes are" {
        start one --health-cmd 'printf "a\0b\377\303\251\033\n"; head -c 500000 /dev/zero | tr "\0" x; echo e >&2' \
                --health-retries 1
        becomes one healthy
        raw_coffer inspect one > "$BATS_TEST_TMPDIR/json"
        python3 - "$BATS_TEST_TMPDIR/json" << 'END'
import json, sys
output = json.load(open(sys.argv[1], encoding="utf-8"))[0]["State"]["Health"]["Log"][0]["Output"]
start = "a\ufffdb\ufffd\u00e9\x1b\n"
assert output.startswith(start + "xxx"), output[:40]
assert output.endswith("xxx..."), output[-40:]
# One byte each, but for the two of the letter.
assert len(output) == 4096 - 1 + 3, len(output)
END
}

@test "the image says how, options say it better, NONE and --no-healthcheck say no" {
        pack '{"User": "user", "Healthcheck": {"Test": ["CMD-SHELL", "id -u; pwd; echo $FROM_IMAGE $0"],
               "Interval": 200000000, "Timeout": 20000000000, "StartPeriod": 60000000000,
               "StartInterval": 100000000, "Retries": 7}, "Shell": ["/bin/ash", "-c"]}'
        raw_coffer run -d --name of-image "$image" sleep 1000 > /dev/null
        becomes of-image healthy
        # As the box's user, in its directory, with its variables, by the image's shell.
        expect_equal $'1000\n/srv\nyes /bin/ash' "$(probe of-image 0 Output)"
        expect_equal '{"Test":["CMD-SHELL","id -u; pwd; echo $FROM_IMAGE $0"],"Interval":200000000,"Timeout":20000000000,"StartPeriod":60000000000,"StartInterval":100000000,"Retries":7}' \
                "$(health of-image 'json .Config.Healthcheck')"

        raw_coffer run -d --name mine --health-cmd 'echo mine' --health-retries 2 "$image" sleep 1000 > /dev/null
        becomes mine healthy
        expect_equal '{"Test":["CMD-SHELL","echo mine"],"Interval":200000000,"Timeout":20000000000,"StartPeriod":60000000000,"StartInterval":100000000,"Retries":2}' \
                "$(health mine 'json .Config.Healthcheck')"

        raw_coffer run -d --name off --no-healthcheck "$image" sleep 1000 > /dev/null
        expect_equal '{"Test":["NONE"]}' "$(health off 'json .Config.Healthcheck')"
        pack '{"Healthcheck": {"Test": ["NONE"]}}'
        raw_coffer run -d --name none "$image" sleep 1000 > /dev/null
        expect_equal '{"Test":["NONE"]}' "$(health none 'json .Config.Healthcheck')"
        coffer ps --filter health=none --format '{{.Names}} {{.Status}}'
        expect_in_output "none Up"
        expect_in_output "off Up"
        [[ $output != *"("* ]] || explain "expected no word on their health"
        coffer inspect --format '{{.State.Health}}' off
        expect_status 1
        ! ls "$COFFER_HOME/boxes/$(raw_coffer inspect --format '{{.Id}}' off)/health.json" 2> /dev/null

        pack '{"Healthcheck": {"Test": ["RUN", "x"]}}'
        coffer create "$image" true
        expect_status 125
        expect_one_line_error
        expect_in_stderr "health check is 'RUN'"
        coffer create --no-healthcheck "$image" true
        expect_status 0
}

@test "a probe is confined as an exec is" {
        local probe
        start one --user user --health-cmd 'grep -E "^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)" /proc/self/status; ulimit -a; umask; ls /proc/self/fd | wc -l'
        becomes one healthy
        probe=$(probe one 0 Output)
        coffer exec one sh -c 'grep -E "^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)" /proc/self/status; ulimit -a; umask; ls /proc/self/fd | wc -l'
        expect_equal "$output" "$probe"
        [[ $probe == *NoNewPrivs:?1* ]] || explain "$probe"
        [[ $probe == *Seccomp:?2* ]] || explain "$probe"
        [[ $probe == *CapEff:?0000000000000000* ]] || explain "$probe"
}

@test "a stop, a kill of the shim and --rm in the middle of a probe leave nothing" {
        local before pid
        start one --health-cmd 'touch /tmp/probing; trap "" TERM; sleep 1111'
        until_true 30 raw_coffer exec one test -e /tmp/probing
        before=$SECONDS
        raw_coffer stop -t 0 one > /dev/null
        [ $((SECONDS - before)) -lt 20 ]
        expect_equal "unhealthy 0" "$(health one '.State.Health.Status}} {{len .State.Health.Log')"

        start two --health-cmd 'echo well'
        becomes two healthy
        pid=$(health two .Identity.Pid)
        kill -9 "$pid"
        until_true 30 is two .State.Reason "shim died"
        expect_equal unhealthy "$(health two .State.Health.Status)"

        raw_coffer run -d --rm --name three --health-cmd 'touch /tmp/probing; sleep 1111' --health-interval 100ms \
                "$image" sleep 1000 > /dev/null
        until_true 30 raw_coffer exec three test -e /tmp/probing
        raw_coffer stop -t 0 three > /dev/null
        coffer inspect three
        expect_status 1
        # teardown looks for processes, mounts and boxes.
}
