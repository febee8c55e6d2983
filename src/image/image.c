/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include <stdlib.h>

void image_config_release(struct image_config *config)
{
        strv_release(&config->entrypoint);
        strv_release(&config->cmd);
        strv_release(&config->env);
        strv_release(&config->volumes);
        strv_release(&config->labels);
        strv_release(&config->exposed_ports);
        strv_release(&config->health_test);
        strv_release(&config->shell);
        free(config->user);
        free(config->working_dir);
        free(config->stop_signal);
        free(config->architecture);
        free(config->os);
        free(config->variant);
        free(config->created);
        free(config->author);
        *config = (struct image_config){0};
}

void image_release(struct image *image)
{
        free(image->reference);
        free(image->dir);
        strv_release(&image->layers);
        free(image->id);
        image_config_release(&image->config);
        *image = (struct image){0};
}
