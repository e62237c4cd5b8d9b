"""Videos that are scored as jobs."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from service.client.connection import LISTENER, Connection, given, named, part, until_ended
from service.client.sending import messages_of

_ENDED = ("done", "failed", "cancelled")


class Videos(Connection):
    """What a client does with videos and jobs."""

    def post_videos(
        self, paths: Sequence[Path], *, wait: bool = False, request: str | None = None, **options: Any
    ) -> dict[str, Any]:
        """Uploads videos or zips as one job; with `wait`, the scores of a short one are in the answer.

        Args:
            paths: files.
            wait: answer when it is done, if that is soon.
            request: a name for this upload; sent again with it, it is scored once.
            options: smooth, normalize, align, repair, fps, model, skip_bad.

        Raises:
            ServiceError: refused; with `wait` also 422: the job has failed, 409: it was cancelled.
        """
        opened = [path.open("rb") for path in paths]
        try:
            return self._object(
                "POST",
                "/v1/videos",
                params={"wait": wait},
                files=[("file", (path.name, file)) for path, file in zip(paths, opened, strict=True)],
                data={name: str(value) for name, value in given(**options).items()},
                headers=named(request),
                timeout=self._timeout + (90 if wait else 0),
            )
        finally:
            for file in opened:
                file.close()

    def put_video(self, path: Path, *, request: str | None = None, **options: Any) -> dict[str, Any]:
        """Uploads one video or zip as it is, which is the quickest way."""
        with path.open("rb") as file:
            url = f"/v1/videos/{part(path.name)}"
            return self._object("PUT", url, params=given(**options), content=file, headers=named(request))

    def jobs(self) -> Iterator[dict[str, Any]]:
        """Jobs, newest first."""
        return self._pages("/v1/jobs", "jobs")

    def job(self, id: str) -> dict[str, Any]:
        """A job: its state, and progress from 0 to 1."""
        return self._object("GET", f"/v1/jobs/{part(id)}")

    def follow_job(self, id: str) -> Generator[dict[str, Any], None, None]:
        """A job whenever it is further, until it has ended."""
        with self._websocket(f"/v1/jobs/{part(id)}/progress", LISTENER) as socket:
            yield from messages_of(socket)

    def wait_for_job(self, id: str, *, seconds: float = 3600.0, every: float = 0.2) -> dict[str, Any]:
        """A job when it has ended.

        Raises:
            TimeoutError: it has not, after so many seconds.
        """
        return until_ended(f"job {id}", lambda: self.job(id), _ENDED, seconds=seconds, every=every)

    def job_scores(self, id: str) -> list[dict[str, Any]]:
        """The scores of a job that is done."""
        return self._list(f"/v1/jobs/{part(id)}/scores", "scores")

    def job_table(self, id: str, name: Literal["scores.csv", "submission.csv"] = "scores.csv") -> str:
        """The same as a table."""
        return self.request("GET", f"/v1/jobs/{part(id)}/{name}").text

    def delete_job(self, id: str) -> None:
        """Cancels a job, or removes one that has ended."""
        self.request("DELETE", f"/v1/jobs/{part(id)}")
