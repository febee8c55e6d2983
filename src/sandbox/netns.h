/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct coffer_error;

/** netns_loopback_up() - bring lo up in the current network namespace (netdevice(7)) */
int netns_loopback_up(struct coffer_error *err);
