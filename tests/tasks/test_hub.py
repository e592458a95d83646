"""The hub client against an imitation on this machine."""

from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from sldagent.errors import TableError
from sldagent.tasks import hub
from sldagent.tasks.load import load_task

COLUMNS = ["group", "num_experts", "dense_parameter_count", "loss_validation"]


def parquet(rows):
    buffer = io.BytesIO()
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(buffer)
    return buffer.getvalue()


class Hub:
    """A dataset server: `pages` maps a path to (status, body)."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                status, body = outer.pages.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def listing(self, config, split, urls):
        self.pages[f"/api/datasets/{hub.DATASET}/parquet/{config}/{split}"] = (200, json.dumps(urls).encode())


@pytest.fixture
def server(monkeypatch, tmp_path):
    imitation = Hub()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", imitation.base)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield imitation
    imitation.server.shutdown()
    imitation.server.server_close()


@pytest.fixture
def moe(server):
    rows = [("all", e, n, 3 - 0.1 * e**0.3 - n**0.05) for e in (1.0, 2.0, 4.0) for n in (1e6, 1e7, 1e8)]
    server.listing("moe_scaling_law", "train", [f"{server.base}/0.parquet", "/1.parquet"])
    server.listing("moe_scaling_law", "test", [f"{server.base}/2.parquet"])
    server.pages["/0.parquet"] = (200, parquet(rows[:5]))
    server.pages["/1.parquet"] = (200, parquet(rows[5:8]))
    server.pages["/2.parquet"] = (200, parquet(rows[8:]))
    return server


def cached(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache").rglob("*") if p.is_file())


def test_fetched_once_with_its_splits(moe, tmp_path):
    task = load_task("moe")
    assert task.split.tolist() == ["train"] * 8 + ["test"]
    assert task.symbols == ("num_experts", "dense_parameter_count")
    assert cached(tmp_path) == ["moe_scaling_law.parquet"]
    asked = len(moe.asked)
    assert load_task("moe").X.tolist() == task.X.tolist()
    assert len(moe.asked) == asked


def test_a_dataset_without_test_rows(moe):
    del moe.pages[f"/api/datasets/{hub.DATASET}/parquet/moe_scaling_law/test"]
    assert load_task("moe").split.tolist() == ["train"] * 8


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (f"/api/datasets/{hub.DATASET}/parquet/moe_scaling_law/train", (404, b"")),
        (f"/api/datasets/{hub.DATASET}/parquet/moe_scaling_law/train", (200, b"[]")),
        (f"/api/datasets/{hub.DATASET}/parquet/moe_scaling_law/train", (200, b"<html>")),
        (f"/api/datasets/{hub.DATASET}/parquet/moe_scaling_law/train", (200, b'["file:///etc/hostname"]')),
        (f"/api/datasets/{hub.DATASET}/parquet/moe_scaling_law/test", (500, b"")),
        ("/1.parquet", (404, b"")),
        ("/2.parquet", (200, b"PAR1 cut short")),
    ],
)
def test_any_trouble_is_one_sentence_and_leaves_no_file(moe, tmp_path, path, answer):
    moe.pages[path] = answer
    with pytest.raises(TableError, match=r"cannot be fetched from the dataset.*with --data") as error:
        load_task("moe")
    assert "\n" not in str(error.value)
    assert cached(tmp_path) == []


def test_an_address_that_nobody_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(TableError, match=r"at http://127\.0\.0\.1:1 .*pass a folder"):
        hub.fetch("moe_scaling_law", endpoint="http://127.0.0.1:1", cache=tmp_path)


def test_a_cache_that_cannot_be_written(moe, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(TableError, match="pass a folder"):
        hub.fetch("moe_scaling_law", cache=blocked)
