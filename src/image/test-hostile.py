#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile layers and images: a clear error or a harmless result, and nothing outside changes."""
import gzip
import os
import stat

from imagetest import *

# What each stream must lead to: part of the error, or None when it unpacks; then what a path in
# the layer must be: None (absent), "dir", "file", "symlink", "whiteout", "fifo".
DEEP = "/".join("d" for _ in range(300))
STREAMS = (
    # name, bytes, error, {path: what}
    ("absolute name", tar(entry("/canary/abs", b"x")), None, {"canary/abs": "file"}),
    ("dotdot first", tar(entry("../canary/x", b"x")), "contains '..'", {}),
    ("dotdot inside", tar(folder("a"), entry("a/../../canary/x", b"x")), "contains '..'", {}),
    ("dotdot last", tar(folder("a/..")), "contains '..'", {}),
    ("symlink out, then through it", tar(symlink("s", "../../../.."), entry("s/canary-new", b"x")),
     None, {"canary-new": "file"}),
    ("absolute symlink, then through it", tar(symlink("s", "/"), folder("t"),
                                              entry("s/t/x", b"x")), None, {"t/x": "file"}),
    ("symlink to nothing, then through it", tar(symlink("s", "/nowhere"), entry("s/x", b"x")),
     "no directory", {}),
    ("symlink loop", tar(symlink("s", "s"), entry("s/x", b"x")), "no directory", {}),
    ("symlink to magic link", tar(symlink("s", "/proc/self/root"), entry("s/x", b"x")),
     "no directory", {}),
    ("symlink chain", tar(symlink("a", "b"), symlink("b", "../../.."), entry("a/x", b"x")),
     None, {"x": "file"}),
    ("file below a file", tar(entry("f", b"x"), entry("f/x", b"x")), "no directory", {}),
    ("hard link outside", tar(hardlink("h", "../../canary/file")), "contains '..'", {}),
    ("absolute hard link", tar(hardlink("h", "/etc/passwd")), "does not have", {}),
    ("hard link through a symlink out", tar(symlink("s", "../../.."), hardlink("h", "s/canary")),
     "does not have", {}),
    ("hard link to a symlink out, then written", tar(symlink("s", "/etc/passwd"),
                                                     hardlink("h", "s"), entry("h", b"x")),
     None, {"h": "file", "s": "symlink"}),
    ("hard link to itself", tar(entry("f", b"x"), hardlink("f", "f")), None, {"f": "file"}),
    ("hard link to a directory", tar(folder("d"), hardlink("h", "d")), "no file", {}),
    ("hard link to a whiteout", tar(entry(".wh.x"), hardlink("h", "x")), "no file", {}),
    ("hard link to the root", tar(hardlink("h", ".")), "to the root", {}),
    ("hard link over what it links to", tar(folder("d"), entry("d/f", b"x"), hardlink("d", "d/f")),
     "link 'd'", {}),
    ("whiteout of dotdot", tar(entry(".wh...")), "whiteout of nothing", {}),
    ("whiteout of dot", tar(entry(".wh..")), "whiteout of nothing", {}),
    ("whiteout of nothing", tar(entry(".wh.")), "whiteout of nothing", {}),
    ("whiteout in a parent", tar(folder("a"), entry("a/../.wh.b")), "contains '..'", {}),
    ("below a whiteout", tar(entry(".wh.a/b", b"x")), "lies in a whiteout", {}),
    ("whiteout through a symlink out", tar(symlink("s", "../../.."), entry("s/.wh.canary")),
     None, {"canary": "whiteout"}),
    ("whiteout, good", tar(folder("d"), entry("d/.wh.gone")), None, {"d/gone": "whiteout"}),
    ("whiteout without its directory", tar(entry("d/e/.wh.gone")), None,
     {"d/e/gone": "whiteout", "d": "dir"}),
    ("whiteout before the file", tar(entry(".wh.f"), entry("f", b"x")), None, {"f": "file"}),
    ("whiteout after the file", tar(entry("f", b"x"), entry(".wh.f")), None, {"f": "file"}),
    ("whiteout before the directory", tar(entry(".wh.d"), folder("d")), None, {"d": "opaque"}),
    ("whiteout after the directory", tar(folder("d"), entry(".wh.d")), None, {"d": "opaque"}),
    ("opaque", tar(folder("d"), entry("d/.wh..wh..opq")), None, {"d": "opaque"}),
    ("opaque without its directory", tar(entry("d/.wh..wh..opq")), None, {"d": "opaque"}),
    ("opaque through a symlink out", tar(symlink("s", "/"), entry("s/.wh..wh..opq")), None,
     {"": "opaque"}),
    ("aufs books", tar(folder(".wh..wh.plnk"), entry(".wh..wh.plnk/1.2", b"x"),
                       entry(".wh..wh.aufs")), None, {".wh..wh.plnk": None, ".wh..wh.aufs": None}),
    ("no name", tar(entry("")), "no name", {}),
    ("name of slashes", tar(entry("///", b"")), None, {"": "dir"}),
    ("dot as file", tar(entry(".", b"x")), "names the root", {}),
    ("dot as symlink", tar(symlink("./", "/etc")), "names the root", {}),
    ("dot as directory", tar(folder("./", mode=0o700)), None, {"": "dir"}),
    ("file, then directory", tar(entry("a", b"x"), folder("a"), entry("a/b", b"x")), None,
     {"a/b": "file"}),
    ("directory, then symlink, then through it",
     tar(folder("a"), entry("a/b", b"x"), symlink("a", "../../.."), entry("a/canary-b", b"x")),
     None, {"a": "symlink", "canary-b": "file"}),
    ("symlink, then directory", tar(symlink("a", "/etc"), folder("a"), entry("a/b", b"x")), None,
     {"a": "dir", "a/b": "file"}),
    ("symlink, then file", tar(symlink("a", "/etc/passwd"), entry("a", b"x")), None, {"a": "file"}),
    ("300 components", tar(long_name(DEEP.encode()), entry("x")), "more components", {}),
    ("10000 components", tar(long_name(b"d/" * 10000), entry("x")), "4095 bytes", {}),
    ("name of 64 KiB", tar(pax({"path": "n" * 65536}), entry("x")), "4095 bytes", {}),
    ("component of 256", tar(long_name(b"n" * 256), entry("x")), "longer component", {}),
    ("extended header of 2 MiB", tar(pax({"comment": "n" * (2 << 20)}), entry("x")),
     "extended tar header", {}),
    ("char 0:0", tar(header("c", kind=b"3")), "device 0:0", {}),
    ("devices", tar(header("c", kind=b"3", major=1, minor=3), header("b", kind=b"4", major=8)),
     None, {"c": None, "b": None}),
    ("fifo", tar(header("p", kind=b"6")), None, {"p": "fifo"}),
    ("unknown type", tar(header("u", kind=b"Z")), "unknown type", {}),
    ("bad checksum", tar(header("f", checksum=b"000000\0 ")), "checksum", {}),
    ("checksum no number", tar(header("f", checksum=b"abcdefgh")), "checksum", {}),
    ("negative uid", tar(header("f", uid=b"\xff" * 8)), "user id is negative", {}),
    ("uid beyond 64 bits", tar(header("f", size=b"\x81" + b"\0" * 11)), "64 bits", {}),
    ("negative size", tar(header("f", size=b"\xff" * 12)), "size is negative", {}),
    ("size no number", tar(header("f", size=b"0000x000000\0")), "not a number", {}),
    ("size 2^62", tar(header("f", size=b"\x80\0\0\0\x40" + b"\0" * 7)), "more than 68719476736", {}),
    ("pax size no number", tar(pax({"size": "-1"}), entry("f")), "not a number", {}),
    ("pax size too big", tar(pax({"size": "99999999999999999999"}), entry("f")), "not a number", {}),
    ("pax NUL in path", tar(pax({"path": b"a\0b"}), entry("f")), "contains NUL", {}),
    ("pax wrong length", tar(pax({}, raw=b"99 path=x\n"), entry("f")), "wrong length", {}),
    ("pax no equals", tar(pax({}, raw=b"8 pathx\n"), entry("f")), "no key", {}),
    ("pax length 0", tar(pax({}, raw=b"0 path=x\n"), entry("f")), "wrong length", {}),
    ("pax wrong time", tar(pax({"mtime": "1e5"}), entry("f")), "not a time", {}),
    ("pax mtime before 1970", tar(pax({"mtime": "-1.25"}), entry("f")), None, {"f": "file"}),
    ("65 attributes", tar(pax({f"SCHILY.xattr.user.a{i}": "x" for i in range(65)}), entry("f")),
     "extended attributes", {}),
    ("attribute of 65 KiB", tar(pax({"SCHILY.xattr.user.a": "x" * 66000}), entry("f")),
     "extended attributes", {}),
    ("extended header at the end", pax({"path": "x"}) + END, "ends after an extended header", {}),
    ("cut in a header", entry("f", b"x")[:300], "ends inside", {}),
    ("cut in the content", header("f", size=4096) + b"x" * 600, "ends inside", {}),
    ("cut in an extended header", pax({"path": "x"})[:600], "ends inside", {}),
    ("zero block between", entry("a", b"x") + b"\0" * 512 + entry("b", b"x") + END, "zero block", {}),
    ("bytes after the end", tar(entry("a", b"x")) + os.urandom(5000), None, {"a": "file"}),
    ("no end", entry("a", b"x"), None, {"a": "file"}),
    ("empty", b"", None, {}),
    ("sparse map out of order", tar(pax({"GNU.sparse.size": 100, "GNU.sparse.map": "50,1,10,1"}),
                                    entry("f", b"ab")), "out of order", {}),
    ("sparse map beyond the file", tar(pax({"GNU.sparse.size": 100, "GNU.sparse.map": "99,2"}),
                                       entry("f", b"ab")), "out of order", {}),
    ("sparse map overflow", tar(pax({"GNU.sparse.size": 100,
                                     "GNU.sparse.map": "9223372036854775807,9223372036854775807"}),
                                entry("f", b"ab")), "out of order", {}),
    ("sparse map with too much", tar(pax({"GNU.sparse.size": 100, "GNU.sparse.map": "0,9"}),
                                     entry("f", b"ab")), "does not fit", {}),
    ("sparse bomb", tar(pax({"GNU.sparse.size": 1 << 60, "GNU.sparse.map": "0,2"}),
                        entry("f", b"ab")), "more than 68719476736", {}),
    ("sparse without size", tar(pax({"GNU.sparse.map": "0,2"}), entry("f", b"ab")), "no size", {}),
    ("sparse half a piece", tar(pax({"GNU.sparse.size": 9, "GNU.sparse.offset": 0}),
                                entry("f", b"")), "no size", {}),
    ("sparse 1.0 without a map", tar(pax({"GNU.sparse.major": 1, "GNU.sparse.minor": 0,
                                          "GNU.sparse.realsize": 9}), entry("f", b"")),
     "cut short", {}),
    ("sparse 1.0 with a wild map", tar(pax({"GNU.sparse.major": 1, "GNU.sparse.minor": 0,
                                            "GNU.sparse.realsize": 9}), entry("f", b"z" * 512)),
     "malformed", {}),
    ("sparse 1.0 with endless pieces", tar(pax({"GNU.sparse.major": 1, "GNU.sparse.minor": 0,
                                                "GNU.sparse.realsize": 9}),
                                           entry("f", b"99999999\n" + b"0\n" * 70000 * 2)),
     "more than 65536 pieces", {}),
    ("not a tar", os.urandom(4096), "checksum", {}),
    ("xz", b"\xfd7zXZ\0" + b"x" * 512, "compressed with xz", {}),
)

WHAT = {stat.S_IFDIR: "dir", stat.S_IFREG: "file", stat.S_IFLNK: "symlink",
        stat.S_IFIFO: "fifo", stat.S_IFCHR: "whiteout"}


def what_is(tree, path):
    e = tree.get(path)
    if not e:
        return None
    if e["xattrs"].get("user.overlay.opaque") == b"y".hex():
        return "opaque"
    return WHAT[e["type"]]


def canary(scratch):
    """Around the store: whatever comes out of a layer lands somewhere here."""
    for d in ("canary", "box/canary", "box/store"):
        os.makedirs(f"{scratch}/{d}")
    os.chmod(scratch + "/box/store", 0o700)
    for d in ("canary", "box/canary"):
        with open(f"{scratch}/{d}/file", "w") as f:
            f.write("canary")


def outside(scratch):
    tree = listing(scratch)
    return {k: v for k, v in tree.items()
            if not k.startswith(("box/store", "lay", "dest", "in.tar")) and k not in ("", "box")}


def try_streams(scratch, userns, how):
    canary(scratch)
    before = outside(scratch)
    home = scratch + "/box/store"
    for number, (name, data, error, paths) in enumerate(STREAMS):
        layout = layout_of(f"{scratch}/lay{number}", data)
        fields, said = how(home, layout, userns)
        check((said is None) == (error is None) and (error is None or error in said),
              f"{name}: wanted {error!r}, got {said!r}")
        check(outside(scratch) == before, f"{name}: something outside has changed")
        check(os.listdir(home + "/images/tmp") == [], f"{name}: leftovers in images/tmp")
        if error:
            check("\n" not in said and len(said) < 420, f"{name}: {said!r} is no line")
            check(digest(data) not in os.listdir(home + "/images/layers"),
                  f"{name}: a bad layer was committed")
            continue
        tree = listing(f"{home}/images/layers/{fields['layer'][0]}", userns)
        for path, want in paths.items():
            got = what_is(tree, path)
            check(got == want, f"{name}: '{path}' is {got}, not {want}: {sorted(tree)}")


def hostile_streams_as_the_caller(scratch):
    try_streams(scratch, None, lambda home, l, u: resolve(home, "oci:" + l.path))


def hostile_streams_in_the_stores_range(scratch):
    userns = Userns()
    try_streams(scratch, userns, lambda home, l, u: resolve(home, "oci:" + l.path, u.store()))
    userns.close()


def ids_beyond_the_range_are_refused(scratch):
    userns = Userns()
    os.mkdir(scratch + "/store")
    for number, more in enumerate(({"uid": 65536}, {"gid": 65536},
                                   {"uid": b"\x80\0\0\0\xff\xff\xff\xff"})):
        l = layout_of(f"{scratch}/lay{number}", tar(header("f", **more)))
        _, said = resolve(scratch + "/store", "oci:" + l.path, userns.store())
        check(said and "ids end at 65535" in said, said)
    userns.close()


def bombs_stop_at_the_limit(scratch):
    """1 MiB of gzip that unpacks to 64 GiB and more, made of copies of one member."""
    os.mkdir(scratch + "/store")
    first = gzip.compress(header("bomb", size=b"\x80" + (1 << 40).to_bytes(11, "big")), mtime=0)
    l = Layout(scratch + "/lay")
    stored = first + gzip.compress(b"\0" * (1 << 20), mtime=0)
    l.image([l.layer(None, stored)], diff_ids=["sha256:" + "0" * 64])
    _, said = resolve(scratch + "/store", "oci:" + l.path)
    check("more than 68719476736 bytes" in said, said)

    # After the tar's end: what follows is hashed, so it has to be bounded too.
    member = gzip.compress(b"\0" * (64 << 20), mtime=0)
    stored = gzip.compress(END, mtime=0) + member * 3
    l = Layout(scratch + "/lay2")
    l.image([l.layer(None, stored)], diff_ids=["sha256:" + "0" * 64])
    _, said = resolve(scratch + "/store", "oci:" + l.path)
    check("should be sha256:0000" in said, said)
    check(os.listdir(scratch + "/store/images/layers") == [], "a layer was committed")


def entries_stop_at_the_limit(scratch):
    """More than two million entries in one small layer: the same member again and again."""
    os.mkdir(scratch + "/store")
    member = gzip.compress(header("d/", kind=b"5") * 65536, mtime=0)
    l = Layout(scratch + "/lay")
    l.image([l.layer(None, member * 5)], diff_ids=["sha256:" + "0" * 64])
    _, said = resolve(scratch + "/store", "oci:" + l.path)
    check("more than 262144 directories" in said, said)
    member = gzip.compress(hardlink("f", "f") * 65536, mtime=0)
    stored = gzip.compress(entry("f"), mtime=0) + member * 33
    l = Layout(scratch + "/lay2")
    l.image([l.layer(None, stored)], diff_ids=["sha256:" + "0" * 64])
    _, said = resolve(scratch + "/store", "oci:" + l.path)
    check("more than 2097152 entries" in said, said)


def wrong_compression_is_told(scratch):
    os.mkdir(scratch + "/store")
    good = gzip.compress(tar(entry("f", b"x")), mtime=0)
    bad_crc = good[:-8] + b"\0\0\0\0" + good[-4:]
    cases = (
        (good[:-4], "cut short"),
        (good[:20], "cut short"),
        (bad_crc, "wrong checksum"),
        (good + b"trailing garbage", "malformed gzip"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 600, "malformed gzip"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 600, "malformed zstd"),
        (b"\x28\xb5\x2f\xfd\x00\xff" + b"\0" * 600, "zstd"),  # window of terabytes
    )
    for number, (stored, error) in enumerate(cases):
        l = Layout(f"{scratch}/lay{number}")
        l.image([l.layer(None, stored)], diff_ids=["sha256:" + digest(tar(entry("f", b"x")))])
        _, said = resolve(scratch + "/store", "oci:" + l.path)
        check(said and error in said, f"{number}: wanted {error!r}, got {said!r}")


def copies_stay_inside(scratch):
    """`coffer cp`: no symlink is followed and no directory changes its kind."""
    canary(scratch)
    with open(scratch + "/canary/file") as f:
        content = f.read()
    before = outside(scratch)
    cases = (
        (tar(entry("../canary/x", b"x")), "1", "contains '..'"),
        (tar(symlink("s", "../canary"), entry("s/x", b"x")), "1", "no directory"),
        (tar(symlink("s", "."), entry("s/x", b"x")), "1", "no directory"),
        (tar(entry("out/x", b"x")), "1", "no directory"),  # a symlink of the user's own
        (tar(entry("out", b"x")), "1", None),
        (tar(hardlink("h", "out/file")), "1", "does not have"),
        (tar(entry("dir", b"x")), "1", "would replace a directory"),
        (tar(symlink("dir", "/")), "1", "would replace a directory"),
        (tar(folder("file")), "1", "no directory"),
        (tar(entry("file", b"new")), "0", "exists already"),
        (tar(entry("file", b"new", mode=0o4755)), "1", None),
        (tar(entry(".wh.file", b"")), "1", None),
        (tar(header("c", kind=b"3", major=1, minor=3)), "1", None),
        (entry("file2", b"x"), "1", "cut short"),
        (tar(pax({"SCHILY.xattr.user.overlay.opaque": "y"}), folder("dir")), "1", None),
    )
    for number, (data, overwrite, error) in enumerate(cases):
        dest = scratch + "/dest"
        os.mkdir(dest)
        os.mkdir(dest + "/dir")
        os.symlink("../canary", dest + "/out")
        with open(dest + "/file", "w") as f:
            f.write("old")
        with open(scratch + "/in.tar", "wb") as f:
            f.write(data)
        with open(scratch + "/in.tar", "rb") as f:
            fields, said = tool("copy", PROGRAMS, dest, overwrite, stdin=f)
        check((said is None) == (error is None) and (error is None or error in said),
              f"copy {number}: wanted {error!r}, got {said!r}")
        check(outside(scratch) == before, f"copy {number}: something outside has changed")
        tree = listing(dest)
        check(tree["dir"]["type"] == stat.S_IFDIR and not tree["dir"]["xattrs"], "dir changed")
        for e in tree.values():
            check(e["uid"] == os.geteuid() and e["mode"] & 0o7000 == 0, f"copy {number}: {e}")
        remove(dest)
    with open(scratch + "/canary/file") as f:
        check(f.read() == content, "the canary's content changed")


run_tests([
    hostile_streams_as_the_caller,
    hostile_streams_in_the_stores_range,
    ids_beyond_the_range_are_refused,
    bombs_stop_at_the_limit,
    entries_stop_at_the_limit,
    wrong_compression_is_told,
    copies_stay_inside,
])
