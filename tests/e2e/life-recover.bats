# SPDX-License-Identifier: Apache-2.0
# Whoever comes next finds out what is true: forged and torn records, strangers, old boots, other
# PID namespaces, full disks, and homes that somebody tidied up.

load helpers

box_dir()
{
        echo "$COFFER_HOME/boxes/$(readlink "$COFFER_HOME/names/$1")"
}

# field BOX NAME: of its identity.
field()
{
        sed -n "s/^$2 //p" "$(box_dir "$1")/identity"
}

# forge BOX NAME VALUE: in its identity, by rename as a shim does.
forge()
{
        local dir
        dir=$(box_dir "$1")
        sed "s/^$2 .*/$2 $3/" "$dir/identity" > "$dir/forged"
        mv "$dir/forged" "$dir/identity"
}

running()
{
        raw_coffer run -d --name "$1" host -- sleep 1000 > /dev/null
}

kill_shim()
{
        local pid
        pid=$(field "$1" pid)
        kill -KILL "$pid"
        until_true 10 eval "! kill -0 $pid 2> /dev/null"
}

expect_state()
{
        coffer inspect --format '{{.State.Status}} {{.State.Reason}}' "$1"
        expect_output "exited $2"
}

@test "after a reboot a box has failed, its pid is nobody's, and it starts again" {
        running b
        raw_coffer run -d --name c host -- sleep 1000 > /dev/null
        local other
        other=$(field c pid)
        kill_shim b
        # The record of another boot names a process that lives, and that is even a monitor.
        forge b boot_id 00000000-0000-4000-8000-000000000000
        forge b pid "$other"
        coffer ps -a --filter name=b --format '{{.Status}}'
        expect_in_output "Failed (host restarted)"
        expect_state b "host restarted"
        coffer kill b
        expect_status 1
        kill -0 "$other"
        coffer start b
        expect_status 0
        coffer exec b true
        expect_status 0
        coffer exec c true
        expect_status 0
}

@test "records that are torn, garbage, empty or of another box are settled once" {
        local dir how
        running c
        for how in torn garbage empty other directory; do
                running b
                dir=$(box_dir b)
                kill_shim b
                case $how in
                torn) truncate -s 40 "$dir/identity" ;;
                garbage) head -c 300 /dev/urandom > "$dir/identity" ;;
                empty) : > "$dir/identity" ;;
                other) cp "$(box_dir c)/identity" "$dir/identity" ;;
                directory) rm "$dir/identity" && mkdir "$dir/identity" ;;
                esac
                expect_state b "shim died"
                coffer rm b
                expect_status 0
        done
        coffer exec c true
        expect_status 0
}

@test "many clients settle a dead box at once, and only one writes it down" {
        running b
        kill_shim b
        local i
        for i in $(seq 8); do
                raw_coffer ps -a > /dev/null &
                raw_coffer wait b > "$BATS_TEST_TMPDIR/wait$i" &
                raw_coffer inspect b > /dev/null &
        done
        wait
        for i in $(seq 8); do
                expect_equal 137 "$(cat "$BATS_TEST_TMPDIR/wait$i")"
        done
        expect_equal 1 "$(grep -c '"Action":"die"' "$COFFER_HOME/events")"
        expect_state b "shim died"
}

@test "a stranger with the pid and the words of a monitor is never signalled" {
        running b
        local dir id real
        dir=$(box_dir b)
        id=$(basename "$dir")
        real=$(field b pid)
        cp "$dir/identity" "$BATS_TEST_TMPDIR/true"
        bash -c "exec -a coffer-shim sleep 1000" 3>&- &
        local sleeper=$!
        bash -c 'exec -a coffer-shim python3 -c "import signal; signal.pause()" "$1"' - "$id" \
                3>&- &
        local same=$!
        # The monitor answers for itself, whatever the record says; a silent one is looked at.
        forge b pid "$sleeper"
        coffer exec b true
        expect_status 0
        kill -STOP "$real"
        coffer kill b
        expect_status 1
        expect_in_stderr "left alone"
        forge b pid "$same"
        coffer rm -f b
        expect_status 1
        expect_in_stderr "left alone"
        kill -CONT "$real"
        kill -0 "$sleeper" "$same" "$real"
        cp "$BATS_TEST_TMPDIR/true" "$dir/identity"
        kill "$sleeper" "$same"
        coffer exec b true
        expect_status 0
}

@test "names and ids that begin alike, and what was planted beside them, are told apart" {
        running box-1
        running box-10
        raw_coffer create --name box host -- true > /dev/null
        local ten
        ten=$(readlink "$COFFER_HOME/names/box-10")
        local short=${ten:0:11} boxes=$COFFER_HOME/boxes
        mkdir "$boxes/$short" "$boxes/${ten}2" "$boxes/..$ten" "$boxes/box-1"
        : > "$boxes/aaaaaaaaaaaa"
        ln -s "$ten" "$boxes/bbbbbbbbbbbb"
        ln -s / "$boxes/cccccccccccc"
        : > "$COFFER_HOME/names/file"
        ln -s ../../../etc "$COFFER_HOME/names/path"
        ln -s "$ten$ten" "$COFFER_HOME/names/long"
        ln -s zzzzzzzzzzzz "$COFFER_HOME/names/gone"
        : > "$COFFER_HOME/ids/junk"

        coffer ps -a --format '{{.Names}}'
        expect_equal "box box-1 box-10" "$(sort <<< "$output" | xargs)"
        local name
        for name in file path long gone aaaaaaaaaaaa bbbbbbbbbbbb cccccccccccc box-; do
                coffer rm "$name"
                expect_status 1
                expect_one_line_error
        done
        coffer exec "$short" true
        expect_status 0
        coffer rm -f box-1
        expect_status 0
        coffer exec box-10 true
        expect_status 0
        coffer rm -f "$ten"
        coffer ps -a --format '{{.Names}}'
        expect_output box
        [ -e /etc/passwd ] || explain "what a planted link named is gone"
        coffer create --name gone host -- true
        expect_status 0
        rm -r "$boxes/$short" "$boxes/${ten}2" "$boxes/..$ten" "$boxes/box-1" "$boxes/aaaaaaaaaaaa" \
                "$boxes/bbbbbbbbbbbb" "$boxes/cccccccccccc"
}

@test "names and ranges of ids that were deleted come back from the boxes" {
        running b
        raw_coffer create --name c host -- true > /dev/null
        local b c
        b=$(readlink "$COFFER_HOME/names/b") c=$(readlink "$COFFER_HOME/names/c")
        rm -r "$COFFER_HOME/names" "$COFFER_HOME/ids"
        coffer create --name b host -- true
        expect_status 125
        expect_in_stderr "the name 'b' is taken by box $b"
        expect_equal "$c" "$(readlink "$COFFER_HOME/names/c")"
        if [ "$(id -u)" = 0 ]; then
                expect_equal 2 "$(find "$COFFER_HOME/ids" -type l | wc -l)"
        fi
        rm "$COFFER_HOME/names/b"
        coffer exec b true
        expect_status 0
        expect_equal "$b" "$(readlink "$COFFER_HOME/names/b")"
        rm "$COFFER_HOME/names/c"
        ln -s garbage "$COFFER_HOME/names/c"
        coffer inspect --format '{{.Id}}' c
        expect_output "$c"
        rm "$COFFER_HOME"/names/*
        coffer ps -a -q
        coffer create --name c host -- true
        expect_status 125
        expect_in_stderr "is taken"
}

@test "a box whose range of ids was given away does not start beside the other" {
        need_root
        raw_coffer create --name b host -- true > /dev/null
        raw_coffer create --name c host -- true > /dev/null
        local link
        link=$(find "$COFFER_HOME/ids" -lname "$(readlink "$COFFER_HOME/names/b")")
        ln -sfn "$(readlink "$COFFER_HOME/names/c")" "$link"
        coffer start b
        expect_status 1
        expect_in_stderr "was given to another box"
        rm "$link"
        coffer start b
        expect_status 0
        expect_equal "$(readlink "$COFFER_HOME/names/b")" "$(readlink "$link")"
}

@test "the lock of a running box that is deleted or replaced kills nobody" {
        running b
        local dir
        dir=$(box_dir b)
        mv "$dir/lock" "$dir/kept"
        coffer exec b true || :
        : > "$dir/lock"
        coffer exec b true || :
        kill -0 "$(field b pid)"
        mv "$dir/kept" "$dir/lock"
        coffer exec b true
        expect_status 0
}

@test "from another PID namespace a box is alive by its answer and no number is used" {
        running b
        local there=(unshare --pid --fork --kill-child --mount-proc)
        [ "$(id -u)" = 0 ] || there=(unshare --user --map-current-user --pid --fork --kill-child --mount-proc)
        "${there[@]}" true 2> /dev/null || skip "needs unshare --pid"
        run --separate-stderr timeout 60 "${there[@]}" "$COFFER_BIN_DIR/coffer" ps --format '{{.State}}'
        expect_output running
        run --separate-stderr timeout 60 "${there[@]}" "$COFFER_BIN_DIR/coffer" exec b echo hi
        expect_output hi
        # Whoever has that number there is somebody else, and lives on.
        local pid
        pid=$(field b pid)
        run --separate-stderr timeout 60 "${there[@]}" bash -c '
                echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid || exit 77
                sleep 1000 &
                [ $! = "$1" ] || exit 77
                "$2" stop -t 0 b && kill -0 "$1"' - "$pid" "$COFFER_BIN_DIR/coffer"
        [ "$status" != 77 ] || skip "needs a pid of choice"
        expect_status 0
        coffer wait b
        expect_output 137
}
