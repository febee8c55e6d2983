#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test-hostile.py BIN_DIR [TEST...]: registries that lie, stall and lure; nothing of it is kept."""
from registrytest import *


def home_for(scratch, *servers, **env):
    return Home(scratch, COFFER_INSECURE_REGISTRIES=",".join(s.host for s in servers),
                COFFER_PULL_ATTEMPTS="2", COFFER_PULL_STALL_SECONDS="2", **env)


def small():
    return Image([tar_of({"a": b"a" * 5000})])


def nothing_came(home, blobs=None):
    check(home.good("images", "-q") == "", "no image is there")
    check(not home.layers() if os.path.isdir(home.path + "/images/layers") else True,
          "no layer is there")
    home.nothing_half_done()
    if blobs is not None:
        for name in home.blobs():
            with open(f"{home.path}/images/blobs/sha256/{name}", "rb") as f:
                check(digest(f.read()) == "sha256:" + name, "a blob is what it is called")


def refuses(scratch, says, server, **more):
    home = home_for(scratch, server)
    err = home.bad("pull", server.host + "/app:1", says=says, **more)
    nothing_came(home, True)
    return err


def a_wrong_digest_of_each_kind(scratch):
    for number, of in enumerate(("manifest", "config", "layer")):
        image = small()
        server = Server({("app", "1"): image})
        if of == "manifest":
            other = digest(image.manifest)
            server.manifests["app", other] = (image.manifest + b" ", image.media)
            home = home_for(scratch + f"/{number}", server)
            os.makedirs(home.path)
            home.bad("pull", f"{server.host}/app@{other}", says="digest")
        else:
            name = image.config if of == "config" else image.layers[0]
            server.blobs[name] = bytes([image.blobs[name][0]]) + b"X" + image.blobs[name][2:]
            home = home_for(scratch + f"/{number}", server)
            os.makedirs(home.path)
            home.bad("pull", server.host + "/app:1", says="")
        nothing_came(home, True)
        check(not home.partial(), f"{of}: nothing wrong is gone on with")


def a_wrong_diff_id(scratch):
    image = small()
    other = Image([tar_of({"b": b"b"})])
    image.blobs.update(other.blobs)
    image.document["layers"][0] = other.document["layers"][0]
    refuses(scratch, "", Server({("app", "1"): image}))


def lengths_that_are_lies(scratch):
    image = small()
    for number, lie in enumerate((1, -1, 10**15)):
        def hook(h, lie=lie):
            if not h.path.endswith(image.layers[0]):
                return False
            data = image.blobs[image.layers[0]]
            h.send_response(200)
            h.send_header("Content-Length", str(len(data) + lie))
            h.end_headers()
            h.write(data)
            h.close_connection = True
            return True
        os.makedirs(f"{scratch}/{number}")
        refuses(f"{scratch}/{number}", "another length", Server({("app", "1"): image}, hook=hook))


def more_bytes_than_were_said(scratch):
    image = small()

    def hook(h):
        if not h.path.endswith(image.layers[0]):
            return False
        h.send_response(200)
        h.send_header("Connection", "close")
        h.end_headers()
        h.close_connection = True
        try:
            for _ in range(4096):
                h.write(b"x" * 65536)
        except OSError:
            pass
        return True
    refuses(scratch, "more bytes", Server({("app", "1"): image}, hook=hook))


def a_manifest_without_end(scratch):
    def hook(h):
        if "/manifests/" not in h.path:
            return False
        h.send_response(200)
        h.send_header("Connection", "close")
        if "huge" in h.path:
            h.send_header("Content-Length", str(100 << 20))
        h.end_headers()
        h.close_connection = True
        try:
            for _ in range(1600):
                h.write(b" " * 65536)
        except OSError:
            pass
        return True
    server = Server(hook=hook)
    refuses(scratch, "more bytes", server)
    check(server.bytes_of("1") < 40 << 20, "it was not read to its end")
    home_for(scratch, server).bad("pull", server.host + "/app:huge", says="4 MiB")


def headers_without_end(scratch):
    def hook(h):
        try:
            h.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for i in range(20000):
                h.wfile.write(b"X-%d: %s\r\n" % (i, b"y" * 90))
        except OSError:
            pass
        h.close_connection = True
        return True
    refuses(scratch, "eader", Server(hook=hook))


def servers_that_stall(scratch):
    image = small()

    def at_once(h):
        signal.sigtimedwait([], 20)
        return True

    def midway(h):
        if not h.path.endswith(image.layers[0]):
            return False
        h.send_response(200)
        h.send_header("Content-Length", str(len(image.blobs[image.layers[0]])))
        h.end_headers()
        h.write(image.blobs[image.layers[0]][:10])
        h.wfile.flush()
        signal.sigtimedwait([], 20)
        return True
    for number, hook in enumerate((at_once, midway)):
        home = home_for(scratch, Server())
        server = Server({("app", "1"): image}, hook=hook)
        home = Home(scratch, f"home{number}", COFFER_INSECURE_REGISTRIES=server.host,
                    COFFER_PULL_ATTEMPTS="1", COFFER_PULL_STALL_SECONDS="1")
        home.bad("pull", server.host + "/app:1", says="", timeout=15)
        nothing_came(home)


def redirects_that_lure(scratch):
    inside = Server({("app", "1"): small()})
    port = inside.host.split(":")[1]
    places = (("file:///etc/passwd", "not https"), ("gopher://127.0.0.1:1/", ""),
              ("ftp://127.0.0.1/x", "not https"), ("http://me:pw@127.0.0.1/", "no URL"),
              ("//[", "no URL"), ("", "does not say where"), ("dict://127.0.0.1:11211/", ""))
    for number, (where, says) in enumerate(places):
        os.makedirs(f"{scratch}/{number}")
        refuses(f"{scratch}/{number}", says,
                Server(hook=lambda h, where=where: h.answer(302, Location=where) or True))
    os.makedirs(scratch + "/loop")
    refuses(scratch + "/loop", "without end",
            Server(hook=lambda h: h.answer(302, Location=h.path + "x") or True))
    # From HTTPS there is no way back to HTTP.
    certificate, ca = certificates(scratch)
    tls = Server(certificate=certificate, hook=lambda h: h.answer(
        307, Location=f"http://127.0.0.1:{port}/v2/app/manifests/1") or True)
    home = Home(scratch, "tls")
    trust(scratch, ca, tls)
    home.bad("pull", tls.host + "/app:1", says="not https")
    check(not inside.log, "nobody inside was asked")


def trust(scratch, ca, *servers):
    for server in servers:
        where = f"{scratch}/me/.config/coffer/certs.d/{server.host}"
        os.makedirs(where)
        shutil.copy(ca, where + "/ca.crt")


def no_redirect_leads_further_inside(scratch):
    """127.0.0.1 may send us to itself; what a link-local address is, nobody may send us to."""
    certificate, ca = certificates(scratch)
    image = small()
    where = []
    server = Server({("app", "1"): image}, certificate=certificate,
                    hook=lambda h: "/blobs/" in h.path and
                    (h.answer(307, Location=where[0]) or True))
    home = Home(scratch, COFFER_PULL_ATTEMPTS="1", COFFER_PULL_STALL_SECONDS="3")
    trust(scratch, ca, server)
    for target in ("https://169.254.169.254/latest/meta-data/", "https://[fe80::1]/x",
                   "https://0.0.0.0:1/x", "https://[::ffff:169.254.1.1]/x"):
        where[:] = [target]
        home.bad("pull", server.host + "/app:1", says="further inside")
    where[:] = ["https://127.0.0.1:1/x"]
    home.bad("pull", server.host + "/app:1", says="127.0.0.1")
    nothing_came(home, True)


def token_servers_that_lie(scratch):
    answers = (b"{}", b"not json", b'{"token": 7}', b'{"token": "a\\r\\nX-Evil: 1"}',
               b'{"token": ""}', b'{"token": "' + b"x" * (1 << 20) + b'"}', b"[" * 10000)
    for number, text in enumerate(answers):
        def hook(h, text=text):
            if h.path.startswith("/token"):
                h.answer(200, text)
            else:
                h.answer(401, WWW_Authenticate=f'Bearer realm="http://{h.server.host}/token"')
            return True
        os.makedirs(f"{scratch}/{number}")
        server = Server(hook=hook)
        refuses(f"{scratch}/{number}", "", server)
        check(not any("X-Evil" in h for _, _, h in server.log), "no header was smuggled in")
    for number, ask in enumerate(('Bearer realm="file:///etc/passwd"', "Bearer", "Digest realm=x",
                                  'Bearer realm="http://a@b/"', 'Bearer realm="' + "x" * 9000)):
        os.makedirs(f"{scratch}/ask{number}")
        refuses(f"{scratch}/ask{number}", "", Server(
            hook=lambda h, ask=ask: h.answer(401, WWW_Authenticate=ask) or True))


def a_token_that_is_never_enough(scratch):
    def hook(h):
        if h.path.startswith("/token"):
            h.answer(200, b'{"token": "t"}')
        else:
            h.answer(401, WWW_Authenticate=f'Bearer realm="http://{h.server.host}/token"')
        return True
    server = Server(hook=hook)
    refuses(scratch, "the token that it gave", server)
    check(len(server.log) < 12, f"it was asked {len(server.log)} times")


def manifests_that_are_none(scratch):
    base = json.loads(small().manifest)
    foreign = dict(base, layers=[dict(base["layers"][0], mediaType=DOCKER +
                                      "image.rootfs.foreign.diff.tar.gzip",
                                      urls=["http://127.0.0.1/x"])])
    cases = (
        (b"", ""), (b"x", ""), (b"[]", ""), (b"{}", "neither"), (b"[" * 3000, "deeper"),
        (b'{"layers": ' + b"[" * 100 + b"]" * 100 + b"}", "deeper"),
        (json.dumps({"schemaVersion": 1, "fsLayers": [], "layers": []}).encode(), ""),
        (json.dumps(foreign).encode(), "foreign layer"),
        (json.dumps(dict(base, manifests=[])).encode(), "no place"),
        (json.dumps(dict(base, layers=base["layers"] * 300)).encode(), "at most 256"),
        (json.dumps(dict(base, config=dict(base["config"], digest="sha256:../../../etc"))).encode(),
         "digest"),
        (json.dumps(dict(base, config=dict(base["config"], size=-1))).encode(), ""),
        (json.dumps(dict(base, config=dict(base["config"], size=1 << 40))).encode(), "4 MiB"),
        (json.dumps(dict(base, layers=[dict(base["layers"][0], mediaType="text/html")])).encode(),
         "not known"),
        (b"<html>" * 1000, ""))
    for number, (text, says) in enumerate(cases):
        server = Server()
        server.put_manifest("app", "1", text, "application/json")
        os.makedirs(f"{scratch}/{number}")
        refuses(f"{scratch}/{number}", says, server)


def indexes_that_go_round(scratch):
    """A digest cannot name what names it; so deep ones, and one that answers with another."""
    server, image = Server(), small()
    server.put("app", "leaf", image)
    inner = image.descriptor
    for depth in range(6):
        data = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "depth": depth,
                           "manifests": [inner]}).encode()
        server.put_manifest("app", str(depth), data, OCI + "index.v1+json")
        inner = {"mediaType": OCI + "index.v1+json", "digest": digest(data), "size": len(data)}
    home = home_for(scratch, server)
    home.bad("pull", server.host + "/app:5", says="indexes lie inside each other")
    nothing_came(home)
    home.good("pull", server.host + "/app:2")


def words_of_a_registry_are_cleaned(scratch):
    body = json.dumps({"errors": [{"message": "a\x1b[31mred\nline\u202e" + "x" * 5000}]}).encode()
    err = refuses(scratch, "[31mred", Server(hook=lambda h: h.answer(403, body) or True))
    check("\x1b" not in err and "\u202e" not in err and len(err) < 800, repr(err))


def a_killed_helper_is_told(scratch):
    server = Server({("app", "1"): small()}, hook=lambda h: signal.sigtimedwait([], 5) is None)
    home = home_for(scratch, server)
    home.env["COFFER_PULL_STALL_SECONDS"] = "10"
    pull = home.start("pull", server.host + "/app:1")
    while not server.log:
        check(pull.poll() is None, "it asks")
        signal.sigtimedwait([], 0.02)
    victim = peer_of(server)
    os.kill(victim, signal.SIGKILL)
    out, err = pull.communicate(timeout=20)
    check(pull.returncode == 1 and "coffer-pull died" in err, err)
    nothing_came(home)


def peer_of(server):
    """The process at the other end of a connection to the server."""
    want = f":{server.server_address[1]:04X} 01"
    with open("/proc/net/tcp") as f:
        inodes = {l.split()[9] for l in f if want in l[:40] and
                  l.split()[2].endswith(want.split()[0])}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1] in inodes
                   for fd in os.listdir(f"/proc/{pid}/fd")):
                return int(pid)
        except OSError:
            continue
    raise Skip("needs to see whose a connection is")


def archives_that_lie(scratch):
    good, bad = small(), Image([tar_of({"b": b"b" * 5000})])

    def oci(change, *named):
        files = oci_files(("good:1", good), ("bad:1", bad), *named)
        change(files)
        return tar_of(files)

    def blob(name):
        return "blobs/sha256/" + name[7:]

    def put(name, data):
        return lambda files: files.update({name: data(files[name])})

    def docker(change):
        files = docker_files(good, ["good:1"])
        change(files)
        return tar_of(files)
    whole = oci(lambda files: None)
    rows = [
        (oci(put(blob(bad.layers[0]), lambda d: d[:50] + b"X" + d[51:])), ""),
        (oci(put(blob(bad.layers[0]), lambda d: d + b"X")), "bytes, but should have"),
        (oci(put(blob(bad.config), lambda d: b"X" + d[1:])), "digest"),
        (oci(put(blob(digest(bad.manifest)), lambda d: d + b" ")), "digest"),
        (oci(lambda files: files.pop(blob(bad.layers[0]))), "is not in the archive"),
        (oci(lambda files: files.pop(blob(bad.config))), "is not in the archive"),
        (oci(put("index.json", lambda d: d.replace(b"bad:1", b"Bad:1"))), "can be none"),
        (oci(put("index.json", lambda d: d.replace(b"bad:1", b"../../x:1"))), "cannot be one"),
        (oci(put("index.json", lambda d: d.replace(b"bad:1", b"b/" * 400 + b"x:1"))), "too long"),
        (oci(put("index.json", lambda d: b"[" * 100)), ""),
        (oci(put("oci-layout", lambda d: b'{"imageLayoutVersion":"2.0"}')), "layout version"),
        (docker(put("0/layer.tar", lambda d: d[:600] + b"X" + d[601:])), "digest"),
        (docker(lambda files: files.pop("0/layer.tar")), "is missing"),
        (docker(put("manifest.json", lambda d: d.replace(b"d:1", b"d:1@sha256:" + b"0" * 64))),
         "digest"),
        (docker(put("manifest.json", lambda d: d.replace(b".json", b".jsom"))), "has no file"),
        (docker(put("manifest.json", lambda d: b"[]")), "no image in it"),
        (tar_of({"etc/passwd": b"x"}), "no archive of images"),
        (whole[:len(whole) // 3], ""), (gzip.compress(whole)[:-300], "cut short"),
        (b"", ""), (b"no tar at all", ""), (b"\xfd7zXZ\0" + b"x" * 100, "xz"),
    ]
    for number, (data, says) in enumerate(rows):
        home = Home(scratch, f"home{number}")
        path = f"{scratch}/{number}.tar"
        with open(path, "wb") as f:
            f.write(data)
        for how in (["-i", path], []):
            status, out, err = home.run("load", *how, stdin=b"" if how else data)
            check(status == 1 and says in err and out == "", f"{number} {how}: {status} {err}")
            check(err.startswith("coffer: load images: ") and err.count("coffer:") == 1, err)
            check(home.good("images", "-q") == "", f"{number}: no image is there")
            home.nothing_half_done()
        for name in home.blobs():
            with open(f"{home.path}/images/blobs/sha256/{name}", "rb") as f:
                check(digest(f.read()) == "sha256:" + name, "a blob is what it is called")
        home.good("image", "prune", "-f")
        check(not home.blobs() and not home.layers() and not home.partial(), f"{number}: all goes")
    home.bad("load", "-i", scratch + "/nosuch", says="open '", status=2)
    home.bad("load", "x", says="takes no arguments", status=2)


run_tests([
    archives_that_lie,
    a_wrong_digest_of_each_kind,
    a_wrong_diff_id,
    lengths_that_are_lies,
    more_bytes_than_were_said,
    a_manifest_without_end,
    headers_without_end,
    servers_that_stall,
    redirects_that_lure,
    no_redirect_leads_further_inside,
    token_servers_that_lie,
    a_token_that_is_never_enough,
    manifests_that_are_none,
    indexes_that_go_round,
    words_of_a_registry_are_cleaned,
    a_killed_helper_is_told,
])
