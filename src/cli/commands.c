/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"

const struct command *const commands[] = {
        &command_run,
        &command_exec,
        &command_ps,
        &command_create,
        &command_start,
        &command_stop,
        &command_restart,
        &command_kill,
        &command_rm,
        &command_wait,
        &command_attach,
        &command_logs,
        &command_audit_show,
        &command_audit_verify,
        &command_pause,
        &command_unpause,
        &command_update,
        &command_inspect,
        &command_top,
        &command_stats,
        &command_cp,
        &command_diff,
        &command_export,
        &command_rename,
        &command_prune,
        &command_events,
        &command_image_pull,
        &command_image_ls,
        &command_image_inspect,
        &command_image_tag,
        &command_image_rm,
        &command_image_prune,
        &command_image_load,
        &command_image_save,
        &command_image_import,
        &command_login,
        &command_logout,
        &command_volume_create,
        &command_volume_ls,
        &command_volume_inspect,
        &command_volume_rm,
        &command_volume_prune,
        &command_system_df,
        &command_info,
        &command_doctor,
        &command_version,
        &command_completion,
        NULL,
};

/* How many of the words are @name, which has one or two; 0: it is another one. */
static int match(const char *name, char *const *words)
{
        const char *blank = strchr(name, ' ');

        if (!blank)
                return str_eq(name, words[0]) ? 1 : 0;
        if (!words[1] || strlen(words[0]) != (size_t)(blank - name) ||
            strncmp(name, words[0], strlen(words[0])) != 0)
                return 0;
        return str_eq(blank + 1, words[1]) ? 2 : 0;
}

const struct command *command_find(char *const *words, int *ret_used)
{
        for (size_t i = 0; commands[i]; i++) {
                int used = match(commands[i]->name, words);

                if (used == 0 && commands[i]->alias)
                        used = match(commands[i]->alias, words);
                if (used > 0) {
                        *ret_used = used;
                        return commands[i];
                }
        }
        return NULL;
}

bool command_is_group(const char *word)
{
        size_t size = strlen(word);

        for (size_t i = 0; commands[i]; i++)
                if (strncmp(commands[i]->name, word, size) == 0 && commands[i]->name[size] == ' ')
                        return true;
        return false;
}
