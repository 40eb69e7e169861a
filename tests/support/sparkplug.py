"""Sparkplug B messages as an edge node would send them, written by Google's Protocol Buffers: a second opinion on our own reading of them."""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

INT, REPEATED, OPTIONAL = descriptor_pb2.FieldDescriptorProto, 3, 1
_PROPERTY = {"type": (1, INT.TYPE_UINT32), "is_null": (2, INT.TYPE_BOOL), "int_value": (3, INT.TYPE_UINT32), "string_value": (8, INT.TYPE_STRING)}
_METRIC = {
    "name": (1, INT.TYPE_STRING),
    "alias": (2, INT.TYPE_UINT64),
    "timestamp": (3, INT.TYPE_UINT64),
    "datatype": (4, INT.TYPE_UINT32),
    "is_historical": (5, INT.TYPE_BOOL),
    "is_transient": (6, INT.TYPE_BOOL),
    "is_null": (7, INT.TYPE_BOOL),
    "int_value": (10, INT.TYPE_UINT32),
    "long_value": (11, INT.TYPE_UINT64),
    "float_value": (12, INT.TYPE_FLOAT),
    "double_value": (13, INT.TYPE_DOUBLE),
    "boolean_value": (14, INT.TYPE_BOOL),
    "string_value": (15, INT.TYPE_STRING),
}
_PAYLOAD = {"timestamp": (1, INT.TYPE_UINT64), "seq": (3, INT.TYPE_UINT64), "uuid": (4, INT.TYPE_STRING)}


@functools.cache
def _payload() -> Any:
    """The message class of a payload, built from the specification's field numbers."""
    file = descriptor_pb2.FileDescriptorProto(name="spb.proto", package="spb", syntax="proto2")
    for message, fields in (("PropertyValue", _PROPERTY), ("PropertySet", {}), ("Metric", _METRIC), ("Payload", _PAYLOAD)):
        made = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            made.field.add(name=name, number=number, type=kind, label=OPTIONAL)
    by_name = {message.name: message for message in file.message_type}
    by_name["PropertySet"].field.add(name="keys", number=1, type=INT.TYPE_STRING, label=REPEATED)
    for owner, name, number, inner, label in (
        ("PropertySet", "values", 2, "PropertyValue", REPEATED),
        ("Metric", "properties", 9, "PropertySet", OPTIONAL),
        ("Payload", "metrics", 2, "Metric", REPEATED),
    ):
        by_name[owner].field.add(name=name, number=number, type=INT.TYPE_MESSAGE, type_name=f".spb.{inner}", label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("spb.Payload"))


def payload(*metrics: dict[str, Any], time: int | None = None, seq: int | None = None) -> bytes:
    """A payload of these metrics, whose keys are the specification's field names and `quality` for the property of that name."""
    made = _payload()()
    if time is not None:
        made.timestamp = time
    if seq is not None:
        made.seq = seq
    for metric in metrics:
        quality = metric.get("quality")
        added = made.metrics.add(**{key: value for key, value in metric.items() if key != "quality"})
        if quality is not None:
            added.properties.keys.extend(["engUnit", "Quality"])
            added.properties.values.add(type=12, string_value="%LEL")
            added.properties.values.add(type=3, int_value=quality)
    return bytes(made.SerializeToString())


def parsed(data: bytes) -> Any:
    """What Google's library reads in a payload."""
    return _payload().FromString(data)
