// The next step of one sliver, from what should be and what is. Pure: no clock, no lock, no kernel.
#pragma once

#include "noded/sliver/record.h"

namespace homeslice::sliver {

enum class Step {
    none,
    settle,    // its process ended unasked: say how
    clean_up,  // and remove what was made around it
    request_stop,
    await_end,    // a stop is under way
    finish_stop,  // the process is gone: clean up
    start,        // image, disk, isolation, process
    prepare_image,
    mark_stopped,  // take the spec over; nothing runs
    update,        // it runs on, with what can change under way: generation, resources, exposed ports
    freeze,
    thaw,
    remove,
};

struct Situation {
    const Record& record;
    const SliverSpec* desired = nullptr;  // absent: the sliver is to go
    bool picture_known = false;           // a desired picture was taken in since noded started
    bool alive = false;                   // the process of the record lives
    bool unclean = false;                 // it ended, and what was made around it is still there
    bool image_ready = false;
};

Step decide(const Situation& situation);

// Whether `desired` can be had only by stopping what runs as `current`.
bool needsRestart(const SliverSpec& current, const SliverSpec& desired);
// Whether its restart policy runs again what ended like this.
bool mayRestart(const Record& record);
// Whether the disk has to come from another node first: there is none here, or it last ran here before it ran there.
bool needsDisk(const Record& record, const SliverSpec& desired);

}  // namespace homeslice::sliver
