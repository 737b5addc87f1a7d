"""Object storage that checks keys, for the tests: moto's server in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services.processes import MissingServiceError, free_port, running

# These many calls pass unchecked: a user, its key and its policy. From then on keys count.
_SETUP_CALLS = "3"
_ALLOW = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running store, one bucket in it, and the keys that open it."""

    endpoint: str
    bucket: str
    key: str = field(repr=False)
    secret: str = field(repr=False)

    def client(self) -> Any:
        """Return a client of boto3 that has the right keys."""
        return _boto3("s3", self.endpoint, self.key, self.secret)


def _boto3(service: str, endpoint: str, key: str, secret: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


@contextlib.contextmanager
def run_s3() -> Iterator[ObjectStore]:
    """Start the store; stop it at the end."""
    for name in ("moto", "flask", "boto3"):
        if importlib.util.find_spec(name) is None:
            message = f"no {name}: pip install 'moto[server]'"
            raise MissingServiceError(message)
    folder = Path(tempfile.mkdtemp(prefix="s3-"))
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    try:
        with running(
            command,
            probe=f"{endpoint}/moto-api/",
            log=folder / "output.log",
            environment={"INITIAL_NO_AUTH_ACTION_COUNT": _SETUP_CALLS},
        ):
            iam = _boto3("iam", endpoint, "setup", "setup")
            iam.create_user(UserName="reader")
            key = iam.create_access_key(UserName="reader")["AccessKey"]
            iam.put_user_policy(
                UserName="reader", PolicyName="all", PolicyDocument=json.dumps(_ALLOW)
            )
            store = ObjectStore(endpoint, "season", key["AccessKeyId"], key["SecretAccessKey"])
            store.client().create_bucket(Bucket=store.bucket)
            yield store
    finally:
        shutil.rmtree(folder, ignore_errors=True)
