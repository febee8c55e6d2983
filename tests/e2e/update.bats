#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# update: what may change of a box, while it runs and while it does not.

load helpers
load places

setup_test()
{
        use_root
}

start()
{
        local name=$1
        shift
        raw_coffer run -d --name "$name" "$@" "$image" sleep 1000 > /dev/null
}

# limits BOX: memory, cpu and processes as inspect says.
limits()
{
        raw_coffer inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}' "$1"
}

row()
{
        raw_coffer inspect --posture "$1" | grep "^$2 "
}

# in_cgroup BOX CONTROLLER FILE: what the cgroup of main says, v2 or v1.
in_cgroup()
{
        local pid path
        pid=$(raw_coffer inspect -f '{{.State.Pid}}' "$1")
        path=$(sed -n "s/^[0-9]*:\([^:]*,\)*$2\(,[^:]*\)*://p" "/proc/$pid/cgroup")
        if [ -n "$path" ] && [ -e "/sys/fs/cgroup/$2$path/$3" ]; then
                cat "/sys/fs/cgroup/$2$path/$3"
        else
                path=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
                cat "/sys/fs/cgroup$path/$4"
        fi
}

# Whether main and all its descendants have the same limits as main.
all_inside()
{
        local pid main
        main=$(raw_coffer inspect -f '{{.State.Pid}}' "$1")
        for pid in $main $(pgrep -P "$main"); do
                expect_equal "$(grep -E ':(memory|pids|cpu)?:' "/proc/$main/cgroup")" \
                        "$(grep -E ':(memory|pids|cpu)?:' "/proc/$pid/cgroup")" || return 1
        done
}

two_children()
{
        [ "$(pgrep -cP "$(raw_coffer inspect -f '{{.State.Pid}}' "$1")")" = 2 ]
}

@test "update: a box that does not run takes it at its next start" {
        coffer create --name box --memory 100m "$image" sh -c 'ulimit -p'
        coffer update --pids-limit 77 box
        expect_status 0
        expect_output box
        expect_equal "104857600 0 77" "$(limits box)"
        coffer update -m 0 box
        expect_equal "0 0 77" "$(limits box)"
        start other
        coffer stop other
        coffer update --pids-limit 9 other
        expect_status 0
        coffer start other
        expect_status 0
        coffer exec other sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 100 & done; wait'
        [ "$status" != 0 ] || explain "ten processes where nine are allowed"
        [[ $(row other cgroup.pids) == *"9 processes over all ids"* ]]
}

@test "update: the last of several counts, and others stay" {
        coffer create --name box "$image" true
        coffer update --cpus 1.5 --pids-limit 10 box
        coffer update --pids-limit 20 box
        coffer update --pids-limit -1 box
        expect_equal "0 1500000000 <no value>" "$(limits box | sed 's/null/<no value>/')"
}

@test "update: what cannot work is refused, and nothing of it is kept" {
        coffer create --name box --shm-size 100m "$image" true
        coffer update box
        expect_status 2
        coffer update --memory 1k box
        expect_status 2
        coffer update --read-only box
        expect_status 2
        coffer update --cpus 1 --memory 50m box
        expect_status 1
        expect_in_stderr "--shm-size is above --memory"
        expect_one_line_error
        expect_equal "0 0 null" "$(limits box)"
        coffer update --cpus 1 no-such-box box
        expect_status 1
        expect_output box
        expect_equal "0 1000000000 null" "$(limits box)"
        coffer events --since 1h --until 0s --filter event=update
        [ "$(wc -l <<< "$output")" = 1 ] || explain "one update went well"
}

@test "update: a running box gets its limits at once, all its processes" {
        need_limits
        raw_coffer run -d --name box "$image" sh -c 'sleep 1000 & sleep 1000 & wait' > /dev/null
        until_true 5 two_children box
        coffer update --memory 64m --cpus 0.5 --pids-limit 30 box
        expect_status 0
        expect_equal "67108864 500000000 30" "$(limits box)"
        expect_equal 67108864 "$(in_cgroup box memory memory.limit_in_bytes memory.max)"
        all_inside box
        [[ $(row box cgroup.memory) == *enforced* ]]
        [[ $(row box cgroup.pids) == *"30 processes over all ids"* ]]
        # What comes later is born inside: more than there may be cannot be used.
        coffer exec box sh -c 'head -c 200m /dev/zero | tail -c 200m > /dev/null'
        expect_status 137
        coffer exec box sh -c 'for i in $(seq 40); do sleep 100 & done; wait'
        [ "$status" != 0 ] || explain "forty processes where thirty are allowed"
        # And back: both ways, in any order.
        coffer update --memory 32m box
        expect_status 0
        expect_equal 33554432 "$(in_cgroup box memory memory.limit_in_bytes memory.max)"
        coffer update --memory 128m box
        expect_status 0
        expect_equal 134217728 "$(in_cgroup box memory memory.limit_in_bytes memory.max)"
        coffer update --memory 0 --cpus 0 box
        expect_status 0
        [[ $(row box cgroup.memory) == *off* ]]
        coffer stop -t 0 box
        expect_status 0
}

@test "update: more processes than a running box was started with are refused by name" {
        start box --pids-limit 50
        coffer update --pids-limit 60 box
        expect_status 1
        expect_in_stderr "cannot rise above the 50"
        expect_in_stderr "next start"
        expect_one_line_error
        expect_equal "0 0 50" "$(limits box)"
        coffer update --pids-limit 50 box
        expect_status 0
        coffer stop -t 0 box
        coffer update --pids-limit 60 box
        expect_status 0
        coffer start box
        [[ $(row box cgroup.pids) == *"60 processes over all ids"* ]]
}

@test "update: without a cgroup the running box refuses, and nothing is kept" {
        if raw_coffer run --rm --memory 64m "$image" true > /dev/null 2>&1; then
                skip "limits can be set here"
        fi
        start box
        coffer update --memory 64m box
        expect_status 1
        expect_in_stderr "--memory cannot be set"
        expect_in_stderr "hint:"
        expect_one_line_error
        expect_equal "0 0 null" "$(limits box)"
        coffer update --pids-limit 10 box
        expect_status 1
        expect_in_stderr "--pids-limit cannot be set"
}

@test "update: many at once lose nothing" {
        local i
        coffer create --name box "$image" true
        for i in 1 2 3 4 5 6 7 8; do
                raw_coffer update --cpus "$i" box > /dev/null &
                raw_coffer update --memory "${i}00m" box > /dev/null &
                raw_coffer update --pids-limit "${i}0" box > /dev/null &
        done
        wait
        [[ $(limits box) =~ ^[1-8][0-9]+\ [1-8]000000000\ [1-8]0$ ]] || explain "$(limits box)"
}
