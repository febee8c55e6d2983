#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# coffer.conf: defaults, and locks that nothing weakens.

load helpers

setup_test()
{
        export COFFER_BIN_DIR BATS_TEST_TMPDIR
        files=$BATS_TEST_TMPDIR/files
        mkdir "$files"
        # The host's /etc with a coffer.conf of our own, in a mount namespace; a user is root there.
        cat > "$files/within" << 'END'
set -e
shift_in=$1
shift
mount -t tmpfs tmpfs "$shift_in"
mkdir "$shift_in/upper" "$shift_in/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$shift_in/upper,workdir=$shift_in/work" /etc ||
        mount -t overlay overlay -o "userxattr,lowerdir=/etc,upperdir=$shift_in/upper,workdir=$shift_in/work" /etc
mkdir -p /etc/coffer
. "$@"
END
        mkdir "$files/etc"
        place=(unshare --mount --propagation private)
        [ "$(id -u)" = 0 ] || place=(unshare --user --map-root-user --mount)
        "${place[@]}" bash "$files/within" "$files/etc" /dev/null 2> "$files/why" ||
                skip "needs an overlay over /etc: $(tail -1 "$files/why")"
}

# within SCRIPT: run it where /etc is ours; it prints what is wrong, and nothing when all is well.
within()
{
        cat > "$files/script"
        run --separate-stderr timeout 120 "${place[@]}" bash "$files/within" "$files/etc" "$files/script"
        [ "$status" = 0 ] || explain "the script failed"
        expect_no_output
}

# What the tables below are read by: STATUS | WORDS | OWN LINES | WHAT IS RUN
judge='
judge()
{
        local status words own command out got
        while IFS="|" read -r status words own command; do
                [ -n "$command" ] || continue
                read -r status <<< "$status"
                read -r words <<< "$words"
                printf "%b" "$own" > "$BATS_TEST_TMPDIR/own"
                got=0
                out=$(eval "COFFER_CONFIG=$BATS_TEST_TMPDIR/own timeout 30 env $command" 2>&1 < /dev/null) || got=$?
                [ "$got" = "$status" ] || echo "status $got, not $status: $command: $out"
                [[ $out == *"$words"* ]] || echo "no \"$words\": $command: $out"
                [ "$got" = 0 ] || [[ $out == *"coffer: "*"hint: "* ]] || echo "no hint: $command: $out"
        done
}
c=$COFFER_BIN_DIR/coffer
'

@test "what is locked is refused by name, with file and line" {
        within << END
$judge
cat > /etc/coffer/coffer.conf << CONF
pull_attempts = 3
[run]
memory = 64m
[locked]
memory = 128m
cpus = 1.5
pids-limit = 300
timeout = 1h
read-only = true
network = none
require = landlock, seccomp
allow-degraded = idmap, cgroup
cap-add = NET_RAW
CONF
judge << ROWS
125 | --memory: locked by line 5 of '/etc/coffer/coffer.conf': memory = 128m ||\$c run --rm -m 129m host true
125 | coffer.conf': memory = 128m          ||\$c run --rm -m 0 host true
125 | coffer.conf': memory = 128m          ||\$c create -m 1g host true
125 | COFFER_RUN_MEMORY=1g: locked   ||COFFER_RUN_MEMORY=1g \$c run --rm host true
125 | /own': locked by |[run]\nmemory = 1g\n|\$c run --rm host true
125 | --cpus: locked                 ||\$c run --rm --cpus 2 host true
125 | --cpus: locked                 ||\$c run --rm --cpus 0 host true
125 | --pids-limit: locked           ||\$c run --rm --pids-limit -1 host true
125 | --timeout: locked              ||\$c run --rm --timeout 0 host true
125 | --timeout: locked              ||\$c run --rm --timeout 2h host true
125 | --read-only: locked            ||\$c run --rm --read-only=false host true
125 | --allow-degraded landlock: locked by line 12 of '/etc/coffer/coffer.conf' ||\$c run --rm --allow-degraded landlock host true
125 | --allow-degraded seccomp: locked ||\$c run --rm --allow-degraded idmap,seccomp host true
125 | --allow-degraded bounding-set: locked ||\$c run --rm --allow-degraded bounding-set host true
125 | allow-degraded = landlock in line 2 |[run]\nallow-degraded = landlock\n|\$c run --rm host true
125 | --cap-add CAP_SYS_PTRACE: locked ||\$c run --rm --cap-add NET_RAW --cap-add SYS_PTRACE host true
125 | --cap-add ALL: locked          ||\$c run --rm --cap-add ALL host true
125 | only /etc/coffer/coffer.conf can lock |[locked]\nmemory = 1g\n|\$c run --rm host true
125 | No such file                   ||COFFER_CONFIG=$BATS_TEST_TMPDIR/none \$c run --rm host true
0   |                                ||\$c create --name less -m 32m --cpus 1 --pids-limit 200 --cap-add NET_RAW --allow-degraded cgroup.cpu host true
1   | --memory: locked               ||\$c update -m 1g less
1   | --pids-limit: locked           ||\$c update --pids-limit -1 less
0   |                                ||\$c update -m 100m less
0   | "Memory": 104857600            ||\$c inspect less
0   |                                |[run]\nmemory = 16m\n|\$c create --name own host true
0   | "Memory": 16777216             ||\$c inspect own
0   |                                ||COFFER_CONFIG=/dev/null \$c create --name none host true
0   | "Memory": 67108864             ||\$c inspect none
0   | "ReadonlyRootfs": true         ||\$c inspect none
0   | "seccomp"                      ||\$c inspect --format '{{json .HostConfig.Require}}' none
0   |                                ||\$c rm less own none
ROWS
printf '[locked]\nallow-degraded =\ncap-add =\n' > /etc/coffer/coffer.conf
judge << ROWS
125 | --allow-degraded idmap: locked by line 2 of '/etc/coffer/coffer.conf' ||\$c run --rm --allow-degraded idmap host true
125 | --cap-add CAP_KILL: locked     ||\$c run --rm --cap-add KILL host true
ROWS
END
}

@test "what is wrong with a file is said by line, before anything starts" {
        within << END
$judge
judge << ROWS
125 | /own': --memory '1x' |[run]\nmemory = 1x\n|\$c run --rm host true
125 | /own': there is no option 'memry' |[run]\nmemry = 1\n|\$c run --rm host true
125 | there is no section 'boxes'    |[boxes]\nmemory = 1g\n|\$c run --rm host true
125 | begins with a blank            |[run]\n memory = 1g\n|\$c run --rm host true
125 | is not NAME = VALUE            |[run]\nmemory\n|\$c run --rm host true
125 | 'walls' is not a control       |[run]\nrequire = landlock walls\n|\$c run --rm host true
125 | vm cannot be required          |[run]\nrequire = vm\n|\$c run --rm host true
125 | COFFER_RUN_CPUS: --cpus 'all'  ||COFFER_RUN_CPUS=all \$c run --rm host true
125 | --require cgroup.memory, and   |[run]\nrequire = cgroup.memory\n|\$c run --rm host true
125 | both mean landlock             |[run]\nrequire = seccomp\n|\$c run --rm --require landlock --allow-degraded landlock host true
0   |                                |[run]\nrequire = landlock\n|\$c create --name a --allow-degraded landlock host true
0   | []                             ||\$c inspect --format '{{json .HostConfig.Require}}' a
0   |                                |[run]\nallow-degraded = cgroup, landlock\n|\$c create --name b --require landlock host true
0   | ["cgroup.memory","cgroup.cpu","cgroup.pids"] ||\$c inspect --format '{{json .HostConfig.AllowDegraded}}' b
0   |                                ||\$c rm a b
ROWS
echo '[locked]
init = true' > /etc/coffer/coffer.conf
judge <<< "125 | line 2 of '/etc/coffer/coffer.conf': init cannot be locked ||\$c run --rm host true"
: > /etc/coffer/coffer.conf
chmod g+w /etc/coffer/coffer.conf
judge <<< "125 | others than root can write the file ||\$c run --rm host true"
chmod g-w /etc/coffer/coffer.conf
chmod o+w /etc/coffer
judge <<< "125 | others than root can write the directory ||\$c run --rm host true"
chmod o-w /etc/coffer
if chown 1 /etc/coffer/coffer.conf 2> /dev/null; then
        judge <<< "125 | belongs to user 1, not to root ||\$c run --rm host true"
fi
END
}

@test "a lock of the host binds an ordinary user" {
        need_root
        need_program runuser
        getent passwd nobody > /dev/null || skip "needs a user nobody"
        within << END
printf '[locked]\nmemory = 64m\n' > /etc/coffer/coffer.conf
mount -t tmpfs -o mode=1777 tmpfs /mnt
mkdir /mnt/bin
find "$COFFER_BIN_DIR" -maxdepth 1 -type f -perm -100 -exec cp -t /mnt/bin {} +
said=\$(runuser -u nobody -- env -u XDG_CONFIG_HOME HOME=/mnt COFFER_HOME=/mnt/home /mnt/bin/coffer create -m 1g host true 2>&1) &&
        echo "it was made"
[[ \$said == *"--memory: locked by line 2 of '/etc/coffer/coffer.conf': memory = 64m"* ]] || echo "\$said"
chmod 600 /etc/coffer/coffer.conf
said=\$(runuser -u nobody -- env -u XDG_CONFIG_HOME HOME=/mnt COFFER_HOME=/mnt/home /mnt/bin/coffer create -m 32m host true 2>&1) &&
        echo "it was made past a file that it could not read"
[[ \$said == *"read '/etc/coffer/coffer.conf': Permission denied"* ]] || echo "\$said"
END
}
