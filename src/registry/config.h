/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <coffer/error.h>

#include "base/str.h"

/*
 * What people set about registries: coffer.conf (store/conf.h), then COFFER_… in the environment;
 * each one that sets an option replaces what was set before.
 */

/**
 * struct registry_config - all of it
 * @insecure: hosts that are spoken to by plain HTTP
 * @private:  hosts that may send us to any address
 * @stall_s:  how long nothing may come before a connection is given up
 * @attempts: how often a request is tried without getting further
 */
struct registry_config {
        struct strv insecure;
        struct strv private;
        uint32_t stall_s;
        uint32_t attempts;
};

/** registry_config_read() - read it
 * @ret: release with registry_config_release()
 * @err: names file and line
 *
 * Return: 0 or a negative errno.
 */
int registry_config_read(struct registry_config *ret, struct coffer_error *err);
void registry_config_release(struct registry_config *c);

/** registry_config_has() - whether a list names a host, with its port or for all of them */
bool registry_config_has(const struct strv *list, const char *host);
