#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# Terminals, seen from the box: whose they are, what keys do there, and that the caller's own comes
# back in its mode, whatever dies.  cli-terminal.bats has the client's side.

load helpers
load places

setup_test()
{
        use_root
        raw_coffer run -d --name box "$image" sleep 1000 > /dev/null
}

# at_terminal ARG… < STEPS: coffer on a terminal of its own; see terminal.py.
at_terminal()
{
        run "$BATS_TEST_DIRNAME/terminal.py" "$COFFER_BIN_DIR/coffer" "$@"
        [ "$status" = 0 ] || { echo "$output"; return 1; }
}

# The three ways to have a terminal, as arguments of coffer.
ways=("exec -it box" "run --rm -it --init IMAGE" "run --rm -it IMAGE")

# each_way COMMAND… < STEPS
each_way()
{
        local way steps
        steps=$(cat)
        for way in "${ways[@]}"; do
                # shellcheck disable=SC2086
                at_terminal ${way/IMAGE/$image} "$@" <<< "$steps" || { echo "way: $way"; return 1; }
        done
}

@test "the size is there at the start, and follows" {
        each_way sh -c 'trap "stty size; exit 0" WINCH; stty size; while :; do sleep 0.02; done' << 'END'
expect 24 80
size 31 97
expect 31 97
end 0
END
}

@test "main has the size before its first instruction" {
        local i
        for ((i = 0; i < 12; i++)); do
                at_terminal run --rm -it "$image" stty size << 'END'
expect 24 80
end 0
END
        done
}

@test "without a terminal on the outside there is one inside, and the caller's is not asked for" {
        coffer exec -t box sh -c 'test -t 0 && test -t 1 && test -t 2 && tty'
        expect_status 0
        expect_in_output /dev/pts/
        coffer run --rm -t "$image" sh -c 'test -t 0 && test -t 1 && test -t 2 && tty'
        expect_status 0
        expect_in_output /dev/pts/
}

@test "Ctrl-C ends what is in the foreground, and a shell goes on" {
        each_way sh -c 'echo ready; sleep 1000; echo "left $?"' << 'END'
expect ready
send \x03
end 130
END
}

@test "Ctrl-C reaches a handler" {
        each_way sh -c 'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.02; done' << 'END'
expect ready
send \x03
expect caught
end 9
END
}

@test "Ctrl-Z stops the job of a shell in the box, fg goes on with it" {
        each_way sh << 'END'
expect #
send sh -c 'echo sta""rted; exec cat'\n
expect started
send one\n
expect one\r\none
send \x1a
expect Stopped
send echo "shell $((1 + 1))"\n
expect shell 2
send fg\n
expect exec cat
send two\n
expect two\r\ntwo
send \x04
send exit 5\n
end 5
END
}

@test "Ctrl-Z stops what runs under --init, and CONT goes on with it" {
        local coffer=$COFFER_BIN_DIR/coffer
        local stopped="$coffer exec other grep -q '^State:.T' /proc/2/status"
        at_terminal run --rm -it --init --name other "$image" sh -c 'echo $$; exec cat' << END
expect 2
send one\\n
expect one\\r\\none
send \\x1a
run timeout 20 sh -c "until $stopped; do :; done" || { echo "it never stopped" >&2; exit 1; }
run $coffer kill -s CONT other
send two\\n
expect two\\r\\ntwo
send \\x04
end 0
END
}

@test "Ctrl-Z does nothing to an exec or a main that no shell could wake again" {
        ways=("exec -it box" "run --rm -it IMAGE")
        each_way sh -c 'echo ready; exec cat' << 'END'
expect ready
send one\n
expect one\r\none
send \x1atwo\n
expect two\r\ntwo
send \x04
end 0
END
}

@test "Ctrl-D is the end of input" {
        each_way sh -c 'echo ready; exec cat' << 'END'
expect ready
send line\n
expect line\r\nline
send \x04
end 0
END
}

@test "Ctrl-Backslash ends with 131" {
        ways=("exec -it box" "run --rm -it --init IMAGE")
        each_way tail -f /etc/ready << 'END'
expect ready
send \x1c
end 131
END
}

@test "a full-screen program's raw mode is its own: bytes pass both ways untouched" {
        each_way sh -c 'stty raw -echo; echo ready; head -c 5 | od -An -tx1; printf "a\nb\r\n" | od -An -tx1' << 'END'
expect ready
send \x03\x1a\x04\xff\x80
expect 03 1a 04 ff 80
expect 61 0a 62 0d 0a
end 0
END
}

@test "the caller's terminal is restored when main, the exec, the shim or the whole box is killed" {
        local coffer=$COFFER_BIN_DIR/coffer
        at_terminal run -it --name other "$image" sh -c 'stty raw -echo; echo ready; exec sleep 1000' << END
expect ready
run $coffer kill other
end 137
END
        at_terminal run -it --name third "$image" sh -c 'stty raw -echo; echo ready; exec sleep 1000' << END
expect ready
run kill -9 \$(pgrep -f "^coffer-shim \$($coffer ps -q --no-trunc -f name=third)\$")
end 137
END
        at_terminal exec -it box sh -c 'stty raw -echo; echo ready; exec vi' << END
expect ready
run $coffer exec box killall -9 vi
end 137
END
        at_terminal exec -it box sh -c 'stty raw -echo; echo ready; exec sleep 1000' << END
expect ready
run $coffer rm -f box
end 137
END
}

@test "no terminal and no descriptor of the host is in the box" {
        # Were one kept open by mistake, it would be one of these.
        exec 7< /etc/passwd 8> "$BATS_TEST_TMPDIR/open" 9<> <(:)
        local list='for fd in /proc/self/fd/*; do readlink "$fd"; done'
        local way
        for way in "exec box" "exec -i box" "run --rm $image" "run --rm -i $image" "run --rm --init $image"; do
                # shellcheck disable=SC2086
                only_own "$(printf '' | raw_coffer $way sh -c "$list" 2> /dev/null)" || { echo "$way"; return 1; }
        done
        for way in "exec -t box" "run --rm -t $image" "run --rm -t --init $image"; do
                # shellcheck disable=SC2086
                only_own "$(raw_coffer $way sh -c "$list" < /dev/null)" || { echo "$way"; return 1; }
        done
        exec 7<&- 8>&- 9>&-
}

# Pipes, the box's own terminal and /dev/null; the shell has the directory that it lists open.
only_own()
{
        local line
        [ -n "$1" ]
        while IFS= read -r line; do
                case ${line%$'\r'} in
                pipe:* | /dev/null | /dev/pts/[0-9] | /proc/*/fd | '') ;;
                *) echo "in the box: $line"; return 1 ;;
                esac
        done <<< "$1"
}

@test "the box's terminal is its own devpts: no other is there, and it is the user's" {
        coffer exec -t -u user box sh -c 'ls -1 /dev/pts; stat -c "%U" "$(tty)"; echo hello > /dev/tty'
        expect_status 0
        expect_equal "0 ptmx user hello" "$(tr -d '\r' <<< "$output" | tr '\n' ' ' | sed 's/  *$//')"
}
