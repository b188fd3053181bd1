"""A TUF repository in memory, signed with python-tuf and served on the loopback, that a case bends as it likes.

Every publication of a role is kept, so an old or a forged one can be served again. What a client asked for is written down in order.
"""

import datetime
import hashlib
import http.server
import threading
import urllib.parse

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

# Mirrors stand where they like, also below a path that is quoted.
PLACE = "/a%5Bcase%3F%5D"
TOP = ["root", "timestamp", "snapshot", "targets"]
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def days(count):
    """That many days from now."""
    return NOW + datetime.timedelta(days=count)


class Repository:
    """One repository: `metadata` is edited, `publish` signs it and makes it visible."""

    def __init__(self):
        self.metadata = {
            "root": Metadata(Root(expires=days(30))),
            "timestamp": Metadata(Timestamp(expires=days(30))),
            "snapshot": Metadata(Snapshot(expires=days(30))),
            "targets": Metadata(Targets(expires=days(30))),
        }
        self.signers = {}
        self.published = {}
        self.files = {}
        self.asked = []
        self.fetched = []
        self.hashes = False
        for role in TOP:
            self.add_key(role)
        self.publish("targets", "snapshot", "timestamp", "root")

    def signed(self, role):
        return self.metadata[role].signed

    def add_key(self, role, signer=None, delegator=None):
        """Lets one more key sign for a role."""
        signer = signer or CryptoSigner.generate_ed25519()
        (self.signed(delegator) if delegator else self.signed("root")).add_key(signer.public_key, role)
        self.signers.setdefault(role, []).append(signer)
        return signer

    def rotate(self, role):
        """Takes every key from a role and gives it a new one."""
        self.signed("root").roles[role].keyids.clear()
        self.signers[role] = []
        return self.add_key(role)

    def publish(self, *roles, version=None):
        """Signs roles one version up (or as `version`), names them in snapshot and timestamp, and serves them."""
        for role in roles:
            metadata = self.metadata[role]
            if version is not None:
                metadata.signed.version = version
            elif role in self.published:
                metadata.signed.version += 1
            metadata.signatures.clear()
            for signer in self.signers[role]:
                metadata.sign(signer, append=True)
            data = metadata.to_bytes()
            self.published.setdefault(role, []).append(data)
            named = MetaFile(metadata.signed.version)
            if self.hashes:
                named = MetaFile(metadata.signed.version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})
            if role == "snapshot":
                self.signed("timestamp").snapshot_meta = named
            elif role not in ("root", "timestamp"):
                self.signed("snapshot").meta[f"{role}.json"] = named

    def republish(self, *roles):
        """Forgets what was published of roles and begins them at version 1 again."""
        for role in roles:
            del self.published[role]
            self.signed(role).version = 1

    def everything(self):
        """A whole new generation but for the root."""
        self.publish(*[role for role in self.metadata if role not in TOP], "targets", "snapshot", "timestamp")

    def last(self, role):
        return self.published[role][-1]

    def replace(self, role, data):
        """Serves other bytes in the place of the last publication."""
        self.published[role][-1] = data

    def add_target(self, path, data, role="targets"):
        self.signed(role).targets[path] = TargetFile.from_data(path, data, ["sha256"])
        self.files[path] = data

    def delegate(self, delegator, name, paths=None, prefixes=None, terminating=False, expires=None):
        """Hands some paths to another role."""
        targets = self.signed(delegator)
        targets.delegations = targets.delegations or Delegations({}, {})
        role = DelegatedRole(name, [], 1, terminating, None if prefixes else paths or ["*"], prefixes)
        targets.delegations.roles[name] = role
        self.metadata.setdefault(name, Metadata(Targets(expires=expires or days(30))))
        # A role reached from two sides has the same keys on both.
        known = self.signers.get(name, [None])[0]
        if known is None:
            self.add_key(name, delegator=delegator)
        else:
            targets.add_key(known.public_key, name)

    def delegate_bins(self, delegator, bits, prefix="bin"):
        """Hands everything to bins by the hash of the path."""
        signer = CryptoSigner.generate_ed25519()
        targets = self.signed(delegator)
        targets.delegations = Delegations({}, None, SuccinctRoles([], 1, bits, prefix))
        targets.add_key(signer.public_key)
        for name in targets.delegations.succinct_roles.get_roles():
            self.metadata[name] = Metadata(Targets(expires=days(30)))
            self.signers[name] = [signer]

    def answer(self, path):
        """What the server says to one request; `None` is a 404."""
        kind, _, name = path.lstrip("/").partition("/")
        if kind == "targets":
            folder, slash, name = name.rpartition("/")
            prefix, dot, rest = name.partition(".")
            if self.signed("root").consistent_snapshot:
                name = rest
            self.fetched.append(f"{folder}{slash}{name}")
            data = self.files.get(urllib.parse.unquote(f"{folder}{slash}{name}"))
            return data
        name = name.removesuffix(".json")
        version, dot, role = name.partition(".")
        if dot and version.isdigit():
            role, version = urllib.parse.unquote(role), int(version)
            self.asked.append((role, version))
            history = self.published.get(role, [])
            return history[version - 1] if 0 < version <= len(history) else None
        role = urllib.parse.unquote(name)
        self.asked.append((role, None))
        return self.last(role) if self.published.get(role) else None


class Server:
    """Serves whichever repository is set."""

    def __init__(self):
        self.repository = None
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                data = server.repository.answer(self.path.partition(PLACE)[2])
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}{PLACE}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
