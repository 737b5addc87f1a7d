"""Stores in a bucket of an object store that speaks S3."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from pyarrow import fs

from cbmcube.exceptions import (
    StoreAccessError,
    StoreFullError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from cbmcube.observations.store._address import Address
from cbmcube.observations.store._backend import Entry, NoConditionsError
from cbmcube.observations.store._failpoints import failpoint
from cbmcube.observations.store._names import checked

_ATTEMPTS = 10  # of one request; botocore waits longer each time, 20 s at most
_CONNECTIONS = 32
_OLD = 86_400.0  # seconds after which an object that is wanted again is made new
_MISSING = {"404", "NoSuchKey", "NotFound"}
_TAKEN = {"412", "PreconditionFailed"}
_BUSY = {"409", "ConditionalRequestConflict", "OperationAborted"}
_UNKNOWN = {"501", "NotImplemented"}
_FULL = {"507", "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"}
_Result = TypeVar("_Result")


class S3Backend:
    """Objects below a prefix of a bucket; keys come from the environment of the process."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._botocore, self._session = _session()
        self._client = self._make_client()

    def read(self, name: str) -> bytes:
        def request() -> bytes:
            data: bytes = self._client.get_object(**self._object(name))["Body"].read()
            return data

        return self._patiently(request, name)

    def put(self, name: str, data: bytes, what: str) -> None:
        failpoint(what, "begin")
        self._patiently(lambda: self._client.put_object(**self._object(name), Body=data), name)
        failpoint(what, "end")

    def create(self, name: str, data: bytes, what: str) -> bool:
        failpoint(what, "begin")
        created = self._patiently(lambda: self._create(name, data), name)
        failpoint(what, "end")
        return created

    def entry(self, name: str) -> Entry | None:
        try:
            found = self._patiently(lambda: self._client.head_object(**self._object(name)), name)
        except FileNotFoundError:
            return None
        return Entry(name, found["ContentLength"], found["LastModified"].timestamp())

    def entries(self, folder: str) -> Iterator[Entry]:
        for page in self._pages(f"{folder}/"):
            for found in page.get("Contents", ()):
                name = found["Key"][len(self._address.path) + 1 :]
                yield Entry(name, found["Size"], found["LastModified"].timestamp())

    def top(self) -> set[str]:
        names = set()
        for page in self._pages("", Delimiter="/"):
            names |= {found["Key"] for found in page.get("Contents", ())}
            names |= {found["Prefix"].rstrip("/") for found in page.get("CommonPrefixes", ())}
        return {name[len(self._address.path) + 1 :] for name in names} - {""}

    def touch(self, name: str) -> None:
        found = self.entry(name)
        if found is None or found.modified > time.time() - _OLD:
            return
        place = self._object(name)
        self._patiently(
            lambda: self._client.copy_object(
                **place, CopySource=place, MetadataDirective="REPLACE"
            ),
            name,
        )

    def delete(self, name: str) -> None:
        self._patiently(lambda: self._client.delete_object(**self._object(name)), name)

    def leftovers(self) -> Iterator[Entry]:
        return iter(())  # a request is answered whole or leaves nothing

    def drop_leftover(self, name: str) -> None:
        """Do nothing: there are none."""

    def filesystem(self) -> Any:
        keys = self._session.get_credentials()
        if keys is None:
            self._no_keys()
        frozen = keys.get_frozen_credentials()
        place = urlsplit(self._client.meta.endpoint_url)
        system = fs.S3FileSystem(
            access_key=frozen.access_key,
            secret_key=frozen.secret_key,
            session_token=frozen.token,
            region=self._client.meta.region_name,
            scheme=place.scheme,
            endpoint_override=place.netloc + place.path if self._endpoint() else None,
        )
        return fs.SubTreeFileSystem(f"{self._address.bucket}/{self._address.path}", system)

    def _make_client(self) -> Any:
        endpoint = self._endpoint()
        config = self._botocore.config.Config(
            # The newer modes stop trying, for all requests, after some that failed often.
            retries={"mode": "legacy", "total_max_attempts": _ATTEMPTS},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=_CONNECTIONS,
            # Newer releases add checksums that many stores other than Amazon's refuse.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if endpoint else "auto"},
        )
        region = self._address.region or self._session.get_config_variable("region")
        return self._session.create_client(
            "s3", endpoint_url=endpoint, region_name=region or "us-east-1", config=config
        )

    def _endpoint(self) -> str | None:
        """Return the store's address: the caller's, botocore's variable, or GDAL's."""
        given = self._address.endpoint
        given = given or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        host = os.environ.get("AWS_S3_ENDPOINT")
        if given or not host:
            return given
        secure = os.environ.get("AWS_HTTPS", "YES").upper() not in ("NO", "FALSE", "OFF", "0")
        return f"{'https' if secure else 'http'}://{host}"

    def _object(self, name: str) -> dict[str, str]:
        key = f"{self._address.path}/{checked(name)}"
        return {"Bucket": str(self._address.bucket), "Key": key}

    def _pages(self, below: str, **options: str) -> Iterator[dict[str, Any]]:
        place = {"Bucket": self._address.bucket, "Prefix": f"{self._address.path}/{below}"}
        token: dict[str, str] = {}
        while True:
            request = partial(self._client.list_objects_v2, **place, **options, **token)
            page: dict[str, Any] = self._patiently(request, below)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _create(self, name: str, data: bytes) -> bool:
        try:
            self._client.put_object(**self._object(name), Body=data, IfNoneMatch="*")
        except self._botocore.exceptions.ClientError as error:
            if _code(error) in _TAKEN:
                return False
            if _code(error) in _UNKNOWN:
                raise NoConditionsError(_code(error)) from error
            raise
        except self._botocore.exceptions.ParamValidationError as error:
            raise NoConditionsError("botocore is older than 1.35.6") from error
        return True

    def _patiently(self, request: Callable[[], _Result], name: str) -> _Result:
        """Send a request, again where it was not botocore's to repeat it: a body cut short."""
        errors = self._botocore.exceptions
        attempt = 0
        while True:
            attempt += 1
            try:
                return request()
            except errors.ClientError as error:
                if _code(error) not in _BUSY or attempt == _ATTEMPTS:
                    self._translate(error, name)
            except (errors.NoCredentialsError, errors.PartialCredentialsError):
                self._no_keys()
            except (errors.IncompleteReadError, errors.ResponseStreamingError) as error:
                if attempt == _ATTEMPTS:
                    self._silent(error)
            except errors.BotoCoreError as error:
                self._silent(error)
            time.sleep(random.uniform(0.5, 1) * 0.1 * 2**attempt)  # noqa: S311  # no secret

    def _translate(self, error: Any, name: str) -> NoReturn:
        code, url = _code(error), self._address.url
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _MISSING:
            raise FileNotFoundError(name) from error
        if code == "NoSuchBucket":
            raise StoreNotFoundError(
                "there is no such bucket", given=self._address.bucket, hint="check url and endpoint"
            ) from error
        if code in _FULL:
            raise StoreFullError(f"no space is left for {url}", given=code) from error
        if 400 <= status < 500 and code not in _BUSY and status not in (408, 429):
            raise StoreAccessError(
                f"the object store refuses access to {url}",
                given=code,
                allowed="keys that may list, read, write and delete below this prefix",
                hint="check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN "
                "in the environment of this process (of each worker, too)",
            ) from error
        self._silent(error, code)

    def _silent(self, error: Exception, code: str | None = None) -> NoReturn:
        raise StoreUnavailableError(
            f"{self._address.url} does not answer at present",
            given=code or type(error).__name__,
            hint="check endpoint and network, then run again",
        ) from error

    def _no_keys(self) -> NoReturn:
        raise StoreAccessError(
            f"this process has no keys for {self._address.url}",
            allowed="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
            hint="set them here and on the workers; never write them into the address",
        )


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _session() -> tuple[Any, Any]:
    try:
        import botocore.config  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        import botocore.exceptions  # type: ignore[import-untyped]  # noqa: PLC0415
        import botocore.session  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        message = "stores in S3 need botocore: pip install 'cbmcube[s3]'"
        raise ImportError(message) from error
    return botocore, botocore.session.get_session()
