/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"

#include <errno.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/opt.h"

static const struct filter_key *find(const struct filter_key *keys, const char *filter)
{
        const char *equals = strchr(filter, '=');
        size_t size = equals ? (size_t)(equals - filter) : 0;

        for (const struct filter_key *k = keys; k->name; k++)
                if (strlen(k->name) == size && strncmp(k->name, filter, size) == 0)
                        return k;
        return NULL;
}

static const char *value_of(const char *filter)
{
        return strchr(filter, '=') + 1;
}

static int refuse(const char *filter, const struct filter_key *keys, struct coffer_error *err)
{
        struct buf known = BUF_INIT(COFFER_ERROR_HINT_MAX);

        for (const struct filter_key *k = keys; k->name; k++)
                (void)buf_printf(&known, " %s", k->name);
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "invalid filter '%s'", filter);
        error_hint(err, "write KEY=VALUE; keys are:%s", known.data ? known.data : " none");
        buf_release(&known);
        return -EINVAL;
}

int filter_check(const struct strv *filters, const struct filter_key *keys,
                 struct coffer_error *err)
{
        for (size_t i = 0; i < filters->count; i++) {
                const struct filter_key *k = find(keys, filters->items[i]);

                if (!k)
                        return refuse(filters->items[i], keys, err);
                if (k->check && k->check(value_of(filters->items[i]), err) < 0)
                        return -EINVAL;
        }
        return 0;
}

static bool match_key(const struct strv *filters, const struct filter_key *keys,
                      const struct filter_key *key, const void *item)
{
        bool asked = false;

        for (size_t i = 0; i < filters->count; i++) {
                if (find(keys, filters->items[i]) != key)
                        continue;
                asked = true;
                if (key->match(item, value_of(filters->items[i])))
                        return true;
        }
        return !asked;
}

bool filter_match(const struct strv *filters, const struct filter_key *keys, const void *item)
{
        for (const struct filter_key *k = keys; k->name; k++)
                if (!match_key(filters, keys, k, item))
                        return false;
        return true;
}

bool filter_label(const char *const *labels, const char *wanted)
{
        size_t size = strlen(wanted);

        for (; labels && *labels; labels++)
                if (strncmp(*labels, wanted, size) == 0 &&
                    ((*labels)[size] == '\0' || ((*labels)[size] == '=' && !strchr(wanted, '='))))
                        return true;
        return false;
}

int filter_check_bool(const char *value, struct coffer_error *err)
{
        bool is_true;

        if (opt_bool(value, &is_true) == 0)
                return 0;
        (void)error_say(err, -EINVAL, COFFER_ERROR_USAGE, "invalid filter value '%s'", value);
        error_hint(err, "give true or false");
        return -EINVAL;
}

bool filter_is_true(const char *value)
{
        bool is_true = false;

        (void)opt_bool(value, &is_true);
        return is_true;
}
