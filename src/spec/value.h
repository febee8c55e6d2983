/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spec/spec.h"

/*
 * What people write for sizes, times, signals, names: Docker's syntax, read strictly.  The numbers
 * answer 0, -EINVAL (not of this form) or -ERANGE (too large, or too fine to be kept).
 */

/** value_bool() - "true", "1", "t", … as Go's ParseBool; NULL and "" are true */
int value_bool(const char *s, bool *ret_bool);
/** value_size() - "512m", "1.5g", "4096", "2KiB"; units are powers of 1024 */
int value_size(const char *s, uint64_t *ret_bytes);
/** value_cpus() - "0.5", "2"; to a thousandth */
int value_cpus(const char *s, uint64_t *ret_millis);
/** value_duration() - "10" (seconds), "10s", "1m30s", "500ms", "1.5h"; "-1" is for ever */
int value_duration(const char *s, uint32_t *ret_ms);
/** value_signal() - "TERM", "sigterm", "15", "RTMIN+1" */
int value_signal(const char *s, uint32_t *ret_signal);
/** value_ulimit() - "nofile=1024:4096", "core=0", "-1" for no limit */
int value_ulimit(const char *s, struct spec_ulimit *ret_limit);
/** value_ulimit_name() - "nofile"; NULL when there is no such resource */
const char *value_ulimit_name(uint32_t resource);
/** value_host() - "name:address" or "name=address" as "name:address"; -EINVAL or -ENOMEM */
int value_host(const char *s, char **ret_host);
/** value_path() - absolute, without ".."; double slashes, "." and the last slash go
 *
 * Return: 0, -EINVAL (not absolute), -ENOTDIR (has a ".."), -ENAMETOOLONG or -ENOMEM.
 */
int value_path(const char *s, char **ret_path);

/** value_is_path() - is what value_path() would make of it */
bool value_is_path(const char *s);
/** value_is_user() - has the form of "user[:group]", each a name or a number */
bool value_is_user(const char *s);
/** value_is_group() - the name or number of one group */
bool value_is_group(const char *s);
/** value_is_hostname() - RFC 1123, and no longer than the kernel takes */
bool value_is_hostname(const char *s);
/** value_is_digest() - "sha256:" and 64 hexadecimal digits in lower case */
bool value_is_digest(const char *s);

/**
 * value_refuse() - say why a value is refused, as a usage error
 * @err:  where to; may be NULL
 * @code: what to return
 * @hint: what to write instead
 * @text: what is wrong
 * @what: the part meant, put in quotes behind @text; may be NULL
 *
 * Return: @code.
 */
int value_refuse(struct coffer_error *err, int code, const char *hint, const char *text,
                 const char *what);
