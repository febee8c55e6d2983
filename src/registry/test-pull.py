#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test-pull.py BIN_DIR [TEST...]: images are pulled as skopeo pushed them, and run."""
from registrytest import *


def insecure(*servers):
    return {"COFFER_INSECURE_REGISTRIES": ",".join(s.host for s in servers)}


def record(home, name):
    return json.loads(home.good("image", "inspect", name))[0]


# ---------------------------------------------------------------- with Debian's registry

def a_pushed_image_is_pulled_and_run(scratch):
    registry = DockerRegistry(scratch)
    try:
        image = runnable(tar_of({"srv": None, "srv/a": b"upper\n", "bin/.wh.cat": b""}),
                         config={"Cmd": ["/bin/sh", "-c", "echo $GREETING; busybox cat /srv/a"],
                                 "Env": ["PATH=/bin", "GREETING=hello"]})
        write_layout(scratch + "/layout", ("1", image))
        registry.push(f"oci:{scratch}/layout:1", "me/app:1")
        home = Home(scratch, **insecure(registry))
        check(home.good("pull", registry.host + "/me/app:1") == f"{registry.host}/me/app:1\n",
              "the name is the output")
        check(home.blobs() == sorted(d[7:] for d in [*image.blobs, digest(image.manifest)]),
              "the store has the blobs as they were pushed")
        home.nothing_half_done()
        check(not home.partial(), "no part of a blob is left")
        out = home.good("run", "--rm", registry.host + "/me/app:1")
        check(out == "hello\nupper\n", f"the image runs: {out!r}")
        compare_with_umoci(scratch, home, registry)
    finally:
        registry.close()


def files_of(top):
    found = {}
    for path, dirs, files in os.walk(top):
        for name in dirs + files:
            at = os.path.join(path, name)
            st = os.lstat(at)
            data = None
            if st.st_mode & 0o170000 == 0o100000:
                with open(at, "rb") as f:
                    data = hashlib.sha256(f.read()).hexdigest()
            found[os.path.relpath(at, top)] = (st.st_mode, int(st.st_mtime), data)
    return found


def compare_with_umoci(scratch, home, registry):
    need("umoci")
    name = registry.host + "/me/app:1"
    layers = [l[7:] for l in record(home, name)["RootFS"]["Layers"]]
    subprocess.run(["umoci", "unpack", *([] if os.geteuid() == 0 else ["--rootless"]), "--image",
                    scratch + "/layout:1", scratch + "/bundle"], check=True, capture_output=True)
    want = files_of(scratch + "/bundle/rootfs")
    got = {}
    for layer in layers:
        for at, what in files_of(f"{home.path}/images/layers/{layer}").items():
            st = os.lstat(f"{home.path}/images/layers/{layer}/{at}")
            if st.st_mode & 0o170000 == 0o020000:  # a whiteout
                got.pop(at, None)
            else:
                got[at] = what
    for at in want:
        check(at in got, f"{at} is missing")
    check(got.keys() == want.keys(), f"too many: {got.keys() - want.keys()}")
    for at in want:
        if want[at][2] is not None:
            check(got[at] == want[at], f"{at}: {got[at]} is not {want[at]}")


def https_with_an_own_ca(scratch):
    certificate, ca = certificates(scratch)
    registry = DockerRegistry(scratch, certificate=certificate)
    try:
        image = runnable()
        write_layout(scratch + "/layout", ("1", image))
        registry.push(f"oci:{scratch}/layout:1", "app:1")
        home = Home(scratch)
        home.bad("pull", registry.host + "/app:1", says="certificate")
        check(not home.run("images", "-q")[1], "nothing came")
        where = f"{scratch}/me/.config/coffer/certs.d/{registry.host}"
        os.makedirs(where)
        shutil.copy(ca, where + "/ca.crt")
        home.good("pull", registry.host + "/app:1")
        home.good("run", "--rm", registry.host + "/app:1", "/bin/true")
        # A certificate for another name is none.
        home.bad("pull", f"localhost.localdomain:{registry.host.split(':')[1]}/app:1", says="")
    finally:
        registry.close()


def basic_auth_by_htpasswd(scratch):
    need("htpasswd")
    with open(scratch + "/htpasswd", "w") as f:
        subprocess.run(["htpasswd", "-Bbn", "me", "pass:word"], stdout=f, check=True)
    registry = DockerRegistry(scratch, htpasswd=scratch + "/htpasswd")
    try:
        write_layout(scratch + "/layout", ("1", runnable()))
        registry.push(f"oci:{scratch}/layout:1", "app:1", credential="me:pass:word")
        home = Home(scratch, **insecure(registry))
        err = home.bad("pull", registry.host + "/app:1", says="without a credential")
        check("coffer login" in err, err)
        err = home.bad("login", "-u", "me", "--password-stdin", registry.host, stdin="wrong\n",
                       says="refuses the credential")
        check("wrong" not in err, "no secret is said")
        check(not os.path.exists(scratch + "/me/.docker/config.json"), "nothing wrong is kept")
        home.good("login", "-u", "me", "--password-stdin", registry.host, stdin="pass:word\n")
        st = os.stat(scratch + "/me/.docker/config.json")
        check(st.st_mode & 0o777 == 0o600, f"mode {st.st_mode:o}")
        home.good("pull", registry.host + "/app:1")
        home.good("logout", registry.host)
        home.bad("pull", registry.host + "/app:1", says="without a credential")
        home.bad("logout", registry.host, says="no credential")
        # Podman's file does as well.
        os.makedirs(scratch + "/me/.config/containers")
        with open(scratch + "/me/.config/containers/auth.json", "w") as f:
            json.dump({"auths": {registry.host: {
                "auth": base64.b64encode(b"me:pass:word").decode()}}}, f)
        home.good("pull", registry.host + "/app:1")
    finally:
        registry.close()


def a_multi_arch_index_by_skopeo(scratch):
    registry = DockerRegistry(scratch)
    try:
        ours, other = runnable(), runnable(tar_of({"other": b""}), arch="riscv64")
        write_layout(scratch + "/layout", ("a", ours), ("b", other))
        index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json",
                 "manifests": [other.descriptor, ours.descriptor]}
        data = json.dumps(index).encode()
        with open(f"{scratch}/layout/blobs/sha256/{digest(data)[7:]}", "wb") as f:
            f.write(data)
        with open(f"{scratch}/layout/index.json", "w") as f:
            json.dump({"schemaVersion": 2, "manifests": [
                {"mediaType": OCI + "index.v1+json", "digest": digest(data), "size": len(data),
                 "annotations": {"org.opencontainers.image.ref.name": "all"}}]}, f)
        registry.push(f"oci:{scratch}/layout:all", "app:all")
        home = Home(scratch, **insecure(registry))
        name = registry.host + "/app:all"
        home.good("pull", name)
        check(record(home, name)["Architecture"] == ARCH, "the host's is the default")
        check(record(home, name)["RepoDigests"] == [f"{registry.host}/app@{digest(data)}"],
              "the digest is the index's")
        home.good("run", "--rm", name, "/bin/true")
        home.good("run", "--rm", f"{registry.host}/app@{digest(data)}", "/bin/true")
        home.good("pull", "--platform", "linux/riscv64", name)
        check(record(home, name)["Architecture"] == "riscv64", "another was asked for")
        home.bad("run", "--rm", name, says="it is for linux/riscv64", status=125)
        home.bad("pull", "--platform", "linux/s390x", name, says="no image for linux/s390x")
        home.bad("pull", "--platform", "a/b/c/d", name, says="no platform", status=2)
    finally:
        registry.close()


# ---------------------------------------------------------------- with our own

def docker_schema_2_is_read(scratch):
    server = Server({("app", "1"): runnable(oci=False)})
    home = Home(scratch, **insecure(server))
    home.good("run", "--rm", "-q", server.host + "/app:1", "/bin/true")


def plain_http_only_where_it_is_listed(scratch):
    server = Server({("app", "1"): runnable()})
    home = Home(scratch, COFFER_PULL_ATTEMPTS="1")
    err = home.bad("pull", server.host + "/app:1", says=server.host.split(":")[0])
    check("COFFER_INSECURE_REGISTRIES" in err, err)
    check(server.count("/v2/") == 0, "nothing was asked in the clear")
    os.makedirs(scratch + "/me/.config/coffer")
    with open(scratch + "/me/.config/coffer/coffer.conf", "w") as f:
        f.write(f"; hosts\ninsecure_registries = other.example, {server.host}\n")
    home.good("pull", server.host + "/app:1")
    with open(scratch + "/me/.config/coffer/coffer.conf", "a") as f:
        f.write("insecure_registry = x\n")
    home.bad("pull", server.host + "/app:1", says="no option 'insecure_registry'", status=2)


def policies_ask_as_they_say(scratch):
    server = Server({("app", "1"): runnable()})
    home, name = Home(scratch, **insecure(server)), server.host + "/app:1"
    home.bad("run", "--rm", "--pull", "never", name, "/bin/true", says="no image", status=125)
    home.bad("run", "--rm", "--pull", "often", name, "/bin/true", says="--pull", status=125)
    check(server.count("/v2/") == 0, "never is never")
    home.good("run", "--rm", name, "/bin/true")
    asked = server.count("/manifests/")
    home.good("run", "--rm", name, "/bin/true")
    check(server.count("/manifests/") == asked, "what is here is not asked for")
    home.good("run", "--rm", "--pull", "always", name, "/bin/true")
    check(server.count("/manifests/") == asked + 1, "always asks")
    blobs = server.count("/blobs/")
    server.put("app", "1", runnable(tar_of({"new": b"new\n"})))
    check(home.good("run", "--rm", "--pull", "newer", name, "/bin/busybox", "cat", "/new") ==
          "new\n", "newer is newer")
    check(server.count("/blobs/") == blobs + 2, "only the config and the new layer were fetched")
    server.shutdown()
    server.server_close()
    home.good("run", "--rm", "--pull", "newer", name, "/bin/true", COFFER_PULL_ATTEMPTS="1")
    home.bad("run", "--rm", "--pull", "always", name, "/bin/true", says="pull", status=125,
             COFFER_PULL_ATTEMPTS="1")


class Tokens:
    """A registry that wants tokens, and the server that gives them; each is good for @uses."""

    def __init__(self, uses=1000, credential=None, realm=None, identity=None):
        self.uses, self.credential, self.identity = uses, credential, identity
        self.realm, self.left, self.given = realm, {}, 0

    def __call__(self, h):
        if h.path.startswith("/token"):
            return self.give(h)
        token = h.headers.get("Authorization", "").removeprefix("Bearer ")
        with h.server.lock:
            if self.left.get(token, 0) > 0:
                self.left[token] -= 1
                return False
        realm = self.realm or f"{h.server.scheme}://{h.server.host}/token"
        h.answer(401, WWW_Authenticate=f'Bearer realm="{realm}",service="test",'
                                       f'scope="repository:app:pull"')
        return True

    def give(self, h):
        basic = h.headers.get("Authorization")
        wanted = self.credential and "Basic " + base64.b64encode(self.credential).decode()
        if h.command == "POST":
            if f"refresh_token={self.identity}" not in h.body:
                h.answer(401)
                return True
        elif wanted and basic != wanted:
            h.answer(401, b"{}")
            return True
        with h.server.lock:
            self.given += 1
            token = f"t{self.given}"
            self.left[token] = self.uses
        h.answer(200, json.dumps({"token": token, "expires_in": 60}).encode())
        return True


def tokens_are_fetched_and_renewed(scratch):
    tokens = Tokens(uses=4)
    server = Server({("app", "1"): runnable(*[tar_of({f"f{i}": os.urandom(1000)})
                                              for i in range(6)])}, hook=tokens)
    home = Home(scratch, **insecure(server))
    home.good("pull", server.host + "/app:1")
    check(tokens.given >= 3, f"{tokens.given} tokens for 9 requests, each good for 4")
    ask = next(p for _, p, _ in server.log if p.startswith("/token"))
    check("service=test" in ask and "scope=repository%3aapp%3apull" in ask.lower(), ask)


def tokens_for_a_credential_and_for_an_identity(scratch):
    tokens = Tokens(credential=b"me:pw", identity="refresh-me")
    server = Server({("app", "1"): runnable()}, hook=tokens)
    home = Home(scratch, **insecure(server))
    home.bad("pull", server.host + "/app:1", says="without a credential")
    home.bad("login", "-u", "me", "--password-stdin", server.host, stdin="no",
             says="refuses the credential")
    home.good("login", "-u", "me", "--password-stdin", server.host, stdin="pw")
    home.good("pull", server.host + "/app:1")
    with open(scratch + "/me/.docker/config.json", "w") as f:
        json.dump({"auths": {server.host: {"identitytoken": "refresh-me"}}}, f)
    home.good("pull", server.host + "/app:1")
    check(server.count("/token", "POST") == 1, "an identity is exchanged by POST")


def a_helper_keeps_the_credential(scratch):
    tokens = Tokens(credential=b"me:pw")
    server = Server({("app", "1"): runnable()}, hook=tokens)
    os.makedirs(scratch + "/helpers")
    path = scratch + "/helpers/docker-credential-test"
    with open(path, "w") as f:
        f.write(f'#!/bin/sh\ncase $1 in\n'
                f'store) cat > {scratch}/kept ;;\n'
                f'erase) rm {scratch}/kept ;;\n'
                f'get) if [ -e {scratch}/kept ]; then cat {scratch}/kept\n'
                f'else echo credentials not found in native keychain; exit 1; fi ;;\nesac\n')
    os.chmod(path, 0o755)
    home = Home(scratch, **insecure(server))
    home.env["PATH"] = scratch + "/helpers:" + home.env["PATH"]
    os.makedirs(scratch + "/me/.docker")
    with open(scratch + "/me/.docker/config.json", "w") as f:
        json.dump({"credHelpers": {server.host: "test"}, "other": [1]}, f)
    home.bad("pull", server.host + "/app:1", says="without a credential")
    home.good("login", "-u", "me", "--password-stdin", server.host, stdin="pw")
    with open(scratch + "/me/.docker/config.json") as f:
        check(f.read().count("pw") == 0, "the file does not have it")
    home.good("pull", server.host + "/app:1")
    home.good("logout", server.host)
    home.bad("pull", server.host + "/app:1", says="without a credential")
    home.bad("pull", server.host + "/app:1", says="docker-credential-test", PATH="/nowhere")


def eight_at_once_fetch_each_blob_once(scratch):
    image = runnable(*[tar_of({f"f{i}": os.urandom(300000)}) for i in range(5)])
    server = Server({("app", "1"): image})
    home = Home(scratch, **insecure(server))
    pulls = [home.start("pull", "-q", server.host + "/app:1") for _ in range(8)]
    for p in pulls:
        out, err = p.communicate(timeout=60)
        check(p.returncode == 0, f"one of eight: {out}{err}")
    for name, data in image.blobs.items():
        check(server.count(name) == 1, f"{name} was asked for {server.count(name)} times")
        check(server.bytes_of(name) == len(data), f"{name} was sent once")
    check(len(home.blobs()) == len(image.blobs) + 1 and not home.partial(), "each is stored once")
    check(len(home.layers()) == 6, "and each layer")
    home.nothing_half_done()
    home.good("run", "--rm", server.host + "/app:1", "/bin/true")


def a_killed_pull_is_gone_on_with(scratch):
    image = runnable(tar_of({"big": os.urandom(6 << 20)}))
    big, half, go = image.layers[1], threading.Event(), threading.Event()

    def hook(h):
        if h.path.endswith(big) and not h.headers.get("Range"):
            data = image.blobs[big]
            h.send_response(200)
            h.send_header("Content-Length", str(len(data)))
            h.end_headers()
            h.write(data[:4 << 20])
            h.wfile.flush()
            half.set()
            go.wait(30)
            return True
        return False
    server = Server({("app", "1"): image}, hook=hook)
    home = Home(scratch, **insecure(server))
    pull = home.start("pull", server.host + "/app:1")
    check(half.wait(30), "half of it was sent")
    name = big.removeprefix("sha256:")
    while home.partial().get(name, 0) < 4 << 20:
        check(pull.poll() is None, "it is still at it")
        signal.sigtimedwait([], 0.02)
    pull.send_signal(signal.SIGKILL)
    pull.communicate()
    go.set()
    check(not home.run("images", "-q")[1], "no image is there by half")
    before = server.bytes_of(big)
    home.good("pull", server.host + "/app:1")
    rest = server.bytes_of(big) - before
    check(rest == len(image.blobs[big]) - (4 << 20), f"{rest} bytes more were fetched")
    ranges = [h.get("Range") for _, p, h in server.log if p.endswith(big)]
    check(ranges[-1] == f"bytes={4 << 20}-", f"{ranges}")
    home.good("run", "--rm", server.host + "/app:1", "/bin/true")
    check(not home.partial(), "nothing is left of it")


def a_rotten_part_is_fetched_anew(scratch):
    image = runnable(tar_of({"big": os.urandom(1 << 20)}))
    server = Server({("app", "1"): image})
    home = Home(scratch, **insecure(server))
    home.run("image", "prune", "-f")
    name = image.layers[1].removeprefix("sha256:")
    os.makedirs(home.path + "/images/blobs/partial", exist_ok=True)
    for rot in (b"x" * 500000, b"y" * len(image.blobs[image.layers[1]]), b"z" * (9 << 20)):
        with open(f"{home.path}/images/blobs/partial/{name}", "wb") as f:
            f.write(rot)
        home.good("pull", server.host + "/app:1")
        home.good("run", "--rm", server.host + "/app:1", "/bin/true")
        home.good("rmi", server.host + "/app:1")


def what_ends_early_is_tried_again_from_there(scratch):
    image = runnable(tar_of({"big": os.urandom(3 << 20)}))
    big, cuts = image.layers[1], []

    def hook(h):
        if not h.path.endswith(big) or len(cuts) >= 2:
            return False
        data = image.blobs[big]
        start = int((h.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        cuts.append(start)
        h.send_response(206 if start else 200)
        if start:
            h.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        h.send_header("Content-Length", str(len(data) - start))
        h.end_headers()
        h.write(data[start:start + (1 << 20)])
        h.close_connection = True
        h.connection.shutdown(socket.SHUT_RDWR)
        return True
    server = Server({("app", "1"): image}, hook=hook)
    home = Home(scratch, **insecure(server))
    home.good("pull", server.host + "/app:1")
    check(server.bytes_of(big) == len(image.blobs[big]), "each byte was sent once")
    check(len(cuts) == 2 and cuts[1] > 0, f"{cuts}")


def busy_servers_are_waited_for(scratch):
    image, asked = runnable(), []

    def hook(h):
        asked.append(h.path)
        if len(asked) <= 2:
            h.answer(503 if len(asked) == 1 else 429, Retry_After="1")
            return True
        return False
    server = Server({("app", "1"): image}, hook=hook)
    home = Home(scratch, **insecure(server))
    status, _, err = home.run("pull", server.host + "/app:1")
    check(status == 0 and "trying again in 1 s" in err, err)


def blob_stores_do_not_see_the_credential(scratch):
    image = runnable()
    store = Server()
    store.blobs.update(image.blobs)

    def hook(h):
        if "/blobs/" in h.path:
            h.answer(307, Location=f"http://{store.host}{h.path}?signature=x")
            return True
        return tokens(h)
    store.hook = lambda h: setattr(h, "path", h.path.partition("?")[0])
    tokens = Tokens(credential=b"me:pw")
    server = Server({("app", "1"): image}, hook=hook)
    home = Home(scratch, **insecure(server))
    home.good("login", "-u", "me", "--password-stdin", server.host, stdin="pw")
    home.good("pull", server.host + "/app:1")
    check(len(store.log) == 2, "the blobs came from the store")
    check(not any("Authorization" in h for _, _, h in store.log), "and it saw no credential")


# ---------------------------------------------------------------- the store

def images_are_listed_tagged_and_removed(scratch):
    shared = tar_of({"shared": os.urandom(2000)})
    one, two = runnable(shared), runnable(shared, tar_of({"two": b"2"}))
    server = Server({("app", "1"): one, ("app", "2"): two})
    home = Home(scratch, **insecure(server))
    name = server.host + "/app"
    home.good("pull", "-q", name + ":1")
    home.good("pull", "-q", name + ":2")
    out = home.good("images", "--format", "{{.Repository}} {{.Tag}} {{.ID}}").splitlines()
    check(out == [f"{name} 1 {one.config[7:19]}", f"{name} 2 {two.config[7:19]}"], f"{out}")
    check("REPOSITORY" in home.good("images") and "2 years ago" in home.good("images"), "a table")
    check(home.good("images", "-q", name + ":2") == two.config[7:19] + "\n", "one of them")
    seen = record(home, one.config[7:15])
    check(seen["Id"] == one.config and seen["RepoTags"] == [name + ":1"], f"{seen}")
    check(seen["Created"] == "2024-02-03T04:05:06Z" and seen["Config"]["Cmd"] == ["/bin/true"],
          f"{seen}")
    home.good("tag", name + ":1", "mine:x")
    home.good("run", "--rm", "--pull", "never", "mine:x", "/bin/true")
    home.good("run", "--rm", one.config[7:19], "/bin/true")
    home.bad("tag", name + ":1", "Mine", says="can be none", status=2)
    home.bad("tag", "nosuch", "mine", says="no image")
    check(home.good("rmi", name + ":1") == f"Untagged: {name}:1\n", "it has another name")
    box = home.good("create", "mine:x", "/bin/true").strip()
    err = home.bad("rmi", "mine:x", says=box[:12])
    check("--force" in err, err)
    layers = set(home.layers())
    home.good("rmi", "-f", "mine:x")
    check(set(home.layers()) == layers, "the box keeps its layers")
    home.good("start", box)
    check(home.good("wait", box) == "0\n", "and runs")
    home.good("rm", box)
    home.good("rmi", name + ":2")
    home.bad("rmi", name + ":2", says="no image")
    home.good("rmi", "-f", name + ":2")
    check(home.good("images", "-q") == "", "none is left")
    home.good("image", "prune", "-f")
    check(not home.layers() and not home.blobs(), "and nothing of any")
    home.nothing_half_done()
    home.bad("image", "prune", says="--force", status=2)


def nothing_is_thrown_away_under_a_pull(scratch):
    image = runnable(tar_of({"big": os.urandom(100000)}))
    asked, go = threading.Event(), threading.Event()

    def hook(h):
        if h.path.endswith(image.layers[1]):
            asked.set()
            go.wait(20)
        return False
    server = Server({("app", "1"): image, ("app", "2"): runnable()}, hook=hook)
    home, name = Home(scratch, **insecure(server)), server.host + "/app"
    home.good("pull", "-q", name + ":2")
    pull = home.start("pull", "-q", name + ":1")
    try:
        check(asked.wait(20), "the second layer is asked for, the first is shared")
        home.bad("image", "prune", "-f", says="right now")
        check(home.good("rmi", name + ":2") == f"Untagged: {name}:2\n", "the name goes at once")
    finally:
        go.set()
        out, err = pull.communicate(timeout=30)
    check(pull.returncode == 0, err)
    home.good("run", "--rm", name + ":1", "/bin/true")
    check("<none>" in home.good("images"), "the bytes wait")
    home.good("image", "prune", "-f")
    check("<none>" not in home.good("images"), "for prune")
    home.good("run", "--rm", name + ":1", "/bin/true")


def a_lost_record_and_a_lost_layer_are_made_anew(scratch):
    server = Server({("app", "1"): runnable()})
    home = Home(scratch, **insecure(server))
    home.good("pull", "-q", server.host + "/app:1")
    records = home.path + "/images/records"
    for name in os.listdir(records):
        with open(f"{records}/{name}", "r+b") as f:
            f.write(b"\0\0\0\0")
    home.good("run", "--rm", "--pull", "never", server.host + "/app:1", "/bin/true")
    for name in os.listdir(records):
        os.unlink(f"{records}/{name}")
    home.good("run", "--rm", "--pull", "never", server.host + "/app:1", "/bin/true")
    for name in home.layers():
        os.rename(f"{home.path}/images/layers/{name}", f"{home.path}/images/tmp/{name}")
    home.good("run", "--rm", "--pull", "never", server.host + "/app:1", "/bin/true")
    blob = f"{home.path}/images/blobs/sha256/{json.loads(read_blob(home))['layers'][0]['digest'][7:]}"
    with open(blob, "r+b") as f:
        f.write(b"rotten")
    for name in home.layers():
        os.rename(f"{home.path}/images/layers/{name}", f"{home.path}/images/tmp/{name}")
    home.bad("run", "--rm", "--pull", "never", server.host + "/app:1", "/bin/true", says="",
             status=125)
    home.good("pull", server.host + "/app:1")
    home.good("run", "--rm", server.host + "/app:1", "/bin/true")


def read_blob(home):
    for name in home.blobs():
        with open(f"{home.path}/images/blobs/sha256/{name}", "rb") as f:
            text = f.read()
        if b'"layers": [' in text and b"schemaVersion" in text:
            return text
    raise AssertionError("there is no manifest")


def progress_is_told_to_programs(scratch):
    server = Server({("app", "1"): runnable()})
    home = Home(scratch, **insecure(server))
    out = home.good("pull", "--progress", "json", server.host + "/app:1")
    lines = [json.loads(l) for l in out.splitlines()]
    check(lines[0]["status"] == "begins" and lines[-1]["status"] == "done", out)
    check(lines[-1]["changed"] is True and lines[-1]["id"].startswith("sha256:"), out)
    steps = [l["status"] for l in lines]
    check("fetching" in steps and "complete" in steps, out)
    status, out, err = home.run("pull", "-q", server.host + "/app:1")
    check(status == 0 and err == "" and out == server.host + "/app:1\n", out + err)


def the_program_has_nothing_but_sockets(scratch):
    stalled = threading.Event()
    server = Server({("app", "1"): runnable()}, hook=lambda h: stalled.set() or
                    signal.sigtimedwait([], 8) is None)
    home = Home(scratch, **insecure(server))
    secret = base64.b64encode(b"me:hush-hush").decode()
    os.makedirs(scratch + "/me/.docker")
    with open(scratch + "/me/.docker/config.json", "w") as f:
        json.dump({"auths": {server.host: {"auth": secret}}}, f)
    began = float(read("/proc/uptime").split()[0]) * os.sysconf("SC_CLK_TCK") - 1
    pull = home.start("pull", server.host + "/app:1")
    try:
        check(stalled.wait(20), "it was asked")
        found = [p for p in os.listdir("/proc") if p.isdigit() and
                 read(f"/proc/{p}/comm") == "coffer-pull\n" and mine(p, began)]
        check(len(found) == 1, f"there is one: {found}")
        status = dict(l.split(":\t", 1) for l in read(f"/proc/{found[0]}/status").splitlines()
                      if ":\t" in l)
        check(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", str(status))
        check(int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, status["CapEff"])
        if os.geteuid() == 0:
            check(int(status["CapBnd"], 16) == 0, status["CapBnd"])
            check(status["Uid"].split() == ["65534"] * 4, status["Uid"])
            fds = {os.readlink(f"/proc/{found[0]}/fd/{fd}").split(":")[0]
                   for fd in os.listdir(f"/proc/{found[0]}/fd")}
            check(fds <= {"socket", "pipe", "/dev/null", "anon_inode"}, f"{fds}")
        for name in ("cmdline", "environ"):
            try:
                check("hush" not in read(f"/proc/{found[0]}/{name}"), name)
            except PermissionError:
                pass  # it is not dumpable
    finally:
        pull.kill()
        pull.communicate()


def mine(pid, since):
    """Started by this test: orphans have no parent of ours, so by when; not yet reaped is gone."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return len(fields) > 19 and fields[0] not in "ZX" and float(fields[19]) >= since


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""

# ---------------------------------------------------------------- archives

def archives_are_loaded(scratch):
    one = runnable(tar_of({"srv": None, "srv/a": b"upper\n"}),
                   config={"Cmd": ["/bin/cat", "/srv/a"]})
    two = Image([tar_of({"b": b"2"})], oci=False)
    none = Image([tar_of({"c": b"3"})])
    oci = tar_of(oci_files(("docker.io/me/app:1", one), ("localhost:5/two:x", two),
                           ("me/app:also", one), ("tag", none)))
    said = ["Loaded image: me/app:1", "Loaded image: localhost:5/two:x",
            "Loaded image: me/app:also", f"Loaded image ID: {none.config}"]
    docker = tar_of(docker_files(one, ["me/app:1", "docker.io/library/two:2"]))
    zipped = tar_of(docker_files(one, None, gzip.compress))
    rows = [(oci, said), (gzip.compress(oci, 1), said),
            (docker, ["Loaded image: me/app:1", "Loaded image: two:2"]),
            (zipped, [f"Loaded image ID: {one.config}"])]
    if shutil.which("zstd"):
        rows.append((subprocess.run(["zstd", "-qc"], input=docker, capture_output=True).stdout,
                     rows[2][1]))
    for number, (data, want) in enumerate(rows):
        home = Home(scratch, f"home{number}")
        path = f"{scratch}/{number}.tar"
        with open(path, "wb") as f:
            f.write(data)
        check(home.good("load", "-i", path).splitlines() == want, f"{number}: from a file")
        ids = home.good("images", "-q", "--no-trunc").split()
        check(one.config in ids, f"{number}: the id is that of the config: {ids}")
        check(home.good("run", "--rm", "--pull", "never", one.config[7:19]) == "upper\n", "it runs")
        for name in home.blobs():
            with open(f"{home.path}/images/blobs/sha256/{name}", "rb") as f:
                check(digest(f.read()) == "sha256:" + name, f"{number}: blobs are kept")
        check(not home.partial(), f"{number}: no part of a blob is left")
        home.nothing_half_done()
        piped = Home(scratch, f"piped{number}")
        out = piped.good("image", "load", "-q", "-i", "-", stdin=data)
        check(out.splitlines() == want, f"{number}: from a pipe")
        check(piped.blobs() == home.blobs(), f"{number}: the same blobs")
        check(home.good("load", stdin=data).splitlines() == want, f"{number}: once more")
        check(home.good("images", "-q", "--no-trunc").split() == ids, f"{number}: nothing is new")
    # A name goes over to the image that is loaded last.
    home.good("load", stdin=tar_of(docker_files(two, ["me/app:1"])))
    check(record(home, "me/app:1")["Id"] == two.config, "the name has moved")


def what_skopeo_writes_is_loaded(scratch):
    need("skopeo")
    image = runnable(config={"Cmd": ["/bin/true"]})
    write_layout(scratch + "/layout", ("1", image))
    for kind, want in (("docker-archive", "Loaded image: me/app:1\n"),
                       ("oci-archive", "Loaded image: me/app:1\n")):
        home = Home(scratch, kind)
        path = f"{scratch}/{kind}.tar"
        subprocess.run(["skopeo", "--insecure-policy", "copy", f"oci:{scratch}/layout:1",
                        f"{kind}:{path}:me/app:1"], check=True, capture_output=True)
        check(home.good("load", "-i", path) == want, kind)
        check(record(home, "me/app:1")["Id"] == image.config, f"{kind}: another id")
        home.good("run", "--rm", "--pull", "never", "me/app:1")


def saved(home, path, *images):
    home.good("save", *images, "-o", path)
    with open(path, "rb") as f:
        return f.read()


def what_is_saved_is_loaded_again(scratch):
    one = runnable(tar_of({"srv": None, "srv/a": b"upper\n"}),
                   config={"Cmd": ["/bin/cat", "/srv/a"]})
    two = Image(list(map(gzip.decompress, [one.blobs[one.layers[0]]])), oci=False)
    home = Home(scratch)
    home.good("load", stdin=tar_of(oci_files(("me/app:1", one), ("me/app:2", one),
                                             ("localhost:5/two:x", two))))
    path = scratch + "/all.tar"
    data = saved(home, path, "me/app:1", "localhost:5/two:x", "me/app:2", "me/app:1")
    with tarfile.open(path) as tar:
        names = tar.getnames()
        for name in names:
            if name.startswith("blobs/sha256/"):
                check(digest(tar.extractfile(name).read()) == "sha256:" + name[13:], name)
        check(len(set(names)) == len(names), "each blob once")
        for name in (*one.layers, *two.layers, one.config, two.config, digest(one.manifest)):
            check("blobs/sha256/" + name[7:] in names, f"{name} is not as it came")
    check(saved(home, path, "me/app:1", "localhost:5/two:x", "me/app:2") == data, "the same bytes")
    again = Home(scratch, "again")
    out = again.good("load", "-i", path)
    check(sorted(out.splitlines()) == ["Loaded image: localhost:5/two:x", "Loaded image: me/app:1",
                                       "Loaded image: me/app:2"], out)
    seen = [{l.split()[0]: l.split()[1] for l in h.good(
        "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines()}
        for h in (home, again)]
    check(seen[0] == seen[1] and len(seen[0]) == 3, f"the same names and ids: {seen}")
    check(again.good("run", "--rm", "--pull", "never", "me/app:2") == "upper\n", "it runs")
    check(saved(again, path, "me/app:1", "localhost:5/two:x", "me/app:2") == data,
          "what was loaded is saved as the same bytes")
    # By its id it has no name; a file is there whole or as it was.
    data = saved(home, path, one.config[7:19])
    check(again.good("load", stdin=data) == f"Loaded image ID: {one.config}\n", "without a name")
    home.bad("save", "me/app:1", "nosuch", "-o", path, says="no image")
    with open(path, "rb") as f:
        check(f.read() == data, "the file is as it was")
    check(sorted(os.listdir(scratch)) == ["again", "all.tar", "home", "me"], "nothing is left")
    home.good("save", "me/app:1", "-o", "/dev/null")
    check(os.path.exists("/dev/null"), "a device stays")
    os.unlink(f"{home.path}/images/blobs/sha256/{one.layers[0][7:]}")
    home.bad("save", "me/app:1", "-o", path, says="is not in the store any more")
    home.bad("save", says="takes at least 1", status=2)
    lead, follow = os.openpty()
    r = subprocess.run([BIN + "/coffer", "save", "me/app:1"], env=home.env, stdout=follow,
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    check(r.returncode == 2 and b"to a terminal" in r.stderr, r.stderr)
    r = subprocess.run([BIN + "/coffer", "load"], env=home.env, stdin=follow, capture_output=True)
    check(r.returncode == 2 and b"from a terminal" in r.stderr, r.stderr)
    os.close(lead)
    os.close(follow)


def what_is_saved_is_read_by_others(scratch):
    need("skopeo")
    one = runnable(tar_of({"srv": None}))
    two = Image([tar_of({"b": b"2"})], oci=False)
    home = Home(scratch)
    home.good("load", stdin=tar_of(oci_files(("me/app:1", one), ("two:x", two))))
    podman = ["podman", "--root", scratch + "/podman", "--runroot", scratch + "/podman-run",
              "--storage-driver", "vfs"]
    for name, image in (("me/app:1", one), ("two:x", two)):
        saved(home, scratch + "/one.tar", name)
        for kind in ("oci-archive", "docker-archive"):
            to = f"{scratch}/{kind}-{image.config[7:19]}"
            r = subprocess.run(["skopeo", "--insecure-policy", "copy", f"{kind}:{scratch}/one.tar",
                                "dir:" + to], capture_output=True, text=True)
            check(r.returncode == 0, f"{kind}: {r.stderr}")
            check(os.path.exists(f"{to}/{image.config[7:]}"), f"{kind}: the config is another")
    saved(home, scratch + "/both.tar", "me/app:1", "two:x")
    if not shutil.which("podman") or os.geteuid() != 0:
        return  # a user's podman keeps files that are not his to remove
    out = subprocess.run([*podman, "load", "-i", scratch + "/both.tar"], capture_output=True,
                         text=True)
    check(out.returncode == 0 and "me/app:1" in out.stdout and "two:x" in out.stdout, f"{out}")
    ids = subprocess.run([*podman, "images", "-q", "--no-trunc"], capture_output=True,
                         text=True).stdout.split()
    check(sorted(ids) == sorted([one.config, two.config]), f"podman has {ids}")


def a_root_is_imported(scratch):
    root = tar_of({"bin": None, "etc": None, "w": None, "bin/busybox": busybox(),
                   "bin/sh": busybox(), "etc/passwd": b"root:x:0:0::/:/bin/sh\nme:x:5:5::/:/bin/sh\n"})
    changes = ['CMD ["/bin/sh", "-c", "echo $A $B; busybox pwd; busybox id -u"]', "USER me",
               'env A=1 B="x y"', "ENV OLD some  words", "WORKDIR /w", "EXPOSE 80 53/udp",
               'VOLUME ["/v"]', "STOPSIGNAL INT", "LABEL a=b c='d e'", "ENV A=2"]
    flags = [x for c in changes for x in ("-c", c)]
    home = Home(scratch)
    path = scratch + "/root.tar"
    with open(path, "wb") as f:
        f.write(root)
    id = home.good("import", *flags, "-m", "made by hand", path, "me/root:1").strip()
    single = os.geteuid() != 0 and record(home, "me/root:1")["Ownership"] == "one id"
    if not single:
        check(home.good("run", "--rm", "me/root:1") == "2 x y\n/w\n5\n", "it runs as it was told")
    seen = record(home, "me/root:1")
    check(seen["Id"] == id and seen["RootFS"]["Layers"] == [digest(root)], f"{seen}")
    config = seen["Config"]
    check(config["Env"] == ["A=2", "B=x y", "OLD=some  words"] and config["StopSignal"] == "INT" and
          config["Labels"] == {"a": "b", "c": "d e"} and list(config["Volumes"]) == ["/v"] and
          sorted(config["ExposedPorts"]) == ["53/udp", "80/tcp"], f"{config}")
    packed = gzip.compress(root, 1)
    for data, argv in ((packed, ["-"]), (root, ["-", "me/root:2"])):
        id = home.good("image", "import", "-c", "ENTRYPOINT busybox", *argv, stdin=data).strip()
        check(digest(data)[7:] in home.blobs(), "the layer is kept as it came")
        out = home.good("run", "--rm", "--entrypoint", "/bin/sh", id[7:19], "-c", "echo in")
        check(out == "in\n", out)
    check("<none>" in home.good("images"), "one has no name")
    data = saved(home, scratch + "/s.tar", "me/root:1")
    again = Home(scratch, "again")
    check(again.good("load", stdin=data) == "Loaded image: me/root:1\n", "it is loaded again")
    check(record(again, "me/root:1")["Id"] == seen["Id"], "as the same")
    count = len(home.good("images", "-q").split())
    for change, says in (
            ("RUN x", "is no change"), ("ENV", "nothing follows"), ("ENV a", "not NAME=VALUE"),
            ("WORKDIR w", "absolute"), ("EXPOSE x", "PORT"), ("EXPOSE 0", "PORT"),
            ("EXPOSE 1/x", "PORT"), ("STOPSIGNAL x", "no signal"), ('CMD ["a"', "expected"),
            ("CMD [1]", "not a string"), ("VOLUME v", "absolute"), ('ENV a="b', "not closed")):
        home.bad("import", "-c", change, path, "x", says=says, status=2)
    for name in ("Upper", "x@sha256:" + "0" * 64):
        home.bad("import", path, name, says="", status=2)
    for data, says in ((b"", "empty"), (b"no tar", "malformed"), (packed[:-100], ""),
                       (b"\x1f\x8bxxxx", "gzip"), (root[:3000], "")):
        home.bad("import", "-", "x", says=says, stdin=data)
    check(len(home.good("images", "-q").split()) == count, "no image came of these")
    check(not home.partial(), "and no part of one")
    home.nothing_half_done()


def df_agrees_with_the_prunes(scratch):
    base = tar_of({"bin": None, "bin/sh": busybox(), "bin/sleep": busybox()})
    used = Image([base, tar_of({"a": b"a" * 50000})])
    other = Image([base, tar_of({"b": b"b" * 90000})])
    home = Home(scratch)

    def df():
        rows = [json.loads(l) for l in home.good("system", "df", "--format", "json").splitlines()]
        check([r["Type"] for r in rows] == ["Images", "Boxes", "Volumes"], f"{rows}")
        return {r["Type"]: r for r in rows}

    def free(kind):
        return df()[kind]["Reclaimable"].split()[0]

    def counts():
        return [(r["TotalCount"], r["Active"]) for r in df().values()]

    def said(out):
        return out.splitlines()[-1].rpartition(" ")[2]
    check(counts() == [("0", "0")] * 3 and free("Images") == "0B", f"an empty home: {df()}")
    home.good("load", stdin=tar_of(oci_files(("used:1", used), ("used:2", used),
                                             ("other:1", other))))
    home.good("volume", "create", "loose")
    keep = home.good("create", "-v", "kept:/v", "used:1", "/bin/sh").strip()
    runs = home.good("run", "-d", "used:1", "/bin/sleep", "1000").strip()
    done = home.good("run", "-d", "used:1", "/bin/sh", "-c", "echo x > /file").strip()
    home.good("wait", done)
    for name in ("loose", "kept"):
        path = json.loads(home.good("volume", "inspect", name))[0]["Mountpoint"]
        with open(path + "/data", "wb") as f:
            f.write(b"x" * 20000)
    check(counts() == [("2", "1"), ("3", "1"), ("2", "1")], f"{df()}")
    dry = home.good("prune", "--dry-run")
    check(done in dry and keep not in dry and runs not in dry, dry)
    check(free("Boxes") == said(dry) != "0B", f"{df()}: {dry}")
    out = home.good("system", "df", "-v")
    for word in ("used", "other", done[:12], "loose", "Boxes space usage:", "VOLUME NAME"):
        check(word in out, f"{word}: {out}")
    check("RECLAIMABLE" in home.good("system", "df"), "a table")
    for kind, prune in (("Boxes", ("prune", "-f")), ("Volumes", ("volume", "prune", "-af")),
                        ("Images", ("image", "prune", "-af"))):
        before = free(kind)
        freed = said(home.good(*prune))
        check(before == freed != "0B", f"{kind}: {before}, but {freed} came free")
        check(free(kind) == "0B", f"{kind}: {df()}")
    check(counts() == [("1", "1"), ("2", "1"), ("1", "1")], f"{df()}")
    home.good("kill", runs)
    home.good("rm", keep)
    home.bad("system", "df", "-v", "--format", "json", says="do not go together", status=2)
    home.bad("system", "df", "--format", "{{", says="", status=2)


run_tests([
    df_agrees_with_the_prunes,
    archives_are_loaded,
    what_is_saved_is_loaded_again,
    what_is_saved_is_read_by_others,
    a_root_is_imported,
    what_skopeo_writes_is_loaded,
    a_pushed_image_is_pulled_and_run,
    https_with_an_own_ca,
    basic_auth_by_htpasswd,
    a_multi_arch_index_by_skopeo,
    docker_schema_2_is_read,
    plain_http_only_where_it_is_listed,
    policies_ask_as_they_say,
    tokens_are_fetched_and_renewed,
    tokens_for_a_credential_and_for_an_identity,
    a_helper_keeps_the_credential,
    eight_at_once_fetch_each_blob_once,
    a_killed_pull_is_gone_on_with,
    a_rotten_part_is_fetched_anew,
    what_ends_early_is_tried_again_from_there,
    busy_servers_are_waited_for,
    blob_stores_do_not_see_the_credential,
    images_are_listed_tagged_and_removed,
    nothing_is_thrown_away_under_a_pull,
    a_lost_record_and_a_lost_layer_are_made_anew,
    progress_is_told_to_programs,
    the_program_has_nothing_but_sockets,
])
