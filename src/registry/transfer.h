/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include <coffer/error.h>

#include "base/buf.h"
#include "registry/address.h"
#include "registry/challenge.h"
#include "registry/pull.h"

/* Inside coffer-pull: the connection to one registry, and the requests that are under way. */

#define URL_MAX_BYTES     8192
#define TOKEN_MAX_BYTES   ((size_t)64 * 1024)
#define HEADERS_MAX_BYTES ((size_t)64 * 1024) /* of one answer */
#define WORDS_MAX_BYTES   ((size_t)64 * 1024) /* of an answer that is an error */
#define REDIRECTS_MAX     5
#define AUTHS_MAX         3    /* without getting further */
#define ANSWER_TIMEOUT_S  300L /* of what is small */

/**
 * struct pull_auth - how we show who we are
 * @scheme:     what the registry wants; 0: it has not asked yet
 * @token:      of CHALLENGE_BEARER; owned
 * @generation: counts the tokens, so that a request knows whether there is a newer one
 */
struct pull_auth {
        enum challenge_scheme scheme;
        char *token;
        unsigned generation;
};

/**
 * struct pull - one registry
 * @open:  what the client said; borrowed
 * @ca:    borrowed
 * @base:  "https://host"
 * @rank:  the outermost address that the registry was reached at; ADDRESS_SPECIAL until then
 * @auth:  ours
 */
struct pull {
        const struct pull_open *open;
        const struct pull_ca *ca;
        char base[PULL_HOST_MAX + 16];
        enum address_rank rank;
        struct pull_auth auth;
};

/**
 * struct answer - what a server said before the body
 * @status:      0: nothing yet
 * @bytes:       of all headers
 * @retry_s:     Retry-After; 0 when it does not say
 * @range_start: of Content-Range; UINT64_MAX when there is none
 * @has_ask:     there is a WWW-Authenticate of ours in @ask
 * @bad_ask:     there is one that nobody may send
 * @ask:         see there
 * @location:    "" when there is none
 * @words:       the beginning of an error's body
 */
struct answer {
        long status;
        size_t bytes;
        unsigned retry_s;
        uint64_t range_start;
        bool has_ask;
        bool bad_ask;
        struct challenge ask;
        char location[URL_MAX_BYTES];
        struct buf words;
};

void answer_reset(struct answer *a);
/** answer_header() - take in one line; 0, or -E2BIG when there are too many bytes of them */
int answer_header(struct answer *a, const char *line, size_t size);

/**
 * struct request - what curl is to do, and who it meets
 * @pull:    borrowed
 * @url:     where to
 * @ours:    it goes to the registry itself: any address is right, and the credential goes along
 * @refused: an address was refused for being too far inside
 */
struct request {
        struct pull *pull;
        char url[URL_MAX_BYTES];
        bool ours;
        bool refused;
};

/** request_check_url() - resolve and check where a server sends us
 * @pull:    the registry
 * @base:    what @to is relative to; "" for none
 * @to:      foreign
 * @ret_url: URL_MAX_BYTES
 * @err:     says what is wrong with it
 *
 * Return: 0, or -EPROTO.
 */
int request_check_url(const struct pull *pull, const char *base, const char *to, char *ret_url,
                      struct coffer_error *err);

/** request_is_ours() - whether scheme, host and port are the registry's */
bool request_is_ours(const struct pull *pull, const char *url);

/** request_setup() - what all requests have in common; 0 or -ENOMEM */
int request_setup(CURL *easy, struct request *request);

/** request_failure() - words for what curl says
 * @request: whose
 * @code:    not CURLE_OK
 * @detail:  CURLOPT_ERRORBUFFER
 * @ret_again: trying again may help
 * @err:     filled
 */
int request_failure(const struct request *request, CURLcode code, const char *detail,
                    bool *ret_again, struct coffer_error *err);

/** auth_renew() - ask for a token, or settle on Basic
 * @pull: its auth is replaced
 * @ask:  what the registry wants
 * @err:  why not
 *
 * Return: 0 or a negative errno.
 */
int auth_renew(struct pull *pull, const struct challenge *ask, struct coffer_error *err);

/** auth_apply() - add who we are to a request that goes to the registry
 * @pull:    who
 * @easy:    gets user and password
 * @headers: a header is appended
 *
 * Return: 0 or -ENOMEM.
 */
int auth_apply(const struct pull *pull, CURL *easy, struct curl_slist **headers);

/** words_printable() - copy what is printable of foreign words, cut where it is too long */
void words_printable(char *to, size_t size, const char *from);
/** words_of_registry() - the message in an error's body ({"errors":[{"message":…}]}), or "" */
void words_of_registry(const struct buf *body, char *to, size_t size);
