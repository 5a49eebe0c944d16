"""keystone.token_info: a dict whose body is the request's own as soon as it is read."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from authmw.token.read_only import ReadOnlyList
from authmw.token.shared_body import SharedBody, SharedMembers
from authmw.token.token_info import OwnTokenInfo, TokenInfo

OWN = {"methods": ["password"], "audit_ids": ["a1"], "issued_at": "2026-01-01T00:00:00.000000Z"}
SHARED = {"user": {"id": "u1", "domain": {"id": "d1"}}, "roles": [{"id": "r1", "name": "member"}]}
BODY = {**OWN, **SHARED}


def make_body() -> SharedBody:
    own = {
        name: ReadOnlyList(value) if type(value) is list else value for name, value in OWN.items()
    }
    return SharedBody(own, SharedMembers(SHARED), None)


def make_info(body: SharedBody) -> TokenInfo:
    info = TokenInfo()
    info["token"] = body
    return info


def match(info: Any) -> Any:
    match info:
        case {"token": body}:
            return body


def update_another(info: Any) -> Any:
    other: dict[str, Any] = {}
    other.update(info)
    return other["token"]


def call(**arguments: Any) -> Any:
    return arguments["token"]


READERS: dict[str, Callable[[Any], Any]] = {
    "subscription": lambda info: info["token"],
    "get": lambda info: info.get("token"),
    "values": lambda info: next(iter(info.values())),
    "items": lambda info: next(iter(info.items()))[1],
    "pop": lambda info: info.pop("token"),
    "popitem": lambda info: info.popitem()[1],
    "setdefault": lambda info: info.setdefault("token", None),
    "copy": lambda info: info.copy()["token"],
    "copy.copy": lambda info: copy.copy(info)["token"],
    "copy.deepcopy": lambda info: copy.deepcopy(info)["token"],
    "pickle": lambda info: pickle.loads(pickle.dumps(info))["token"],
    "pickle.0": lambda info: pickle.loads(pickle.dumps(info, 0))["token"],
    "json": lambda info: json.loads(json.dumps(info))["token"],
    "dict": lambda info: dict(info)["token"],
    "dict.update": update_another,
    "unpacking": lambda info: {**info}["token"],
    "arguments": lambda info: call(**info),
    "or": lambda info: (info | {})["token"],
    "ror": lambda info: ({"other": 1} | info)["token"],
    "iteration": lambda info: next(info[key] for key in info),
    "keys": lambda info: info.keys().mapping["token"],
    "match": match,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_whoever_reads_the_body_gets_one_of_his_own(read: Callable[[Any], Any]) -> None:
    body = make_body()
    mine = read(make_info(body))
    assert (mine, type(mine), type(mine["user"]), type(mine["roles"])) == (BODY, dict, dict, list)
    mine["user"]["domain"]["id"] = "d2"
    mine["roles"][0]["name"] = "admin"
    mine["audit_ids"].append("a2")
    mine.clear()
    assert body == BODY
    assert make_info(body)["token"] == BODY


def test_what_the_request_changes_stays_changed_for_it() -> None:
    info = make_info(make_body())
    info["token"]["roles"].append({"name": "admin"})
    info.get("token")["user"]["id"] = "u2"
    assert [role["name"] for role in info["token"]["roles"]] == ["member", "admin"]
    assert dict(info)["token"]["user"]["id"] == "u2"
    info["token"] = "replaced"
    assert info["token"] == "replaced"


def test_what_is_put_in_its_place_unread_is_kept() -> None:
    info: Any = make_info(make_body())
    info["token"] = {"mine": 1}
    assert info["token"] == {"mine": 1}
    info = make_info(make_body())
    del info["token"]
    assert (info, info.get("token")) == ({}, None)
    with pytest.raises(KeyError):
        info["token"]


def test_it_is_a_dict_with_the_body_for_those_who_pass_by_its_methods() -> None:
    body = make_body()
    info = make_info(body)
    assert isinstance(info, dict)
    assert ("token" in info, len(info), repr(info)) == (True, 1, repr({"token": BODY}))
    assert info == {"token": BODY}
    stored = dict.get(info, "token")
    assert type(info) is TokenInfo, "not read yet"
    assert stored is body
    with pytest.raises(TypeError, match="read-only"):
        stored["user"]["domain"].clear()
    with pytest.raises(TypeError, match="read-only"):
        stored["audit_ids"].append("a2")
    with pytest.raises(TypeError, match="read-only"):
        stored.update(user={})


def test_copies_are_plain() -> None:
    for info in (make_info(make_body()), make_info(make_body())):
        for copied in (info.copy(), copy.copy(info), copy.deepcopy(info), info | {}):
            assert (type(copied), type(copied["token"])) == (dict, dict)
        assert type(pickle.loads(pickle.dumps(info))) is dict
        assert type(info) is OwnTokenInfo


def test_every_method_of_a_dict_is_either_overridden_or_hands_out_no_value() -> None:
    hands_out_no_value = {
        *("__class_getitem__", "__contains__", "__delitem__", "__ior__", "__len__"),
        *("__reversed__", "__setitem__", "__sizeof__", "clear", "fromkeys", "keys", "update"),
        # They compare with or show what is shared, which is read-only.
        *("__eq__", "__ge__", "__gt__", "__le__", "__lt__", "__ne__", "__repr__"),
        *("__doc__", "__getattribute__", "__hash__", "__init__", "__new__"),
    }
    assert vars(dict).keys() - hands_out_no_value <= vars(TokenInfo).keys()


def read_in_threads(info: TokenInfo) -> list[Any]:
    barrier = threading.Barrier(4)
    seen: list[Any] = []

    def read() -> None:
        barrier.wait(10)
        seen.append(info["token"])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return seen


def test_threads_of_one_request_get_one_copy() -> None:
    for _ in range(50):
        seen = read_in_threads(make_info(make_body()))
        assert [len(seen), len({id(body) for body in seen})] == [4, 1]
