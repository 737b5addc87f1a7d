"""A Dask Gateway server: its address, the login, and questions to it that end in plain errors."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import dask

from cbmcube.cluster._gdal import secret_names
from cbmcube.exceptions import ClusterError, OptionError

Answer = TypeVar("Answer")

LOGINS = ("jupyterhub", "kerberos", "basic")
"""Names of logins; any other is an object of ``dask_gateway``."""

REQUEST_SECONDS = 30.0
"""How long a gateway may take for one answer; its own client waits for five minutes."""


def require_gateway() -> Any:
    """Return the package ``dask_gateway``, an extra."""
    try:
        import dask_gateway  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "clusters of a Dask Gateway need its client: pip install 'cbmcube[gateway]'"
        ) from error
    return dask_gateway


@contextmanager
def open_gateway(address: Any, *, auth: Any, proxy_address: str | int | None) -> Iterator[Any]:
    """Yield a ``dask_gateway.Gateway``: the one given, or a new one that is closed at the end."""
    package = require_gateway()
    if isinstance(address, package.Gateway):
        if auth is not None or proxy_address is not None:
            raise OptionError(
                "a Gateway object has its login and its proxy already",
                given="auth or proxy_address beside it",
                hint="pass them to dask_gateway.Gateway",
            )
        if address.asynchronous:
            raise OptionError(
                "a Gateway object must not be asynchronous",
                given="Gateway(asynchronous=True)",
            )
        yield address
        return
    login = _login(address, auth)
    _check_address(address)
    try:
        gateway = package.Gateway(address, proxy_address=proxy_address, auth=login)
    except (ValueError, TypeError) as error:
        raise OptionError(
            "the gateway cannot be addressed",
            given=str(error),
            hint="pass address='https://…', and auth='jupyterhub' only on a JupyterHub",
        ) from error
    try:
        yield gateway
    finally:
        close_gateway(gateway)


def close_gateway(gateway: Any) -> None:
    """Close a Gateway, so that nothing is printed when it is forgotten."""
    gateway.close()
    # Otherwise __del__ of dask-gateway 2026.3 closes it again and fails, because distributed
    # 2026.8 has no loop then; what is asynchronous it leaves alone.
    gateway._asynchronous = True  # noqa: SLF001


def ask(
    gateway: Any, function: Callable[..., Answer], *arguments: Any, seconds: float, **named: Any
) -> Answer:
    """Return what a function of the gateway returns, within some seconds, or say what failed."""
    found: list[Answer] = []
    failed: list[BaseException] = []

    def call() -> None:
        try:
            found.append(function(*arguments, **named))
        except BaseException as error:  # noqa: BLE001  # passed on to the thread that asked
            failed.append(error)

    # A thread of its own, because the client of the gateway knows no time limit.
    thread = threading.Thread(target=call, daemon=True, name="cbmcube-gateway")
    thread.start()
    thread.join(seconds)
    if found:
        return found[0]
    if not failed:
        failed.append(TimeoutError(f"no answer within {seconds:g} s"))
    if isinstance(failed[0], Warning):  # the caller made it an error; the gateway did answer
        raise failed[0]
    raise _translated(failed[0], gateway.address) from failed[0]


def chosen_options(gateway: Any, given: Mapping[str, Any], tag: tuple[str, str]) -> Any:
    """Return the server's options with the user's values, and the tag where there is room for it.

    Raises
    ------
    OptionError
        The server has no such option, or not such a value, or a value would be a secret.
    """
    options = ask(gateway, gateway.cluster_options, seconds=REQUEST_SECONDS)
    unknown = sorted(set(given) - set(options))
    if unknown:
        raise OptionError(
            "the gateway does not offer an option",
            given=", ".join(unknown),
            allowed=", ".join(sorted(options)) or "none: this gateway offers no options",
        )
    for name, value in given.items():
        if isinstance(value, Mapping):
            _refuse_secrets(name, value)
        try:
            options[name] = dict(value) if isinstance(value, Mapping) else value
        except (TypeError, ValueError) as error:
            # Not the value itself: it may be a secret after all.
            reason = str(error)
            if not isinstance(value, bool | int | float):
                reason = reason.replace(repr(value), f"a {type(value).__name__}")
            raise OptionError(
                f"the gateway does not take this value of the option {name!r}", given=reason
            ) from None
    environment = options.get("environment")
    if isinstance(environment, Mapping):
        options["environment"] = {**environment, tag[0]: tag[1]}
    return options


def _refuse_secrets(name: str, value: Mapping[str, Any]) -> None:
    secret = secret_names(value)
    if secret:
        raise OptionError(
            f"the option {name!r} would hold secrets, which the gateway stores and shows",
            given=", ".join(secret),
            hint="pass them as s3=, bearer= or env= of gateway_cluster: they go to workers only",
        )


def _check_address(address: object) -> None:
    if address is None:
        return
    if not isinstance(address, str):
        raise OptionError(
            "address must be text or a dask_gateway.Gateway", given=type(address).__name__
        )
    parts = urlsplit(address)
    if parts.username is not None or parts.password is not None:
        raise OptionError(
            "the address of a gateway must not hold a password",
            hint="pass auth=dask_gateway.BasicAuth(username, password)",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OptionError("address must be a web address", given=address, allowed="https://host")


def _login(address: str | None, auth: Any) -> Any:
    """Return what logs in: what the user says, what Dask's settings say, or the hub's token."""
    if isinstance(auth, str) and auth not in LOGINS:
        # Dask would import a module of this name.
        raise OptionError(
            "auth is no login", given=repr(auth), allowed=f"{', '.join(LOGINS)}, or an object"
        )
    if auth is not None:
        return auth
    configured = dask.config.get("gateway.auth.type", "basic")
    chosen = configured != "basic" or dask.config.get("gateway.auth.kwargs", None)
    if not chosen and "JUPYTERHUB_API_TOKEN" in os.environ and _of_hub(address):
        return "jupyterhub"
    return None


def _of_hub(address: str | None) -> bool:
    """Whether a gateway is the hub's own: its token must not reach any other."""
    configured = dask.config.get("gateway.address", None)
    if address is None or address == configured:
        return True
    names = ("JUPYTERHUB_API_URL", "JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_HOST")
    hosts = {urlsplit(os.environ.get(name, "")).hostname for name in names}
    return urlsplit(address).hostname in hosts - {None}


def _translated(error: BaseException, address: str) -> ClusterError:
    """Return an error that says what to do; errors of web requests name no next step."""
    status = getattr(error, "status", None)
    if status in (401, 403):
        return ClusterError(
            "the gateway refuses the login",
            given=f"{address}: status {status}",
            hint="pass auth='jupyterhub' on its hub, or auth=dask_gateway.BasicAuth(user, "
            "password), or auth='kerberos'",
        )
    name = type(error).__name__
    if name in ("GatewayServerError", "GatewayClusterError") or isinstance(error, ValueError):
        return ClusterError("the gateway refuses", given=f"{address}: {error}")
    if status is not None:
        return ClusterError("the gateway fails", given=f"{address}: status {status}")
    if isinstance(error, ImportError):
        return ClusterError("this login needs a package", given=str(error))
    return ClusterError(
        "the gateway does not answer",
        given=f"{address}: {name}",
        hint="look whether the address is right and reachable from here",
    )
