"""The channels of a gateway's file, made ready for dispatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.notify.topic import Publish, Topic, TopicSettings
from adapters.notify.webhook import Webhook, WebhookSettings
from alerts.ports import Notifier
from gateway.dispatch import Channel

Settings = WebhookSettings | TopicSettings


def channels(notify: Mapping[str, Settings], publish: Publish) -> list[Channel]:
    """One channel for each entry; those over the broker send through `publish`."""
    return [Channel(name, _notifier(each, publish), each.timeout, each.deadline, each.limit) for name, each in notify.items()]


def _notifier(settings: Settings, publish: Callable[..., None]) -> Notifier:
    return Topic(settings, publish) if isinstance(settings, TopicSettings) else Webhook(settings)
