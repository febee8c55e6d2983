/* SPDX-License-Identifier: Apache-2.0 */
/* What all requests have in common: where they may go, and by what they trust whom they meet. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "registry/transfer.h"

static bool plain_allowed(const struct pull *pull)
{
        return pull->open->flags & PULL_PLAIN;
}

static bool has_scheme(const char *url, const char *scheme)
{
        size_t size = strlen(scheme);

        return strncasecmp(url, scheme, size) == 0 && url[size] == ':';
}

int request_check_url(const struct pull *pull, const char *base, const char *to, char *ret_url,
                      struct coffer_error *err)
{
        /* Without CURLU_NON_SUPPORT_SCHEME curl's own list is the first sieve. */
        unsigned flags = CURLU_DISALLOW_USER;
        CURLU *u = curl_url();
        char shown[100], *url = NULL;
        int r = -EPROTO;

        words_printable(shown, sizeof(shown), to);
        if (!u)
                return error_set(err, -ENOMEM, "read a URL");
        if ((base[0] != '\0' && curl_url_set(u, CURLUPART_URL, base, flags) != CURLUE_OK) ||
            curl_url_set(u, CURLUPART_URL, to, flags) != CURLUE_OK ||
            curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK)
                (void)error_say(err, r, COFFER_ERROR_OTHER,
                                "registry %s sends us to '%s', which is no URL", pull->open->host,
                                shown);
        else if (!has_scheme(url, "https") && !(has_scheme(url, "http") && plain_allowed(pull)))
                (void)error_say(err, r, COFFER_ERROR_OTHER,
                                "registry %s sends us to '%s', which is not https",
                                pull->open->host, shown);
        else if (strlen(url) >= URL_MAX_BYTES)
                (void)error_say(err, r, COFFER_ERROR_OTHER,
                                "registry %s sends us to a URL of %zu bytes", pull->open->host,
                                strlen(url));
        else
                r = str_copy(ret_url, URL_MAX_BYTES, url);
        curl_free(url);
        curl_url_cleanup(u);
        return r;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
        char *x = NULL, *y = NULL;
        bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                    curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                    strcasecmp(x, y) == 0;

        curl_free(x);
        curl_free(y);
        return same;
}

bool request_is_ours(const struct pull *pull, const char *url)
{
        CURLU *a = curl_url(), *b = curl_url();
        bool ours = a && b && curl_url_set(a, CURLUPART_URL, pull->base, 0) == CURLUE_OK &&
                    curl_url_set(b, CURLUPART_URL, url, 0) == CURLUE_OK &&
                    same_part(a, b, CURLUPART_SCHEME) && same_part(a, b, CURLUPART_HOST) &&
                    same_part(a, b, CURLUPART_PORT);

        curl_url_cleanup(a);
        curl_url_cleanup(b);
        return ours;
}

/* The host of a URL in @to; brackets of IPv6 stay. */
static void host_of(const char *url, char *to, size_t size)
{
        CURLU *u = curl_url();
        char *host = NULL;

        to[0] = '\0';
        if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
            curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
                (void)str_copy(to, size, host);
        curl_free(host);
        curl_url_cleanup(u);
}

/* An entry is a host and all below it, as in curl; "*" is all. */
static bool entry_matches(const char *entry, size_t size, const char *host)
{
        size_t length = strlen(host);

        if (size == 1 && *entry == '*')
                return true;
        if (size > 0 && *entry == '.') {
                entry++;
                size--;
        }
        return size > 0 && length >= size && strncasecmp(host + length - size, entry, size) == 0 &&
               (length == size || host[length - size - 1] == '.');
}

static const char *proxy_for(const struct pull *pull, const char *url)
{
        const char *proxy =
                has_scheme(url, "https") ? pull->open->https_proxy : pull->open->http_proxy;
        const char *at = pull->open->no_proxy;
        char host[PULL_HOST_MAX];

        host_of(url, host, sizeof(host));
        while (*at) {
                size_t size;

                at += strspn(at, ", ");
                size = strcspn(at, ", ");
                if (entry_matches(at, size, host))
                        return "";
                at += size;
        }
        return proxy;
}

/* Called for each address before it is connected to. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
        struct request *request = data;
        struct pull *pull = request->pull;
        enum address_rank rank = address_rank(&address->addr);
        bool direct = *proxy_for(pull, request->url) == '\0';
        int fd;

        if (direct && request->ours && rank < pull->rank)
                pull->rank = rank;
        if (direct && !request->ours && rank > pull->rank && !(pull->open->flags & PULL_PRIVATE)) {
                request->refused = true;
                errno = EACCES;
                return CURL_SOCKET_BAD;
        }
        fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int set_common(CURL *easy, struct request *request)
{
        const struct pull *pull = request->pull;
        long stall_s = (long)pull->open->stall_s;
        struct curl_blob ca = {
                .data = pull->ca->text.data,
                .len = pull->ca->text.size,
                .flags = CURL_BLOB_NOCOPY,
        };
        CURLcode bad = CURLE_OK;

#define SET(option, value) bad |= curl_easy_setopt(easy, option, value)
        SET(CURLOPT_PROTOCOLS_STR, plain_allowed(pull) ? "http,https" : "https");
        SET(CURLOPT_URL, request->url);
        SET(CURLOPT_USERAGENT, "coffer/" COFFER_VERSION);
        SET(CURLOPT_NOSIGNAL, 1L);
        SET(CURLOPT_NOPROGRESS, 1L);
        SET(CURLOPT_FOLLOWLOCATION, 0L);
        SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
        SET(CURLOPT_CONNECTTIMEOUT, stall_s);
        SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(CURLOPT_LOW_SPEED_TIME, stall_s);
        SET(CURLOPT_PROXY, proxy_for(pull, request->url));
        SET(CURLOPT_NOPROXY, "");
        SET(CURLOPT_SSL_VERIFYPEER, 1L);
        SET(CURLOPT_SSL_VERIFYHOST, 2L);
        SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_CAPATH, NULL);
        if (ca.len > 0)
                SET(CURLOPT_CAINFO_BLOB, &ca);
        SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
        SET(CURLOPT_OPENSOCKETDATA, request);
#undef SET
        return bad == CURLE_OK ? 0 : -ENOMEM;
}

int request_setup(CURL *easy, struct request *request)
{
        request->refused = false;
        return set_common(easy, request);
}

/* What trying again cannot mend. */
static const struct {
        CURLcode code;
        const char *hint;
} lasting[] = {
        {CURLE_COULDNT_RESOLVE_HOST,     "check its name, and that this machine has a network"},
        {CURLE_COULDNT_RESOLVE_PROXY,    "check https_proxy and http_proxy"                   },
        {CURLE_PEER_FAILED_VERIFICATION,
         "put its CA into /etc/coffer/certs.d/HOST/ca.crt, or into the system's certificates" },
        {CURLE_SSL_CACERT_BADFILE,       NULL                                                 },
        {CURLE_SSL_CONNECT_ERROR,
         "when it speaks plain HTTP, list it: COFFER_INSECURE_REGISTRIES=HOST:PORT"           },
        {CURLE_UNSUPPORTED_PROTOCOL,     NULL                                                 },
        {CURLE_URL_MALFORMAT,            NULL                                                 },
        {CURLE_OUT_OF_MEMORY,            NULL                                                 },
        {CURLE_LOGIN_DENIED,             NULL                                                 },
};

int request_failure(const struct request *request, CURLcode code, const char *detail,
                    bool *ret_again, struct coffer_error *err)
{
        char host[PULL_HOST_MAX], words[160];
        const char *hint = NULL;
        int r = code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;

        host_of(request->url, host, sizeof(host));
        words_printable(words, sizeof(words), detail[0] ? detail : curl_easy_strerror(code));
        *ret_again = true;
        if (request->refused) {
                *ret_again = false;
                r = error_say(
                        err, -EACCES, COFFER_ERROR_OTHER,
                        "registry %s sends us to '%s', an address further inside than its own",
                        request->pull->open->host, host);
                error_hint(err,
                           "when that is right, list it: private_registries = %s in coffer.conf",
                           request->pull->open->host);
                return r;
        }
        for (size_t i = 0; i < ELEMENTS(lasting); i++)
                if (lasting[i].code == code) {
                        *ret_again = false;
                        hint = lasting[i].hint;
                }
        (void)error_say(err, r, COFFER_ERROR_HOST, "ask %s: %s", host, words);
        if (hint)
                error_hint(err, "%s", hint);
        return r;
}
