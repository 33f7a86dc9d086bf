"""What methods take and give when there is no generated code: descriptors, and dicts as messages."""

from pytest_k6api.protocols.grpc.schemas.methods import MethodSchema, Schemas, read_proto_files

__all__ = ["MethodSchema", "Schemas", "read_proto_files"]
