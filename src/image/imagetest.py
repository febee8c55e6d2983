# SPDX-License-Identifier: Apache-2.0
"""What the image tests share: tar bytes of any shape, layouts, a user namespace, listings, TAP."""
import ctypes
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import traceback

TOOL, PROGRAMS = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
CALLER, SINGLE, RANGE = 0, 1, 2
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
CLONE_NEWUSER = 0x10000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    pass


# ---------------------------------------------------------------- tar, byte by byte

def header(name, kind=b"0", size=0, mode=0o644, uid=0, gid=0, mtime=1, link=b"", major=0, minor=0,
           magic=b"ustar\x0000", prefix=b"", fields=None, checksum=None):
    """One header block; `fields` puts raw bytes at offsets after all else."""
    def octal(n, width):
        if isinstance(n, bytes):
            return n.ljust(width, b"\0")
        return b"%0*o\0" % (width - 1, n)
    name = name if isinstance(name, bytes) else name.encode()
    link = link if isinstance(link, bytes) else link.encode()
    block = bytearray(name[:100].ljust(100, b"\0") + octal(mode, 8) + octal(uid, 8) +
                      octal(gid, 8) + octal(size, 12) + octal(mtime, 12) + b" " * 8 + kind +
                      link[:100].ljust(100, b"\0") + magic + b"root".ljust(32, b"\0") +
                      b"root".ljust(32, b"\0") + octal(major, 8) + octal(minor, 8) +
                      prefix.ljust(155, b"\0")).ljust(512, b"\0")
    for at, data in (fields or {}).items():
        block[at:at + len(data)] = data
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block) if checksum is None else checksum
    return bytes(block)


def entry(name, content=b"", **more):
    more.setdefault("size", len(content))
    return header(name, **more) + content + b"\0" * (-len(content) % 512)


def folder(name, mode=0o755, **more):
    return header(name, kind=b"5", mode=mode, **more)


def symlink(name, target, **more):
    return header(name, kind=b"2", link=target, mode=0o777, **more)


def hardlink(name, target, **more):
    return header(name, kind=b"1", link=target, **more)


def pax(records, kind=b"x", raw=None):
    text = b""
    for key, value in records.items():
        value = value if isinstance(value, bytes) else str(value).encode()
        body = b" " + key.encode() + b"=" + value + b"\n"
        size = len(body) + 1
        while len(str(size)) + len(body) != size:
            size += 1
        text += str(size).encode() + body
    return entry("PaxHeaders/x", raw if raw is not None else text, kind=kind)


def long_name(name, kind=b"L"):
    return entry("././@LongLink", name + b"\0", kind=kind, magic=b"ustar  \0")


END = b"\0" * 1024


def tar(*parts):
    return b"".join(parts) + END


# ---------------------------------------------------------------- images

def digest(data):
    return hashlib.sha256(data).hexdigest()


def as_json(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


class Layout:
    """An OCI layout in a directory; every part can be made wrong on purpose."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path + "/blobs/sha256")
        self.file("oci-layout", {"imageLayoutVersion": "1.0.0"})

    def file(self, name, value):
        with open(self.path + "/" + name, "wb") as f:
            f.write(as_json(value))

    def blob(self, value, media, name=None, **more):
        data = as_json(value)
        name = name or digest(data)
        self.file("blobs/sha256/" + name, data)
        return {"mediaType": media, "digest": "sha256:" + name, "size": len(data), **more}

    def layer(self, data, stored=None, media="application/vnd.oci.image.layer.v1.tar"):
        return self.blob(data if stored is None else stored, media)

    def image(self, layers, diff_ids=None, config=None, manifest=None, index=None, tars=None):
        """layers: descriptors; tars: their tar bytes, for the diff ids."""
        if diff_ids is None:
            diff_ids = ["sha256:" + digest(t) for t in tars]
        self.config = {"architecture": ARCH, "os": "linux", "config": {},
                       "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        self.config.update(config or {})
        self.manifest = {"schemaVersion": 2,
                         "config": self.blob(self.config,
                                             "application/vnd.oci.image.config.v1+json"),
                         "layers": layers}
        self.manifest.update(manifest or {})
        self.descriptor = self.blob(self.manifest, "application/vnd.oci.image.manifest.v1+json")
        self.index = {"schemaVersion": 2, "manifests": [self.descriptor]}
        self.index.update(index or {})
        self.file("index.json", self.index)


def layout_of(path, *tars):
    """The plain case: one image with these layers."""
    layout = Layout(path)
    layout.image([layout.layer(t) for t in tars], tars=tars)
    return layout


# ---------------------------------------------------------------- a user namespace like the store's

class Userns:
    """ids 0 to 65535 on 100000 for root; the caller and his subordinate ids for a user.

    single: only id 0, which is the caller."""

    def __init__(self, single=False):
        self.single = single
        ready, go = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            os.write(ready[1], b"y" if LIBC.unshare(CLONE_NEWUSER) == 0 else b"n")
            os.read(go[0], 1)
            signal.pause()
            os._exit(0)
        made = os.read(ready[0], 1) == b"y"
        error = self.write_maps() if made else "no user namespaces"
        os.write(go[1], b"x")
        if error:
            self.close()
            raise Skip(error)
        self.file = f"/proc/{self.pid}/ns/user"

    def write_single_maps(self):
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {os.geteuid()} 1"),
                           ("gid_map", f"0 {os.getegid()} 1")):
            with open(f"/proc/{self.pid}/{name}", "w") as f:
                f.write(text)

    def write_maps(self):
        if self.single:
            return self.write_single_maps()
        for kind in "ug":
            if os.geteuid() == 0:
                try:
                    with open(f"/proc/{self.pid}/{kind}id_map", "w") as f:
                        f.write("0 100000 65536\n")
                except OSError:
                    return "this root has not 65536 ids to give (a user namespace?)"
                continue
            me = os.getuid() if kind == "u" else os.getgid()
            import pwd
            name = pwd.getpwuid(os.getuid()).pw_name
            try:
                with open(f"/etc/sub{kind}id") as f:
                    lines = [l.strip().split(":") for l in f]
            except OSError:
                lines = []
            ranges = [l for l in lines if l[0] in (name, str(os.getuid())) and int(l[2]) >= 65535]
            program = shutil.which(f"new{kind}idmap")
            if not ranges or not program:
                return "no range of subordinate ids, or no newuidmap"
            r = subprocess.run([program, str(self.pid), "0", str(me), "1", "1", ranges[0][1],
                                "65535"], capture_output=True, text=True)
            if r.returncode:
                return "newuidmap: " + r.stderr.strip()
        return None

    def enter(self):
        with open(self.file) as f:
            if LIBC.setns(f.fileno(), CLONE_NEWUSER) < 0:
                raise OSError(ctypes.get_errno(), "setns")
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)

    def call(self, directory, function):
        """What the function returns, as JSON, called as root of the namespace in a directory."""
        fd, pipe = os.open(directory, os.O_RDONLY | os.O_DIRECTORY), os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self.enter()
                os.fchdir(fd)
                text = json.dumps(function()).encode()
                with open(pipe[1], "wb") as f:
                    f.write(text)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        os.close(fd)
        os.close(pipe[1])
        with open(pipe[0], "rb") as f:
            text = f.read()
        check(os.waitpid(pid, 0)[1] == 0, "a child in the user namespace has failed")
        return text

    def run(self, directory, argv, stdin=None):
        """A program as root of the namespace; it must lie where everybody may go."""
        def function():
            r = subprocess.run(argv, stdin=stdin, capture_output=True, text=True)
            return [r.returncode, r.stdout + r.stderr]
        return json.loads(self.call(directory, function))

    def store(self):
        shifted = os.geteuid() == 0 and not self.single
        uid = 100000 if shifted else os.getuid()
        gid = 100000 if shifted else os.getgid()
        return [self.file, str(SINGLE if self.single else RANGE), str(uid), str(gid)]

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


# ---------------------------------------------------------------- what stands in a directory

def describe(path):
    """One file as a dictionary that can be compared."""
    st = os.lstat(path)
    e = {"type": stat.S_IFMT(st.st_mode), "mode": stat.S_IMODE(st.st_mode), "uid": st.st_uid,
         "gid": st.st_gid, "mtime": st.st_mtime_ns}
    if stat.S_ISLNK(st.st_mode):
        e["link"] = os.readlink(path).decode("latin-1")
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            e["sha"] = digest(f.read())
        e["size"] = st.st_size
    if stat.S_ISCHR(st.st_mode):
        e["rdev"] = st.st_rdev
    if not stat.S_ISDIR(st.st_mode):
        e["nlink"] = st.st_nlink
    try:
        names = os.listxattr(path, follow_symlinks=False)
        e["xattrs"] = {n: os.getxattr(path, n, follow_symlinks=False).hex() for n in names}
    except OSError:
        e["xattrs"] = {}
    return e


def walk(path, name, out):
    out[name.decode("latin-1")] = e = describe(path)
    if e["type"] == stat.S_IFDIR:
        for n in sorted(os.listdir(path)):
            walk(os.path.join(path, n), os.path.join(name, n) if name else n, out)
    return out


def listing(path, userns=None):
    """{name: what}; with a user namespace as its root sees it."""
    if not userns:
        return walk(os.fsencode(path), b"", {})
    tree = userns.call(path, lambda: walk(b".", b"", {}))
    return json.loads(tree)


# ---------------------------------------------------------------- running

def tool(*argv, stdin=subprocess.DEVNULL, cwd=None):
    """Runs image-tool; returns (fields, error) of which one is None."""
    r = subprocess.run([TOOL] + [str(a) for a in argv], stdin=stdin, capture_output=True,
                       text=True, errors="surrogateescape", cwd=cwd, timeout=120)
    fields = {}
    for line in r.stdout.splitlines():
        key, _, value = line.partition(" ")
        fields.setdefault(key, []).append(value)
    if r.returncode == 0:
        return fields, None
    if r.returncode != 1 or "error" not in fields:
        raise AssertionError(f"image-tool ended with {r.returncode}: {r.stdout}{r.stderr}")
    return None, fields["error"][0]


def resolve(home, reference, store=(), cwd=None):
    return tool("resolve", PROGRAMS, home, reference, *store, cwd=cwd)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def scratch_top():
    """In memory where that can hold attributes: every layer is synced, which disks take long for."""
    try:
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as f:
            os.setxattr(f.name, "user.coffer", b"x")
        return "/dev/shm"
    except OSError:
        return None


def run_tests(tests):
    """Each test is a function with one argument, its scratch directory; prints TAP."""
    print(f"1..{len(tests)}")
    failed = 0
    for number, test in enumerate(tests, 1):
        scratch = tempfile.mkdtemp(prefix="coffer-image-", dir=scratch_top())
        os.chmod(scratch, 0o755)
        name = test.__name__
        try:
            test(scratch)
            print(f"ok {number} - {name}")
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}")
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print("# " + line)
        sys.stdout.flush()
        remove(scratch)
    sys.exit(1 if failed else 0)


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):  # files of subordinate ids
        try:
            userns = Userns()
            for name in os.listdir(path):
                userns.run(path, ["rm", "-rf", name])
            userns.close()
        except Skip:
            pass
        shutil.rmtree(path, ignore_errors=True)
