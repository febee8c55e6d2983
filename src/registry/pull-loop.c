/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of one registry, side by side: what becomes of each answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "registry/transfer.h"

#define TRANSFERS_MAX 8
#define BACKOFF_MAX_S 30
#define POLL_MAX_MS   60000

#define ACCEPT_MANIFEST                                               \
        "Accept: application/vnd.oci.image.index.v1+json, "           \
        "application/vnd.docker.distribution.manifest.list.v2+json, " \
        "application/vnd.oci.image.manifest.v1+json, "                \
        "application/vnd.docker.distribution.manifest.v2+json"

/* One request of the client's, over all its redirects and attempts. */
struct transfer {
        bool used;
        struct pull_get get;
        struct request request;
        struct answer answer;
        int pipe_fd;                /* owned */
        CURL *easy;                 /* owned; NULL while it waits for @due_ms */
        struct curl_slist *headers; /* owned */
        char detail[CURL_ERROR_SIZE];
        uint64_t start; /* where this answer begins */
        uint64_t have;  /* from the beginning of the blob */
        uint64_t had;   /* when this attempt began */
        uint64_t due_ms;
        unsigned redirects, attempts, auths;
        unsigned generation; /* of the token that went along */
        bool begun;
        int code; /* of what went wrong in a callback */
        struct coffer_error err;
};

struct loop {
        struct pull pull;
        CURLM *multi;
        struct transfer transfers[TRANSFERS_MAX];
};

static uint64_t now_ms(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* -------------------------------------------------------------------------------------- bytes */

static bool is_blob(const struct transfer *t)
{
        return t->get.kind == PULL_BLOB;
}

static int wrong(struct transfer *t, int code, const char *what)
{
        t->code = error_say(&t->err, code, COFFER_ERROR_IMAGE, "registry %s %s",
                            t->request.pull->open->host, what);
        return t->code;
}

/* Where the body begins, and whether it has the length it should have. */
static int begin_body(struct transfer *t)
{
        curl_off_t length = -1;

        t->begun = true;
        t->start = t->answer.status == 206 ? t->answer.range_start : 0;
        if (t->start > t->have)
                return wrong(t, -EPROTO,
                             "answers with another part of a blob than it was asked for");
        (void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        if (length < 0)
                return 0;
        if ((uint64_t)length > t->get.max_bytes ||
            (is_blob(t) && t->start + (uint64_t)length != t->get.max_bytes))
                return wrong(t, -EBADMSG,
                             is_blob(t) ? "has another length for a blob than the manifest says"
                                        : "has a manifest of more than 4 MiB");
        return 0;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
        struct transfer *t = data;
        uint64_t skip;
        size_t total = size * count;

        if (t->answer.status == 0)
                (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->answer.status);
        if (t->answer.status != 200 && t->answer.status != 206) {
                /* Words for people; what is too much of them is not kept. */
                (void)buf_append(&t->answer.words, bytes, total);
                return total;
        }
        if (t->get.kind == PULL_LOGIN)
                return total; /* that there is an answer is all that is asked */
        if (!t->begun && begin_body(t) < 0)
                return 0;
        if (t->start + total > t->get.max_bytes) {
                (void)wrong(t, -EBADMSG, "sends more bytes than it should");
                return 0;
        }
        /* What is here already passes by, where the server cannot begin in the middle. */
        skip = t->start >= t->have ? 0 : t->have - t->start;
        t->start += total;
        if (skip >= total)
                return total;
        if (sys_write_all(t->pipe_fd, bytes + skip, total - (size_t)skip) < 0) {
                t->code = error_say(&t->err, -ECANCELED, COFFER_ERROR_OTHER, "nobody wants it");
                return 0;
        }
        t->have = t->start;
        return total;
}

static size_t take_header(char *line, size_t size, size_t count, void *data)
{
        struct transfer *t = data;

        if (answer_header(&t->answer, line, size * count) == 0)
                return size * count;
        (void)wrong(t, -E2BIG, "sends headers without end");
        return 0;
}

/* ------------------------------------------------------------------------------------- events */

static void tell(const struct transfer *t, enum pull_what what, unsigned wait_s,
                 const struct coffer_error *err)
{
        struct pull_event event = {
                .magic = PULL_MAGIC,
                .id = t->get.id,
                .what = what,
                .wait_s = wait_s,
        };

        if (err)
                event.err = *err;
        (void)send(PULL_FD_SOCKET, &event, sizeof(event), MSG_NOSIGNAL);
}

static void drop_easy(struct loop *l, struct transfer *t)
{
        if (t->easy) {
                (void)curl_multi_remove_handle(l->multi, t->easy);
                curl_easy_cleanup(t->easy);
        }
        t->easy = NULL;
        curl_slist_free_all(t->headers);
        t->headers = NULL;
}

static void end(struct loop *l, struct transfer *t, enum pull_what what)
{
        drop_easy(l, t);
        buf_release(&t->answer.words);
        close_fd(&t->pipe_fd); /* before the word that says so */
        tell(t, what, 0, what == PULL_FAILED ? &t->err : NULL);
        t->used = false;
}

/* ------------------------------------------------------------------------------------- asking */

static int add_header(struct transfer *t, const char *line)
{
        struct curl_slist *more = curl_slist_append(t->headers, line);

        if (!more)
                return -ENOMEM;
        t->headers = more;
        return 0;
}

static int set_up(struct loop *l, struct transfer *t)
{
        CURLcode bad = CURLE_OK;
        char range[32];
        int r = request_setup(t->easy, &t->request);

#define SET(option, value) bad |= curl_easy_setopt(t->easy, option, value)
        SET(CURLOPT_PRIVATE, t);
        SET(CURLOPT_ERRORBUFFER, t->detail);
        SET(CURLOPT_HEADERFUNCTION, take_header);
        SET(CURLOPT_HEADERDATA, t);
        SET(CURLOPT_WRITEFUNCTION, take_body);
        SET(CURLOPT_WRITEDATA, t);
        if (!is_blob(t))
                SET(CURLOPT_TIMEOUT, ANSWER_TIMEOUT_S);
        if (is_blob(t) && t->have > 0) {
                (void)snprintf(range, sizeof(range), "%llu-", (unsigned long long)t->have);
                SET(CURLOPT_RANGE, range);
        }
        if (r == 0 && t->get.kind == PULL_MANIFEST)
                r = add_header(t, ACCEPT_MANIFEST);
        if (r == 0 && t->request.ours)
                r = auth_apply(&l->pull, t->easy, &t->headers);
        SET(CURLOPT_HTTPHEADER, t->headers);
#undef SET
        return r < 0 || bad != CURLE_OK ? -ENOMEM : 0;
}

static void ask(struct loop *l, struct transfer *t)
{
        int r;

        drop_easy(l, t);
        answer_reset(&t->answer);
        t->detail[0] = '\0';
        t->begun = false;
        t->code = 0;
        t->generation = l->pull.auth.generation;
        t->easy = curl_easy_init();
        r = t->easy ? set_up(l, t) : -ENOMEM;
        if (r == 0 && curl_multi_add_handle(l->multi, t->easy) != CURLM_OK)
                r = -ENOMEM;
        if (r < 0) {
                (void)error_set(&t->err, r, "ask %s", l->pull.open->host);
                end(l, t, PULL_FAILED);
        }
}

/* The registry's own address of what is wanted. */
static void aim(struct loop *l, struct transfer *t)
{
        const char *kind = is_blob(t) ? "blobs" : "manifests";

        if (t->get.kind == PULL_LOGIN)
                (void)snprintf(t->request.url, sizeof(t->request.url), "%s/v2/", l->pull.base);
        else
                (void)snprintf(t->request.url, sizeof(t->request.url), "%s/v2/%s/%s/%s",
                               l->pull.base, l->pull.open->repository, kind, t->get.name);
        t->request.ours = true;
        t->redirects = 0;
}

static void try_again(struct loop *l, struct transfer *t)
{
        unsigned wait_s;

        if (t->have > t->had)
                t->attempts = t->auths = 0;
        t->had = t->have;
        if (++t->attempts >= l->pull.open->attempts) {
                end(l, t, PULL_FAILED);
                return;
        }
        wait_s = t->answer.retry_s > 0 ? t->answer.retry_s : 1U << (t->attempts - 1);
        if (wait_s > BACKOFF_MAX_S)
                wait_s = BACKOFF_MAX_S;
        drop_easy(l, t);
        t->due_ms = now_ms() + (uint64_t)wait_s * 1000;
        tell(t, PULL_RETRY, wait_s, &t->err);
        aim(l, t); /* what it sent us to may have been for a short time only */
}

/* ------------------------------------------------------------------------------------ answers */

static void redirect(struct loop *l, struct transfer *t)
{
        char url[URL_MAX_BYTES];
        int r = 0;

        if (t->answer.location[0] == '\0' || ++t->redirects > REDIRECTS_MAX)
                r = wrong(t, -ELOOP,
                          t->answer.location[0] ? "sends us from one place to the next without end"
                                                : "sends us on, and does not say where to");
        if (r == 0)
                r = request_check_url(&l->pull, t->request.url, t->answer.location, url, &t->err);
        if (r < 0) {
                end(l, t, PULL_FAILED);
                return;
        }
        memcpy(t->request.url, url, sizeof(url));
        /* Once it led away it stays away: another host must not get at the credential. */
        t->request.ours = t->request.ours && request_is_ours(&l->pull, url);
        ask(l, t);
}

static void authenticate(struct loop *l, struct transfer *t)
{
        int r = 0;

        if (t->have > t->had) {
                t->auths = 0;
                t->had = t->have;
        }
        if (!t->answer.has_ask || t->auths >= AUTHS_MAX)
                r = error_say(&t->err, -EACCES, COFFER_ERROR_OTHER, "registry %s refuses %s",
                              l->pull.open->host,
                              t->auths > 0            ? "the token that it gave"
                              : t->answer.bad_ask     ? "access and does not say how to get it"
                              : l->pull.open->user[0] ? "the credential"
                                                      : "access without a credential");
        else if (t->generation == l->pull.auth.generation)
                r = auth_renew(&l->pull, &t->answer.ask, &t->err);
        if (r < 0) {
                if (r == -EACCES && t->err.hint[0] == '\0')
                        error_hint(&t->err, "coffer login %s", l->pull.open->host);
                end(l, t, PULL_FAILED);
                return;
        }
        t->auths++;
        ask(l, t);
}

static void not_found(struct loop *l, struct transfer *t)
{
        const struct pull_open *open = l->pull.open;

        (void)error_say(&t->err, -ENOENT, COFFER_ERROR_OTHER, "registry %s has no %s '%s%s%s'",
                        open->host, is_blob(t) ? "blob" : "image", open->repository,
                        strchr(t->get.name, ':') ? "@" : ":", t->get.name);
        if (open->secret_kind == PULL_SECRET_NONE)
                error_hint(&t->err, "check the name; when it is private: coffer login %s",
                           open->host);
        end(l, t, PULL_FAILED);
}

/* Any other status. */
static void other_status(struct loop *l, struct transfer *t)
{
        long status = t->answer.status;
        char words[160];

        words_of_registry(&t->answer.words, words, sizeof(words));
        (void)error_say(&t->err,
                        status == 403   ? -EACCES
                        : status == 416 ? -ERANGE
                                        : -EIO,
                        COFFER_ERROR_HOST, "%s answers with status %ld%s%s",
                        t->request.ours ? l->pull.open->host : "the blob store", status,
                        words[0] ? ": " : "", words);
        if (status == 429)
                error_hint(&t->err, "it wants fewer requests: wait, or log in: coffer login %s",
                           l->pull.open->host);
        if (status == 408 || status == 429 || status >= 500 ||
            (!t->request.ours && (status == 401 || status == 403)))
                try_again(l, t);
        else
                end(l, t, PULL_FAILED);
}

static void finish(struct loop *l, struct transfer *t)
{
        if (is_blob(t) && t->have < t->get.max_bytes) {
                (void)wrong(t, -EPIPE, "ended a blob early");
                try_again(l, t);
        } else {
                end(l, t, PULL_DONE);
        }
}

static void answered(struct loop *l, struct transfer *t, CURLcode code)
{
        bool again = true;

        (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->answer.status);
        if (t->code < 0)
                end(l, t, PULL_FAILED);
        else if (code != CURLE_OK) {
                (void)request_failure(&t->request, code, t->detail, &again, &t->err);
                if (again)
                        try_again(l, t);
                else
                        end(l, t, PULL_FAILED);
        } else if (t->answer.status == 200 || (t->answer.status == 206 && is_blob(t)))
                finish(l, t);
        else if (t->answer.status >= 301 && t->answer.status <= 308 && t->answer.status != 304 &&
                 t->answer.status != 305 && t->answer.status != 306)
                redirect(l, t);
        else if (t->answer.status == 401 && t->request.ours)
                authenticate(l, t);
        else if (t->answer.status == 404 && t->get.kind != PULL_LOGIN)
                not_found(l, t);
        else
                other_status(l, t);
}

/* --------------------------------------------------------------------------------- the client */

static bool is_get(const struct pull_get *get, size_t size)
{
        return size == sizeof(*get) && get->magic == PULL_MAGIC && get->kind >= PULL_MANIFEST &&
               get->kind <= PULL_LOGIN && memchr(get->name, '\0', sizeof(get->name)) &&
               get->offset <= get->max_bytes;
}

/* 1 with a request, 0 when there is none yet, or a negative errno: the client is gone. */
static int receive(struct pull_get *get, int *ret_fd)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control;
        struct iovec iov = {.iov_base = get, .iov_len = sizeof(*get)};
        struct msghdr msg = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        struct cmsghdr *c;
        ssize_t n = recvmsg(PULL_FD_SOCKET, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        c = CMSG_FIRSTHDR(&msg);
        if (n == 0 || !c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
            c->cmsg_len != CMSG_LEN(sizeof(int)))
                return -EPIPE;
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
        return is_get(get, (size_t)n) ? 1 : -EPROTO;
}

static int take_request(struct loop *l)
{
        struct pull_get get;
        int fd = -EBADF;
        int r = receive(&get, &fd);

        if (r <= 0)
                return r;
        for (size_t i = 0; i < TRANSFERS_MAX; i++) {
                struct transfer *t = &l->transfers[i];

                if (t->used)
                        continue;
                *t = (struct transfer){
                        .used = true,
                        .get = get,
                        .pipe_fd = fd,
                        .request = {.pull = &l->pull},
                        .have = get.offset,
                        .had = get.offset,
                };
                aim(l, t);
                ask(l, t);
                return 1;
        }
        (void)close(fd);
        return -EBUSY; /* the client counts them too */
}

static int wait_ms(const struct loop *l)
{
        uint64_t now = now_ms(), first = now + POLL_MAX_MS;

        for (size_t i = 0; i < TRANSFERS_MAX; i++)
                if (l->transfers[i].used && !l->transfers[i].easy && l->transfers[i].due_ms < first)
                        first = l->transfers[i].due_ms;
        return first <= now ? 0 : (int)(first - now);
}

/* These three return whether there is something new for curl to begin with. */
static bool handle_answers(struct loop *l)
{
        bool any = false;
        CURLMsg *msg;
        int left;

        while ((msg = curl_multi_info_read(l->multi, &left))) {
                struct transfer *t = NULL;
                CURLcode code = msg->data.result;

                if (msg->msg != CURLMSG_DONE ||
                    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK)
                        continue;
                answered(l, t, code);
                any = true;
        }
        return any;
}

static bool ask_due(struct loop *l)
{
        uint64_t now = now_ms();
        bool any = false;

        for (size_t i = 0; i < TRANSFERS_MAX; i++) {
                struct transfer *t = &l->transfers[i];

                if (!t->used || t->easy || t->due_ms > now)
                        continue;
                ask(l, t);
                any = true;
        }
        return any;
}

static int take_requests(struct loop *l, bool *ret_any)
{
        int r;

        while ((r = take_request(l)) > 0)
                *ret_any = true;
        return r;
}

/* Only when curl has said all that it has to say, and has begun with all that it can, we wait. */
static int turn(struct loop *l)
{
        struct curl_waitfd client = {.fd = PULL_FD_SOCKET, .events = CURL_WAIT_POLLIN};
        bool answers, due, any = false;
        int running, r;

        if (curl_multi_perform(l->multi, &running) != CURLM_OK)
                return -EIO;
        answers = handle_answers(l);
        due = ask_due(l);
        r = take_requests(l, &any);
        if (r < 0 || answers || due || any)
                return r;
        return curl_multi_poll(l->multi, &client, 1, wait_ms(l), NULL) == CURLM_OK ? 0 : -EIO;
}

int pull_run(const struct pull_open *open, const struct pull_ca *ca)
{
        static struct loop l; /* URLs and headers make it large */
        int r = 0;

        l.pull = (struct pull){.open = open, .ca = ca, .rank = ADDRESS_SPECIAL};
        (void)snprintf(l.pull.base, sizeof(l.pull.base), "%s://%s",
                       open->flags & PULL_PLAIN ? "http" : "https",
                       str_eq(open->host, "docker.io") ? "registry-1.docker.io" : open->host);
        l.multi = curl_multi_init();
        if (!l.multi)
                return -ENOMEM;
        while (r == 0)
                r = turn(&l);
        return r == -EPIPE ? 0 : r;
}
