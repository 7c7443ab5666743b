"""How a broker lets us in: a password from where secrets are kept, and certificates.

No error here says what the secret is.
"""

import ssl
from collections.abc import Mapping

from engine.types import InputError
from inspector.settings import MqttSettings


def read_password(settings: MqttSettings, environment: Mapping[str, str]) -> str | None:
    """The password, None where none is named; :class:`InputError` where it cannot be had."""
    if settings.password_env is not None:
        return _from_environment(settings.password_env, environment)
    if settings.password_file is None:
        return None
    path = settings.password_file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"The MQTT password file {path} cannot be read: mend it.") from None
    if not lines or not lines[0]:
        raise InputError(f"The MQTT password file {path} begins with an empty line: fill it.")
    return lines[0]


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    password = environment.get(name)
    if not password:
        raise InputError(f"The MQTT password is not in the environment: set {name}.")
    return password


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """TLS that trusts ``ca`` alone and checks the broker's name; None where TLS is off.

    :class:`InputError` where a file cannot be used, an encrypted key among them.
    """
    if settings.ca is None:
        return None
    try:
        context = ssl.create_default_context(cafile=str(settings.ca))
    except (OSError, ssl.SSLError):
        raise InputError(f"The MQTT ca {settings.ca} is no readable certificate.") from None
    if settings.cert is None or settings.key is None:
        return context
    try:
        # A password, empty, keeps OpenSSL from asking for one at a terminal.
        context.load_cert_chain(settings.cert, settings.key, password=lambda: "")
    except (OSError, ssl.SSLError):
        raise InputError(
            f"The MQTT cert {settings.cert} and key {settings.key} are no readable pair: "
            "give PEM files that belong together, the key not encrypted."
        ) from None
    return context
