# SPDX-License-Identifier: Apache-2.0
"""The competitors, one class each: the command lines they are measured with.

"Hardened" means the same for all: new user, mount, pid, net, ipc, uts and cgroup namespaces, a
read-only root, /proc, /dev, no capability, no_new_privs, a seccomp allow-list."""

import json
import os
import shutil
import subprocess

from lab import CPU_SHARES, NotRun

TRUE = "/bin/true"
SLEEP = ("/bin/sleep", "86400")
NAMESPACES = ("user", "pid", "net", "ipc", "uts", "cgroup")  # bwrap always makes a mount namespace
FIRST_HOST_ID, ID_COUNT = 100000, 65536
SECCOMP_PROFILE = "/usr/share/containers/seccomp.json"


class Peer:
    """A command line is a list of words; "%n" becomes a new number at each start."""
    name = ""
    program = None   # found in PATH when it is not an absolute path
    hidden = False   # runs where the empty cgroup2 mount cannot be seen
    rate_count = None  # starts per round where the usual number would take minutes

    def __init__(self, lab):
        self.lab = lab
        self.keys = []
        self.path = self.program and shutil.which(self.program, path=lab.env["PATH"])

    def prepare(self):
        """Makes what the command lines need; raises NotRun."""
        if self.program and not self.path:
            raise NotRun(f"{self.program} is not installed")
        if self.hidden:
            self.keys = [f"ns={self.lab.hidden_namespace()}"]

    def row(self, argv, name=None):
        count = [f"count={self.rate_count}"] if self.rate_count else []
        return ["+row", name or self.name, *self.keys, *count, "--", *argv]

    def start(self):
        """A whole box around /bin/true, made and gone; None when there is no such thing."""
        return None

    def park(self):
        """A box that sleeps; the command may end or stay."""
        return None

    def open_box(self):
        """Makes the one box that inside() enters."""

    def inside(self, *command):
        """One more process in the box of open_box()."""
        return None

    def tidy(self):
        """Removes every box that no process of ours holds."""

    def keep(self, argv, **how):
        process = subprocess.Popen(argv, env=self.lab.env, stdin=subprocess.DEVNULL, text=True, **how)
        self.lab.kept.append(process)
        return process


class NoBox(Peer):
    name = "no box"

    def start(self):
        return [self.lab.root + TRUE]

    def park(self):
        return [self.lab.root + SLEEP[0], SLEEP[1]]


class Floor(Peer):
    name = "floor"

    def start(self):
        return [self.lab.floor, "run", self.lab.root, TRUE]

    def park(self):
        return [self.lab.floor, "park", self.lab.root, *SLEEP]

    def open_box(self):
        process = self.keep(self.park(), stdout=subprocess.PIPE)
        self.pid = process.stdout.readline().strip()

    def inside(self, *command):
        return [self.lab.floor, "exec", self.pid, *command]


class BwrapPlain(Peer):
    name = "bwrap, plain"
    program = "bwrap"

    def start(self):
        return [self.path, "--ro-bind", self.lab.root, "/", "--proc", "/proc", "--dev", "/dev",
                "--unshare-pid", TRUE]


class Bwrap(Peer):
    name = "bwrap"
    program = "bwrap"
    FILTER_FD = 9

    def prepare(self):
        super().prepare()
        self.keys = [f"fd={self.FILTER_FD}:{self.lab.filter}"]
        self.nsenter = shutil.which("nsenter", path=self.lab.env["PATH"])

    def words(self, filter_fd, *command):
        return [self.path, *(f"--unshare-{name}" for name in NAMESPACES),
                "--ro-bind", self.lab.root, "/", "--proc", "/proc", "--dev", "/dev",
                "--hostname", "box", "--new-session", "--die-with-parent",
                "--cap-drop", "ALL", "--seccomp", str(filter_fd), *command]

    def start(self):
        return self.words(self.FILTER_FD, TRUE)

    def park(self):
        return self.words(self.FILTER_FD, *SLEEP)

    def open_box(self):
        info, info_writer = os.pipe()
        with open(self.lab.filter, "rb") as f:
            self.keep(self.words(f.fileno(), "--info-fd", str(info_writer), *SLEEP),
                      pass_fds=(info_writer, f.fileno()))
        os.close(info_writer)
        with os.fdopen(info) as f:
            self.pid = str(json.load(f)["child-pid"])

    def inside(self, *command):
        return [self.nsenter, "-t", self.pid, "-a", "--", *command]


def seccomp_of(profile, arch):
    """The container world's default list as the OCI runtime spec writes it, for a process without
    capabilities."""
    rows = [row for row in profile["syscalls"]
            if row["action"] == "SCMP_ACT_ALLOW" and "caps" not in row["includes"]
            and arch in row["includes"].get("arches", [arch])]
    return {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
            "syscalls": [{"names": row["names"], "action": row["action"],
                          **({"args": row["args"]} if row["args"] else {})} for row in rows]}


def oci_config(root, command):
    """The bundle's config.json."""
    ids = [{"containerID": 0, "hostID": FIRST_HOST_ID, "size": ID_COUNT}]
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    with open(SECCOMP_PROFILE, encoding="utf-8") as f:
        seccomp = seccomp_of(json.load(f), arch)
    none = {"bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": []}
    safe = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.0.2",
        "hostname": "box",
        "root": {"path": root, "readonly": True},
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": list(command),
                    "env": ["PATH=/bin"], "cwd": "/", "capabilities": none, "noNewPrivileges": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": safe},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": [*safe, "mode=1777", "size=65536k"]},
        ],
        "linux": {
            "namespaces": [{"type": name} for name in
                           ("user", "mount", "pid", "network", "ipc", "uts", "cgroup")],
            "uidMappings": ids, "gidMappings": ids, "seccomp": seccomp,
            "resources": {"cpu": {"shares": CPU_SHARES}},
        },
    }


class Oci(Peer):
    """crun and runc: the same bundle, the same command line."""
    hidden = True

    def prepare(self):
        super().prepare()
        try:
            for bundle, command in (("true", [TRUE]), ("sleep", SLEEP)):
                os.makedirs(self.lab.path(self.name, bundle))
                with open(self.lab.path(self.name, bundle, "config.json"), "w", encoding="utf-8") as f:
                    json.dump(oci_config(self.lab.root, command), f)
        except FileNotFoundError as e:
            raise NotRun(f"no {e.filename}") from e

    def words(self, *command):
        return [self.path, "--root", self.lab.path(self.name, "state"), *command]

    def id(self, name):
        return f"{self.lab.tag}-{self.name}-{name}"

    def start(self):
        return self.words("run", "--bundle", self.lab.path(self.name, "true"), self.id("%n"))

    def park(self):
        return self.words("run", "-d", "--bundle", self.lab.path(self.name, "sleep"), self.id("p%n"))

    def open_box(self):
        # Its stdio stays with the box: not a pipe that somebody reads to the end.
        subprocess.run(["nsenter", f"--mount={self.lab.hidden_namespace()}",
                        *(word.replace("%n", "-box") for word in self.park())], env=self.lab.env,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    def inside(self, *command):
        return self.words("exec", self.id("p-box"), *command)

    def tidy(self):
        state = self.lab.path(self.name, "state")
        for box in sorted(os.listdir(state)) if os.path.isdir(state) else []:
            self.lab.run(self.words("delete", "-f", box), hidden=True)


class Crun(Oci):
    name = program = "crun"


class Runc(Oci):
    name = program = "runc"


class Podman(Peer):
    """Debian's podman 4.3 over Debian's crun.  A root file system of its own, because it writes
    into it.  --ulimit: its own limits need CAP_SYS_RESOURCE, which even root may lack."""
    name = program = "podman"
    hidden = True
    rate_count = 16

    def prepare(self):
        super().prepare()
        self.root = self.lab.path("podman-root")
        if not os.path.isdir(self.root):
            self.lab.make_root(self.root)

    def words(self, *command):
        return [self.path, "--root", self.lab.path("podman"), "--runroot", "/run/bench-podman",
                "--tmpdir", "/run/bench-podman-tmp", "--cgroup-manager", "cgroupfs",
                "--runtime", "crun", "--storage-driver", "overlay", "--events-backend", "none",
                "--log-level", "error", *command]

    def box(self, *command):
        return ["--network", "none", "--read-only", "--cap-drop", "all",
                "--security-opt", "no-new-privileges", "--ulimit", "nofile=1000:1000",
                "--ulimit", "nproc=1000:1000", "--cpu-shares", str(CPU_SHARES),
                "--cgroup-parent", f"/{self.lab.tag}-podman", "--log-driver", "none",
                "--uidmap", f"0:{FIRST_HOST_ID}:{ID_COUNT}", "--rootfs", self.root, *command]

    def start(self):
        return self.words("run", "--rm", *self.box(TRUE))

    def park(self):
        return self.words("run", "-d", *self.box(*SLEEP))

    def open_box(self):
        self.id = self.lab.run(self.park(), hidden=True)

    def inside(self, *command):
        return self.words("exec", "-i", self.id, *command)

    def tidy(self):
        if self.path and self.keys:
            self.lab.run(self.words("rm", "-f", "-t", "0", "-a"), hidden=True)


class Coffer(Peer):
    name = "coffer"

    def prepare(self):
        if not os.access(self.lab.coffer, os.X_OK):
            raise NotRun("bin/coffer is not built")
        self.path = self.lab.coffer

    def words(self, *command):
        return [self.path, *command]

    def start(self):
        return self.words("run", "--rm", "--network", "none", f"dir:{self.lab.root}", "--", TRUE)

    def park(self):
        return self.words("run", "-d", "--rm", "--network", "none", f"dir:{self.lab.root}", "--", *SLEEP)

    def open_box(self):
        self.id = self.lab.run(self.park())

    def inside(self, *command):
        return self.words("exec", "-i", self.id, *command)

    def tidy(self):
        boxes = self.lab.run(self.words("ps", "-a", "-q")).split() if self.path else []
        if boxes:
            self.lab.run(self.words("rm", "-f", *boxes))


PEERS = (NoBox, Floor, BwrapPlain, Bwrap, Crun, Runc, Podman, Coffer)
