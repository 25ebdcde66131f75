import { Metadata, status } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import rpc from "@pulumi/pulumi/proto/status_pb.js";
import any from "google-protobuf/google/protobuf/any_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import type { WireMap } from "./wire.ts";

/** A resource that is there and does not do what it is for: the engine keeps its state, and tries again with the next update. */
export class InitFailedError extends Error {
  override readonly name = "InitFailedError";
  readonly expected = true;
  /** What carries the state beside the message. */
  readonly metadata: Metadata;

  constructor(message: string, resource: { readonly id: string; readonly state: WireMap; readonly inputs?: WireMap }) {
    super(message);
    const detail = new provider.ErrorResourceInitFailed();
    detail.setId(resource.id);
    detail.setProperties(struct.Struct.fromJavaScript(resource.state));
    if (resource.inputs !== undefined) detail.setInputs(struct.Struct.fromJavaScript(resource.inputs));
    detail.setReasonsList([message]);
    const packed = new any.Any();
    packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const answer = new rpc.Status();
    answer.setCode(status.UNKNOWN);
    answer.setMessage(message);
    answer.addDetails(packed);
    this.metadata = new Metadata();
    // Where gRPC's other implementations look for what comes with an error.
    this.metadata.add("grpc-status-details-bin", Buffer.from(answer.serializeBinary()));
  }
}
