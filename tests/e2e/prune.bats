#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# prune: what is dead goes, and nothing else.

load helpers
load places

setup_test()
{
        use_root
}

teardown_test()
{
        [ -z "${holder-}" ] || kill "$holder" || :
}

stopped()
{
        local name=$1
        shift
        raw_coffer run --name "$name" "$@" "$image" sh -c 'head -c 100k /dev/zero > /big'
}

# age NAME: as if it had been made an hour ago.
age()
{
        local dir
        dir=$COFFER_HOME/boxes/$(raw_coffer inspect -f '{{.Id}}' "$1")
        python3 - "$dir/meta.json" <<- 'END'
		import json, sys
		with open(sys.argv[1]) as f:
		        meta = json.load(f)
		meta["created_ns"] -= 3600 * 10**9
		with open(sys.argv[1], "w") as f:
		        json.dump(meta, f)
		END
}

names()
{
        raw_coffer ps -a --format '{{.Names}}' | sort | xargs
}

@test "prune: boxes that do not run go, boxes that live stay" {
        local id
        stopped done
        raw_coffer create --name old "$image" true > /dev/null
        age old
        raw_coffer create --name young "$image" true > /dev/null
        raw_coffer run -d --name alive "$image" sleep 1000 > /dev/null
        raw_coffer run -d --name paused "$image" sleep 1000 > /dev/null
        raw_coffer pause paused > /dev/null 2>&1 || :
        id=$(raw_coffer inspect -f '{{.Id}}' done)
        coffer prune --dry-run
        expect_status 0
        expect_in_output "Would delete Boxes:"
        expect_in_output "$id"
        [[ $output =~ Space\ to\ be\ reclaimed:\ [1-9] ]] || explain "a size"
        expect_equal "alive done old paused young" "$(names)"
        coffer prune -f
        expect_status 0
        expect_in_output "Deleted Boxes:"
        expect_in_output "$id"
        [[ $output =~ Total\ reclaimed\ space:\ [1-9] ]] || explain "a size"
        expect_equal "alive paused young" "$(names)"
        coffer exec alive true
        expect_status 0
        age young
        coffer prune -f
        expect_equal "alive paused" "$(names)"
        coffer prune -f
        expect_output "Total reclaimed space: 0B"
        expect_status 0
}

@test "prune: without a terminal it needs --force, and asks for nothing else" {
        stopped done
        coffer prune
        expect_status 2
        expect_one_line_error
        expect_equal done "$(names)"
        coffer prune --filter nonsense=1 -f
        expect_status 2
        expect_one_line_error
        coffer prune --filter until=never -f
        expect_status 2
        coffer prune -f extra
        expect_status 2
        expect_equal done "$(names)"
}

@test "prune: filters by time and label" {
        stopped a --label keep=yes
        stopped b --label other=1
        stopped c
        age c
        coffer prune -f --filter until=30m
        expect_status 0
        expect_equal "a b" "$(names)"
        coffer prune -f --filter 'label!=keep' --filter label=other=2
        expect_equal "a b" "$(names)"
        coffer prune -f --filter 'label!=keep'
        expect_equal a "$(names)"
        coffer prune -f --filter label=keep
        expect_equal "" "$(names)"
}

@test "prune: what deaths have left goes, and only without filters" {
        local id=abcdefgh2345
        stopped done
        mkdir -p "$COFFER_HOME/boxes/.trash-$id/fs" "$COFFER_HOME/boxes/bcdefgh23456"
        echo rest > "$COFFER_HOME/boxes/.trash-$id/fs/file"
        ln -s "$id" "$COFFER_HOME/names/ghost"
        ln -s "$id" "$COFFER_HOME/ids/2999"
        coffer prune -f --filter label=none
        [ -e "$COFFER_HOME/boxes/.trash-$id" ]
        coffer prune --dry-run
        expect_in_output "trash of box $id"
        expect_in_output "unfinished box bcdefgh23456"
        expect_in_output "claim of the name ghost by box $id"
        expect_in_output "claim of id range 2999 by box $id"
        [ -e "$COFFER_HOME/boxes/.trash-$id/fs/file" ]
        [ -d "$COFFER_HOME/boxes/bcdefgh23456" ]
        [ -L "$COFFER_HOME/names/ghost" ]
        coffer prune -f
        expect_status 0
        expect_in_output "Deleted Leftovers:"
        expect_equal "" "$(ls -A "$COFFER_HOME/boxes")"
        [ ! -L "$COFFER_HOME/names/ghost" ]
        [ ! -L "$COFFER_HOME/ids/2999" ]
}

@test "prune: a box whose shim died goes, with every process of it" {
        local main
        raw_coffer run -d --name dead "$image" sleep 1000 > /dev/null
        main=$(raw_coffer inspect -f '{{.State.Pid}}' dead)
        kill -KILL "$(raw_coffer inspect -f '{{.Identity.Pid}}' dead)"
        gone() { raw_coffer prune -f > /dev/null && [ -z "$(names)" ]; }
        until_true 15 gone
        [ ! -e "/proc/$main" ] || explain "main lives on"
}

@test "prune: a box that a stranger holds is left alone" {
        stopped held
        stopped free
        python3 -c '
import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
F_OFD_SETLK = 37
fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
print("held", flush=True)
time.sleep(1000)' "$COFFER_HOME/boxes/$(raw_coffer inspect -f '{{.Id}}' held)/lock" > "$BATS_TEST_TMPDIR/held" &
        holder=$!
        until_true 10 grep -q held "$BATS_TEST_TMPDIR/held"
        coffer prune --dry-run
        [[ $output != *$(raw_coffer inspect -f '{{.Id}}' held)* ]] || explain "it would go"
        coffer prune -f
        expect_status 0
        [[ $(names) == held ]] || explain "$(names)"
        kill "$holder"
        wait "$holder" || :
        holder=
}

@test "prune: volumes stay" {
        raw_coffer run --name box -v data:/data -v /unnamed "$image" sh -c 'echo kept > /data/file'
        coffer prune -f
        expect_status 0
        coffer volume ls -q
        [ "$(wc -l <<< "$output")" = 2 ] || explain "both volumes"
        coffer run --rm -v data:/data "$image" cat /data/file
        expect_output kept
}

@test "prune: many at once, beside boxes that start and end" {
        local i
        for i in 1 2 3 4 5 6; do
                raw_coffer run --name "box$i" "$image" true &
                raw_coffer prune -f > "$BATS_TEST_TMPDIR/said$i" 2>&1 &
        done
        wait
        for i in 1 2 3 4 5 6; do
                grep -q "Total reclaimed" "$BATS_TEST_TMPDIR/said$i" || { cat "$BATS_TEST_TMPDIR/said$i"; return 1; }
        done
        raw_coffer prune -f
        expect_equal "" "$(names)"
}
