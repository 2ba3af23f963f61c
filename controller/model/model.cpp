#include "controller/model/model.h"

namespace homeslice::controller {

const char* toString(OperationKind kind) {
    switch (kind) {
        case OperationKind::createSlice:
            return "create slice";
        case OperationKind::deleteSlice:
            return "delete slice";
        case OperationKind::moveSliver:
            return "move sliver";
        case OperationKind::setSlice:
            return "set slice";
        case OperationKind::freeze:
            return "freeze";
        case OperationKind::thaw:
            return "thaw";
        case OperationKind::drainNode:
            return "drain node";
        case OperationKind::replaceSlivers:
            return "replace slivers";
        case OperationKind::rebalance:
            return "rebalance";
        case OperationKind::importImage:
            return "import image";
    }
    return "unknown";
}

const char* toString(UserRole role) { return role == UserRole::admin ? "admin" : "user"; }

std::string subjectText(const SliverId& subject) { return subject.index == 0 ? subject.slice : subject.toString(); }

std::string subjectText(const Operation& operation) {
    return operation.subject.slice.empty() ? operation.node : subjectText(operation.subject);
}

}  // namespace homeslice::controller
