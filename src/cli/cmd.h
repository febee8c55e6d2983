/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The rows of all commands; each is in the file whose name says so. */

#include "cli/command.h"

extern const struct command command_attach, command_audit_show, command_audit_verify,
        command_completion, command_cp, command_create, command_diff, command_doctor,
        command_events, command_exec, command_export, command_image_import, command_image_inspect,
        command_image_load, command_image_ls, command_image_prune, command_image_pull,
        command_image_rm, command_image_save, command_image_tag, command_info, command_inspect,
        command_kill, command_login, command_logout, command_logs, command_pause, command_prune,
        command_ps, command_rename, command_restart, command_rm, command_run, command_start,
        command_stats, command_stop, command_system_df, command_top, command_unpause,
        command_update, command_version, command_volume_create, command_volume_inspect,
        command_volume_ls, command_volume_prune, command_volume_rm, command_wait;
