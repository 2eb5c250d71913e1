/* What an ordinary user runs: reaper WAITER PROGRAM ARGUMENT...
   Takes over the orphans of what it starts, starts PROGRAM, and becomes the set-uid WAITER: whoever then asks after the
   parent of an orphan finds a process of root's. */
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return 2;
    if (fork() == 0) {
        execv(argv[2], argv + 2);
        _exit(127);
    }
    /* The client's pipes end with the agent. */
    close(0);
    close(1);
    execl(argv[1], "waiter", (char *)0);
    return 127;
}
