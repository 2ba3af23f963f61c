// The nodes' long-lived streams, and the images that they fetch.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/address_grants.h"
#include "controller/api/encoded_lists.h"
#include "controller/api/gate.h"
#include "controller/api/switchboard.h"
#include "controller/images/image_files.h"
#include "homeslice/v1/node.grpc.pb.h"

namespace homeslice::controller {

class NodeLinkService : public v1::NodeLink::CallbackService {
public:
    NodeLinkService(const Gate& gate, const ImageFiles& images, pki::GrantKeys grant_keys, Switchboard& board)
        : gate_(gate), images_(images), grants_(std::move(grant_keys)), board_(board) {}

    grpc::ServerBidiReactor<v1::NodeMessage, v1::ControllerMessage>* Connect(
        grpc::CallbackServerContext* context) override;
    grpc::ServerWriteReactor<v1::Chunk>* FetchImage(grpc::CallbackServerContext* context,
                                                    const v1::FetchImageRequest* request) override;
    grpc::ServerBidiReactor<v1::Chunk, v1::Chunk>* Listen(grpc::CallbackServerContext* context) override;
    grpc::ServerBidiReactor<v1::DialRequest, v1::Chunk>* Dial(grpc::CallbackServerContext* context) override;

private:
    const Gate& gate_;
    const ImageFiles& images_;
    const AddressGrants grants_;
    EncodedLists lists_;
    Switchboard& board_;
};

}  // namespace homeslice::controller
