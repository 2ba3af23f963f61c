// noded-launcher: clones slivers for noded and is their parent (docs/design/starting-a-sliver.md). Started with the
// listening socket at descriptor 3; ends when no noded is connected and no sliver, living or untold, is left.
#include <stdio.h>

#include "noded/launcher/protocol.h"
#include "noded/launcher/server.h"

int main() {
    homeslice::launcher::Server server{homeslice::UniqueFd(homeslice::launcher::kListeningFd)};
    if (const char* failed = server.start(); failed != nullptr) {
        ::perror(failed);
        return 1;
    }
    server.run();
    return 0;
}
