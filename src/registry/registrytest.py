# SPDX-License-Identifier: Apache-2.0
"""What the registry tests share: images, coffer with a home of its own, servers, TAP."""
import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import traceback

BIN = os.path.realpath(sys.argv[1])
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."


class Skip(Exception):
    pass


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"needs the program {program}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- images

def tar_of(files):
    """{name: bytes or None for a directory} as a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = 0o755, 1700000000
            if data is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Image:
    """manifest, config and layers as a registry has them; what is in blobs may be made wrong."""

    def __init__(self, tars, oci=True, arch=ARCH, os_name="linux", variant=None, config=None):
        self.blobs = {}
        layers = [(gzip.compress(t, 1, mtime=0), digest(t)) for t in tars]
        platform = {"architecture": arch, "os": os_name}
        if variant:
            platform["variant"] = variant
        text = json.dumps({**platform, "created": "2024-02-03T04:05:06Z",
                           "config": config or {"Cmd": ["/bin/true"]},
                           "rootfs": {"type": "layers", "diff_ids": [d for _, d in layers]}})
        self.config = self.add(text.encode())
        self.layers = [self.add(data) for data, _ in layers]
        self.media = OCI + "manifest.v1+json" if oci else DOCKER + "distribution.manifest.v2+json"
        layer = OCI + "layer.v1.tar+gzip" if oci else DOCKER + "image.rootfs.diff.tar.gzip"
        self.document = {
            "schemaVersion": 2, "mediaType": self.media,
            "config": {"mediaType": OCI + "config.v1+json" if oci else
                       DOCKER + "container.image.v1+json", **self.size(self.config)},
            "layers": [{"mediaType": layer, **self.size(d)} for d in self.layers]}
        self.platform = platform

    def add(self, data):
        self.blobs[digest(data)] = data
        return digest(data)

    def size(self, of):
        return {"digest": of, "size": len(self.blobs[of])}

    @property
    def manifest(self):
        return json.dumps(self.document).encode()

    @property
    def descriptor(self):
        return {"mediaType": self.media, "digest": digest(self.manifest),
                "size": len(self.manifest), "platform": self.platform}


def busybox():
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path):
            with open(path, "rb") as f:
                return f.read()
    raise Skip("needs busybox-static")


def runnable(*more, **options):
    """An image whose first layer can run something."""
    base = tar_of({"bin": None, "etc": None, "bin/busybox": busybox(), "bin/sh": busybox(),
                   "bin/cat": busybox(), "bin/true": busybox(),
                   "etc/passwd": b"root:x:0:0::/:/bin/sh\n"})
    return Image([base, *more], **options)


# ---------------------------------------------------------------- coffer

class Home:
    def __init__(self, scratch, name="home", **env):
        self.path = f"{scratch}/{name}"
        self.env = {"PATH": os.environ["PATH"], "HOME": scratch + "/me", "LC_ALL": "C.UTF-8",
                    "COFFER_HOME": self.path, "COFFER_PULL_STALL_SECONDS": "10",
                    "COFFER_PULL_ATTEMPTS": "3", **env}
        os.makedirs(scratch + "/me", exist_ok=True)

    def start(self, *argv, **env):
        return subprocess.Popen([BIN + "/coffer", *argv], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**self.env, **env})

    def run(self, *argv, stdin=None, timeout=60, **env):
        r = subprocess.run([BIN + "/coffer", *argv],
                           input=stdin.encode() if isinstance(stdin, str) else stdin,
                           capture_output=True, env={**self.env, **env}, timeout=timeout,
                           stdin=None if stdin is not None else subprocess.DEVNULL)
        return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")

    def good(self, *argv, **more):
        status, out, err = self.run(*argv, **more)
        check(status == 0, f"{argv}: status {status}: {out}{err}")
        return out

    def bad(self, *argv, says, status=1, **more):
        got, out, err = self.run(*argv, **more)
        check(got == status, f"{argv}: status {got}, wanted {status}: {out}{err}")
        check(says in err, f"{argv}: wanted '{says}': {err}")
        lines = [l for l in err.splitlines() if l.startswith(("coffer:", "hint:"))]
        check(1 <= len(lines) <= 2, f"{argv}: one line and a hint: {err}")
        return err

    def blobs(self):
        return sorted(os.listdir(self.path + "/images/blobs/sha256"))

    def partial(self):
        path = self.path + "/images/blobs/partial"
        return {n: os.path.getsize(f"{path}/{n}") for n in os.listdir(path)}

    def layers(self):
        return sorted(os.listdir(self.path + "/images/layers"))

    def nothing_half_done(self):
        tmp = self.path + "/images/tmp"
        left = os.listdir(tmp) if os.path.isdir(tmp) else []
        check(not left, f"images/tmp has {left}")


# ---------------------------------------------------------------- a registry that obeys the test

class Server(http.server.ThreadingHTTPServer):
    """A registry in Python.  images: {(repository, tag): Image}; hooks change what is answered."""
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, images=None, certificate=None, hook=None, address="127.0.0.1"):
        super().__init__((address, 0), Handler)
        self.images = images or {}
        self.manifests, self.blobs, self.log, self.sent = {}, {}, [], {}
        self.hook, self.lock = hook, threading.Lock()
        for (repository, tag), image in self.images.items():
            self.put(repository, tag, image)
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.host = f"{address}:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def put(self, repository, tag, image):
        self.put_manifest(repository, tag, image.manifest, image.media)
        self.blobs.update(image.blobs)

    def put_manifest(self, repository, tag, data, media):
        self.manifests[repository, tag] = self.manifests[repository, digest(data)] = (data, media)

    def handle_error(self, request, address):
        pass

    def count(self, text, method="GET"):
        with self.lock:
            return sum(1 for m, path, _ in self.log if m == method and text in path)

    def bytes_of(self, name):
        with self.lock:
            return self.sent.get(name, 0)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            for each in value if isinstance(value, list) else [value]:
                self.send_header(name.replace("_", "-"), each)
        self.end_headers()
        self.write(body)

    def write(self, body):
        """Counts what has really gone."""
        for at in range(0, len(body), 65536):
            piece = body[at:at + 65536]
            self.wfile.write(piece)
            with self.server.lock:
                name = self.path.rpartition("/")[2]
                self.server.sent[name] = self.server.sent.get(name, 0) + len(piece)

    def do_GET(self):
        server = self.server
        with server.lock:
            server.log.append(("GET", self.path, dict(self.headers)))
        if server.hook and server.hook(self):
            return
        self.serve()

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with self.server.lock:
            self.server.log.append(("POST", self.path, dict(self.headers)))
        if not (self.server.hook and self.server.hook(self)):
            self.answer(405)

    def serve(self):
        if self.path == "/v2/":
            return self.answer(200, b"{}")
        parts = self.path.split("/")
        repository, kind, name = "/".join(parts[2:-2]), parts[-2], parts[-1]
        if kind == "manifests" and (repository, name) in self.server.manifests:
            data, media = self.server.manifests[repository, name]
            return self.answer(200, data, Content_Type=media)
        if kind == "blobs" and name in self.server.blobs:
            return self.send_blob(self.server.blobs[name])
        return self.answer(404, b'{"errors":[{"code":"UNKNOWN","message":"not here"}]}')

    def send_blob(self, data):
        wanted = self.headers.get("Range")
        if not wanted:
            return self.answer(200, data)
        start = int(wanted.removeprefix("bytes=").split("-")[0])
        if start >= len(data):
            return self.answer(416)
        return self.answer(206, data[start:],
                           Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")


def certificates(scratch):
    """An own CA and a certificate of it for 127.0.0.1 and localhost; (cert, key), CA file."""
    need("openssl")
    top = scratch + "/ca"
    os.makedirs(top)

    def openssl(*argv):
        r = subprocess.run(["openssl", *argv], cwd=top, capture_output=True, text=True,
                           stdin=subprocess.DEVNULL)
        check(r.returncode == 0, f"openssl {argv}: {r.stderr}")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test CA")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "key.pem", "-out", "req.pem", "-subj", "/CN=localhost")
    with open(top + "/ext", "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "req.pem", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "cert.pem")
    return (top + "/cert.pem", top + "/key.pem"), top + "/ca.crt"


# ---------------------------------------------------------------- Debian's registry

class DockerRegistry:
    def __init__(self, scratch, name="registry", certificate=None, htpasswd=None):
        need("docker-registry", "skopeo")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{s.getsockname()[1]}"
        top = self.top = f"{scratch}/{name}"
        os.makedirs(top)
        conf = {"version": "0.1", "log": {"level": "error"},
                "storage": {"filesystem": {"rootdirectory": top + "/data"}},
                "http": {"addr": self.host, "secret": "x"}}
        if certificate:
            conf["http"]["tls"] = {"certificate": certificate[0], "key": certificate[1]}
        if htpasswd:
            conf["auth"] = {"htpasswd": {"realm": "test", "path": htpasswd}}
        with open(top + "/config.yml", "w") as f:
            json.dump(conf, f)  # which is YAML
        with open(top + "/log", "w") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", top + "/config.yml"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.tls = certificate is not None
        while self.process.poll() is None:
            try:
                socket.create_connection(self.host.split(":"), 1).close()
                return
            except OSError:
                signal.sigtimedwait([], 0.02)
        raise AssertionError("docker-registry did not start: " + open(top + "/log").read())

    def push(self, source, name, credential=None):
        with open(self.top + "/auth.json", "w") as f:
            f.write("{}")  # its own would be one of the host's
        r = subprocess.run(["skopeo", "--insecure-policy", "copy", "--all",
                            "--dest-tls-verify=false", *(["--dest-creds", credential] if credential
                                                         else []),
                            source, f"docker://{self.host}/{name}"], capture_output=True, text=True,
                           env={**os.environ, "HOME": self.top,
                                                "REGISTRY_AUTH_FILE": self.top + "/auth.json"}, stdin=subprocess.DEVNULL)
        check(r.returncode == 0, f"skopeo: {r.stderr}")

    def close(self):
        self.process.kill()
        self.process.wait()


def write_layout(path, *named):
    """(tag, Image) as an OCI layout, for skopeo and umoci."""
    os.makedirs(path + "/blobs/sha256")
    manifests = []
    for tag, image in named:
        for name, data in {**image.blobs, digest(image.manifest): image.manifest}.items():
            with open(f"{path}/blobs/sha256/{name.removeprefix('sha256:')}", "wb") as f:
                f.write(data)
        manifests.append({**image.descriptor,
                          "annotations": {"org.opencontainers.image.ref.name": tag}})
    with open(path + "/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    with open(path + "/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": manifests}, f)


def oci_files(*named):
    """(name or None, Image) as the files of an OCI layout."""
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "blobs": None, "blobs/sha256": None}
    manifests = []
    for name, image in named:
        for at, data in {**image.blobs, digest(image.manifest): image.manifest}.items():
            files["blobs/sha256/" + at[7:]] = data
        manifests.append({**image.descriptor, **({"annotations": {
            "org.opencontainers.image.ref.name": name}} if name else {})})
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    return files


def docker_files(image, tags, pack=lambda data: data):
    """What docker save writes of an Image; pack may compress its layers."""
    names = [f"{i}/layer.tar" for i in range(len(image.layers))]
    files = {name: pack(gzip.decompress(image.blobs[d])) for name, d in zip(names, image.layers)}
    files[image.config[7:] + ".json"] = image.blobs[image.config]
    files["manifest.json"] = json.dumps([{"Config": image.config[7:] + ".json",
                                          "RepoTags": tags, "Layers": names}]).encode()
    return files


# ---------------------------------------------------------------- running

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
    wanted = sys.argv[2:]
    tests = [t for t in tests if not wanted or t.__name__ in wanted]
    print(f"1..{len(tests)}")
    failed = 0
    for number, test in enumerate(tests, 1):
        scratch = tempfile.mkdtemp(prefix="coffer-registry-", dir=scratch_top())
        os.chmod(scratch, 0o755)
        try:
            test(scratch)
            print(f"ok {number} - {test.__name__}")
        except Skip as why:
            print(f"ok {number} - {test.__name__} # SKIP {why}")
        except Exception:
            failed += 1
            print(f"not ok {number} - {test.__name__}")
            for line in traceback.format_exc().splitlines():
                print("# " + line)
        sys.stdout.flush()
        remove(scratch)
    sys.exit(1 if failed else 0)


def remove(scratch):
    """Layers of a user have files of his subordinate ids: coffer itself can remove those."""
    for name in os.listdir(scratch):
        if os.path.isdir(f"{scratch}/{name}/images"):
            home = Home(scratch, name)
            home.run("rm", "-f", *home.run("ps", "-aq")[1].split())
            home.run("image", "prune", "-af")
    shutil.rmtree(scratch, ignore_errors=True)
