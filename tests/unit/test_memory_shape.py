"""Reading a model's shape: configurations, safetensors headers, the hub's cache, the model list."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.presets.catalog import ModelEntry, family_of, find_entry, models
from luthier.presets.memory import find_model, model_shape, read_shape
from luthier.presets.memory.architectures import shape_of_config
from luthier.presets.memory.headers import read_header
from luthier.trainers.demo import MODEL
from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import tasks

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 176,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
}


def write_tensors(path: Path, tensors: dict[str, tuple[int, ...]], dtype: str = "BF16") -> None:
    """A safetensors file that has a header and holes instead of numbers."""
    width, place = {"BF16": 2, "F32": 4}[dtype], 0
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    for name, shape in tensors.items():
        size = width
        for length in shape:
            size *= length
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + place)


def llama_tensors(layers: int = 2) -> dict[str, tuple[int, ...]]:
    tensors: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (100, 64),
        "model.norm.weight": (64,),
        "lm_head.weight": (100, 64),
    }
    for layer in range(layers):
        start = f"model.layers.{layer}"
        tensors |= {
            f"{start}.self_attn.q_proj.weight": (64, 64),
            f"{start}.self_attn.k_proj.weight": (32, 64),
            f"{start}.self_attn.v_proj.weight": (32, 64),
            f"{start}.self_attn.o_proj.weight": (64, 64),
            f"{start}.mlp.gate_proj.weight": (176, 64),
            f"{start}.mlp.up_proj.weight": (176, 64),
            f"{start}.mlp.down_proj.weight": (64, 176),
            f"{start}.input_layernorm.weight": (64,),
            f"{start}.post_attention_layernorm.weight": (64,),
        }
    return tensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("entry", models(), ids=[entry.id for entry in models()])
def test_the_list_and_the_shapes_agree_on_every_count(entry: ModelEntry) -> None:
    shape = model_shape(entry.id)
    assert shape.source == "model list"
    assert shape.parameters == entry.parameters
    assert shape.kind == entry.kind
    family = family_of(entry.id)
    assert family is not None
    names = {linear.name for linear in shape.all_linears}
    assert set(family.target_modules) & names, "no adapter would find a module"
    assert entry.tasks


def test_the_list_knows_about_sixty_models_of_all_sizes() -> None:
    sizes = [entry.parameters for entry in models()]
    assert len(sizes) >= 60
    assert min(sizes) < 0.1e9
    assert max(sizes) > 70e9
    assert len({entry.id for entry in models()}) == len(sizes)
    assert find_entry("qwen/qwen2.5-7b") is not None
    assert find_entry("nobody/nothing") is None


def test_every_tasks_default_model_is_listed_or_named_for_no_size() -> None:
    language = [task for task in tasks().values() if task.id in ("llm-sft", "llm-generic")]
    assert all(find_entry(task.default_model) for task in language)


def test_headers_say_what_the_configuration_only_implies(folder: Path) -> None:
    implied = read_shape(folder)
    write_tensors(folder / "model.safetensors", llama_tensors())
    read = read_shape(folder)
    assert implied.source == "config.json"
    assert read.source == "config.json and safetensors headers"
    assert read.parameters == implied.parameters
    assert {(one.name, one.inputs, one.outputs, one.count) for one in read.linears} == {
        (one.name, one.inputs, one.outputs, one.count) for one in implied.linears
    }
    # The files win over what the configuration says of the numbers.
    assert (implied.dtype, read.dtype) == ("float32", "bfloat16")
    assert read.checkpoint_bytes == 2 * read.parameters


def test_several_files_are_one_model(folder: Path) -> None:
    everything = llama_tensors()
    names = list(everything)
    first, second = names[:8], names[8:]
    for number, part in enumerate((first, second), start=1):
        file = folder / f"model-0000{number}-of-00002.safetensors"
        write_tensors(file, {name: everything[name] for name in part})
    weight_map = dict.fromkeys(first, "model-00001-of-00002.safetensors")
    weight_map |= dict.fromkeys(second, "model-00002-of-00002.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    assert read_shape(folder).source == "config.json and safetensors headers"
    (folder / "model-00002-of-00002.safetensors").unlink()
    half = read_shape(folder)
    assert half.source == "config.json"
    assert half.parameters == shape_of_config(LLAMA, "x").parameters


def test_the_demo_model_is_read_as_it_is() -> None:
    shape = read_shape(Path(MODEL))
    size = (Path(MODEL) / "model.safetensors").stat().st_size
    assert shape.tied
    assert abs(4 * shape.parameters - size) < 20_000


@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE"])
def test_a_cached_model_is_found_where_the_hub_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    hub = tmp_path / "hub" if variable == "HF_HOME" else tmp_path
    repository = hub / "models--someone--tiny"
    snapshot = repository / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    assert find_model("someone/tiny") is None
    (snapshot / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123")
    assert find_model("someone/tiny") == snapshot
    assert find_model("someone/tiny", "abc123") == snapshot
    assert find_model("someone/tiny", "other") is None
    assert model_shape("someone/tiny").name == "someone/tiny"
    assert find_model("../../etc") is None


def test_a_model_that_is_nowhere_is_said_so() -> None:
    with pytest.raises(LuthierError, match="neither a model folder"):
        model_shape("nobody/nothing-at-all")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"model_type": "llama"}', '{"model_type": "vit"}', "null",
             '{"model_type": "llama", "hidden_size": "wide", "num_hidden_layers": 2}'],
)  # fmt: skip
def test_a_configuration_that_says_nothing_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    if text == '{"model_type": "vit"}':
        # Image encoders have usual sizes where nothing is said.
        assert read_shape(tmp_path).hidden == 768
        return
    with pytest.raises(LuthierError):
        read_shape(tmp_path)


@given(st.binary(max_size=200).filter(lambda content: content[8:] != b"{}"))
def test_a_file_that_is_no_safetensors_is_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("broken") / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(LuthierError, match="safetensors"):
        read_header(path)
