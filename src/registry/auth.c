/* SPDX-License-Identifier: Apache-2.0 */
/* Showing who we are: Basic, or a token that a server of the registry's choice gives us. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "registry/transfer.h"

#define REPLY_MAX_BYTES (4 * TOKEN_MAX_BYTES)

struct exchange {
        struct request request;
        struct answer answer;
        struct buf reply;
        char *form; /* owned, of curl_easy_escape(); a POST when it is there */
};

static size_t take_header(char *line, size_t size, size_t count, void *data)
{
        struct exchange *x = data;

        return answer_header(&x->answer, line, size * count) < 0 ? 0 : size * count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
        struct exchange *x = data;

        return buf_append(&x->reply, bytes, size * count) < 0 ? 0 : size * count;
}

static bool is_token(const char *token)
{
        size_t size = strlen(token);

        if (size == 0 || size > TOKEN_MAX_BYTES)
                return false;
        for (size_t i = 0; i < size; i++)
                if ((unsigned char)token[i] <= ' ' || (unsigned char)token[i] >= 0x7f)
                        return false; /* it becomes part of a header */
        return true;
}

static int read_token(const struct pull *pull, const struct buf *reply, char **ret_token,
                      struct coffer_error *err)
{
        static const char *const names[] = {"token", "access_token"};
        cleanup_with(json_dropp) struct json_t *doc = NULL;
        struct json_value root;
        int r = json_parse(reply->data ? reply->data : "", reply->size, NULL, &doc, err);

        root = json_root(doc);
        for (size_t i = 0; r == 0 && i < ELEMENTS(names); i++) {
                const char *token = NULL;

                if (json_get_string(&root, names[i], JSON_OPTIONAL, &token, NULL) == 0 && token &&
                    is_token(token)) {
                        *ret_token = strdup(token);
                        return *ret_token ? 0 : -ENOMEM;
                }
        }
        return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                         "the token server of %s answers without a token", pull->open->host);
}

static int add_query(CURLU *u, const char *name, const char *value)
{
        cleanup_free char *pair = NULL;

        if (value[0] == '\0')
                return 0;
        if (asprintf(&pair, "%s=%s", name, value) < 0)
                return -ENOMEM;
        return curl_url_set(u, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE) ==
                               CURLUE_OK
                       ? 0
                       : -EPROTO;
}

/* The realm with what a GET says behind the question mark. */
static int make_url(const struct pull *pull, const struct challenge *ask, const char *scope,
                    char *url)
{
        CURLU *u = curl_url();
        char *whole = NULL;
        int r = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK ? 0 : -ENOMEM;

        if (r == 0 && pull->open->secret_kind == PULL_SECRET_PASSWORD)
                r = add_query(u, "account", pull->open->user);
        if (r == 0)
                r = add_query(u, "scope", scope);
        if (r == 0)
                r = add_query(u, "service", ask->service);
        if (r == 0 && curl_url_get(u, CURLUPART_URL, &whole, 0) != CURLUE_OK)
                r = -ENOMEM;
        if (r == 0)
                r = str_copy(url, URL_MAX_BYTES, whole);
        curl_free(whole);
        curl_url_cleanup(u);
        return r;
}

static int add_field(CURL *easy, struct buf *form, const char *name, const char *value)
{
        char *escaped = curl_easy_escape(easy, value, 0);
        int r = escaped ? buf_printf(form, "%s%s=%s", form->size ? "&" : "", name, escaped)
                        : -ENOMEM;

        curl_free(escaped);
        return r;
}

static int make_form(const struct pull *pull, const struct challenge *ask, const char *scope,
                     CURL *easy, struct buf *form)
{
        int r = add_field(easy, form, "grant_type", "refresh_token");

        if (r == 0)
                r = add_field(easy, form, "service", ask->service);
        if (r == 0 && scope[0] != '\0')
                r = add_field(easy, form, "scope", scope);
        if (r == 0)
                r = add_field(easy, form, "client_id", "coffer");
        if (r == 0)
                r = add_field(easy, form, "refresh_token", pull->open->secret);
        return r;
}

static int set_exchange(CURL *easy, struct exchange *x, struct buf *form)
{
        const struct pull_open *open = x->request.pull->open;
        CURLcode bad = CURLE_OK;
        int r = request_setup(easy, &x->request);

#define SET(option, value) bad |= curl_easy_setopt(easy, option, value)
        SET(CURLOPT_TIMEOUT, ANSWER_TIMEOUT_S);
        SET(CURLOPT_HEADERFUNCTION, take_header);
        SET(CURLOPT_HEADERDATA, x);
        SET(CURLOPT_WRITEFUNCTION, take_body);
        SET(CURLOPT_WRITEDATA, x);
        if (form->size > 0)
                SET(CURLOPT_POSTFIELDS, form->data);
        else if (open->secret_kind == PULL_SECRET_PASSWORD) {
                SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
                SET(CURLOPT_USERNAME, open->user);
                SET(CURLOPT_PASSWORD, open->secret);
        }
#undef SET
        return r < 0 || bad != CURLE_OK ? -ENOMEM : 0;
}

static int refused(const struct exchange *x, struct coffer_error *err)
{
        const struct pull_open *open = x->request.pull->open;
        bool named = open->secret_kind != PULL_SECRET_NONE;
        int r;

        if (x->answer.status != 401 && x->answer.status != 403)
                return error_say(err, -EPROTO, COFFER_ERROR_OTHER,
                                 "the token server of %s answers with status %ld", open->host,
                                 x->answer.status);
        r = error_say(err, -EACCES, COFFER_ERROR_OTHER, "registry %s refuses %s", open->host,
                      named ? "the credential" : "access without a credential");
        error_hint(err, "coffer login %s", open->host);
        return r;
}

static int get_token(struct pull *pull, const struct challenge *ask, char **ret_token,
                     struct coffer_error *err)
{
        cleanup_with(buf_release) struct buf form = BUF_INIT(4 * PULL_SECRET_MAX);
        struct exchange x = {.request = {.pull = pull}, .reply = BUF_INIT(REPLY_MAX_BYTES)};
        char scope[PULL_NAME_MAX + 32] = "", detail[CURL_ERROR_SIZE] = "";
        CURL *easy = curl_easy_init();
        CURLcode code;
        bool again;
        int r = request_check_url(pull, "", ask->realm, x.request.url, err);

        answer_reset(&x.answer);
        if (ask->scope[0] == '\0' && pull->open->repository[0] != '\0')
                (void)snprintf(scope, sizeof(scope), "repository:%s:pull", pull->open->repository);
        x.request.ours = r == 0 && request_is_ours(pull, x.request.url);
        if (r == 0 && easy && pull->open->secret_kind == PULL_SECRET_IDENTITY)
                r = make_form(pull, ask, scope[0] ? scope : ask->scope, easy, &form);
        else if (r == 0 && easy)
                r = make_url(pull, ask, scope[0] ? scope : ask->scope, x.request.url);
        if (r == 0)
                r = easy ? set_exchange(easy, &x, &form) : -ENOMEM;
        if (r == -ENOMEM)
                (void)error_set(err, r, "ask for a token");
        if (r == 0) {
                (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
                code = curl_easy_perform(easy);
                (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &x.answer.status);
                if (code != CURLE_OK)
                        r = request_failure(&x.request, code, detail, &again, err);
                else if (x.answer.status != 200)
                        r = refused(&x, err);
                else
                        r = read_token(pull, &x.reply, ret_token, err);
        }
        curl_easy_cleanup(easy);
        buf_release(&x.answer.words);
        buf_release(&x.reply);
        return r;
}

int auth_renew(struct pull *pull, const struct challenge *ask, struct coffer_error *err)
{
        char *token = NULL;
        int r;

        if (ask->scheme == CHALLENGE_BASIC) {
                if (pull->open->secret_kind != PULL_SECRET_PASSWORD ||
                    pull->auth.scheme == CHALLENGE_BASIC) {
                        bool named = pull->open->secret_kind != PULL_SECRET_NONE;

                        r = error_say(err, -EACCES, COFFER_ERROR_OTHER, "registry %s refuses %s",
                                      pull->open->host,
                                      named ? "the credential" : "access without a credential");
                        error_hint(err, "coffer login %s", pull->open->host);
                        return r;
                }
        } else if (pull->open->secret_kind == PULL_SECRET_BEARER) {
                token = strdup(pull->open->secret);
                if (!token)
                        return error_set(err, -ENOMEM, "use a token");
        } else {
                r = get_token(pull, ask, &token, err);
                if (r < 0)
                        return r;
        }
        free(pull->auth.token);
        pull->auth.token = token;
        pull->auth.scheme = ask->scheme;
        pull->auth.generation++;
        return 0;
}

int auth_apply(const struct pull *pull, CURL *easy, struct curl_slist **headers)
{
        cleanup_free char *line = NULL;
        struct curl_slist *more;

        if (pull->auth.scheme == CHALLENGE_BASIC)
                return curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) ||
                                       curl_easy_setopt(easy, CURLOPT_USERNAME, pull->open->user) ||
                                       curl_easy_setopt(easy, CURLOPT_PASSWORD, pull->open->secret)
                               ? -ENOMEM
                               : 0;
        if (pull->auth.scheme != CHALLENGE_BEARER || !pull->auth.token)
                return 0;
        if (asprintf(&line, "Authorization: Bearer %s", pull->auth.token) < 0)
                return -ENOMEM;
        more = curl_slist_append(*headers, line);
        if (!more)
                return -ENOMEM;
        *headers = more;
        return 0;
}
