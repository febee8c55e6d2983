/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include <coffer/error.h>

/*
 * What is said between a client and coffer-pull: first one struct pull_open, then any number of
 * struct pull_get, each with the writing end of a pipe; for each of them struct pull_event comes
 * back until one says that it is over.  A SOCK_SEQPACKET pair: a message is a packet.  Both are of
 * one build; the client believes no answer, for the program has read foreign bytes.
 */

#define PULL_FD_SOCKET 3
#define PULL_FD_CA     4 /* certificates that are trusted beside the system's, PEM; or /dev/null */

#define PULL_MAGIC      0x31706663U /* "cfp1" */
#define PULL_HOST_MAX   256
#define PULL_NAME_MAX   256
#define PULL_USER_MAX   256
#define PULL_SECRET_MAX 16384
#define PULL_PROXY_MAX  512
#define PULL_CA_MAX     (4 * 1024 * 1024)

/**
 * enum pull_secret - what the credential is
 * @PULL_SECRET_NONE:     there is none
 * @PULL_SECRET_PASSWORD: of the user, for Basic and for asking for tokens
 * @PULL_SECRET_IDENTITY: a refresh token, exchanged for others (OAuth 2)
 * @PULL_SECRET_BEARER:   a token to be shown as it is
 */
enum pull_secret {
        PULL_SECRET_NONE,
        PULL_SECRET_PASSWORD,
        PULL_SECRET_IDENTITY,
        PULL_SECRET_BEARER
};

#define PULL_PLAIN   1u /* the host is spoken to by plain HTTP */
#define PULL_PRIVATE 2u /* it may send us to any address, and by plain HTTP */

/**
 * struct pull_open - which registry, and who we are there
 * @magic:       PULL_MAGIC
 * @flags:       PULL_*
 * @stall_s:     how long nothing may come before a connection is given up
 * @attempts:    how often a request is tried without getting further
 * @secret_kind: enum pull_secret
 * @host:        "registry.example:5000"
 * @repository:  "library/busybox"; of all requests
 * @user:        of the credential; "" for none
 * @secret:      likewise
 * @http_proxy:  URL for plain HTTP; "" for none
 * @https_proxy: for HTTPS
 * @no_proxy:    hosts without one, with commas between them
 */
struct pull_open {
        uint32_t magic;
        uint32_t flags;
        uint32_t stall_s;
        uint32_t attempts;
        uint32_t secret_kind;
        char host[PULL_HOST_MAX];
        char repository[PULL_NAME_MAX];
        char user[PULL_USER_MAX];
        char secret[PULL_SECRET_MAX];
        char http_proxy[PULL_PROXY_MAX];
        char https_proxy[PULL_PROXY_MAX];
        char no_proxy[PULL_PROXY_MAX];
};

/**
 * enum pull_kind - what is asked for
 * @PULL_MANIFEST: by tag or digest, of any size up to max_bytes
 * @PULL_BLOB:     by digest, from offset on; whole it has exactly max_bytes
 * @PULL_LOGIN:    nothing but whether the registry takes the credential
 */
enum pull_kind { PULL_MANIFEST = 1, PULL_BLOB, PULL_LOGIN };

/**
 * struct pull_get - one request
 * @magic:     PULL_MAGIC
 * @id:        comes back in the answers
 * @kind:      enum pull_kind
 * @name:      a tag, or "sha256:…"; "" with PULL_LOGIN
 * @offset:    bytes that are here already
 * @max_bytes: see there
 */
struct pull_get {
        uint32_t magic;
        uint32_t id;
        uint32_t kind;
        uint32_t unused;
        char name[PULL_NAME_MAX];
        uint64_t offset;
        uint64_t max_bytes;
};

/**
 * enum pull_what - what an event tells
 * @PULL_DONE:    all bytes are in the pipe, which is closed
 * @PULL_FAILED:  no more will come; err says why
 * @PULL_RETRY:   something went wrong (err) and is tried again in wait_s
 */
enum pull_what { PULL_DONE = 1, PULL_FAILED, PULL_RETRY };

/**
 * struct pull_event - what became of a request
 * @magic:  PULL_MAGIC
 * @id:     of the request
 * @what:   enum pull_what
 * @wait_s: of PULL_RETRY
 * @err:    of PULL_FAILED and PULL_RETRY; foreign words among it, printable ones only
 */
struct pull_event {
        uint32_t magic;
        uint32_t id;
        uint32_t what;
        uint32_t wait_s;
        struct coffer_error err;
};
