"""Folders with odd names: each run is opened by the name it is listed under; errors stay whole."""

import os
import sys

import pytest

pytest.importorskip("starlette")

from playground_runs import make_audit
from starlette.testclient import TestClient

from deliberation.playground.app import make_app
from deliberation.playground.folder.shelf import Shelf, state
from deliberation.playground.settings import Settings, sentence_of

HERE = "http://127.0.0.1:8321"


def folder_of(root, name):
    """A folder of such bytes; skipped where the file system takes no such name."""
    try:
        os.mkdir(os.path.join(os.fsencode(root), name))
    except OSError as error:
        pytest.skip(f"no such name here: {error}")
    return root / os.fsdecode(name)


@pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux alone")
def test_a_run_whose_name_is_no_utf8_is_opened_by_the_name_it_is_listed_under(tmp_path):
    names = [b"caf\xe9", b"caf\\xe9", "café".encode()]
    for name in names:
        make_audit(folder_of(tmp_path, name))
    with TestClient(make_app(Settings(runs=tmp_path)), base_url=HERE) as client:
        runs = client.get("/api/runs").json()["runs"]
        assert {run["name"] for run in runs} == {"caf\\xe9'", "caf\\xe9", "café"}
        for run in runs:
            run["name"].encode()
            for path in ("/api/runs/one", "/runs/page"):
                assert client.get(path, params={"run": run["name"]}).status_code == 200


def broken(root, name):
    folder = folder_of(root, name)
    (folder / "run.json").write_text("{")
    (run,) = Shelf(root).runs()
    with TestClient(make_app(Settings(runs=root)), base_url=HERE) as client:
        answer = client.get("/api/runs/one", params={"run": run.name})
        assert answer.status_code == 422
        return answer.json()["error"], state(Shelf(root), run)["trouble"]


@pytest.mark.parametrize("name", [b"one\ntwo", b"one.\ntwo", b"one\xe2\x80\xa8two"])
def test_an_error_about_a_folder_with_a_break_in_its_name_is_whole(tmp_path, name):
    for said in broken(tmp_path, name):
        assert "two" in said and "run.json" in said and "\n" not in said
        assert str(tmp_path) not in said


def test_a_drawing_below_an_error_is_left_out():
    assert sentence_of("Action 3 is illegal here. Legal: [1].\n. X .\nO . .") == (
        "Action 3 is illegal here. Legal: [1]."
    )
    assert sentence_of("One of them is\n. X .") == "One of them is"
    assert sentence_of(ValueError()) == ""
