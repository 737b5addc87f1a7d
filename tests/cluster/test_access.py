from __future__ import annotations

import pickle

import pytest

from cbmcube.cluster import S3Access
from cbmcube.cluster._access import bearer_options, s3_options
from cbmcube.exceptions import OptionError

CANARY = "c4n4ry-5161"
HALF = "S"


def as_dict(options):
    assert len({prefix for prefix, _, _ in options}) == 1
    return {name: value for _, name, value in options}


def test_a_private_store_is_addressed_by_path_and_signed():
    found = S3Access(endpoint="http://10.0.0.5:9000/", key="K", secret=HALF, region="eu").options()
    assert {prefix for prefix, _, _ in found} == {"/vsis3/"}
    assert as_dict(found) == {
        "AWS_S3_ENDPOINT": "10.0.0.5:9000",  # GDAL wants it without a scheme
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_NO_SIGN_REQUEST": "NO",
        "AWS_ACCESS_KEY_ID": "K",
        "AWS_SECRET_ACCESS_KEY": HALF,
        "AWS_SESSION_TOKEN": "",
        "AWS_REGION": "eu",
    }


def test_amazon_is_addressed_by_host_and_an_open_bucket_is_not_signed():
    found = S3Access(bucket="sentinel-cogs", requester_pays=True).options()
    assert {prefix for prefix, _, _ in found} == {"/vsis3/sentinel-cogs/"}
    named = as_dict(found)
    assert named["AWS_VIRTUAL_HOSTING"] == "TRUE"
    assert named["AWS_NO_SIGN_REQUEST"] == "YES"
    assert named["AWS_REQUEST_PAYER"] == "requester"
    assert "AWS_S3_ENDPOINT" not in named


def test_no_secret_is_shown():
    access = S3Access(key=CANARY, secret=CANARY, token=CANARY, bucket="b")
    assert CANARY not in repr(access)
    assert CANARY not in str([access])
    assert pickle.loads(pickle.dumps(access)) == access  # noqa: S301


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"key": CANARY}, "belong together"),
        ({"secret": CANARY}, "belong together"),
        ({"endpoint": "data.example.org"}, "with a scheme"),
        ({"endpoint": f"https://me:{CANARY}@data.example.org"}, "with a scheme"),
        ({"endpoint": "https://"}, "with a scheme"),
        ({"bucket": "a/b"}, "bucket's name"),
    ],
)
def test_what_cannot_be_is_refused_without_its_value(given, says):
    with pytest.raises(OptionError, match=says) as caught:
        S3Access(**given)
    assert CANARY not in str(caught.value)


def test_several_accesses_are_for_several_buckets():
    found = s3_options([S3Access(key="K", secret=HALF), S3Access(bucket="open")])
    assert {prefix for prefix, _, _ in found} == {"/vsis3/", "/vsis3/open/"}
    with pytest.raises(OptionError, match="for one bucket"):
        s3_options([S3Access(bucket="open"), S3Access(bucket="open")])
    with pytest.raises(OptionError, match="must be S3Access") as caught:
        s3_options([{"key": CANARY}])
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "prefix"),
    [
        ("data.example.org", "/vsicurl/https://data.example.org/"),
        ("Data.Example.org:8443", "/vsicurl/https://data.example.org:8443/"),
        ("https://data.example.org/", "/vsicurl/https://data.example.org/"),
        ("http://127.0.0.1:80", "/vsicurl/http://127.0.0.1:80/"),
        ("[::1]:80", "/vsicurl/https://[::1]:80/"),
    ],
)
def test_a_token_is_for_one_host_and_encrypted_unless_said_otherwise(host, prefix):
    # The slash at the end matters: without it, data.example.org.evil.net would match.
    header = "Authorization: Bearer abc"
    assert bearer_options({host: "abc"}) == [(prefix, "GDAL_HTTP_HEADERS", header)]


@pytest.mark.parametrize(
    "host", ["", "*", "https://h/path", "https://h?x=1", "ftp://h", f"me:{CANARY}@h", "h/../i"]
)
def test_a_place_that_is_no_host_is_refused(host):
    with pytest.raises(OptionError, match="belongs to a host") as caught:
        bearer_options({host: "abc"})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "token", ["", f"Bearer {CANARY}", f"{CANARY}\nX-Other: 1", f"{CANARY}\0", 5, "ä"]
)
def test_a_token_that_would_be_another_header_is_refused(token):
    with pytest.raises(OptionError, match="data.example.org") as caught:
        bearer_options({"data.example.org": token})
    assert CANARY not in str(caught.value)
