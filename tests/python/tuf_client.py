#!/usr/bin/env python3
"""The reference TUF client over a repository that `authority` published.

Usage: tuf_client.py REPOSITORY STATE FIRST_ROOT

REPOSITORY is <issuer>/ on a mirror, with metadata/ and targets/. STATE is a folder that the client keeps between calls; FIRST_ROOT is
what was pinned. Refreshes, downloads every target, and verifies every metadata file with securesystemslib once more by hand.
Prints one JSON object; exit status 1 when anything is refused.
"""

import json
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater


class Folder(FetcherInterface):
    """Fetches file:// addresses; a file that is not there is a 404, as from a server."""

    def _fetch(self, url):
        path = Path(unquote(urlparse(url).path))
        if not path.is_file():
            raise DownloadHTTPError(f"no {path}", 404)
        yield path.read_bytes()


def verify_by_hand(metadata):
    """Every root by the one before and by itself, the rest by the newest root."""
    roots = sorted(metadata.glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
    before = None
    for number, path in enumerate(roots, start=1):
        root = Metadata[Root].from_file(str(path))
        assert root.signed.version == number, path
        root.verify_delegate("root", root)
        if before is not None:
            before.verify_delegate("root", root)
        before = root
    newest = before.signed
    for key in newest.keys.values():
        # A key id is the hash of the canonical key in what we write; other clients must not depend on it, but some do.
        assert len(key.keyid) == 64
    timestamp = Metadata[Timestamp].from_file(str(metadata / "timestamp.json"))
    snapshot_version = timestamp.signed.snapshot_meta.version
    snapshot = Metadata[Snapshot].from_file(str(metadata / f"{snapshot_version}.snapshot.json"))
    targets_version = snapshot.signed.meta["targets.json"].version
    targets = Metadata[Targets].from_file(str(metadata / f"{targets_version}.targets.json"))
    for role, file in (("timestamp", timestamp), ("snapshot", snapshot), ("targets", targets)):
        newest.verify_delegate(role, file.signed_bytes, file.signatures)
    return newest, timestamp, targets


def main():
    repository, state, first_root = (Path(argument).resolve() for argument in sys.argv[1:4])
    (state / "targets").mkdir(parents=True, exist_ok=True)
    updater = Updater(
        metadata_dir=str(state / "metadata"),
        metadata_base_url=(repository / "metadata").as_uri() + "/",
        target_dir=str(state / "targets"),
        target_base_url=(repository / "targets").as_uri() + "/",
        fetcher=Folder(),
        bootstrap=first_root.read_bytes(),
    )
    updater.refresh()
    root, timestamp, targets = verify_by_hand(repository / "metadata")
    names = sorted(targets.signed.targets)
    for name in names:
        info = updater.get_targetinfo(name)
        updater.download_target(info)
    print(
        json.dumps(
            {
                "root": root.version,
                "threshold": root.roles["root"].threshold,
                "schemes": sorted({key.scheme for key in root.keys.values()}),
                "timestamp": timestamp.signed.version,
                "issued": timestamp.signed.unrecognized_fields.get("issued"),
                "targets": names,
            }
        )
    )


if __name__ == "__main__":
    try:
        main()
    except (RepositoryError, ValueError) as refusal:
        print(f"refused: {type(refusal).__name__}: {refusal}", file=sys.stderr)
        sys.exit(1)
