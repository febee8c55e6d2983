#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What only cgroup v2 with controllers can show: limits that hold.  Runs in the guest (see run), where
# / is an overlay and /var/tmp is ext4; prints TAP.
set -u
export COFFER_HOME=/var/tmp/coffer
PATH=$COFFER_BIN_DIR:$PATH
count=0

# claim NAME COMMAND…: a test that passes when the command does.
claim()
{
        local name=$1 said
        shift
        count=$((count + 1))
        if said=$("$@" 2>&1); then
                echo "ok $count - $name"
        else
                echo "not ok $count - $name"
                printf '%s\n' "$said" | sed 's/^/# /'
                coffer ps -a -q | xargs -r coffer rm -f > /dev/null # so that the next one starts clean
        fi
}

# status EXPECTED COMMAND…: the command ends with exactly this status.
status()
{
        local expected=$1 got
        shift
        "$@"
        got=$?
        [ "$got" = "$expected" ] || { echo "status $got, expected $expected: $*"; return 1; }
}

# value BOX FILE: what stands in FILE of the cgroup that holds the box's main process.
value()
{
        local pid group
        pid=$(coffer inspect --format '{{.State.Pid}}' "$1") || return 1
        group=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
        cat "/sys/fs/cgroup$group/$2"
}

equals()
{
        [ "$1" = "$2" ] || { echo "'$2', expected '$1'"; return 1; }
}

# tail keeps as much as it is asked for, so this is 200 MiB of real memory in one process.
memory_limit_kills()
{
        status 137 coffer run --name oom --memory 64m host -- \
                sh -c 'head -c 200m /dev/zero | tail -c 200m > /dev/null' &&
                equals true "$(coffer inspect --format '{{.State.OOMKilled}}' oom)" &&
                coffer rm oom
}

memory_limit_lets_live()
{
        status 0 coffer run --rm --memory 64m host -- sh -c 'head -c 16m /dev/zero | tail -c 16m > /dev/null'
}

limits_are_in_the_cgroup()
{
        coffer run -d --name limits --memory 64m --cpus 0.5 host -- sleep 600 &&
                equals 67108864 "$(value limits memory.max)" &&
                equals "50000 100000" "$(value limits cpu.max)" &&
                coffer rm -f limits
}

pids_limit_holds()
{
        local script='for i in 1 2 3 4 5 6 7 8 9 10; do sleep 600 & done'

        # Ten background processes fit no limit of six, and do fit one of sixty-four.
        status 0 coffer run --rm --pids-limit 64 host -- sh -c "$script" &&
                coffer run --rm --pids-limit 6 host -- sh -c "$script" 2>&1 | grep -i fork
}

cpu_limit_throttles()
{
        local throttled

        coffer run -d --name busy --cpus 0.2 host -- sh -c 'while :; do :; done' || return 1
        for _ in $(seq 100); do
                throttled=$(value busy cpu.stat | sed -n 's/^nr_throttled //p')
                [ "${throttled:-0}" -ge 5 ] && break
                sleep 0.1
        done
        coffer rm -f busy && [ "${throttled:-0}" -ge 5 ]
}

posture_says_enforced()
{
        coffer run -d --name posture --memory 64m host -- sleep 600 &&
                coffer inspect --posture posture | grep -E 'cgroup.*enforced' &&
                coffer rm -f posture
}

nothing_is_left()
{
        local boxes

        boxes=$(coffer ps -a -q) && equals "" "$boxes" &&
                equals "" "$(find /sys/fs/cgroup -type d -path '*coffer*')"
}

echo 1..7
claim "a memory limit kills what outgrows it, and inspect says so" memory_limit_kills
claim "a memory limit leaves alone what stays below it" memory_limit_lets_live
claim "memory and cpu limits stand in the box's cgroup" limits_are_in_the_cgroup
claim "a pids limit stops forks" pids_limit_holds
claim "a cpu limit throttles" cpu_limit_throttles
claim "the posture calls the cgroup enforced" posture_says_enforced
claim "no cgroup and no box is left" nothing_is_left
