/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <coffer/error.h>

/** certs_collect() - what is trusted for one registry beside the system's certificates
 * @host:   as in a name, with its port
 * @ret_fd: a file with all *.crt of HOST's directories in coffer/certs.d and containers/certs.d,
 *          the user's and below /etc, and in /etc/docker/certs.d; -1 when there are none
 * @err:    names the file
 *
 * Return: 0 or a negative errno.
 */
int certs_collect(const char *host, int *ret_fd, struct coffer_error *err);
