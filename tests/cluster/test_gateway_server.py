from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import dask
import pytest

from cbmcube.cluster import gateway_cluster, list_clusters
from cbmcube.cluster._gateway_server import _login, _translated, ask, open_gateway
from cbmcube.exceptions import ClusterError, OptionError

dask_gateway = pytest.importorskip("dask_gateway")

HUB = {
    "JUPYTERHUB_API_TOKEN": "c4n4ry",
    "JUPYTERHUB_API_URL": "http://hub:8081/hub/api",
    "JUPYTERHUB_PUBLIC_HUB_URL": "https://hub.example.org/hub",
}
PLACE = SimpleNamespace(address="http://127.0.0.1:1")


@pytest.fixture
def _on_hub(monkeypatch):
    for name, value in HUB.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("address", "login"),
    [
        (None, "jupyterhub"),
        ("https://hub.example.org/services/dask-gateway", "jupyterhub"),
        ("http://hub:8000/services/dask-gateway", "jupyterhub"),
        ("https://elsewhere.example.org", None),
        ("https://hub.example.org.evil.example", None),
    ],
)
@pytest.mark.usefixtures("_on_hub")
def test_the_token_of_a_hub_reaches_its_own_gateway_only(address, login):
    assert _login(address, None) == login


@pytest.mark.usefixtures("_on_hub")
def test_the_gateway_that_the_hub_configured_is_its_own():
    with dask.config.set({"gateway.address": "https://dask.example.org"}):
        assert _login("https://dask.example.org", None) == "jupyterhub"
        assert _login("https://other.example.org", None) is None


@pytest.mark.usefixtures("_on_hub")
def test_what_the_user_or_the_settings_say_wins():
    auth = dask_gateway.BasicAuth("ada", "c4n4ry")
    assert _login(None, auth) is auth
    assert _login(None, "kerberos") == "kerberos"
    with dask.config.set({"gateway.auth.type": "kerberos"}):
        assert _login(None, None) is None
    with dask.config.set({"gateway.auth.kwargs": {"username": "ada"}}):
        assert _login(None, None) is None


def test_without_a_hub_nothing_is_chosen(monkeypatch):
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    assert _login(None, None) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"address": "https://ada:c4n4ry@dask.example.org"}, "must not hold a password"),
        ({"address": "dask.example.org"}, "must be a web address"),
        ({"address": "file:///etc/passwd"}, "must be a web address"),
        ({"address": 8000}, "must be text or a dask_gateway.Gateway"),
        ({"address": "http://h", "auth": "os.system"}, "(?s)auth is no login.*kerberos"),
        ({"address": "http://h", "auth": 5}, "cannot be addressed"),
        ({}, "(?s)cannot be addressed.*address="),
    ],
)
def test_wrong_addresses_and_logins_are_told(options, says):
    with pytest.raises(OptionError, match=says) as caught:
        list_clusters(**options)
    assert "c4n4ry" not in str(caught.value)


def test_a_hub_without_a_token_is_told(monkeypatch):
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    with pytest.raises(OptionError, match="(?s)JUPYTERHUB_API_TOKEN.*only on a JupyterHub"):
        list_clusters("http://127.0.0.1:1", auth="jupyterhub")


def test_a_gateway_that_is_not_there_is_told_quickly():
    began = time.monotonic()
    with pytest.raises(ClusterError, match="(?s)does not answer.*127.0.0.1:1"):
        list_clusters("http://127.0.0.1:1")
    assert time.monotonic() - began < 10


def test_an_asynchronous_gateway_is_refused():
    class Asynchronous(dask_gateway.Gateway):
        def __init__(self):
            self._asynchronous = True

    with (
        pytest.raises(OptionError, match="must not be asynchronous"),
        open_gateway(Asynchronous(), auth=None, proxy_address=None),
    ):
        pass


def test_a_gateway_that_takes_too_long_is_told():
    with pytest.raises(ClusterError, match="(?s)does not answer.*TimeoutError"):
        ask(PLACE, time.sleep, 3, seconds=0.1)
    assert ask(PLACE, sum, [1, 2], seconds=5) == 3


def failure(status):
    error = OSError("https://host/?token=c4n4ry")
    error.status = status
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (failure(401), "(?s)refuses the login.*BasicAuth"),
        (failure(403), "refuses the login"),
        (failure(502), "(?s)fails.*status 502"),
        (ConnectionResetError("c4n4ry"), "(?s)does not answer.*ConnectionResetError"),
        (dask_gateway.GatewayServerError("db down"), "(?s)the gateway refuses.*db down"),
        (dask_gateway.GatewayClusterError("not running"), "(?s)the gateway refuses.*not running"),
        (ValueError("no such cluster"), "(?s)the gateway refuses.*no such cluster"),
        (ModuleNotFoundError("No module named 'kerberos'"), "(?s)needs a package.*kerberos"),
    ],
)
def test_failures_say_what_to_do_and_repeat_no_address_of_a_request(error, says):
    found = _translated(error, PLACE.address)
    assert isinstance(found, ClusterError)
    with pytest.raises(ClusterError, match=says):
        raise found
    assert "c4n4ry" not in str(found)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_gateway", None)
    with (
        pytest.raises(ImportError, match=r"pip install 'cbmcube\[gateway\]'"),
        gateway_cluster("http://127.0.0.1:1"),
    ):
        pass


def test_a_warning_that_is_an_error_stays_what_it_is():
    def grant():
        raise UserWarning("fewer workers than asked for")

    with pytest.raises(UserWarning, match="fewer workers"):
        ask(PLACE, grant, seconds=5)
