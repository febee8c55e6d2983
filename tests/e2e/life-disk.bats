# SPDX-License-Identifier: Apache-2.0
# A home on a disk that is full.

load helpers

# On a small file system that nobody else sees; its boxes end with the shell.
@test "on a full disk boxes are seen, stopped and removed, and what was written is kept" {
        need_root
        run --separate-stderr timeout 100 unshare --mount --propagation private bash -ec '
                coffer=$1
                mount -t tmpfs -o size=2m none /mnt
                export COFFER_HOME=/mnt/home
                "$coffer" run -d --name b host -- sh -c "echo before; exec sleep 1000" > /dev/null
                "$coffer" run -d --name c host -- sleep 1000 > /dev/null
                "$coffer" create --name never host -- true > /dev/null
                said() { "$coffer" logs b | grep -q before; }
                until_true 20 said
                dd if=/dev/zero of=/mnt/fill bs=4k 2> /dev/null || :

                [ "$("$coffer" ps -q | wc -l)" = 2 ]
                "$coffer" exec b true
                ! "$coffer" create host -- true 2> /mnt/../tmp/coffer-full.$$
                grep -q "No space left" /tmp/coffer-full.$$
                rm /tmp/coffer-full.$$
                "$coffer" stop -t 0 b
                [ "$("$coffer" ps -q | wc -l)" = 1 ]
                [ "$("$coffer" logs b)" = before ]
                kill -KILL "$(sed -n "s/^pid //p" /mnt/home/boxes/"$(readlink /mnt/home/names/c)"/identity)"
                "$coffer" ps -a > /dev/null
                "$coffer" rm -f b
                "$coffer" rm -f c
                "$coffer" rm never
                rm /mnt/fill
                [ -z "$("$coffer" ps -a -q)" ]
                [ -z "$(ls -A /mnt/home/boxes /mnt/home/names /mnt/home/ids | grep -v :)" ]' - "$COFFER_BIN_DIR/coffer"
        expect_status 0
}
