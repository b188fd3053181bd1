"""How a TUF client must behave, case by case, against a simulated repository; the behaviours follow the specification's §5.

    conformance.py [--only TEXT] CLIENT [ARGUMENT…]

runs every case against a client with the command line of the TUF project's conformance suite (`init`, `refresh`, `download`), prints one
line a case and exits 1 when one fails. `CLIENT` may be `python-tuf`: then the reference client is run, in this interpreter's environment.
python-tuf 7.0.1 fails three cases, which it sees otherwise: it counts one key under several ids several times, refuses a root that holds
a kind of key it does not know, and does not quote a target's name in a URL.
Cases that move the clock need the command `faketime` and are skipped where it is missing.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile

from simulator import Repository, Server, days

CASES = []
SERVER = Server()


class Skipped(Exception):
    pass


class Client:
    """The client under test, with a place of its own."""

    def __init__(self, command, repository, root=None):
        self.command = command
        self.folder = tempfile.TemporaryDirectory()
        self.metadata = Path(self.folder.name) / "metadata"
        self.targets = Path(self.folder.name) / "targets"
        self.metadata.mkdir()
        self.targets.mkdir()
        SERVER.repository = repository
        self.root = Path(self.folder.name) / "first.json"
        self.root.write_bytes(root or repository.published["root"][0])

    def run(self, *arguments, at=None):
        command = [*self.command, "--metadata-dir", str(self.metadata), *arguments]
        if at is not None:
            if not shutil.which("faketime"):
                raise Skipped("no faketime")
            command = ["faketime", at.astimezone().strftime("%Y-%m-%d %H:%M:%S"), *command]
        return subprocess.run(command, capture_output=True, timeout=60).returncode

    def init(self):
        assert self.run("init", str(self.root)) == 0, "init was refused"
        return self

    def refresh(self, at=None):
        return self.run("--metadata-url", f"{SERVER.url}/metadata/", "refresh", at=at)

    def download(self, *names, at=None):
        """Targets one after the other in one run, which the first that fails ends."""
        asked = [argument for name in names for argument in ("--target-name", name)]
        return self.run(
            "--metadata-url", f"{SERVER.url}/metadata/", *asked,
            "--target-base-url", f"{SERVER.url}/targets/", "--target-dir", str(self.targets), "download", at=at,
        )  # fmt: skip

    def held(self):
        """Versions of what is trusted, by file name."""
        files = sorted(self.metadata.glob("*.json"))
        return {file.name.removesuffix(".json"): json.loads(file.read_bytes())["signed"]["version"] for file in files}

    def bytes_of(self, role):
        return (self.metadata / f"{role}.json").read_bytes()

    def downloaded(self):
        return sorted(file.read_bytes() for file in self.targets.rglob("*") if file.is_file())


def case(*rows):
    """A case; with rows it is one case for each, called with the row."""

    def register(function):
        name = function.__name__
        if rows:
            CASES.extend((f"{name}[{row[0]}]", function, row[1:]) for row in rows)
        else:
            CASES.append((name, function, ()))
        return function

    return register


def same(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def sign(metadata, signer):
    """Signs metadata that the library would not write."""
    metadata["signatures"] = [signer.sign(encode_canonical(metadata["signed"]).encode()).to_dict()]


# --- the plain way -------------------------------------------------------------------------------------------------------------------


@case()
def a_first_refresh_asks_in_the_order_of_the_specification(new):
    repository = Repository()
    client = new(repository).init()
    same(repository.asked, [])
    same(client.refresh(), 0)
    same(repository.asked, [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)])
    for role in ("root", "timestamp", "snapshot", "targets"):
        same(client.bytes_of(role), repository.last(role))


@case()
def a_refresh_with_nothing_new_asks_for_root_and_timestamp_only(new):
    repository = Repository()
    client = new(repository).init()
    client.refresh()
    repository.asked.clear()
    same(client.refresh(), 0)
    same(repository.asked, [("root", 2), ("timestamp", None)])


@case()
def a_download_refreshes_first(new):
    repository = Repository()
    client = new(repository).init()
    same(client.download("nobody has it"), 1)
    same(len(client.held()), 4)


@case()
def metadata_is_kept_byte_for_byte(new):
    repository = Repository()
    repository.replace("timestamp", repository.last("timestamp") + b" \n")
    client = new(repository).init()
    same(client.refresh(), 0)
    same(client.bytes_of("timestamp"), repository.last("timestamp"))


@case(("no version", lambda root: root["signed"].pop("version")), ("not signed", lambda root: root["signatures"].clear()),
      ("another's type", lambda root: root["signed"].update(_type="targets")))  # fmt: skip
def a_first_root_that_is_wrong_is_never_taken_to_the_mirror(new, change):
    repository = Repository()
    root = json.loads(repository.published["root"][0])
    change(root)
    client = new(repository, json.dumps(root).encode())
    client.run("init", str(client.root))
    same(client.refresh(), 1)
    same(repository.asked, [])


@case(("root", "root", {"root": 1}), ("timestamp", "timestamp", {"root": 2}),
      ("snapshot", "snapshot", {"root": 2, "timestamp": 2}),
      ("targets", "targets", {"root": 2, "snapshot": 2, "timestamp": 2}))  # fmt: skip
def an_unsigned_role_stops_the_refresh_and_what_came_before_it_stays(new, role, held):
    repository = Repository()
    repository.signers[role].clear()
    repository.publish("root", "targets", "snapshot", "timestamp")
    client = new(repository).init()
    same(client.refresh(), 1)
    same(client.held(), held)


@case(("root", "root", {"root": 1}), ("snapshot", "snapshot", {"root": 2, "timestamp": 2}),
      ("targets", "targets", {"root": 2, "snapshot": 2, "timestamp": 2}))  # fmt: skip
def a_file_with_another_version_than_its_name_is_refused(new, role, held):
    repository = Repository()
    repository.signed(role).version += 1
    if role == "root":
        repository.publish("root", version=3)
        repository.publish("targets", "snapshot", "timestamp")
    else:
        repository.publish("root", "targets", "snapshot", "timestamp")
    client = new(repository).init()
    same(client.refresh(), 1)
    same(client.held(), held)


@case(("timestamp", "timestamp", {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 1}),
      ("snapshot", "snapshot", {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 2}),
      ("targets", "targets", {"root": 1, "snapshot": 2, "targets": 1, "timestamp": 2}))  # fmt: skip
def a_missing_file_stops_the_refresh(new, role, held):
    repository = Repository()
    client = new(repository).init()
    same(client.refresh(), 0)
    repository.everything()
    repository.published[role] = repository.published[role][:1] if role != "timestamp" else []
    same(client.refresh(), 1)
    same(client.held(), held)


@case()
def a_snapshot_in_the_timestamps_place_is_refused(new):
    repository = Repository()
    repository.add_key("snapshot", signer=repository.signers["timestamp"][0])
    repository.signed("snapshot").meta = {"snapshot.json": MetaFile(1)}
    repository.publish("root", "snapshot")
    repository.published["timestamp"].append(repository.published["snapshot"].pop())
    client = new(repository).init()
    same(client.refresh(), 1)
    same(client.held(), {"root": 2})


@case()
def fields_that_nobody_knows_are_signed_for_and_passed_over(new):
    repository = Repository()
    client = new(repository).init()
    repository.signed("root").unrecognized_fields["custom"] = {"ü": [1, "\u2028", None, True]}
    repository.signed("root").roles["root"].unrecognized_fields["another"] = "value"
    signer = CryptoSigner.generate_ecdsa()
    signer.public_key.unrecognized_fields["keyid_hash_algorithms"] = ["md5"]
    repository.add_key("root", signer=signer)
    repository.publish("root")
    repository.signed("timestamp").unrecognized_fields["issued"] = "2021-01-31T00:00:00Z"
    repository.everything()
    same(client.refresh(), 0)
    same(client.held()["root"], 2)


@case(("2.0.0", "2.0.0", 1), ("1.9.9", "1.9.9", 0), ("0.1.0", "0.1.0", 1))
def the_major_version_of_the_specification_must_be_ours(new, version, code):
    repository = Repository()
    client = new(repository).init()
    repository.publish("timestamp")
    timestamp = json.loads(repository.last("timestamp"))
    timestamp["signed"]["spec_version"] = version
    sign(timestamp, repository.signers["timestamp"][0])
    repository.replace("timestamp", json.dumps(timestamp).encode())
    same(client.refresh(), code)


# --- keys ----------------------------------------------------------------------------------------------------------------------------


@case(("rsa pss", CryptoSigner.generate_rsa), ("ecdsa", CryptoSigner.generate_ecdsa), ("ed25519", CryptoSigner.generate_ed25519))
def every_kind_of_key_is_known_and_its_wrong_signature_is_not_taken(new, generate):
    repository = Repository()
    client = new(repository).init()
    signer = repository.add_key("root", signer=generate())
    repository.signed("root").roles["root"].threshold = 2
    repository.publish("root")
    same(client.refresh(), 0)
    same(client.held()["root"], 2)
    repository.publish("root")
    root = Metadata.from_bytes(repository.last("root"))
    other = Metadata.from_bytes(repository.published["root"][1])
    root.signatures[signer.public_key.keyid].signature = other.signatures[signer.public_key.keyid].signature
    repository.replace("root", root.to_bytes())
    same(client.refresh(), 1)
    same(client.held()["root"], 2)


@case()
def a_kind_of_key_that_nobody_knows_does_not_stop_the_others(new):
    repository = Repository()
    client = new(repository).init()
    signer = CryptoSigner.generate_ed25519()
    signer.public_key.keytype, signer.public_key.scheme = "unheard-of", "unheard-of"
    repository.signed("root").add_key(signer.public_key, "snapshot")
    repository.publish("root")
    repository.everything()
    same(client.refresh(), 0)
    same(client.held()["root"], 2)


@case(("3 of 3", 3, 3, 0), ("2 of 3", 3, 2, 1), ("more asked than there are", 4, 3, 1))
def a_threshold_is_met_or_the_role_is_refused(new, threshold, signing, code):
    repository = Repository()
    client = new(repository).init()
    repository.add_key("snapshot")
    repository.add_key("snapshot")
    repository.signed("root").roles["snapshot"].threshold = threshold
    repository.publish("root")
    repository.signers["snapshot"] = repository.signers["snapshot"][:signing]
    repository.everything()
    same(client.refresh(), code)
    same(client.held().get("snapshot"), None if code else 2)


@case()
def one_key_under_many_ids_counts_once(new):
    repository = Repository()
    client = new(repository).init()
    signer = repository.signers["snapshot"][0]
    root = repository.signed("root")
    keyids = [f"{number:064x}" for number in range(3)]
    repository.publish("root")
    # The library refuses to write this: in JSON, then signed anew.
    forged = json.loads(repository.last("root"))
    for keyid in keyids:
        forged["signed"]["keys"][keyid] = signer.public_key.to_dict()
    forged["signed"]["roles"]["snapshot"] = {"keyids": keyids, "threshold": 3}
    sign(forged, repository.signers["root"][0])
    repository.replace("root", json.dumps(forged).encode())
    snapshot = json.loads(repository.last("snapshot"))
    snapshot["signatures"] = [{"keyid": keyid, "sig": snapshot["signatures"][0]["sig"]} for keyid in keyids]
    repository.replace("snapshot", json.dumps(snapshot).encode())
    same(client.refresh(), 1)
    assert "snapshot" not in client.held() and root.version == 2


@case(("enough with it", 2, 1), ("enough without it", 1, 0))
def an_id_that_no_key_stands_behind_counts_for_nothing(new, threshold, code):
    repository = Repository()
    client = new(repository).init()
    stranger = CryptoSigner.generate_ed25519()
    repository.publish("root")
    # The library refuses to write this: in JSON, then signed anew.
    forged = json.loads(repository.last("root"))
    forged["signed"]["roles"]["snapshot"]["keyids"].append(stranger.public_key.keyid)
    forged["signed"]["roles"]["snapshot"]["threshold"] = threshold
    sign(forged, repository.signers["root"][0])
    repository.replace("root", json.dumps(forged).encode())
    repository.signers["snapshot"].append(stranger)
    repository.everything()
    same(client.refresh(), code)
    same(client.held()["root"], 2)
    same(client.held().get("snapshot"), None if code else 2)


@case()
def a_key_that_signs_twice_makes_the_file_wrong(new):
    repository = Repository()
    client = new(repository).init()
    snapshot = json.loads(repository.last("snapshot"))
    snapshot["signatures"].append(snapshot["signatures"][0])
    repository.replace("snapshot", json.dumps(snapshot).encode())
    same(client.refresh(), 1)
    assert "snapshot" not in client.held()


@case(("plausible", None), ("empty", ""))
def a_wrong_signature_beside_a_good_one_does_no_harm(new, text):
    repository = Repository()
    client = new(repository).init()
    first = repository.signers["timestamp"][0].public_key.keyid
    old = Metadata.from_bytes(repository.last("timestamp")).signatures[first].signature
    repository.add_key("timestamp")
    repository.publish("root", "timestamp")
    timestamp = Metadata.from_bytes(repository.last("timestamp"))
    timestamp.signatures[first].signature = old if text is None else text
    repository.replace("timestamp", timestamp.to_bytes())
    same(client.refresh(), 0)


# Root versions as (keys, threshold, signers); the last flag says whether the newest is acceptable.
ROTATIONS = [
    ("one key rotated", [([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])], True),
    ("strangers sign too", [([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])], True),
    ("3 of 5, any three", [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 2, 3, 4], 3, [0, 4, 1]), ([0, 1, 2, 3, 4], 3, [0, 1, 3])], True),
    ("3 of 5, one rotated", [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 1])], True),
    ("3 of 5, one rotated by a step", [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4, 5]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])], True),
    ("3 of 5, all rotated", [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]), ([5, 6, 7, 8, 9], 3, [5, 6, 7])], True),
    ("threshold raised", [([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])], True),
    ("threshold lowered", [([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])], True),
    ("key added, threshold raised", [([1], 1, [1]), ([1, 2], 2, [1, 2])], True),
    ("not signed by the old key", [([1], 1, [1]), ([2], 1, [2, 3, 4])], False),
    ("not signed by the new key", [([1], 1, [1]), ([2], 1, [1, 3, 4])], False),
    ("not three of the new", [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4])], False),
    ("not three of the old", [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])], False),
    ("new threshold missed", [([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2])], False),
    ("old threshold missed", [([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1])], False),
]  # fmt: skip


@case(*ROTATIONS)
def a_root_is_signed_by_the_old_threshold_and_the_new(new, versions, good):
    signers = [CryptoSigner.generate_ed25519() for _ in range(10)]
    repository = Repository()
    del repository.published["root"]
    repository.signed("root").version = 1
    for keys, threshold, signing in versions:
        role = repository.signed("root").roles["root"]
        role.keyids.clear()
        role.threshold = threshold
        for key in keys:
            repository.signed("root").add_key(signers[key].public_key, "root")
        repository.signers["root"] = [signers[number] for number in signing]
        repository.publish("root")
    client = new(repository).init()
    same(client.refresh(), 0 if good else 1)
    same(client.bytes_of("root"), repository.published["root"][-1 if good else -2])


TOP_ROTATIONS = [
    ("rotated", [2], 1, [2], 0), ("strangers sign too", [1], 1, [3, 1, 4], 0), ("not signed by the new key", [2], 1, [1, 3, 4], 1),
    ("3 of 5 with a wrong one", [0, 1, 3, 4, 5], 3, [0, 2, 4], 1), ("2 of 5 for 3", [0, 1, 3, 4, 5], 3, [0, 4], 1),
    ("3 of 5", [0, 1, 2, 3, 4], 3, [2, 3, 4], 0),
]  # fmt: skip


@case(*[(f"{role}, {row[0]}", role, *row[1:]) for role in ("timestamp", "snapshot", "targets") for row in TOP_ROTATIONS])
def a_role_follows_the_keys_that_the_newest_root_gives_it(new, role, keys, threshold, signing, code):
    signers = [CryptoSigner.generate_ed25519() for _ in range(6)]
    repository = Repository()
    client = new(repository).init()
    repository.signed("root").roles[role].keyids.clear()
    repository.signed("root").roles[role].threshold = threshold
    for key in keys:
        repository.signed("root").add_key(signers[key].public_key, role)
    repository.signers[role] = [signers[number] for number in signing]
    repository.publish("root")
    repository.everything()
    same(client.refresh(), code)
    if code == 0:
        same(client.bytes_of(role), repository.last(role))


# --- rollback, fast forward, mixtures ------------------------------------------------------------------------------------------------


@case()
def an_older_timestamp_is_refused(new):
    repository = Repository()
    client = new(repository).init()
    repository.publish("timestamp")
    same(client.refresh(), 0)
    repository.published["timestamp"].append(repository.published["timestamp"][0])
    same(client.refresh(), 1)
    same(client.held()["timestamp"], 2)


@case()
def another_timestamp_of_the_same_version_is_no_news(new):
    repository = Repository()
    client = new(repository).init()
    same(client.refresh(), 0)
    repository.signed("timestamp").snapshot_meta.version = 100
    repository.republish("timestamp")
    repository.publish("timestamp")
    same(client.refresh(), 0)
    same(repository.asked[-1], ("timestamp", None))
    same(json.loads(client.bytes_of("timestamp"))["signed"]["meta"]["snapshot.json"]["version"], 1)


@case(("plain", False), ("with hashes", True))
def a_timestamp_that_names_an_older_snapshot_is_refused(new, hashes):
    repository = Repository()
    repository.hashes = hashes
    client = new(repository).init()
    repository.publish("snapshot", "timestamp")
    same(client.refresh(), 0)
    repository.republish("snapshot")
    repository.publish("snapshot", "timestamp")
    same(client.refresh(), 1)
    same((client.held()["timestamp"], client.held()["snapshot"]), (2, 2))


@case(("plain", False), ("with hashes", True))
def a_snapshot_that_names_older_targets_is_refused(new, hashes):
    repository = Repository()
    repository.hashes = hashes
    client = new(repository).init()
    repository.everything()
    same(client.refresh(), 0)
    repository.republish("targets")
    repository.everything()
    same(client.refresh(), 1)
    same((client.held()["snapshot"], client.held()["targets"]), (2, 2))


@case()
def a_snapshot_that_no_longer_names_a_role_is_refused(new):
    repository = Repository()
    repository.delegate("targets", "province")
    repository.everything()
    client = new(repository).init()
    same(client.refresh(), 0)
    del repository.signed("snapshot").meta["province.json"]
    repository.publish("snapshot", "timestamp")
    same(client.refresh(), 1)
    same(client.held()["snapshot"], 2)


@case(("timestamp", "timestamp", ["timestamp"]), ("snapshot", "snapshot", ["snapshot", "timestamp"]), ("targets", "targets", ["snapshot"]))
def a_role_driven_ahead_is_fetched_back_by_new_keys(new, role, rotated):
    repository = Repository()
    client = new(repository).init()
    for _ in range(20):
        repository.publish(role)
    repository.publish("snapshot", "timestamp")
    ahead = len(repository.published[role])
    same(client.refresh(), 0)
    same(client.held()[role], ahead)
    for each in rotated:
        repository.rotate(each)
    repository.publish("root")
    repository.republish(role)
    for each in ("targets", "snapshot", "timestamp"):
        if each == role or each != "targets":
            repository.publish(each)
    same(client.refresh(), 0)
    same(client.held()[role], 1)


@case()
def hashes_of_metadata_are_checked(new):
    repository = Repository()
    repository.hashes = True
    repository.everything()
    client = new(repository).init()
    same(client.refresh(), 0)
    repository.publish("targets")
    repository.signed("snapshot").meta["targets.json"].hashes["sha256"] = "46" * 32
    repository.publish("snapshot", "timestamp")
    same(client.refresh(), 1)
    same((client.held()["snapshot"], client.held()["targets"]), (3, 2))


@case()
def a_file_longer_than_it_was_said_to_be_is_refused(new):
    repository = Repository()
    repository.hashes = True
    repository.everything()
    repository.replace("snapshot", repository.last("snapshot") + b" " * 10)
    client = new(repository).init()
    same(client.refresh(), 1)
    assert "snapshot" not in client.held()


@case()
def damaged_files_in_the_clients_own_folder_are_fetched_anew(new):
    repository = Repository()
    client = new(repository).init()
    same(client.refresh(), 0)
    for role in ("timestamp", "snapshot", "targets"):
        (client.metadata / f"{role}.json").write_bytes(b"{}")
    same(client.refresh(), 0)
    same(client.bytes_of("targets"), repository.last("targets"))


# --- expiry --------------------------------------------------------------------------------------------------------------------------


@case(("root", "root", {"root": 2, "snapshot": 1, "targets": 1, "timestamp": 1}),
      ("timestamp", "timestamp", {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 1}),
      ("snapshot", "snapshot", {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 2}),
      ("targets", "targets", {"root": 1, "snapshot": 2, "targets": 1, "timestamp": 2}))  # fmt: skip
def an_expired_role_stops_the_refresh(new, role, held):
    repository = Repository()
    client = new(repository).init()
    same(client.refresh(), 0)
    repository.signed(role).expires = days(-1)
    repository.everything()
    if role == "root":
        repository.publish("root")
    same(client.refresh(), 1)
    same(client.held(), held)


@case()
def an_expired_root_on_the_way_to_a_good_one_is_passed(new):
    repository = Repository()
    client = new(repository).init()
    repository.signed("root").expires = days(-1)
    repository.publish("root")
    repository.signed("root").expires = days(9)
    repository.publish("root")
    same(client.refresh(), 0)
    same(client.held()["root"], 3)


@case(("root",), ("timestamp",), ("snapshot",), ("targets",))
def what_expired_here_is_replaced_by_what_has_not(new):
    repository = Repository()
    for role in ("root", "timestamp", "snapshot", "targets"):
        repository.signed(role).expires = days(7)
    repository.publish("root")
    repository.everything()
    client = new(repository).init()
    same(client.refresh(), 0)
    for role in ("root", "timestamp", "snapshot", "targets"):
        repository.signed(role).expires = days(21)
    repository.publish("root")
    repository.everything()
    same(client.refresh(at=days(18)), 0)
    same(client.held(), {"root": 3, "snapshot": 3, "targets": 3, "timestamp": 3})


@case()
def an_expired_timestamp_here_still_guards_against_its_predecessor(new):
    repository = Repository()
    repository.signed("timestamp").expires = days(7)
    repository.publish("timestamp")
    repository.publish("timestamp")
    client = new(repository).init()
    same(client.refresh(), 0)
    repository.signed("timestamp").expires = days(28)
    repository.signed("timestamp").version = 1
    repository.publish("timestamp", version=2)
    same(client.refresh(at=days(18)), 1)
    same(client.held()["timestamp"], 3)


@case()
def an_expired_delegated_role_is_not_used(new):
    repository = Repository()
    repository.delegate("targets", "province", expires=days(-1))
    repository.add_target("keys", b"keys", role="province")
    repository.everything()
    client = new(repository).init()
    same(client.refresh(), 0)
    same(client.download("keys"), 1)
    same((client.downloaded(), "province" in client.held()), ([], False))


@case()
def a_delegated_role_that_expired_here_is_not_used_but_its_successor_is(new):
    repository = Repository()
    repository.delegate("targets", "province", expires=days(7))
    repository.add_target("first", b"first", role="province")
    repository.add_target("second", b"second", role="province")
    repository.everything()
    client = new(repository).init()
    same(client.download("first"), 0)
    same(client.download("second", at=days(18)), 1)
    repository.signed("province").expires = days(21)
    repository.everything()
    same(client.download("second", at=days(18)), 0)
    same(client.downloaded(), [b"first", b"second"])


# --- targets -------------------------------------------------------------------------------------------------------------------------


@case(("plain", "keys.json"), ("in a folder", "a/b/c.json"), ("with a space", "a b.json"), ("with a sign", "ü#?.json"))
def a_target_is_downloaded(new, name):
    repository = Repository()
    repository.add_target(name, b"content")
    repository.everything()
    client = new(repository).init()
    same(client.refresh(), 0)
    same(client.downloaded(), [])
    same(client.download(name), 0)
    same(client.downloaded(), [b"content"])


@case(("no hash in the name", False), ("hash in the name", True))
def files_are_named_as_the_root_says(new, consistent):
    repository = Repository()
    repository.signed("root").consistent_snapshot = consistent
    repository.add_target("keys", b"content")
    repository.publish("root")
    repository.everything()
    client = new(repository).init()
    same(client.download("keys"), 0)
    same(repository.asked[-1], ("targets", 2 if consistent else None))


@case()
def a_target_that_is_here_is_not_downloaded_again(new):
    repository = Repository()
    repository.add_target("keys", b"content")
    repository.everything()
    client = new(repository).init()
    same(client.download("keys"), 0)
    same(client.download("keys"), 0)
    same(repository.fetched, ["keys"])


@case()
def another_content_than_was_signed_for_is_never_kept(new):
    repository = Repository()
    repository.add_target("one", b"content one")
    repository.add_target("two", b"content two")
    repository.everything()
    client = new(repository).init()
    same(client.download("one"), 0)
    repository.files.update(one=b"malice, one", two=b"malice, two")
    client.download("one")
    same(client.download("two"), 1)
    repository.files["two"] = b"content two and more"
    same(client.download("two"), 1)
    same(client.downloaded(), [b"content one"])


@case()
def targets_are_downloaded_in_one_run_until_one_fails(new):
    repository = Repository()
    repository.add_target("first", b"first")
    repository.add_target("third", b"third")
    repository.everything()
    client = new(repository).init()
    same(client.download("first", "nobody has it", "third"), 1)
    same(client.downloaded(), [b"first"])
    same(client.download("first", "third"), 0)
    same(client.downloaded(), [b"first", b"third"])


@case()
def a_target_that_changes_is_replaced(new):
    repository = Repository()
    client = new(repository).init()
    for content in (b"first", b"second", b"third"):
        repository.add_target("keys", content)
        repository.everything()
        same(client.download("keys"), 0)
        same(client.downloaded(), [content])


@case(*[(name, name) for name in ("?", "#", "/delegated", "../delegated", "%2e", ".", "..")])
def a_role_of_any_name_is_asked_for_and_kept_safely(new, name):
    repository = Repository()
    repository.delegate("targets", name)
    repository.everything()
    client = new(repository).init()
    outside = sorted(Path(client.folder.name).iterdir())
    same(client.download("nobody has it"), 1)
    same(repository.asked[-1], (name, 1))
    same((len(client.held()), sorted(Path(client.folder.name).iterdir())), (5, outside))


# Delegations as (delegator, role, options); then the order in which they must be visited.
GRAPHS = [
    ("one", [("targets", "A", {})], ["A"]),
    ("two", [("targets", "A", {}), ("targets", "B", {})], ["A", "B"]),
    ("two levels", [("targets", "A", {}), ("targets", "B", {}), ("B", "C", {})], ["A", "B", "C"]),
    ("depth first", [("targets", "A", {}), ("targets", "B", {}), ("A", "C", {}), ("A", "D", {})], ["A", "C", "D", "B"]),
    ("three deep", [("targets", "A", {}), ("targets", "B", {}), ("A", "C", {}), ("C", "D", {})], ["A", "C", "D", "B"]),
    ("terminating", [("targets", "A", {}), ("targets", "B", {}), ("A", "C", {"terminating": True}), ("A", "D", {})], ["A", "C"]),
    ("terminating, with children", [("targets", "A", {}), ("targets", "B", {}), ("A", "C", {"terminating": True}), ("C", "D", {})], ["A", "C", "D"]),
    ("terminating, for other paths", [("targets", "A", {"terminating": True, "paths": ["*.py"]}), ("targets", "B", {})], ["B"]),
    ("other paths", [("targets", "A", {"paths": ["*.py"]}), ("targets", "B", {}), ("A", "C", {})], ["B"]),
    ("other paths below", [("targets", "A", {}), ("targets", "B", {}), ("A", "C", {"paths": ["*.py"]}), ("C", "D", {})], ["A", "B"]),
    ("a circle", [("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("C", "D", {}), ("D", "B", {})], ["A", "B", "C", "D"]),
    ("itself", [("targets", "A", {}), ("A", "A", {}), ("targets", "B", {})], ["A", "B"]),
    ("one from two sides", [("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("A", "C", {})], ["A", "C", "B"]),
    ("one from the second side", [("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("A", "C", {"paths": ["*.py"]})], ["A", "B", "C"]),
    # The SHA-256 of "missing" begins with ffa.
    ("hash prefixes", [("targets", "A", {"prefixes": ["ffb", "0"]}), ("targets", "B", {"prefixes": ["ffa"]})], ["B"]),
]  # fmt: skip


@case(*GRAPHS)
def delegations_are_walked_in_their_order(new, delegations, order):
    repository = Repository()
    for delegator, role, options in delegations:
        repository.delegate(delegator, role, **options)
    repository.everything()
    client = new(repository).init()
    same(client.download("missing"), 1)
    same([role for role, _ in repository.asked[4:]], order)


TREE = [("in targets", "targetfile", []), ("by a pattern", "README.md", ["A"]), ("two deep", "releases/x/x_v1", ["B", "C"]),
        ("two deep, by an ending", "releases/y/y_v1.zip", ["B", "D"]), ("not delegated all the way", "releases/z/z_v1.zip", ["B"])]  # fmt: skip


@case(*[(name, path, order, name != "not delegated all the way") for name, path, order in TREE])
def a_target_is_found_where_it_is_delegated_to(new, path, order, found):
    repository = Repository()
    repository.delegate("targets", "A", ["*.doc", "*.md"])
    repository.delegate("targets", "B", ["releases/*/*"])
    repository.delegate("B", "C", ["releases/x/*"])
    repository.delegate("B", "D", ["releases/y/*.zip"])
    for role, name in [("targets", "targetfile"), ("A", "README.md"), ("C", "releases/x/x_v1"), ("D", "releases/y/y_v1.zip"), ("D", "releases/z/z_v1.zip")]:
        repository.add_target(name, f"{name} by {role}".encode(), role=role)
    repository.everything()
    client = new(repository).init()
    same(client.download(path), 0 if found else 1)
    same([role for role, _ in repository.asked[4:]], order)
    same(client.downloaded(), [repository.files[path]] if found else [])


@case(("1 bit, 0", 1, "boo", "bin-0"), ("1 bit, 1", 1, "too", "bin-1"), ("2 bits, 0", 2, "foo", "bin-0"), ("2 bits, 1", 2, "doo", "bin-1"),
      ("2 bits, 3", 2, "bar", "bin-3"), ("8 bits", 8, "bar", "bin-fc"))  # fmt: skip
def a_bin_is_chosen_by_the_hash_of_the_path(new, bits, path, expected):
    repository = Repository()
    repository.delegate_bins("targets", bits)
    repository.everything()
    client = new(repository).init()
    same(client.download(path), 1)
    same([role for role, _ in repository.asked[4:]], [expected])
    same(client.download(path), 1)
    same([role for role, _ in repository.asked[4:]], [expected, "root", "timestamp"])


@case()
def a_maze_of_delegations_is_left_after_its_bound(new):
    repository = Repository()
    above = "targets"
    for number in range(40):
        repository.delegate(above, f"role{number}")
        above = f"role{number}"
    repository.add_target("deep", b"content", role=above)
    repository.everything()
    client = new(repository).init()
    same(client.download("deep"), 1)
    assert len(repository.asked) - 4 <= 33, len(repository.asked)


@case()
def a_delegated_role_with_too_few_signatures_is_refused(new):
    repository = Repository()
    repository.delegate("targets", "province")
    repository.add_target("keys", b"content", role="province")
    repository.signers["province"] = [CryptoSigner.generate_ed25519()]
    repository.everything()
    client = new(repository).init()
    same(client.download("keys"), 1)
    same("province" in client.held(), False)


@case(("in a run of its own", lambda client: client.download("one/keys") or client.download("two/keys")),
      ("in the same run", lambda client: client.download("one/keys", "two/keys")))  # fmt: skip
def a_delegated_role_that_is_here_is_verified_again_for_another_delegator(new, download):
    repository = Repository()
    repository.delegate("targets", "A", ["one/*"])
    repository.delegate("targets", "B", ["two/*"])
    repository.delegate("A", "C", ["*/*"])
    repository.delegate("B", "C", ["*/*"])
    # B trusts another key for C than A does.
    role = repository.signed("B").delegations.roles["C"]
    role.keyids.clear()
    repository.signed("B").add_key(CryptoSigner.generate_ed25519().public_key, "C")
    repository.add_target("one/keys", b"one", role="C")
    repository.add_target("two/keys", b"two", role="C")
    repository.everything()
    client = new(repository).init()
    same(download(client), 1)
    same(client.downloaded(), [b"one"])


# --- the reference client, and the run -----------------------------------------------------------------------------------------------


def reference(arguments):
    """The command line of the cases over python-tuf's own client."""
    import argparse

    from tuf.ngclient import Updater

    parser = argparse.ArgumentParser()
    for name in ("metadata-dir", "metadata-url", "target-base-url", "target-dir"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--target-name", action="append")
    parser.add_argument("command")
    parser.add_argument("root", nargs="?")
    line = parser.parse_args(arguments)
    if line.command == "init":
        shutil.copyfile(line.root, os.path.join(line.metadata_dir, "root.json"))
        return 0
    updater = Updater(line.metadata_dir, line.metadata_url, line.target_dir, line.target_base_url, bootstrap=None)
    updater.refresh()
    for name in line.target_name or ():
        target = updater.get_targetinfo(name)
        if target is None:
            return 1
        if updater.find_cached_target(target) is None:
            updater.download_target(target)
    return 0


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--reference"]:
        sys.exit(reference(arguments[1:]))
    only = arguments[1] if arguments[:1] == ["--only"] else ""
    command = arguments[2:] if only else arguments
    if command == ["python-tuf"]:
        command = [sys.executable, __file__, "--reference"]
    count = {"ok": 0, "not ok": 0, "skipped": 0}
    started = time.monotonic()
    for name, function, row in CASES:
        if only not in name:
            continue
        try:
            function(lambda repository, root=None: Client(command, repository, root), *row)
            word, why = "ok", ""
        except Skipped as error:
            word, why = "skipped", f": {error}"
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[1].lineno
            word, why = "not ok", f": line {place}: {error or type(error).__name__}"
        count[word] += 1
        print(f"{word} {name}{why}", flush=True)
    print(f"{count['ok']} ok, {count['not ok']} not ok, {count['skipped']} skipped in {time.monotonic() - started:.0f} s")
    sys.exit(1 if count["not ok"] else 0)


if __name__ == "__main__":
    main()
