#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
# Somebody at a terminal: keys, sizes, detaching, and the terminal as it was afterwards.

load helpers

# at_terminal ARG… < STEPS: coffer on a terminal of its own; see terminal.py.
at_terminal()
{
        run "$BATS_TEST_DIRNAME/terminal.py" "$COFFER_BIN_DIR/coffer" "$@"
        [ "$status" = 0 ] || { echo "$output"; return 1; }
}

setup_test()
{
        raw_coffer run -d --name box host sleep 1000 > /dev/null
}

@test "a shell by exec: size, a new size, Ctrl-C, Ctrl-D, the status" {
        at_terminal exec -it box sh << 'END'
raw
send stty size\n
expect 24 80
size 40 132
send stty size\n
expect 40 132
send sh -c 'echo be""gun; exec sleep 1000'\n
expect begun
send \x03
send echo "<$?>"\n
expect <130>
send exit 6\n
end 6
END
        at_terminal exec -it box cat << 'END'
raw
send abc\n
expect abc\r\nabc
send \x04
end 0
END
}

@test "a shell as main: the same" {
        at_terminal run --rm -it host sh << 'END'
raw
send stty size\n
expect 24 80
size 40 132
send stty size\n
expect 40 132
send sh -c 'echo be""gun; exec sleep 1000'\n
expect begun
send \x03
send echo "<$?>"\n
expect <130>
send exit 6\n
end 6
END
        at_terminal run --rm -it --init host cat << 'END'
raw
send abc\n
expect abc\r\nabc
send \x04
end 0
END
}

@test "bytes above 0x7f and control characters pass a raw terminal" {
        at_terminal exec -it box sh -c 'stty raw -echo; echo ready; head -c 6 | od -An -tx1' << 'END'
expect ready
send \x00\x1a\x1c\xff\xc3\xa9
expect 00 1a 1c ff c3 a9
end 0
END
}

@test "the detach keys leave an exec alone, and the terminal restored" {
        at_terminal exec -it box sh -c 'echo ready; exec sleep 777' << 'END'
expect ready
send \x10\x11
expect detached
end 0
END
        coffer exec box sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "'
        expect_in_output "sleep 777"
}

@test "the detach keys leave a foreground box alone, and attach comes back" {
        at_terminal run --name other -it host cat << 'END'
raw
send one\n
expect one\r\none
send \x10\x11
end 0
END
        expect_equal running "$(raw_coffer inspect -f '{{.State.Status}}' other)"
        at_terminal attach --detach-keys ctrl-a,b other << 'END'
raw
send two\n
expect two\r\ntwo
send \x01b
end 0
END
        expect_equal running "$(raw_coffer inspect -f '{{.State.Status}}' other)"
        at_terminal attach --detach-keys "" other << 'END'
raw
send \x10\x11three\n
expect three
send \x04
end 0
END
}

@test "the sequence's first key alone goes through once another follows" {
        at_terminal exec -it box sh -c 'stty raw -echo; echo ready; head -c 2 | od -An -tx1' << 'END'
expect ready
send \x10
send x
expect 10 78
end 0
END
}

@test "signals: ended by them, hung up, closed: the terminal is restored and nothing goes on" {
        local signal code
        while read -r signal code; do
                at_terminal exec -it box sh -c 'echo ready; sleep 778' << END
expect ready
signal $signal
end $code
END
        done << 'END'
TERM 143
HUP 129
END
        at_terminal exec -it box sh -c 'echo ready; sleep 778' << 'END'
expect ready
close
end 129
END
        at_terminal run --rm --stop-timeout 1s --name other -it host sh -c 'echo ready; sleep 778' << 'END'
expect ready
close
end 129
END
        until_true 10 gone other
        until_true 10 no_sleep_778
}

gone()
{
        ! raw_coffer inspect "$1" > /dev/null 2>&1
}

no_sleep_778()
{
        ! raw_coffer exec box sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "' | grep -q "sleep 778"
}

@test "-t without -i: a terminal to write on, nothing is read" {
        at_terminal run --rm -t host tty << 'END'
expect /dev/pts/
end 0
END
        coffer run --rm -t host sh -c 'test -t 1 && echo yes'
        expect_status 0
        expect_in_output yes
}

@test "without -t the terminal stays in its mode, and Ctrl-C is passed on" {
        at_terminal exec -i box sh -c 'echo ready; exec sleep 1000' << 'END'
expect ready
send \x03
end 130
END
}

@test "an archive is not written to a terminal" {
        at_terminal export box << 'END'
expect will not write an archive
end 2
END
        at_terminal cp box:/etc - << 'END'
expect will not write an archive
end 2
END
}
