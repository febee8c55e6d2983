#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# The command line itself: help, flags, bad input, completion.  No box runs here.

load helpers

# Names of all commands, one a line, as --help lists them.
commands()
{
        raw_coffer --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\( [a-z]*\)\{0,1\}\)  .*/\1/p'
}

# flags COMMAND…: "letter name metavar" of each option, '-' for none.
flags()
{
        raw_coffer "$@" --help | sed -n '/^Options:/,$p' |
                sed -nE 's/^  (-(.), |    )--([a-z-]+)(\[=([^ ]+)\]| ([^ ]+))?   .*/\2 \3 \4\6/p' |
                awk 'NF == 1 { print "-", $1, "-"; next }
                     NF == 2 && length($1) == 1 { print $1, $2, "-"; next }
                     NF == 2 { print "-", $1, $2; next }
                     { print }'
}

# A value that is good for an option of this command, or nothing when it takes none.
good_value()
{
        case "$1 $2" in
        *" add-host") echo db:10.0.0.2 ;;
        *" change") echo CMD true ;;
        *" allow-degraded") echo landlock ;;
        *" require") echo seccomp ;;
        *" audit") echo best-effort ;;
        *" cap-add" | *" cap-drop") echo NET_RAW ;;
        *" cidfile") echo "$BATS_TEST_TMPDIR/cid" ;;
        *" cpus") echo 0.5 ;;
        *" detach-keys") echo ctrl-a ;;
        *" entrypoint") echo /bin/sh ;;
        *" env") echo A=1 ;;
        *" env-file") echo "$BATS_TEST_TMPDIR/env" ;;
        "ps filter") echo status=exited ;;
        "events filter") echo type=container ;;
        "volume ls filter") echo dangling=true ;;
        *" format") echo json ;;
        *" group-add") echo 5 ;;
        *" older-than") echo 24h ;;
        *" head") printf "%064d\n" 0 ;;
        *" health-cmd") echo true ;;
        *" health-retries") echo 2 ;;
        *" health-"*) echo 5s ;;
        *" here") echo ro ;;
        *" hostname") echo box ;;
        *" input") echo "$BATS_TEST_TMPDIR/in.tar" ;;
        *" label") echo a=b ;;
        *" last") echo 3 ;;
        *" memory") echo 64m ;;
        *" message") echo a word ;;
        *" mount") echo type=tmpfs,target=/m ;;
        *" name") echo some-name ;;
        *" network") echo none ;;
        *" output") echo "$BATS_TEST_TMPDIR/out.tar" ;;
        "image ls filter") echo reference=debian ;;
        *"prune filter") echo until=1h ;;
        *" password") echo secret ;;
        *" pids-limit") echo 100 ;;
        *" platform") echo linux/amd64 ;;
        *" progress") echo plain ;;
        *" pull") echo never ;;
        *" restart") echo no ;;
        *" username") echo me ;;
        *" shm-size") echo 1m ;;
        *" signal" | *" stop-signal") echo TERM ;;
        *" since" | *" until") echo 2020-01-01T00:00:00Z ;;
        *" tail") echo 1 ;;
        *" timeout" | *" stop-timeout") echo 5 ;;
        *" tmpfs") echo /t ;;
        *" ulimit") echo nofile=100 ;;
        *" user") echo 0 ;;
        *" volume") echo /tmp:/v:ro ;;
        *" workdir") echo /w ;;
        esac
}

@test "every command has help, on stdout, with status 0" {
        local name
        [ "$(commands | wc -l)" -ge 25 ]
        while read -r name; do
                # shellcheck disable=SC2086
                coffer $name --help
                expect_status 0
                expect_in_output "Usage:  coffer $name"
                expect_equal "" "$stderr"
                # shellcheck disable=SC2086
                coffer help $name
                expect_in_output "Usage:  coffer $name"
        done < <(commands)
}

@test "no command at all is a wish for help" {
        coffer
        expect_status 0
        expect_in_output "Commands:"
        coffer volume
        expect_status 0
        expect_in_output "coffer volume COMMAND"
}

@test "every flag in the help is read: a good value passes, and the letter means the same" {
        local name letter flag arg value words
        echo B=2 > "$BATS_TEST_TMPDIR/env"
        while read -r name; do
                # shellcheck disable=SC2086
                while read -r letter flag arg; do
                        value=
                        [ "$arg" = - ] || value=$(good_value "$name" "$flag")
                        [ "$arg" = - ] || [ -n "$value" ] ||
                                explain "no good value for $name --$flag in this test"
                        words=("--$flag${value:+=$value}")
                        [ "$letter" = - ] || [ "$arg" = - ] || words+=("-$letter" "$value")
                        [ "$letter" = - ] || [ "$arg" != - ] || words+=("-$letter")
                        # --help behind it: the options before it are read, nothing is done.
                        coffer $name "${words[@]}" --help
                        [ "$status" = 0 ] || explain "coffer $name ${words[*]}"
                done < <(flags $name)
        done < <(commands)
}

@test "every flag of create reaches the spec: what fails is the image" {
        local letter flag arg value
        echo B=2 > "$BATS_TEST_TMPDIR/env"
        while read -r letter flag arg; do
                value=
                [ "$arg" = - ] || value=$(good_value create "$flag")
                rm -f "$BATS_TEST_TMPDIR/cid"
                coffer create "--$flag${value:+=$value}" "dir:$BATS_TEST_TMPDIR/no-such-root" true
                expect_status 125
                expect_one_line_error
                expect_in_stderr no-such-root
                expect_no_output
        done < <(flags create)
}

@test "help names no flag twice and gives each a sentence" {
        local name
        while read -r name; do
                # shellcheck disable=SC2086
                expect_equal "" "$(flags $name | awk '{ print $2 }' | sort | uniq -d)"
                # shellcheck disable=SC2086
                expect_equal "" "$(flags $name | awk '$1 != "-" { print $1 }' | sort | uniq -d)"
        done < <(commands)
}

@test "bad command lines: one line, a hint, the right status, nothing made" {
        local wanted text rest
        while IFS='|' read -r wanted text rest; do
                [ -n "$wanted" ] || continue
                eval "coffer $rest"
                [ "$status" = "$wanted" ] || explain "status $wanted expected of: coffer $rest"
                expect_one_line_error
                expect_in_stderr "coffer: "
                expect_in_stderr hint:
                expect_in_stderr "$text"
                expect_no_output
                [ ! -e "$COFFER_HOME/boxes" ] || [ -z "$(ls -A "$COFFER_HOME/boxes")" ] ||
                        explain "a box was made by: coffer $rest"
        done << 'END'
2|is no command|nonsense
2|did you mean 'coffer run'|runn
2|did you mean 'coffer volume ls'|volume lss
2|unknown flag|--nonsense
2|unknown flag: --nonsense|ps --nonsense
125|unknown flag: --nonsense|run --nonsense host true
125|did you mean --memory?|run --memroy 64m host true
125|did you mean --interactive?|exec --interactiv x true
125|unknown shorthand flag: 'x' in -itx|run -itx host true
2|unknown shorthand flag: 'x' in -x|ps -x
125|flag needs an argument: --name|run --name
125|flag needs an argument: 'm' in -m|run -m
125|neither true nor false|run --rm=perhaps host true
2|neither true nor false|ps --all=perhaps
125|at least 1 argument|run
125|at least 2 arguments|exec box
2|takes no arguments|ps something
2|takes no arguments|version something
2|exactly 1 argument|logs
2|exactly 2 arguments|rename one
2|at least 1 argument|stop
2|no box was named|rm
2|leaves no box to be named|rm -a box
125|exactly 1 argument|attach a b
125|only one box|start -a one two
125|--memory 'much'|run --memory much host true
125|--memory '1k'|run -m 1k host true
125|--cpus 'many'|run --cpus many host true
125|--pids-limit '0.5'|run --pids-limit 0.5 host true
125|--env|run -e =x host true
125|--label|run -l =x host true
125|--name|run --name -x host true
125|--name|run --name "$(printf 'n%.0s' {1..200})" host true
125|--hostname|run -h a/b host true
125|--workdir|run -w relative host true
125|--user|run -u 'a b' host true
125|--volume|run -v /tmp:relative host true
125|--volume|run -v /tmp:/x:bogus host true
125|--mount|run --mount type=bogus,target=/x host true
125|--mount|run --mount source=/tmp host true
125|--tmpfs|run --tmpfs relative host true
125|--ulimit|run --ulimit bogus=1 host true
125|--ulimit|run --ulimit nofile=5:1 host true
125|--cap-add|run --cap-add NO_SUCH_CAP host true
125|--stop-signal|run --stop-signal NOSUCH host true
125|--stop-timeout|run --stop-timeout soon host true
125|--timeout|run --timeout soon host true
125|--shm-size|run --shm-size tiny host true
125|--add-host|run --add-host nothing host true
125|--here|run --here=sideways host true
125|--network 'host'|run --network host host true
125|--network 'bridge'|run --network=bridge host true
125|Coffer has no --privileged|run --privileged host true
125|Coffer has no --pid host|run --pid host host true
125|Coffer has no --pid host|run --pid=host host true
125|Coffer has no --ipc host|run --ipc host host true
125|Coffer has no --device|run --device /dev/kvm host true
125|Coffer has no --security-opt|run --security-opt seccomp=unconfined host true
125|Coffer has no --privileged|exec --privileged box true
125|no-such-env|run --env-file /no-such-env host true
125|detach-keys|run --detach-keys ctrl-1 host true
125|not a TTY|run -it host true
125|not a TTY|exec -it box true
2|no such signal|kill -s NOSUCH box
2|no such signal|stop -s 65 box
2|no length of time|stop -t soon box
2|neither a number nor all|logs --tail some box
2|no point in time|logs --since yesterday box
2|point in time|events --until someday
2|make no table|events --format table
2|cannot do 'range'|ps --format '{{range .}}{{end}}'
2|not closed|ps --format '{{.ID'
2|cannot do|inspect --format '{{.A | upper}}' box
2|invalid filter 'colour=red'|ps --filter colour=red
2|invalid filter 'status=green'|ps --filter status=green
2|invalid filter 'name'|ps --filter name
2|invalid filter 'exited=256'|ps --filter exited=256
2|invalid filter|volume ls --filter dangling=perhaps
2|invalid filter|events --filter colour=red
2|health=well|ps --filter health=well
2|not a whole number|ps -n some
2|neither side is in a box|cp a b
2|from box to box|cp a:/x b:/y
2|without --format|inspect --posture --format json box
2|is no shell|completion tcsh
2|nobody is there to be asked|volume prune
END
}

@test "an environment file names its bad line" {
        printf '# comment\n\nGOOD=1\n NAME WITH BLANKS=2\n' > "$BATS_TEST_TMPDIR/env"
        coffer run --env-file "$BATS_TEST_TMPDIR/env" host true
        expect_status 125
        expect_in_stderr "line 4 of"
        expect_one_line_error
}

@test "values of variables are not repeated in errors" {
        coffer run -e =secret host true
        expect_status 125
        [[ $stderr != *secret* ]] || explain "the value was repeated"
        printf '=secret\n' > "$BATS_TEST_TMPDIR/env"
        coffer run --env-file "$BATS_TEST_TMPDIR/env" host true
        expect_status 125
        [[ $stderr != *secret* ]] || explain "the value was repeated"
}

@test "version and --version agree and need no home" {
        export COFFER_HOME=/proc/no/such/home
        coffer version --format '{{.Version}}'
        expect_status 0
        local version=$output
        coffer --version
        expect_output "coffer version $version"
        coffer version
        expect_in_output "Version: $version"
        expect_in_output "Cgroups: "
        export COFFER_HOME=$BATS_TEST_TMPDIR/home
}

@test "a closed standard output is an error and not a success" {
        run bash -c "'$COFFER_BIN_DIR/coffer' version > /dev/full"
        [ "$status" = 1 ]
        [[ $output == *"write standard output"* ]]
}

@test "completion: the scripts are good in their shells" {
        local shell
        for shell in bash zsh fish; do
                coffer completion "$shell"
                expect_status 0
                printf '%s\n' "$output" > "$BATS_TEST_TMPDIR/$shell"
        done
        bash -n "$BATS_TEST_TMPDIR/bash"
        if command -v shellcheck > /dev/null; then
                shellcheck -s bash -S error "$BATS_TEST_TMPDIR/bash"
        fi
        ! command -v zsh > /dev/null || zsh -n "$BATS_TEST_TMPDIR/zsh"
        ! command -v fish > /dev/null || fish --no-execute "$BATS_TEST_TMPDIR/fish"
}

# complete WORD…: what bash offers for the last word.
complete_words()
{
        PATH=$COFFER_BIN_DIR:$PATH bash -c '
                source <(coffer completion bash)
                COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
                _coffer
                printf "%s\n" "${COMPREPLY[@]}"
        ' bash "$@"
}

@test "completion offers commands, flags and files where they belong" {
        expect_equal "rm
run" "$(complete_words coffer r | grep -x 'rm\|run' | sort)"
        complete_words coffer run --me | grep -qx -- --memory
        complete_words coffer ps - | grep -qx -- --filter
        complete_words coffer exec -d - | grep -qx -- --workdir
        complete_words coffer volume "" | grep -qx prune
        complete_words coffer image "" | grep -qx load
        ! complete_words coffer image "" | grep -qx create
        complete_words coffer image load - | grep -qx -- --input
        complete_words coffer loa | grep -qx load
        touch "$BATS_TEST_TMPDIR/some-root.tar"
        (cd "$BATS_TEST_TMPDIR" && complete_words coffer import some- | grep -qx some-root.tar)
        complete_words coffer volume ls - | grep -qx -- --quiet
        complete_words coffer run "" | grep -qx host
        complete_words coffer completion z | grep -qx zsh
        cd "$BATS_TEST_TMPDIR"
        touch some-env-file
        complete_words coffer run --env-file some- | grep -qx some-env-file
        expect_equal "" "$(complete_words coffer nonsense '')"
}
