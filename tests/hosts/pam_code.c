/* A PAM module that asks for a code and takes the one in the file that is its argument, once. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As in <security/pam_modules.h>, which need not be installed. */
enum { PAM_SUCCESS = 0, PAM_AUTH_ERR = 7, PAM_CONV = 5, PAM_PROMPT_ECHO_OFF = 1 };
struct pam_message { int style; const char *text; };
struct pam_response { char *text; int code; };
struct pam_conv {
    int (*ask)(int, const struct pam_message **, struct pam_response **, void *);
    void *data;
};
int pam_get_item(const void *handle, int type, const void **item);

int pam_sm_authenticate(void *handle, int flags, int count, const char **arguments)
{
    const struct pam_conv *conversation = NULL;
    const struct pam_message message = { PAM_PROMPT_ECHO_OFF, "Verification code: " };
    const struct pam_message *messages = &message;
    struct pam_response *answer = NULL;
    char right[64] = "";
    FILE *file;

    if (count != 1 || pam_get_item(handle, PAM_CONV, (const void **)&conversation) != PAM_SUCCESS
        || conversation->ask(1, &messages, &answer, conversation->data) != PAM_SUCCESS
        || answer == NULL || answer->text == NULL)
        return PAM_AUTH_ERR;
    file = fopen(arguments[0], "r");
    if (file == NULL || fgets(right, sizeof right, file) == NULL)
        return PAM_AUTH_ERR;
    fclose(file);
    if (strcmp(right, answer->text) != 0)
        return PAM_AUTH_ERR;
    unlink(arguments[0]);
    return PAM_SUCCESS;
}

int pam_sm_setcred(void *handle, int flags, int count, const char **arguments)
{
    return PAM_SUCCESS;
}
