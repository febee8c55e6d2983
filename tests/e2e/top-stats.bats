#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# top and stats: what is in a box and what it uses.

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
        raw_coffer run -d --name "$name" "$@" > /dev/null
}

main_of()
{
        raw_coffer inspect -f '{{.State.Pid}}' "$1"
}

# field BOX KEY: of stats.
field()
{
        raw_coffer stats --no-stream --format "{{.$2}}" "$1"
}

@test "top: the box's processes with the host's pids, and no others" {
        local main
        start box "$image" sh -c 'sleep 1000 & exec sleep 2000'
        main=$(main_of box)
        two() { [ "$(raw_coffer top box -o pid | wc -l)" = 3 ]; }
        until_true 10 two
        raw_coffer exec -d box sleep 3000
        three() { raw_coffer top box -o args | grep -q 'sleep 3000'; }
        until_true 10 three
        coffer top box
        expect_status 0
        [[ ${output%%$'\n'*} =~ ^UID\ +PID\ +PPID\ +C\ +STIME\ +TTY\ +TIME\ +CMD$ ]] || explain "ps -ef"
        [ "$(wc -l <<< "$output")" = 4 ] || explain "three processes"
        [[ $output =~ \ $main\ .*sleep\ 2000 ]] || explain "main by the host's pid"
        coffer top box -o args # without a user's name, which may have it
        [[ $output != *coffer* ]] || explain "nothing of ours"
        coffer top box aux
        [[ ${output%%$'\n'*} =~ ^USER\ +PID\ +%CPU\ +%MEM\ +VSZ\ +RSS\ +TTY\ +STAT\ +START\ +TIME\ +COMMAND$ ]]
        coffer top box -o pid,args
        [[ $output =~ $main\ +sleep\ 2000 ]] || explain "chosen columns"
        coffer top box -eo comm
        [ "$(sort -u <<< "$output" | wc -l)" = 2 ] || explain "a head and sleep"
        # Each is the process that ps shows.
        expect_equal "$(ps -o ppid= -o nlwp= -p "$main" | xargs)" \
                "$(raw_coffer top box -o pid,ppid,nlwp | awk -v p="$main" '$1 == p { print $2, $3 }')"
}

@test "top: what ps has and coffer has not is refused by name" {
        local words
        start box "$image" sleep 1000
        for words in "-o pid,nonsense" "-x" "--sort=pid" "-p 1" "-o" "-o pid,," "l"; do
                # shellcheck disable=SC2086  # words on purpose
                coffer top box $words
                expect_status 2
                expect_one_line_error
        done
        coffer top
        expect_status 2
        coffer top no-such-box
        expect_status 1
        coffer stop -t 0 box
        coffer top box
        expect_status 1
        expect_in_stderr "is not running"
        expect_one_line_error
}

@test "top: a command cannot write to the terminal" {
        start box "$image" sh -c "sleep 1000; : $(printf '\033[2J\n\tend')"
        coffer top box -o args
        expect_status 0
        [ "$(wc -l <<< "$output")" = 3 ] || explain "no line of its own: sh and sleep"
        [[ $output == *"?[2J??end"* && $output != *$'\033'* ]] || explain "as question marks"
}

@test "top and stats: a paused box is looked at as well" {
        start box "$image" sleep 1000
        raw_coffer pause box > /dev/null 2>&1 || skip "needs a cgroup that can freeze"
        coffer top box
        expect_status 0
        coffer stats --no-stream box
        expect_status 0
        expect_in_output box
}

@test "stats: Docker's columns, and where the figures are from" {
        start box "$image" sh -c 'while :; do :; done'
        coffer stats --no-stream
        expect_status 0
        [[ ${output%%$'\n'*} =~ ^BOX\ ID\ +NAME\ +CPU\ %\ +MEM\ USAGE\ /\ LIMIT\ +MEM\ %\ +NET\ I/O\ +BLOCK\ I/O\ +PIDS\ +SOURCE$ ]] ||
                explain "the head"
        [ "$(wc -l <<< "$output")" = 2 ] || explain "one box"
        [[ $(field box CPUPerc) =~ ^[1-9][0-9]*\.[0-9][0-9]%$ ]] || explain "a busy box is busy"
        [[ $(field box MemUsage) =~ ^[1-9][0-9.]*[KM]iB\ /\ [1-9][0-9.]*[MG]iB$ ]] || explain "memory"
        expect_equal 1 "$(field box PIDs)"
        expect_equal "0B / 0B" "$(field box NetIO)"
        [[ $(field box Source) =~ ^(proc|cgroup\ v[12])(\+proc)?$ ]]
        coffer stats --no-stream --format json box
        python3 -c '
import json, sys
d = json.loads(sys.argv[1])
wanted = "BlockIO CPUPerc Container ID MemPerc MemUsage Name NetIO PIDs Source".split()
sys.exit(sorted(d) != wanted)' "$output" || explain "Docker's keys and Source"
}

@test "stats: memory and processes grow with what runs" {
        local before
        start box "$image" sleep 1000
        before=$(field box PIDs)
        raw_coffer exec -d box sh -c 'sleep 1000 & head -c 50m /dev/zero | tail -c 40m | sleep 1000'
        expect_equal 1 "$before"
        grown() { [ "$(field box PIDs)" -ge 5 ]; }
        until_true 15 grown
        big() { [[ $(field box MemUsage) =~ ^[3-9][0-9](\.[0-9]+)?MiB ]]; }
        until_true 15 big
}

@test "stats: a limit is the limit, of a cgroup" {
        need_limits
        start box --memory 64m "$image" sleep 1000
        [[ $(field box MemUsage) == */\ 64MiB ]]
        [[ $(field box Source) == *cgroup* ]]
        coffer update --memory 32m box
        [[ $(field box MemUsage) == */\ 32MiB ]]
}

@test "stats: of what does not run nothing is made up" {
        start box "$image" true
        raw_coffer wait box > /dev/null
        coffer stats --no-stream
        [ "$(wc -l <<< "$output")" = 1 ] || explain "no box runs"
        coffer stats --no-stream -a
        [[ $output =~ box\ +--\ +--\ /\ --\ +--\ +--\ /\ --\ +--\ /\ --\ +--\ +-- ]] || explain "only --"
        coffer stats --no-stream box
        expect_status 0
        [[ $output =~ box\ +-- ]] || explain "only --"
        coffer stats --no-stream no-such-box
        expect_status 1
        expect_one_line_error
        coffer stats --format '{{'
        expect_status 2
}

@test "stats: every second until Ctrl-C, which is no failure" {
        local pid
        start box "$image" sleep 1000
        "$COFFER_BIN_DIR/coffer" stats --format '{{.Name}}' > "$BATS_TEST_TMPDIR/said" &
        pid=$!
        twice() { [ "$(grep -c '^box$' "$BATS_TEST_TMPDIR/said")" -ge 2 ]; }
        until_true 20 twice
        kill -INT "$pid"
        wait "$pid"
        # It also ends when what it was told to show is gone, and when nobody reads.
        timeout 20 "$COFFER_BIN_DIR/coffer" stats box > /dev/null &
        pid=$!
        raw_coffer rm -f box > /dev/null
        wait "$pid"
        start box "$image" sleep 1000
        timeout 20 "$COFFER_BIN_DIR/coffer" stats box | head -n 1 > /dev/null
        [ "${PIPESTATUS[0]}" != 124 ] || explain "it goes on for nobody"
}
