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
    }
    return "unknown";
}

std::string subjectText(const Operation& operation) {
    if (operation.kind == OperationKind::drainNode) return operation.node;
    return operation.subject.index == 0 ? operation.subject.slice : operation.subject.toString();
}

}  // namespace homeslice::controller
