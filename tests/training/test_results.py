"""What a run is for: cards that work, merged models, exports, uploads."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import constants
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from luthier.trainers import export
from luthier.trainers.errors import TrainingError
from luthier.trainers.events import DoneEvent, ErrorEvent, PhaseEvent

_LEARN = {"training.learning_rate": 0.05, "evaluation.strategy": "epoch"}


def _logits(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(**tokenizer("count to 3", return_tensors="pt")).logits
    return found


def _snippet(folder: Path) -> str:
    card = (folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    return str(code)


def _run_snippet(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _snippet(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_card_says_all_and_its_code_runs(workshop: Any) -> None:
    done = workshop.go(**_LEARN, name="counting")
    card = (done.run.adapter / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "peft"
    # The hub takes no local folder for a base model's name.
    assert "base_model" not in header
    assert str(workshop.model) in card
    assert "# counting" in card
    assert json.loads(done.run.preflight.read_text())["fingerprint"] in card
    assert f"| eval_loss | {done.of(DoneEvent)[0].metrics['eval_loss']:.6g} |" in card
    assert "learning_rate: 0.05" in card
    # One more process loads torch; it answers like the model in this one.
    code = _snippet(done.run.adapter)
    assert "count to" in code
    base = AutoModelForCausalLM.from_pretrained(workshop.model)
    model = PeftModel.from_pretrained(base, done.run.adapter)
    tokenizer = AutoTokenizer.from_pretrained(done.run.adapter)
    prompt = json.loads(done.run.preflight.read_text())["sample_prompts"][0]["prompt"]
    row = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    answer = model.generate(**row, max_new_tokens=64, do_sample=False)
    text = tokenizer.decode(answer[0, row["input_ids"].shape[1] :], skip_special_tokens=True)
    assert _run_snippet(done.run.adapter) == text + "\n"


@pytest.mark.parametrize("changes", [{}, {"peft.method": "ia3"}, {"model.load_in_4bit": True}])
def test_merged_models_answer_like_their_adapters(workshop: Any, changes: Any) -> None:
    done = workshop.go(**{**_LEARN, **changes, "output.merge_adapter": True})
    assert "merging" in [event.name for event in done.of(PhaseEvent)]
    tokenizer = AutoTokenizer.from_pretrained(done.run.model)
    base = AutoModelForCausalLM.from_pretrained(workshop.model)
    expected = _logits(PeftModel.from_pretrained(base, done.run.adapter), tokenizer)
    found = _logits(AutoModelForCausalLM.from_pretrained(done.run.model), tokenizer)
    assert torch.allclose(found, expected, atol=1e-4)
    assert "merged" in (done.run.model / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Any:
    """One finished run with checkpoints, for everything that only looks at it."""
    from tests.training.conftest import Workshop

    patch = pytest.MonkeyPatch()
    patch.setenv("LUTHIER_DEVICE", "cpu")
    workshop = Workshop(tmp_path_factory.mktemp("finished"), tiny_model)
    done = workshop.go(**_LEARN, **{"training.save_steps": 2, "training.max_steps": 4})
    patch.undo()
    return done


class TestExport:
    """``python -m luthier.trainers.export``."""

    def test_an_adapter(
        self, finished: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = tmp_path / "out"
        assert export.main([str(finished.run.path), "--to", str(target)]) == 0
        said = capsys.readouterr().out.splitlines()
        assert said == [f"copying {finished.run.adapter}", f"done {target}"]
        original = (finished.run.adapter / "adapter_model.safetensors").read_bytes()
        assert (target / "adapter_model.safetensors").read_bytes() == original
        assert (target / "chat_template.jinja").exists()
        assert _snippet(target) == _snippet(finished.run.adapter)

    def test_an_adapter_of_a_checkpoint(self, finished: Any, tmp_path: Path) -> None:
        target = tmp_path / "out"
        told = [str(finished.run.path), "--to", str(target), "--checkpoint", "2"]
        assert export.main(told) == 0
        names = {path.name for path in target.iterdir()}
        assert {"adapter_model.safetensors", "README.md", "tokenizer.json"} <= names
        assert not [name for name in names if "optimizer" in name or "state" in name]
        assert not [name for name in names if name.endswith((".pt", ".pth", ".bin"))]
        result = (finished.run.adapter / "adapter_model.safetensors").read_bytes()
        assert (target / "adapter_model.safetensors").read_bytes() != result

    def test_a_merged_model(self, finished: Any, tmp_path: Path, tiny_model: Path) -> None:
        target = tmp_path / "new" / "out"
        assert export.main([str(finished.run.path), "--to", str(target), "--merge"]) == 0
        tokenizer = AutoTokenizer.from_pretrained(target)
        base = AutoModelForCausalLM.from_pretrained(tiny_model)
        expected = _logits(PeftModel.from_pretrained(base, finished.run.adapter), tokenizer)
        found = _logits(AutoModelForCausalLM.from_pretrained(target), tokenizer)
        assert torch.allclose(found, expected, atol=1e-4)
        assert "PeftModel" not in _snippet(target)

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["--checkpoint", "3"], "has no checkpoint of step 3. It has: 2, 4."),
            (["--to", "full"], "exists already. Name a new or an empty folder."),
        ],
    )
    def test_what_cannot_be_done(
        self,
        finished: Any,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        expected: str,
    ) -> None:
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "file").touch()
        arguments = [str(tmp_path / "full") if text == "full" else text for text in arguments]
        told = [str(finished.run.path), "--to", str(tmp_path / "out"), *arguments]
        assert export.main(told) == 2
        assert expected in capsys.readouterr().err

    def test_a_run_without_result(
        self, workshop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = workshop.run(workshop.settings())
        assert export.main([str(run.path), "--to", str(tmp_path / "out")]) == 2
        assert "has no result yet" in capsys.readouterr().err

    def test_nothing_to_merge(
        self, workshop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        done = workshop.go(**{"peft.method": "none", "training.max_steps": 1})
        assert export.main([str(done.run.path), "--to", str(tmp_path / "out"), "--merge"]) == 2
        assert "nothing to merge" in capsys.readouterr().err


class _Hub(BaseHTTPRequestHandler):
    """As much of the hub's HTTP interface as an upload of small files takes."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = self.server.seen  # type: ignore[attr-defined]
        seen.append((self.path, self.headers.get("Authorization"), body))
        url = f"http://127.0.0.1:{self.server.server_port}/someone/counting"  # type: ignore[attr-defined]
        if "preupload" in self.path:
            files = json.loads(body)["files"]
            answer: dict[str, Any] = {
                "files": [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in files
                ]
            }
        elif "commit" in self.path:
            answer = {"commitUrl": f"{url}/commit/abc", "commitOid": "abc"}
        else:
            answer = {"url": url, "name": "someone/counting", "id": "1"}
        self._answer(answer)

    def do_GET(self) -> None:
        self._answer({"id": "someone/counting", "sha": "abc", "siblings": [], "name": "someone"})

    def _answer(self, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str | None, bytes]]]:
    """A hub on this machine; what was sent to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server.seen  # type: ignore[attr-defined]
    server.shutdown()


_UPLOAD = {
    "output.push_to_hub": True,
    "output.hub_model_id": "someone/counting",
    "output.hub_private": True,
    "launch.offline": False,
}


def test_an_upload(workshop: Any, hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_the_test")
    done = workshop.go(**_UPLOAD)
    create, *_, commit = hub
    assert json.loads(create[2])["visibility"] == "private"
    assert {token for _, token, _ in hub} == {"Bearer hf_secret_of_the_test"}
    lines = [json.loads(line) for line in commit[2].splitlines()]
    sent = {line["value"]["path"]: line["value"] for line in lines if line["key"] == "file"}
    assert {"README.md", "adapter_model.safetensors", "chat_template.jinja"} <= sent.keys()
    weights = base64.b64decode(sent["adapter_model.safetensors"]["content"])
    assert weights == (done.run.adapter / "adapter_model.safetensors").read_bytes()
    for path in done.run.path.rglob("*"):
        assert path.is_dir() or b"hf_secret_of_the_test" not in path.read_bytes()


def test_an_upload_without_a_token(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    outcome = workshop.attempt(workshop.run(workshop.settings(**_UPLOAD)))
    assert outcome.code == 1
    (error,) = outcome.of(ErrorEvent)
    assert error.type == TrainingError.__name__
    assert "HF_TOKEN" in error.message
    assert (outcome.run.adapter / "adapter_model.safetensors").exists()
