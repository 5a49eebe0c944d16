"""A repository in S3-compatible storage."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from authmw.bundle.centre.settings import S3Settings
from authmw.errors import UsageError
from authmw.runtime.extras import how_to_install, is_installed

# A name with a hash or a version has one content for ever; the pointer has to be asked for.
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_POINTER: Final = "public, max-age=1, must-revalidate"
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 60
_DELETED_AT_A_TIME: Final = 1000


class S3Store:
    """A bucket, or what begins with a prefix there; see `Store`.

    Credentials are found as boto3 finds them: environment, files, the host's role.

    Raises:
        UsageError: boto3 is not installed, or the settings can't be meant.
    """

    def __init__(self, settings: S3Settings) -> None:
        if not is_installed("boto3"):
            raise UsageError(f"storage needs the package boto3: {how_to_install('s3')}")
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "max_attempts": 4},
        )
        try:
            self._client: Any = boto3.session.Session().client(
                "s3",
                endpoint_url=settings.endpoint,
                region_name=settings.region,
                config=config,
            )
        except (BotoCoreError, ValueError) as error:
            raise UsageError(f"the storage of [s3] can't be used: {error}") from error
        self._bucket = settings.bucket
        self._prefix = settings.prefix

    def put(self, path: str, file: Path, *, immutable: bool) -> None:
        kind = "application/json" if path.endswith(".json") else "application/octet-stream"
        more = {"CacheControl": _IMMUTABLE if immutable else _POINTER, "ContentType": kind}
        with self._failures(path):
            self._client.upload_file(str(file), self._bucket, self._prefix + path, ExtraArgs=more)

    def copy(self, source: str, path: str) -> None:
        named = {"Bucket": self._bucket, "Key": self._prefix + source}
        with self._failures(path):
            # In parts, if it is too large for one; its headers are copied as well.
            self._client.copy(named, self._bucket, self._prefix + path)

    def flush(self) -> None:
        """Do nothing: what was put is there."""

    def delete(self, paths: Iterable[str]) -> None:
        some = iter(paths)
        while portion := list(itertools.islice(some, _DELETED_AT_A_TIME)):
            keys = [{"Key": self._prefix + path} for path in portion]
            with self._failures("old files"):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
                )
            if answer.get("Errors"):
                raise OSError(f"{answer['Errors'][0].get('Key')} can't be deleted")

    @contextmanager
    def _failures(self, path: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, Boto3Error, ClientError) as error:
            raise OSError(f"s3://{self._bucket}/{self._prefix}{path}: {error}") from error
