/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "registry/message.h"

/*
 * Who we are at a registry, as Docker and Podman note it: $REGISTRY_AUTH_FILE, or
 * $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json and
 * $DOCKER_CONFIG/config.json (~/.docker), the first that has something for the registry; in each
 * credHelpers, credsStore and auths in this order.
 */

/**
 * struct credential - one
 * @kind:   enum pull_secret; PULL_SECRET_NONE: there is none
 * @user:   "" when there is only a token
 * @secret: never shown
 */
struct credential {
        enum pull_secret kind;
        char user[PULL_USER_MAX];
        char secret[PULL_SECRET_MAX];
};

/** credential_find() - look in all of the files
 * @host:       of the registry, with its port
 * @repository: in it; the longest key that is a beginning of host/repository wins
 * @ret:        what was found, or PULL_SECRET_NONE
 * @err:        names the file; never a secret
 *
 * Return: 0 or a negative errno: a file that cannot be read is an error, one that is not there
 * is not.
 */
int credential_find(const char *host, const char *repository, struct credential *ret,
                    struct coffer_error *err);

/** credential_parse() - look in one text
 * @text:       of a config.json or auth.json
 * @size:       its bytes
 * @host:       see credential_find()
 * @repository: likewise
 * @ret:        what auths has, or PULL_SECRET_NONE
 * @ret_helper: CREDENTIAL_HELPER_MAX bytes: the helper that has to be asked first, or ""
 * @err:        what is wrong with it
 *
 * Return: 0 or -EINVAL.
 */
int credential_parse(const char *text, size_t size, const char *host, const char *repository,
                     struct credential *ret, char *ret_helper, struct coffer_error *err);

#define CREDENTIAL_HELPER_MAX 128

/** credential_edit() - the text of an auth file with one entry added or taken out
 * @text: what it is; may be empty
 * @size: its bytes
 * @host: of the registry
 * @auth: base64 of user and password; NULL: take it out
 * @to:   gets the new text
 * @ret_had: it had one before; may be NULL
 * @err:  what is wrong with @text
 *
 * Whatever else is in it stays, in its order.
 *
 * Return: 0 or a negative errno.
 */
int credential_edit(const char *text, size_t size, const char *host, const char *auth,
                    struct buf *to, bool *ret_had, struct coffer_error *err);

/** credential_store() - note a credential, where `docker login` would
 * @host: of the registry
 * @c:    PULL_SECRET_PASSWORD
 * @ret_where: file or helper, for people; 4096 bytes
 * @err:  why not
 */
int credential_store(const char *host, const struct credential *c, char *ret_where,
                     struct coffer_error *err);

/** credential_erase() - forget one; -ENOENT when there is none
 * @host: of the registry
 * @ret_where: where it was; 4096 bytes
 * @err:  why not
 */
int credential_erase(const char *host, char *ret_where, struct coffer_error *err);

/** helper_run() - ask docker-credential-NAME
 * @name:  of the helper
 * @verb:  "get", "store" or "erase"
 * @input: what it reads
 * @size:  its bytes
 * @out:   what it says; its max_bytes bounds it
 * @err:   names it; never what it says
 *
 * Return: 0 or a negative errno; its exit status is not known.
 */
int helper_run(const char *name, const char *verb, const char *input, size_t size, struct buf *out,
               struct coffer_error *err);
