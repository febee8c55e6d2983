/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coffer-pull: whatever speaks to a registry does it here, one registry per process, told and
 * answered over descriptor 3 (message.h).  It writes what it gets to pipes, unread: manifests and
 * layers are coffer-unpack's to parse.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/error.h"
#include "base/json.h"
#include "base/sys.h"
#include "registry/pull.h"

static bool ends(const char *s, size_t size)
{
        return memchr(s, '\0', size) != NULL;
}

static int read_open(struct pull_open *o)
{
        struct stat st;

        if (fstat(PULL_FD_SOCKET, &st) < 0 || !S_ISSOCK(st.st_mode) ||
            sys_read(PULL_FD_SOCKET, o, sizeof(*o)) != sizeof(*o) || o->magic != PULL_MAGIC)
                return -EPROTO;
        if (!ends(o->host, sizeof(o->host)) || !ends(o->repository, sizeof(o->repository)) ||
            !ends(o->user, sizeof(o->user)) || !ends(o->secret, sizeof(o->secret)) ||
            !ends(o->http_proxy, sizeof(o->http_proxy)) ||
            !ends(o->https_proxy, sizeof(o->https_proxy)) ||
            !ends(o->no_proxy, sizeof(o->no_proxy)))
                return -EPROTO;
        return 0;
}

int pull_ca_load(struct pull_ca *ca, struct coffer_error *err)
{
        curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
        const char *file = info->age >= CURLVERSION_SEVENTH ? info->cainfo : NULL;
        int r = 0;

        ca->text = BUF_INIT(PULL_CA_MAX);
        if (file)
                r = buf_read_file(&ca->text, AT_FDCWD, file);
        if (r == -ENOENT)
                r = 0; /* a host without certificates still has those of its own registries */
        if (r == 0)
                r = buf_append_str(&ca->text, "\n");
        if (r == 0)
                r = buf_read_fd(&ca->text, PULL_FD_CA);
        return r < 0 ? error_set(err, r, "read the certificates to trust") : 0;
}

/* All that opens files, in the C library and in what curl uses, does it now. */
static int load(struct pull_ca *ca, struct coffer_error *err)
{
        static const struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST};
        struct addrinfo *found = NULL;

        json_seed();
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return error_say(err, -ENOMEM, COFFER_ERROR_OTHER, "load the HTTP library");
        /* Other ways to look names up are plug-ins, which cannot be loaded once we are confined. */
        (void)__nss_configure_lookup("hosts", "files dns");
        if (getaddrinfo("127.0.0.1", NULL, &numeric, &found) == 0)
                freeaddrinfo(found);
        return pull_ca_load(ca, err);
}

static void tell_failure(const struct coffer_error *err)
{
        struct pull_event event = {
                .magic = PULL_MAGIC, .id = UINT32_MAX, .what = PULL_FAILED, .err = *err};

        (void)send(PULL_FD_SOCKET, &event, sizeof(event), MSG_NOSIGNAL);
}

int main(void)
{
        static struct pull_open open; /* 18 KiB, a secret among it */
        struct coffer_error err = {0};
        struct pull_ca ca = {0};
        sigset_t none;
        int r;

        /* child.h: the program starts with everything blocked. */
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGPIPE, SIG_IGN);

        if (read_open(&open) < 0) {
                (void)fprintf(stderr, "coffer-pull is started by coffer, not by hand\n");
                return 2;
        }
        r = load(&ca, &err);
        if (r == 0)
                r = pull_confine(&err);
        if (r < 0)
                tell_failure(&err);
        else
                r = pull_run(&open, &ca);
        explicit_bzero(&open, sizeof(open));
        /* Exit handlers of libraries have nothing left to do here. */
        _exit(r < 0 ? 1 : 0);
}
