#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pack-image.py LAYER.tar OCI.tar DOCKER.tar [CONFIG]: one layer as an OCI archive and as a docker-archive.

CONFIG is JSON, and is added to what the image says about how it wants to be run.

The OCI archive's layer is compressed by gzip, as in a registry; the docker-archive's is plain, as
docker save writes it.
"""
import gzip
import hashlib
import io
import json
import platform
import shutil
import sys
import tarfile

LAYER, OCI, DOCKER = sys.argv[1:4]
MORE = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def add_bytes(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def config_of(diff_id):
    return json.dumps({
        "architecture": ARCHITECTURE, "os": "linux",
        "config": {"Cmd": ["/bin/bash"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                                "FROM_IMAGE=yes"],
                   "WorkingDir": "/srv", "Labels": {"made-by": "mmdebstrap"}, **MORE},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff_id]},
    }).encode()


def descriptor(media_type, digest, size, **more):
    return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": "sha256:" + digest, "size": size, **more}


def write_oci(config):
    packed = LAYER + ".gz"
    with open(LAYER, "rb") as plain, gzip.GzipFile(packed, "wb", compresslevel=1, mtime=0) as file:
        shutil.copyfileobj(plain, file, 1 << 20)
    with tarfile.open(OCI, "w") as tar:
        layer = sha256(packed)
        tar.add(packed, f"blobs/sha256/{layer}")
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("config.v1+json", hashlib.sha256(config).hexdigest(), len(config)),
            "layers": [descriptor("layer.v1.tar+gzip", layer, tar.getmember(f"blobs/sha256/{layer}").size)],
        }).encode()
        for blob in config, manifest:
            add_bytes(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        add_bytes(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        add_bytes(tar, "index.json", json.dumps({
            "schemaVersion": 2,
            "manifests": [descriptor("manifest.v1+json", hashlib.sha256(manifest).hexdigest(), len(manifest),
                                     annotations={"org.opencontainers.image.ref.name": "test"})],
        }).encode())


def write_docker(config, diff_id):
    name = hashlib.sha256(config).hexdigest() + ".json"
    with tarfile.open(DOCKER, "w") as tar:
        tar.add(LAYER, f"{diff_id}/layer.tar")
        add_bytes(tar, name, config)
        add_bytes(tar, "manifest.json", json.dumps(
            [{"Config": name, "RepoTags": ["debian:test"], "Layers": [f"{diff_id}/layer.tar"]}]).encode())


def main():
    diff_id = sha256(LAYER)
    config = config_of(diff_id)
    write_oci(config)
    write_docker(config, diff_id)


main()
