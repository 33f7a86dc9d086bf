"""The messages of Prometheus' remote write 1.0, declared to protobuf when they are needed.

Fields and numbers are those of ``prometheus/prompb/remote.proto`` and ``types.proto``; what
is never sent is left out. Declared here, there is no generated code to keep in step with
the protobuf that is installed.
"""

import struct
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "pytest_k6api.prometheus"
_REPEATED = _Field.LABEL_REPEATED
_SINGLE = _Field.LABEL_OPTIONAL

# Name of a field: its number, its type (a name of a message, or one of protobuf's), whether it is
# repeated.
_MESSAGES: dict[str, dict[str, tuple[int, str | int, bool]]] = {
    "WriteRequest": {"timeseries": (1, "TimeSeries", True)},
    "TimeSeries": {
        "labels": (1, "Label", True),
        "samples": (2, "Sample", True),
        "histograms": (4, "Histogram", True),
    },
    "Label": {"name": (1, _Field.TYPE_STRING, False), "value": (2, _Field.TYPE_STRING, False)},
    "Sample": {"value": (1, _Field.TYPE_DOUBLE, False), "timestamp": (2, _Field.TYPE_INT64, False)},
    "Histogram": {
        "count_int": (1, _Field.TYPE_UINT64, False),
        "sum": (3, _Field.TYPE_DOUBLE, False),
        "schema": (4, _Field.TYPE_SINT32, False),
        "zero_threshold": (5, _Field.TYPE_DOUBLE, False),
        "zero_count_int": (6, _Field.TYPE_UINT64, False),
        "negative_spans": (8, "BucketSpan", True),
        "negative_deltas": (9, _Field.TYPE_SINT64, True),
        "positive_spans": (11, "BucketSpan", True),
        "positive_deltas": (12, _Field.TYPE_SINT64, True),
        "timestamp": (15, _Field.TYPE_INT64, False),
    },
    "BucketSpan": {
        "offset": (1, _Field.TYPE_SINT32, False),
        "length": (2, _Field.TYPE_UINT32, False),
    },
}

STALE: float = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""The NaN that ends a series.

Source: Prometheus, ``model/value/value.go``, ``StaleNaN``.
"""


def _declare() -> Any:  # protobuf makes its classes when the program runs
    file = descriptor_pb2.FileDescriptorProto(
        name="pytest_k6api/remote_write.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, is_repeated) in fields.items():
            added = message.field.add(
                name=field, number=number, label=_REPEATED if is_repeated else _SINGLE
            )
            if isinstance(kind, str):
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                added.type = kind
    # A pool of its own: other programs in the process may declare the same names.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.WriteRequest"))


WriteRequest: Any = _declare()
"""The message that is sent; its parts are made by ``add()``."""
