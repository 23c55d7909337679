"""State of one review session: what the page may read and change. No HTTP here."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from threading import Lock

from passk.core.artifacts import output_error
from passk.core.errors import PasskError
from passk.report.web.local_server import RequestError
from passk.review.agreement import agreement_rows
from passk.review.labels import LABELS, LabelFile, read_all
from passk.review.queue import Item, Row

IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
IMAGES[".gif"] = "image/gif"


class ReviewSession:
    """The queue and one reviewer's open label file.

    Args:
        title: title of the study.
        items: the responses to review, in order.
        labels: the reviewer's label file.
    """

    def __init__(self, title: str, items: list[Item], labels: LabelFile) -> None:
        """Store the parts; a lock serializes keystrokes."""
        self.title, self.items, self.labels = title, items, labels
        self._lock = Lock()
        self._index = {item.key: index for index, item in enumerate(items)}

    def queue(self) -> dict[str, object]:
        """Return the queue with the labels so far."""
        labels = (self.labels.current.get(item.key, (None, "")) for item in self.items)
        entries = [
            {"benchmark": i.benchmark, "problem": i.key.problem_id, "label": label, "note": note}
            for i, (label, note) in zip(self.items, labels, strict=True)
        ]
        reviewer = self.labels.path.stem
        return {"title": self.title, "reviewer": reviewer, "items": entries, "labels": LABELS}

    def item(self, index: int) -> dict[str, object]:
        """Return one response, without the name of its model: review is blind."""
        item = self._item(index)
        names = ("benchmark", "question", "gold", "text", "reasoning", "answer", "detail")
        shown = {name: getattr(item, name) for name in names}
        return {**shown, "problem": item.key.problem_id, "images": len(item.images)}

    def image(self, index: int, number: int) -> tuple[bytes, str]:
        """Return an image of a question with its type."""
        images = self._item(index).images
        if not 0 <= number < len(images):
            raise RequestError(HTTPStatus.NOT_FOUND, "no such image")
        path = Path(images[number])
        kind = IMAGES.get(path.suffix.lower())
        if kind is None:
            raise RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"not an image: {path.name}")
        try:
            return path.read_bytes(), kind
        except OSError as error:
            raise RequestError(HTTPStatus.NOT_FOUND, f"{path.name}: {error.strerror}") from error

    def add_label(self, request: Row) -> dict[str, object]:
        """Store one label; it is on disk before the answer is sent."""
        index, label, note = request.get("item"), request.get("label"), request.get("note", "")
        if label not in LABELS or not isinstance(index, int) or not isinstance(note, str):
            raise RequestError(HTTPStatus.BAD_REQUEST, f"a label is one of {', '.join(LABELS)}")
        with self._lock:
            self.labels.add(self._item(index).key, label, note)
        return {"item": index, "label": label, "note": note}

    def undo(self) -> dict[str, object]:
        """Undo the latest label of this session."""
        with self._lock:
            key = self.labels.undo()
        if key is None:
            return {"item": None}
        label, note = self.labels.current.get(key, (None, ""))
        return {"item": self._index.get(key), "label": label, "note": note}

    def agreement(self) -> list[dict[str, object]]:
        """Return Cohen's kappa of this reviewer with every other; null where it is undefined."""
        rows = agreement_rows(read_all(self.labels.path.parent.glob("*.jsonl")))
        reviewer = self.labels.path.stem
        return [
            {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124 - nan
            for row in rows
            if reviewer in (row["reviewer"], row["other"])
        ]

    def _item(self, index: int) -> Item:
        """Return the item at an index of the queue."""
        if not 0 <= index < len(self.items):
            raise RequestError(HTTPStatus.NOT_FOUND, "no such response")
        return self.items[index]


def open_labels(folder: Path, reviewer: str) -> LabelFile:
    """Open a reviewer's label file in a study.

    Raises:
        PasskError: the name is not valid in a file name, or the file cannot be opened.
    """
    if not reviewer or not all(c.isalnum() or c in "._@+-" for c in reviewer) or reviewer[0] == ".":
        raise PasskError(
            f"reviewer '{reviewer}': letters, digits and . _ @ + - only",
            fix="passk review SPEC --reviewer NAME",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    return LabelFile(folder / f"{reviewer}.jsonl")
