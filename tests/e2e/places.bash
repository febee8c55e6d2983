# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154
#
# Where the tests of whole boxes run them: small roots of their own, homes on file systems of their
# own, and what a box may leave there.  `load places` after `load helpers`.

# make_root DIR: a root of busybox alone, with the users root and user.
make_root()
{
        local root=$1 busybox applet

        busybox=$(command -v busybox) || { echo "busybox-static is not installed"; return 1; }
        mkdir -p "$root"/{bin,etc,dev,proc,sys,tmp,root,home/user,mnt,srv}
        chmod 755 "$root" && chmod 1777 "$root/tmp"
        install -m 755 "$busybox" "$root/bin/busybox"
        for applet in $(busybox --list); do
                [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
        done
        printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n' \
                > "$root/etc/passwd"
        echo ready > "$root/etc/ready"
        printf 'root:x:0:\nuser:x:1000:\nteam:x:2000:user\n' > "$root/etc/group"
}

# Once for all tests of a file: $root is the directory, $image what coffer calls it.
setup_file()
{
        make_root "$BATS_FILE_TMPDIR/root"
}

use_root()
{
        root=$BATS_FILE_TMPDIR/root
        image=dir:$root
}

# traces: everything that a box could leave, as sorted lines; see traces.py.
traces()
{
        "$BATS_TEST_DIRNAME/traces.py" "$COFFER_HOME" "$COFFER_BIN_DIR" "$@"
}

# new_since BEFORE [sockets]: what was not there when BEFORE was listed.
new_since()
{
        comm -13 <(echo "$1") <(traces "${@:2}")
}

none_new_since()
{
        [ -z "$(new_since "$@")" ]
}

nothing_new()
{
        until_true 10 none_new_since "$@" > /dev/null && return
        new_since "$@" | sed 's/^/left: /'
        return 1
}

# elsewhere MOUNTS COMMAND…: COMMAND in a mount namespace in which the shell text MOUNTS ran as root.
# An ordinary user keeps his number and has a single id there.  What COMMAND left in the home that it
# saw is in $left_there.
elsewhere()
{
        local mounts=$1 script
        shift
        export left_there=$BATS_TEST_TMPDIR/left-there
        script='
                set -e -o pipefail
                eval "$0"
                list() { find "$COFFER_HOME" -mindepth 2 -not -path "*/audit/*" 2> /dev/null | sort; }
                list > "$left_there.before" || :
                status=0
                "${user[@]}" timeout --kill-after=5 30 "$@" || status=$?
                list > "$left_there.after" || :
                diff "$left_there.before" "$left_there.after" > "$left_there" || :
                exit "$status"'
        if [ "$(id -u)" = 0 ]; then
                unshare -m --propagation private bash -c "$script" "$mounts" "$@"
        else
                # The user's range cannot be mapped a second time from in there.
                script="mount --bind /dev/null /etc/subuid
                        user=(unshare -U --map-user=$(id -u) --map-group=$(id -g))$script"
                unshare -U -r -m --propagation private bash -c "$script" "$mounts" "$@"
        fi
}

# At the end of a table: every row that was wrong is on record.
record()
{
        echo "$*" >> "$BATS_TEST_TMPDIR/failures"
}

expect_no_failures()
{
        [ ! -s "$BATS_TEST_TMPDIR/failures" ] || { cat "$BATS_TEST_TMPDIR/failures"; return 1; }
}
