#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Good images come out as bsdtar and umoci unpack them; bad ones are refused by name."""
import gzip
import os
import random
import shutil
import stat
import subprocess
import time

from imagetest import *

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"needs the program {program}")


def run(*argv, **more):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, **more)
    check(r.returncode == 0, f"{argv}: {r.stdout}")
    return r.stdout


# ---------------------------------------------------------------- the oracle

def sample_tree(top):
    """A tree with what tars have: links, modes, times, odd names, holes, attributes."""
    rng = random.Random(int(os.environ.get("COFFER_SEED", "1")))
    os.makedirs(top + "/a/b/c")
    os.makedirs(top + "/empty")
    os.makedirs(top + "/" + "/".join(f"deep{i:03d}" for i in range(30)))
    for i in range(40):
        with open(f"{top}/a/b/f{i}", "wb") as f:
            f.write(rng.randbytes(rng.choice((0, 1, 511, 512, 513, 70000))))
        if i == 3:
            os.setxattr(f.name, "user.note", b"kept \0 whole")  # while it may be written
        os.chmod(f"{top}/a/b/f{i}", rng.choice((0o644, 0o600, 0o755, 0o444, 0o777, 0o4755, 0o2711)))
    with open(top + "/a/" + "n" * 255, "wb") as f:
        f.write(b"long name")
    with open(os.fsencode(top) + b"/a/\xc3\xa4 \n tab\t", "wb") as f:
        f.write(b"odd name")
    with open(top + "/holes", "wb") as f:
        for at in (0, 100000, 5000000):
            f.seek(at)
            f.write(b"data")
        f.truncate(9000000)
    os.link(top + "/a/b/f1", top + "/a/hard")
    os.link(top + "/a/b/f1", top + "/hard2")
    os.symlink("b/f2", top + "/a/soft")
    os.symlink("/" + "x" * 300, top + "/dangling")
    os.mkfifo(top + "/fifo", 0o640)
    os.mkdir(top + "/sticky")
    os.chmod(top + "/sticky", 0o1777)
    os.mkdir(top + "/closed", 0o555)
    os.chmod(top + "/a/b/f3", 0o444)  # has an attribute, may not be written
    os.setxattr(top + "/a/b", "user.note", b"on a directory")
    for path, _, files in os.walk(os.fsencode(top), topdown=False):
        for name in files + [b"."]:
            when = rng.randrange(10**18)
            os.utime(os.path.join(path, name), ns=(when, when), follow_symlinks=False)


os.environ["LC_ALL"] = "C.UTF-8"  # bsdtar converts names

# name, command; each writes "$2" from the directory "$1"
WRITERS = (
    ("GNU tar, gnu", "tar --format=gnu -C \"$1\" -cf \"$2\" ."),
    ("GNU tar, pax", "tar --format=posix --xattrs --xattrs-include='user.*' -C \"$1\" -cf \"$2\" ."),
    ("GNU tar, sparse gnu", "tar --format=gnu -S -C \"$1\" -cf \"$2\" ."),
    ("GNU tar, sparse 0.0", "tar --format=posix -S --sparse-version=0.0 -C \"$1\" -cf \"$2\" ."),
    ("GNU tar, sparse 0.1", "tar --format=posix -S --sparse-version=0.1 -C \"$1\" -cf \"$2\" ."),
    ("GNU tar, sparse 1.0", "tar --format=posix -S --sparse-version=1.0 -C \"$1\" -cf \"$2\" ."),
    ("bsdtar, pax", "bsdtar --format=pax -C \"$1\" -cf \"$2\" ."),
    ("bsdtar, gnutar", "bsdtar --format=gnutar -C \"$1\" -cf \"$2\" ."),
    ("bsdtar, ustar", "bsdtar --format=ustar -C \"$1\" --exclude ./dangling -cf \"$2\" ."),
    ("GNU tar, v7", "cd \"$1\" && tar --format=v7 --no-recursion -cf \"$2\" a a/b a/b/f*"),
)


def same_as_bsdtar(scratch, userns, store):
    need("bsdtar", "tar")
    os.makedirs(scratch + "/tree")
    sample_tree(scratch + "/tree")
    os.mkdir(scratch + "/store", 0o700)
    for number, (name, command) in enumerate(WRITERS):
        path = f"{scratch}/{number}.tar"
        subprocess.run(["sh", "-c", command, "sh", scratch + "/tree", path], check=True,
                       stderr=subprocess.DEVNULL)
        with open(path, "rb") as f:
            data = f.read()
        layout = layout_of(f"{scratch}/lay{number}", data)
        fields, said = resolve(scratch + "/store", "oci:" + layout.path, store)
        check(not said, f"{name}: {said}")
        oracle = f"{scratch}/oracle{number}"
        os.mkdir(oracle, 0o755)
        extract = ["bsdtar", "-xpf", "-", "-C", "."]
        if not userns:
            extract += ["--no-same-owner", "--no-acls"]
        with open(path, "rb") as f:
            if userns:
                os.chown(oracle, int(store[2]), int(store[3]))
                code, text = userns.run(oracle, extract, stdin=f)
            else:
                r = subprocess.run(extract, stdin=f, capture_output=True, text=True, cwd=oracle)
                code, text = r.returncode, r.stderr
        check(code == 0, f"{name}: bsdtar: {text}")
        ours = listing(f"{scratch}/store/images/layers/{fields['layer'][0]}", userns)
        theirs = listing(oracle, userns)
        for tree in (ours, theirs):
            tree.pop("")  # the root keeps its owner and stays open to him
            if not userns:
                for e in tree.values():
                    e["mode"] &= 0o1777
        check(sorted(ours) == sorted(theirs), f"{name}: other names: {set(ours) ^ set(theirs)}")
        for path in ours:
            check(ours[path] == theirs[path], f"{name}: '{path}': {ours[path]} != {theirs[path]}")


def unpacks_as_bsdtar_does_as_the_caller(scratch):
    same_as_bsdtar(scratch, None, ())


def unpacks_as_bsdtar_does_in_the_stores_range(scratch):
    userns = Userns()
    same_as_bsdtar(scratch, userns, userns.store())
    userns.close()


def names_are_bytes(scratch):
    os.mkdir(scratch + "/store")
    names = [bytes([c]) * 3 for c in range(1, 256) if c not in b"/"]
    data = tar(*[entry(n, b"x") for n in names], pax({"path": b"\xff\xfe pax"}), entry("x"),
               long_name(b"\xfd gnu"), entry("y"), symlink("\xe9".encode("latin-1"), b"\xff"))
    fields, said = resolve(scratch + "/store", "oci:" + layout_of(scratch + "/lay", data).path)
    check(not said, said)
    got = os.listdir(os.fsencode(f"{scratch}/store/images/layers/{fields['layer'][0]}"))
    want = set(names) - {b"..."} | {b"...", b"\xff\xfe pax", b"\xfd gnu", b"\xe9"}
    check(set(got) == want, str(set(got) ^ want))


def owners_and_rights_are_kept_in_the_range(scratch):
    userns = Userns()
    os.mkdir(scratch + "/store", 0o700)
    caps = bytes.fromhex("0100000200040000000000000000000000000000")
    data = tar(folder("./", mode=0o555, uid=7),
               pax({"SCHILY.xattr.security.capability": caps, "SCHILY.xattr.user.ok": "v",
                    "SCHILY.xattr.user.overlay.opaque": "y", "SCHILY.xattr.trusted.x": "y",
                    "SCHILY.xattr.security.selinux": "y", "SCHILY.xattr.user.overlay.redirect": "/"}),
               entry("ping", b"x", mode=0o4755, uid=0, gid=65535),
               folder("d", mode=0o3770, uid=65534, gid=33, mtime=77),
               entry("d/f", b"y", uid=1000, gid=1000, mode=0o640),
               symlink("d/s", "f", uid=1000, gid=5))
    layout = layout_of(scratch + "/lay", data)
    fields, said = resolve(scratch + "/store", "oci:" + layout.path, userns.store())
    check(not said, said)
    tree = listing(f"{scratch}/store/images/layers/{fields['layer'][0]}", userns)
    want = {"ping": (0, 65535, 0o4755), "d": (65534, 33, 0o3770), "d/f": (1000, 1000, 0o640),
            "d/s": (1000, 5, 0o777), "": (0, 0, 0o755)}
    for name, (uid, gid, mode) in want.items():
        e = tree[name]
        check((e["uid"], e["gid"], e["mode"]) == (uid, gid, mode), f"{name}: {e}")
    check(sorted(tree["ping"]["xattrs"]) == ["security.capability", "user.ok"], tree["ping"])
    check(tree["d"]["mtime"] == 77 * 10**9, tree["d"])
    st = os.lstat(f"{scratch}/store/images/layers/{fields['layer'][0]}")
    check(st.st_uid == int(userns.store()[2]), "the layer's own directory is not the store's")
    userns.close()


def nothing_is_special_as_the_caller(scratch):
    os.mkdir(scratch + "/store", 0o700)
    caps = bytes.fromhex("0100000200040000000000000000000000000000")
    data = tar(pax({"SCHILY.xattr.security.capability": caps}),
               entry("ping", b"x", mode=0o6755, uid=70000, gid=3))
    layout = layout_of(scratch + "/lay", data)
    fields, said = resolve(scratch + "/store", "oci:" + layout.path)
    check(not said, said)
    e = listing(f"{scratch}/store/images/layers/{fields['layer'][0]}")["ping"]
    check((e["uid"], e["mode"], e["xattrs"]) == (os.geteuid(), 0o755, {}), str(e))


def a_single_id_owns_everything(scratch):
    userns = Userns(single=True)
    os.mkdir(scratch + "/store", 0o700)
    data = tar(entry("f", b"x", mode=0o6755, uid=70000, gid=3), folder("d", uid=5, mode=0o555),
               entry("d/g", uid=7), symlink("s", "f", uid=9), entry("d/.wh.h"))
    layout = layout_of(scratch + "/lay", data)
    fields, said = resolve(scratch + "/store", "oci:" + layout.path, userns.store())
    check(not said, said)
    tree = listing(f"{scratch}/store/images/layers/{fields['layer'][0]}", userns)
    for name, e in tree.items():
        check((e["uid"], e["gid"], e["mode"] & 0o6000) == (0, 0, 0), f"{name}: {e}")
    check(tree["d"]["mode"] == 0o555 and tree["d/h"]["rdev"] == 0, str(tree))
    userns.close()


def every_compression_is_read(scratch):
    need("zstd")
    os.mkdir(scratch + "/store")
    rng = random.Random(2)
    data = tar(*[entry(f"f{i}", rng.randbytes(rng.randrange(300000)) + b"a" * 200000)
                 for i in range(30)])

    def zstd(piece, *flags):
        return subprocess.run(["zstd", "-cq", *flags], input=piece, capture_output=True,
                              check=True).stdout
    cuts = sorted(rng.randrange(len(data)) for _ in range(200))
    pieces = [data[a:b] for a, b in zip([0] + cuts, cuts + [len(data)])]
    stored = {
        "plain": data,
        "gzip": gzip.compress(data),
        "gzip stored": gzip.compress(data, 0),
        "gzip members": b"".join(gzip.compress(p) for p in pieces),
        "gzip members of one byte": b"".join(gzip.compress(data[i:i + 1]) for i in range(3000)) +
                                    gzip.compress(data[3000:]),
        "gzip empty members": (gzip.compress(b"") * 500 + gzip.compress(data) +
                               gzip.compress(b"") * 500),
        "zstd": zstd(data),
        "zstd -19": zstd(data, "-19"),
        "zstd frames": b"".join(zstd(p) for p in pieces),
        "zstd skippable": b"\x5a\x2a\x4d\x18\x04\0\0\0abcd" + zstd(data) +
                          b"\x50\x2a\x4d\x18\x04\0\0\0abcd",
    }
    for number, (name, blob) in enumerate(stored.items()):
        l = Layout(f"{scratch}/lay{number}")
        l.image([l.layer(data, blob)], tars=[data])
        os.mkdir(f"{scratch}/store{number}")
        _, said = resolve(f"{scratch}/store{number}", "oci:" + l.path)
        check(not said, f"{name}: {said}")


# ---------------------------------------------------------------- what an image may say

def a_config_is_read_whole(scratch):
    os.mkdir(scratch + "/store")
    data = tar(entry("f"))
    l = Layout(scratch + "/lay")
    l.image([l.layer(data)], tars=[data], config={"config": {
        "Entrypoint": ["/bin/e", ""], "Cmd": None, "Env": ["A=1", "B=x=y", "C="], "User": "1:2",
        "WorkingDir": "/w", "StopSignal": "SIGQUIT", "Volumes": {"/v1": {}, "/v2": {}},
        "Labels": {"k": "v=w", "empty": ""}, "ExposedPorts": {"80/tcp": {}}, "Healthcheck": {
            "Test": ["CMD-SHELL", "x || exit 1"], "Interval": 1500000000, "StartInterval": 7, "Retries": 4},
        "Shell": ["/bin/bash", "-c"]}})
    fields, said = resolve(scratch + "/store", "oci:" + l.path)
    check(not said, said)
    want = {"entrypoint": ["/bin/e", ""], "env": ["A=1", "B=x=y", "C="], "user": ["1:2"],
            "workdir": ["/w"], "stopsignal": ["SIGQUIT"], "volume": ["/v1", "/v2"],
            "label": ["k=v=w", "empty="], "port": ["80/tcp"], "arch": [ARCH],
            "health": ["CMD-SHELL", "x || exit 1"], "times": ["1500000000 0 0 7 4"],
            "shell": ["/bin/bash", "-c"],
            "id": [digest(as_json(l.config))], "layer": [digest(data)]}
    for key, value in want.items():
        check(fields.get(key) == value, f"{key}: {fields.get(key)} != {value}")
    check("cmd" not in fields, "cmd")


def layers_are_listed_once_and_cut_at_an_opaque_root(scratch):
    os.mkdir(scratch + "/store")
    a, b, c = tar(entry("a")), tar(entry(".wh.a")), tar(entry("c"))
    o = tar(entry(".wh..wh..opq"), entry("o"))
    for number, (tars, want) in enumerate((([a, b, a], [b, a]), ([a, b, a, b], [a, b]),
                                           ([a, b, o, c], [o, c]), ([o, a], [o, a]), ([], []))):
        l = layout_of(f"{scratch}/lay{number}", *tars)
        fields, said = resolve(scratch + "/store", "oci:" + l.path)
        check(not said, said)
        check(fields.get("layer", []) == [digest(t) for t in want], f"{number}: {fields}")


def bad_images_are_refused_by_name(scratch):
    os.mkdir(scratch + "/store")
    data = tar(entry("f", b"x"))

    def case(error, build):
        number = len(os.listdir(scratch))
        l = Layout(f"{scratch}/lay{number}")
        l.error = error
        l.layer_of = l.layer(data)
        build(l)
        _, said = resolve(scratch + "/store", "oci:" + l.path)
        check(said and error in said, f"wanted {error!r}, got {said!r}")
        check(os.listdir(scratch + "/store/images/layers") == []
              if os.path.exists(scratch + "/store/images") else True, f"{error}: committed")

    def image(**more):
        return lambda l: l.image(more.pop("layers", [l.layer_of]), tars=[data], **more)

    def descriptor(**change):
        def build(l):
            l.image([dict(l.layer_of, **change)], tars=[data])
        return build

    def index(value):
        return lambda l: l.file("index.json", value)

    def wrong_blob(l):
        l.image([l.layer_of], tars=[data])
        name = l.layer_of["digest"][7:]
        with open(f"{l.path}/blobs/sha256/{name}", "r+b") as f:
            f.seek(512)
            f.write(b"X")

    def wrong_manifest(l):
        l.image([l.layer_of], tars=[data])
        name = l.descriptor["digest"][7:]
        with open(f"{l.path}/blobs/sha256/{name}", "r+b") as f:
            f.write(b" ")

    def nested(depth):
        def build(l):
            l.image([l.layer_of], tars=[data])
            d = l.descriptor
            for _ in range(depth):
                d = l.blob({"schemaVersion": 2, "manifests": [d]}, OCI_INDEX)
            l.file("index.json", {"schemaVersion": 2, "manifests": [d]})
        return build

    def cycle(l):  # sha256 allows no cycle; a blob that lies about its name is no cycle either
        name = "0" * 64
        d = {"mediaType": OCI_INDEX, "digest": "sha256:" + name, "size": 1}
        l.blob({"schemaVersion": 2, "manifests": [d]}, OCI_INDEX, name=name)
        l.file("index.json", {"manifests": [d]})

    def fifo(l):
        l.image([l.layer_of], tars=[data])
        os.unlink(l.path + "/index.json")
        os.mkfifo(l.path + "/index.json")

    def link_out(l):
        l.image([l.layer_of], tars=[data])
        os.rename(l.path + "/index.json", scratch + f"/x{len(os.listdir(scratch))}")
        os.symlink("/etc/passwd", l.path + "/index.json")

    def missing(l):
        l.image([l.layer_of], tars=[data])
        os.unlink(f"{l.path}/blobs/sha256/{l.layer_of['digest'][7:]}")

    case("digest of the layer's blob is", wrong_blob)
    case("digest of a blob is", wrong_manifest)
    case("layer's diff id is", image(diff_ids=["sha256:" + "1" * 64]))
    case("should have 9", descriptor(size=9))
    case("not sha256 in hex", descriptor(digest="sha256:../../../../etc/passwd"))
    case("not sha256 in hex", descriptor(digest="sha512:" + "0" * 128))
    case("not sha256 in hex", descriptor(digest="sha256:" + "A" * 64))
    case("is missing", missing)
    case("foreign layer", descriptor(
        mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        urls=["http://127.0.0.1/"]))
    case("foreign layer", descriptor(
        mediaType="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"))
    case("is not known", descriptor(mediaType="application/x-evil"))
    case("not that of a layer", descriptor(mediaType=OCI_MANIFEST))
    case("layers[0].mediaType is missing", descriptor(mediaType=None))
    case("layers[0].size is not a whole number", descriptor(size="9"))
    case("size is not between", descriptor(size=-1))
    case("0 diff ids, the manifest 1 layers", image(diff_ids=[]))
    case("is not a sha256 digest", image(diff_ids=["sha256:../x"]))
    case("257 layers", lambda l: l.image([l.layer_of] * 257, tars=[data] * 257))
    case("JSON text has more than 65536 values",
         lambda l: l.image([0] * 70000, tars=[data]))
    case("has no place in such a manifest", image(manifest={"manifests": []}))
    case("calls itself", image(manifest={"mediaType": OCI_INDEX}))
    case("schema version 1", image(manifest={"schemaVersion": 1}))
    case("is for windows/", image(config={"os": "windows"}))
    case("is for linux/sparc", image(config={"architecture": "sparc"}))
    case("config.Env[0] is not NAME=value", image(config={"config": {"Env": ["=x"]}}))
    case("config.Env[0] is not NAME=value", image(config={"config": {"Env": ["x"]}}))
    case("config.Cmd is not an array", image(config={"config": {"Cmd": "sh -c x"}}))
    case("config.Cmd[1] is not a string", image(config={"config": {"Cmd": ["a", 1]}}))
    case("config.User is not a string", image(config={"config": {"User": 0}}))
    case("u0000", image(config={"config": {"User": "a\0b"}}))
    case("more than 256 KiB", image(config={"config": {"Env": ["A=" + "x" * 300000]}}))
    case("config has more than 1048576", image(config={"config": {"Env": ["A=" + "x" * 250000] * 5}}))
    case("no file 'index.json'", lambda l: None)
    case("line 1", index(b"{"))
    case("duplicate", index(b'{"manifests":[],"manifests":[]}'))
    case("nested deeper", index(b"[" * 100000))
    case("more than 4194304 bytes", index(b" " * (5 << 20)))
    case("manifests is missing", index({}))
    case("there is no image in it", index({"manifests": []}))
    case("manifests[0].mediaType is missing", index({"manifests": [{}]}))
    case("digest of a blob is", cycle)
    case("more than 4 indexes", nested(5))
    case("is no regular file", fifo)
    case("index.json", link_out)
    case("layout version '2.0.0'", lambda l: l.file("oci-layout", {"imageLayoutVersion": "2.0.0"}))
    case("no file 'oci-layout'", lambda l: os.unlink(l.path + "/oci-layout"))


def the_right_image_of_an_index_is_chosen(scratch):
    os.mkdir(scratch + "/store")
    tars = {name: tar(entry(name)) for name in ("amd64", "arm64", "other")}
    l = Layout(scratch + "/lay")
    found = {}
    for name, data in tars.items():
        l.image([l.layer(data)], tars=[data],
                config={"architecture": name if name != "other" else ARCH})
        found[name] = l.descriptor

    def platform(name, os_name="linux"):
        return dict(found[name], platform={"os": os_name, "architecture": name})
    ours, other = ARCH, {"amd64": "arm64", "arm64": "amd64"}[ARCH]
    attest = dict(found["other"], platform={"os": "unknown", "architecture": "unknown"})
    inner = l.blob({"schemaVersion": 2, "manifests": [attest, platform(other), platform(ours),
                                                      platform(ours)]}, OCI_INDEX)

    def tagged(d, tag):
        return dict(d, annotations={"org.opencontainers.image.ref.name": tag})
    cases = (
        ([platform(other), platform(ours), attest], "", ours),
        ([inner], "", ours),
        ([tagged(inner, "t"), tagged(found["other"], "u")], ":u", "other"),
        ([tagged(inner, "t"), tagged(found["other"], "u")], ":t", ours),
        ([tagged(inner, "t"), tagged(found["other"], "u")], "", "more than one image"),
        ([tagged(inner, "t"), tagged(found["other"], "u")], ":v", "there is no image 'v'"),
        ([found["other"], found["other"]], "", "other"),
        ([platform(other)], "", "no image for linux/" + ARCH),
        ([platform(ours, "windows")], "", "no image for linux/" + ARCH),
        ([dict(found[other])], "", "is for linux/" + other),
    )
    for number, (manifests, tag, want) in enumerate(cases):
        l.file("index.json", {"schemaVersion": 2, "manifests": manifests})
        fields, said = resolve(scratch + "/store", "oci:" + l.path + tag)
        if want in tars:
            check(fields and fields["layer"] == [digest(tars[want])], f"{number}: {said or fields}")
        else:
            check(said and want in said, f"{number}: wanted {want!r}, got {said!r}")


def docker_archives_are_read_with_their_links(scratch):
    os.mkdir(scratch + "/store")
    a, b = tar(entry("a")), tar(entry("b"))
    config = as_json({"architecture": ARCH, "os": "linux", "config": {"Cmd": ["/x"]},
                      "rootfs": {"type": "layers",
                                 "diff_ids": ["sha256:" + digest(t) for t in (a, b, a)]}})

    def archive(manifest, *more, layers=("1/layer.tar", "2/layer.tar", "3/layer.tar")):
        path = f"{scratch}/{len(os.listdir(scratch))}.tar"
        with open(path, "wb") as f:
            f.write(tar(entry("c.json", config), folder("1"), entry("1/layer.tar", a), folder("2"),
                        entry("./2//layer.tar", b), symlink("3/layer.tar", "../1/layer.tar"),
                        hardlink("4/layer.tar", "1/layer.tar"), symlink("loop", "loop"),
                        symlink("out", "../../../etc/passwd"), symlink("abs", "/etc/passwd"),
                        *more, entry("manifest.json", as_json(manifest))))
        return path

    def one(layers=("1/layer.tar", "2/layer.tar", "3/layer.tar"), tags=("r/n:v",), name="c.json"):
        return {"Config": name, "RepoTags": list(tags), "Layers": list(layers)}
    good = [digest(b), digest(a)]
    two = [one(), one(tags=["docker.io/library/alpine:latest"])]
    cases = (
        ([one()], "", good),
        ([one(layers=("1/layer.tar", "2/layer.tar", "4/layer.tar"), tags=())], "", good),
        ([one()], ":r/n:v", good), ([one()], ":docker.io/r/n:v", good), ([one()], ":@0", good),
        (two, ":alpine", good), (two, ":alpine:latest", good), (two, ":@1", good),
        (two, ":library/alpine", good),
        (two, "", "more than one image"), (two, ":alpin", "there is no image 'alpin'"),
        (two, ":@2", "there is no image '@2'"), ([], "", "no image in it"),
        ([one(layers=("1/layer.tar", "2/layer.tar"))], "", "3 diff ids, the manifest 2 layers"),
        ([one(layers=("1/layer.tar", "2/layer.tar", "loop"))], "", "layer 'loop' is missing"),
        ([one(layers=("1/layer.tar", "2/layer.tar", "out"))], "", "layer 'out' is missing"),
        ([one(layers=("1/layer.tar", "2/layer.tar", "abs"))], "", "layer 'abs' is missing"),
        ([one(layers=("1/layer.tar", "2/layer.tar", "/etc/passwd"))], "", "is missing"),
        ([one(layers=("2/layer.tar", "1/layer.tar", "3/layer.tar"))], "", "diff id is"),
        ([one(name="../../etc/passwd")], "", "has no file '../../etc/passwd'"),
        ([{"RepoTags": None}], "", "[0].Config is missing"), ({}, "", "is not an array"),
    )
    for number, (manifest, tag, want) in enumerate(cases):
        remove(scratch + "/store")
        os.mkdir(scratch + "/store")
        fields, said = resolve(scratch + "/store", "docker-archive:" + archive(manifest) + tag)
        if isinstance(want, list):
            check(fields and fields["layer"] == want, f"{number}: {said or fields}")
        else:
            check(said and want in said, f"{number}: wanted {want!r}, got {said!r}")

    whole = archive([one()])
    run("gzip", "-k", whole)
    _, said = resolve(scratch + "/store", f"docker-archive:{whole}.gz")
    check("archive as a whole is compressed" in said, said)
    with open(whole, "r+b") as f:
        f.truncate(1500)
    _, said = resolve(scratch + "/store", "docker-archive:" + whole)
    check("it ends inside" in said or "cut short" in said or "manifest.json" in said, said)


# ---------------------------------------------------------------- real tools' images

def umoci_and_skopeo_agree(scratch):
    need("umoci", "skopeo", "bsdtar")
    userns = Userns()
    lay, home = scratch + "/lay", scratch + "/store"
    os.mkdir(home, 0o700)
    env = dict(os.environ, HOME=scratch)
    flags = [] if os.geteuid() == 0 else ["--rootless"]
    run("umoci", "init", "--layout", lay, env=env)
    run("umoci", "new", "--image", lay + ":one", env=env)
    run("umoci", "unpack", *flags, "--image", lay + ":one", scratch + "/b", env=env)
    sample_tree(scratch + "/b/rootfs/x")
    for name in ("gone", "dir/sub/f", "opaque/old"):
        os.makedirs(os.path.dirname(f"{scratch}/b/rootfs/{name}"), exist_ok=True)
        with open(f"{scratch}/b/rootfs/{name}", "w") as f:
            f.write(name)
    run("umoci", "repack", "--image", lay + ":one", scratch + "/b", env=env)
    remove(scratch + "/b")
    run("umoci", "unpack", *flags, "--image", lay + ":one", scratch + "/b", env=env)
    os.unlink(scratch + "/b/rootfs/gone")
    shutil.rmtree(scratch + "/b/rootfs/dir")
    run("umoci", "repack", "--image", lay + ":two", scratch + "/b", env=env)
    run("skopeo", "--insecure-policy", "copy", f"oci:{lay}:two", f"oci-archive:{scratch}/o.tar:two",
        env=env)
    run("skopeo", "--insecure-policy", "copy", f"oci:{lay}:two",
        f"docker-archive:{scratch}/d.tar:a/b:c", env=env)
    run("skopeo", "--insecure-policy", "copy", "--dest-compress-format", "zstd",
        "--dest-compress", f"oci:{lay}:two", f"oci:{scratch}/z:x", env=env)
    results = [resolve(home, ref, userns.store()) for ref in
               (f"oci:{lay}:two", f"oci-archive:{scratch}/o.tar", f"docker-archive:{scratch}/d.tar",
                f"oci:{scratch}/z:x", f"oci-archive:{scratch}/o.tar:two",
                f"docker-archive:{scratch}/d.tar:a/b:c")]
    for fields, said in results:
        check(not said, said)
        check(fields["layer"] == results[0][0]["layer"] and fields["id"] == results[0][0]["id"],
              f"{fields} != {results[0][0]}")
    tree = listing(f"{home}/images/layers/{results[0][0]['layer'][-1]}", userns)
    for name in ("gone", "dir"):
        check(tree[name]["type"] == stat.S_IFCHR and tree[name]["rdev"] == 0, f"{name}: {tree}")
    userns.close()


# ---------------------------------------------------------------- the store

def start_resolve(home, reference, store=()):
    return subprocess.Popen([TOOL, "resolve", PROGRAMS, home, reference, *store],
                            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def many_processes_make_one_copy(scratch):
    os.mkdir(scratch + "/store")
    tars = [tar(*[entry(f"l{n}-{i}", os.urandom(3000)) for i in range(100)]) for n in range(5)]
    layout = layout_of(scratch + "/lay", *tars)
    running = [start_resolve(scratch + "/store", "oci:" + layout.path) for _ in range(8)]
    for p in running:
        out = p.communicate(timeout=100)[0]
        check(p.returncode == 0, out)
    check(sorted(os.listdir(scratch + "/store/images/layers")) == sorted(map(digest, tars)), "layers")
    check(os.listdir(scratch + "/store/images/tmp") == [], "leftovers")
    for t in tars:
        check(len(os.listdir(f"{scratch}/store/images/layers/{digest(t)}")) == 100, "files")


def helpers_of(tmp):
    """The coffer-unpack processes of this test's own making: they hold its directories open."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if f.read() == b"coffer-unpack\0" and any(
                        os.readlink(f"/proc/{pid}/fd/{n}").startswith(tmp)
                        for n in os.listdir(f"/proc/{pid}/fd")):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def wait_until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        check(time.monotonic() < end, what)
        os.sched_yield()


def slow_image(scratch):
    """One whose second half never comes: the blob is a sparse file of zeros after some entries."""
    head = b"".join(entry(f"f{i}", b"x") for i in range(200)) + header("big", size=b"%011o" % (6 << 30))
    name = "ab" * 32
    l = Layout(scratch + "/lay")
    path = f"{l.path}/blobs/sha256/{name}"
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(6 << 30)
    l.image([{"mediaType": OCI_LAYER, "digest": "sha256:" + name, "size": 6 << 30}],
            diff_ids=["sha256:" + "cd" * 32])
    return l


def a_killed_client_leaves_nothing_half_done(scratch):
    home = scratch + "/store"
    os.mkdir(home)
    layout = slow_image(scratch)
    tmp = home + "/images/tmp"
    p = start_resolve(home, "oci:" + layout.path)
    wait_until(lambda: os.path.isdir(tmp) and any(os.path.exists(f"{tmp}/{d}/big")
                                                  for d in os.listdir(tmp)), "never started")
    p.kill()
    p.communicate()
    # The helper sees that nobody waits, takes its files away and ends.
    def emptied():
        return all(os.listdir(f"{tmp}/{d}") == [] for d in os.listdir(tmp))
    wait_until(emptied, "coffer-unpack went on for nobody")
    check(os.listdir(home + "/images/layers") == [], "half a layer was committed")
    good = layout_of(scratch + "/good", tar(entry("f")))
    wait_until(lambda: resolve(home, "oci:" + good.path)[1] is None and os.listdir(tmp) == [] or
               remove(f"{home}/images/layers"), "leftovers were not swept")


def a_killed_helper_is_told_and_swept(scratch):
    if os.geteuid() != 0:
        raise Skip("needs root to tell an undumpable process by its descriptors")
    home = scratch + "/store"
    os.mkdir(home)
    layout = slow_image(scratch)
    p = start_resolve(home, "oci:" + layout.path)
    tmp = home + "/images/tmp"
    wait_until(lambda: os.path.isdir(tmp) and any(os.path.exists(f"{tmp}/{d}/big")
                                                  for d in os.listdir(tmp)), "never started")
    for pid in helpers_of(tmp):
        os.kill(pid, 9)
    out = p.communicate(timeout=60)[0]
    check("coffer-unpack died before it had answered" in out, out)
    check(os.listdir(tmp) == [] and os.listdir(home + "/images/layers") == [], "leftovers")


def a_helper_without_files_or_rights(scratch):
    """What coffer-unpack has while it reads foreign bytes, from /proc."""
    if os.geteuid() != 0:
        raise Skip("needs root to look at an undumpable process")
    userns = Userns()
    home = scratch + "/store"
    os.mkdir(home)
    layout = slow_image(scratch)
    tmp = home + "/images/tmp"
    p = start_resolve(home, "oci:" + layout.path, userns.store())
    wait_until(lambda: os.path.isdir(tmp) and any(os.path.exists(f"{tmp}/{d}/big")
                                                  for d in os.listdir(tmp)), "never started")
    status = None
    for pid in helpers_of(tmp):
        with open(f"/proc/{pid}/status") as f:
            status = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
        fds = {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
        with open(f"/proc/{pid}/environ", "rb") as f:
            environ = f.read()
        with open(f"/proc/{pid}/limits") as f:
            limits = f.read()
    p.kill()
    p.communicate()
    check(status, "no helper found")
    caps = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 31  # chown dac_override fowner fsetid setfcap
    check(int(status["CapEff"], 16) == caps and int(status["CapPrm"], 16) == caps, str(status))
    check(int(status["CapBnd"], 16) == 0 and int(status["CapInh"], 16) == 0, str(status))
    with open(PROGRAMS + "/coffer-unpack", "rb") as f:
        sanitized = b"__asan_init" in f.read()
    check(status["NoNewPrivs"] == "1", str(status))
    check(status["Seccomp"] == ("0" if sanitized else "2"), str(status))
    check(status["Uid"].split() == ["100000"] * 4 and status["Gid"].split() == ["100000"] * 4,
          str(status))
    check(status["Groups"].strip() == "", str(status))
    for number, target in fds.items():
        check(target == "/dev/null" if number < 3 else target.startswith("socket:") if number == 3
              else target.startswith(layout.path + "/blobs/") if number == 4
              else target.startswith(tmp + "/"), str(fds))
    check(environ == b"", "it has an environment")
    check("Max core file size        0                    0" in limits, limits)
    userns.close()


def references_are_told_apart(scratch):
    os.mkdir(scratch + "/store")
    os.mkdir(scratch + "/d")
    os.symlink("d", scratch + "/link")
    os.mkfifo(scratch + "/fifo")
    with open(scratch + "/file", "w") as f:
        f.write("x")
    good = (("host", "kind", "host"), ("dir:d", "dir", os.path.realpath(scratch + "/d")),
            ("dir:link/../link", "dir", os.path.realpath(scratch + "/d")))
    for ref, key, value in good:
        fields, said = resolve("store", ref, cwd=scratch)
        check(not said and fields[key] == [value], f"{ref}: {said or fields}")
    bad = (("", "no name"), ("host:/usr", "part of the host"), ("alpine", "no image 'alpine' here"),
           ("docker://alpine", "no image"), ("ghcr.io/a/b:c", "no image"), ("0123abcd", "no image"),
           ("Alpine", "name that can be none"),
           ("./d", "what kind of image"), ("dir:", "names no path"), ("oci:", "names no path"),
           ("oci::x", "names no path"), ("oci:d:", "colon without a tag"),
           ("dir:nope", "No such file"), ("oci:nope", "No such file"), ("dir:file", "not a directory"),
           ("oci:file", "not a directory"), ("oci-archive:d", "not a regular file"),
           ("docker-archive:fifo", "not a regular file"), ("oci-archive:file", "ends inside a block"),
           ("oci:d", "no OCI image"), ("dir:" + "x" * 5000, "too long"),
           ("oci:d:" + "x" * 300, "too long"))
    for ref, error in bad:
        _, said = resolve("store", ref, cwd=scratch)
        check(said and error in said and "\n" not in said, f"{ref}: wanted {error!r}, got {said!r}")


def a_full_disk_is_told(scratch):
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"]).returncode:
        raise Skip("needs root, to mount a small tmpfs")
    data = tar(entry("big", os.urandom(3 << 20)))
    layout = layout_of(scratch + "/lay", data)
    os.mkdir(scratch + "/small")
    script = ('mount -t tmpfs -o size=1m t "$3" && "$1" resolve "$2" "$3" "$4"; '
              'ls "$3/images/tmp" "$3/images/layers"')
    r = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", TOOL,
                        PROGRAMS, scratch + "/small", "oci:" + layout.path],
                       capture_output=True, text=True)
    check("No space left on device" in r.stdout and "make room" in r.stdout, r.stdout)
    check(r.stdout.split("\n", 2)[2].split() == [scratch + "/small/images/layers:",
                                                 scratch + "/small/images/tmp:"], r.stdout)


def trees_of_any_depth_are_removed(scratch):
    userns = Userns()
    top = scratch + "/top"
    os.mkdir(top)
    if os.geteuid() == 0:
        os.chown(top, 100000, 100000)

    def dig():
        os.symlink("/etc", "out")
        for i in range(3000):
            os.mkdir("d")
            os.chdir("d")
            if i % 500 == 0:
                with open("f", "w") as f:
                    f.write("x")
                os.chmod(".", 0o000)
        return True
    userns.call(top, dig)
    fields, said = tool("remove", PROGRAMS, top, *userns.store())
    check(not said, said)
    check(os.listdir(top) == [], "something is left")
    userns.close()


run_tests([
    references_are_told_apart,
    unpacks_as_bsdtar_does_as_the_caller,
    unpacks_as_bsdtar_does_in_the_stores_range,
    names_are_bytes,
    owners_and_rights_are_kept_in_the_range,
    nothing_is_special_as_the_caller,
    a_single_id_owns_everything,
    every_compression_is_read,
    a_config_is_read_whole,
    layers_are_listed_once_and_cut_at_an_opaque_root,
    bad_images_are_refused_by_name,
    the_right_image_of_an_index_is_chosen,
    docker_archives_are_read_with_their_links,
    umoci_and_skopeo_agree,
    many_processes_make_one_copy,
    a_killed_client_leaves_nothing_half_done,
    a_killed_helper_is_told_and_swept,
    a_helper_without_files_or_rights,
    a_full_disk_is_told,
    trees_of_any_depth_are_removed,
])
