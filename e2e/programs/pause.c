/* The first process of a node and of a pod's sandbox: waits for ever, takes in the orphans, ends when it is told to. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) {
    (void)signal;
    _exit(0);
}

int main(void) {
    struct sigaction action = {.sa_handler = end};
    sigset_t children;
    int got;

    /* The kernel sends the first process of a namespace only what it handles (pid_namespaces(7)). */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    for (;;) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        sigwait(&children, &got);
    }
}
