"""Whether a camera is still there, and how it is: what its registers and its link say."""

from collections.abc import Mapping
from typing import Any, Final

from genicam.genapi import GenericException as GenApiError
from genicam.gentl import GenericException as GenTLError

from inspector.camera.features import READABLE, by_name, is_writable, read, set_feature

PULSE: Final = ("AcquisitionStatus", "Width", "PixelFormat")
"""What every camera has, and reads fast: the first that is there is its pulse."""
LINK: Final = (
    "StreamDeliveredFrameCount",
    "StreamLostFrameCount",
    "StreamIncompleteFrameCount",
    "StreamDroppedFrameCount",
    "StreamFailedBufferCount",
    "StreamBufferUnderrunCount",
    "StreamMissedPacketCount",
    "StreamPacketResendRequestCount",
    "Statistic_Failed_Buffer_Count",
    "Statistic_Failed_Packet_Count",
    "Statistic_Resend_Packet_Count",
)
"""What producers count, by the names that those in use give it; GenTL standardises few."""


class Pulse:
    """One register of the camera, read past GenApi's memory of it: only a camera answers that."""

    def __init__(self, features: Mapping[str, Any]) -> None:
        there = (features[name] for name in PULSE if name in features)
        self._feature = next((one for one in there if one.get_access_mode() in READABLE), None)

    def feel(self) -> None:
        """Returns when the camera answered; GenApi's or GenTL's exception where it did not."""
        if self._feature is not None:
            self._feature.get_value(False, True)


def temperatures(features: Mapping[str, Any], camera: str) -> dict[str, float]:
    """In °C, by the place that the camera names ("temperature_Sensor"), or "temperature"."""
    selector = features.get("DeviceTemperatureSelector")
    if selector is None or not is_writable(selector):
        return _temperature("temperature", features)
    selected, found = selector.value, {}
    for place in selector.symbolics:
        set_feature(features, camera, "DeviceTemperatureSelector", place)
        found.update(_temperature(f"temperature_{place}", features))
    selector.value = selected
    return found


def _temperature(name: str, features: Mapping[str, Any]) -> dict[str, float]:
    value = read(features, "DeviceTemperature")
    return {} if value is None else {name: float(value)}


def link_counts(stream: Any) -> dict[str, float]:
    """What the producer counted since the acquisition began, by its own names, and GenTL's two:
    "delivered" and "underrun", the frames that came while no buffer was free."""
    counts: dict[str, float] = {}
    for name in ("delivered", "underrun"):
        try:
            counts[name] = float(getattr(stream, f"num_{name}"))
        except GenTLError:  # it need not count
            continue
    return counts | _own_counts(stream)


def _own_counts(stream: Any) -> dict[str, float]:
    try:
        features = by_name(stream.node_map)
        values = {name: read(features, name) for name in LINK}
    except (AttributeError, GenApiError, GenTLError):  # a stream need not describe itself
        return {}
    return {name: float(value) for name, value in values.items() if value is not None}
