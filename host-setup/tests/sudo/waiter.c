/* Installed set-uid root, as su is while it asks for a password: it waits. */
#include <unistd.h>

int main(void) {
    for (;;)
        pause();
}
