"""The chat worker as a real process with tiny random models, spoken to over its protocol."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from luthier.trainers.chat.protocol import (
    Added,
    AddVoice,
    Answer,
    Batch,
    Cancel,
    Failed,
    Finished,
    Generate,
    Load,
    Ready,
    Token,
    encode,
    parse_reply,
)
from luthier.trainers.chat.sampling import Choice, choose
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import ModelSection

pytestmark = pytest.mark.training

_DEADLINE = 120.0
_CONTEXT = 2048
_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_QUESTION = [{"role": "user", "content": "Which wood is a violin's top made of? Größe: 10 €"}]


@dataclass(frozen=True)
class Assets:
    """Tiny models with and without a chat template, adapters of them, and one that is not."""

    model: Path
    plain: Path
    misfit: Path
    adapters: dict[str, Path]


def _tokenizer(template: str | None) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    # One token a byte, so that most characters of a random model are torn apart.
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<|pad|>", "</s>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    inner = Tokenizer(BPE({t: i for i, t in enumerate([*specials, *letters])}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(token, special=True) for token in specials])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<|pad|>", eos_token="</s>", chat_template=template
    )


def _llama(vocabulary: int, width: int = 32) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=_CONTEXT,
        initializer_range=0.5,
        eos_token_id=1,
        bos_token_id=None,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        # Greedy answers never come to an end token; hot sampling still does.
        model.lm_head.weight[:6] = 0
    return model


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    import torch
    from peft import IA3Config, LoraConfig, PromptTuningConfig, get_peft_model

    folder = tmp_path_factory.mktemp("models")
    tokenizer = _tokenizer(_TEMPLATE)
    model = _llama(len(tokenizer))
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    model.save_pretrained(folder / "plain")
    _tokenizer(None).save_pretrained(folder / "plain")
    configs = {
        "one": LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False),
        "two": LoraConfig(r=8, use_dora=True, target_modules=["q_proj", "v_proj"]),
        "scaled": IA3Config(task_type="CAUSAL_LM", init_ia3_weights=False),
        "prompted": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
    }
    adapters = {}
    for seed, (name, config) in enumerate(configs.items()):
        torch.manual_seed(seed)
        config.task_type = "CAUSAL_LM"
        adapted = get_peft_model(_llama(len(tokenizer)), config)
        for key, weights in adapted.named_parameters():
            if "lora_B" in key or "ia3" in key:
                torch.nn.init.normal_(weights, std=0.5)
        adapted.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        adapters[name] = folder / name
    config = LoraConfig(
        r=4, target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    get_peft_model(_llama(len(tokenizer), width=64), config).save_pretrained(folder / "misfit")
    return Assets(folder / "model", folder / "plain", folder / "misfit", adapters)


class Talk:
    """A worker process and what it says, by request number."""

    def __init__(self, log: Path) -> None:
        environment = {**os.environ, "LUTHIER_DEVICE": "cpu", "HF_HUB_OFFLINE": "1"}
        # Threads only slow such small models down.
        environment["OMP_NUM_THREADS"] = "1"
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "luthier.trainers.chat.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._replies.put(parse_reply(line))
        self._replies.put(None)

    def say(self, make: Any, **fields: Any) -> int:
        number = fields.pop("id", None) or next(self._numbers)
        assert self.process.stdin
        self.process.stdin.write(encode(make(id=number, **fields)))
        self.process.stdin.flush()
        return number

    def hear(self) -> Any:
        return self._replies.get(timeout=_DEADLINE)

    def hear_to_end(self, number: int) -> list[Any]:
        heard = []
        while True:
            reply = self.hear()
            assert reply is not None, "the worker ended"
            assert reply.id == number
            heard.append(reply)
            if isinstance(reply, Finished | Failed | Ready | Added):
                return heard

    def ask(self, make: Any, **fields: Any) -> list[Any]:
        return self.hear_to_end(self.say(make, **fields))

    def load(self, model: Path, **settings: Any) -> Any:
        section = ModelSection(name_or_path=str(model), **settings)
        return self.ask(Load, model=section)[-1]

    def text(self, voice: str, choice: Choice, messages: Any = None) -> tuple[str, Finished]:
        *tokens, last = self.ask(
            Generate, voice=voice, messages=messages or _QUESTION, choice=choice
        )
        assert isinstance(last, Finished), last
        assert all(isinstance(token, Token) for token in tokens)
        return "".join(token.text for token in tokens), last

    def memory(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and not pipe.closed:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


GREEDY = choose("deterministic", max_new_tokens=60)


@pytest.fixture(scope="module")
def talk(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    """A worker with the model and its two LoRA adapters; the text of the bare model beside it."""
    conversation = Talk(tmp_path_factory.mktemp("log") / "worker.log")
    ready = conversation.load(assets.model, dtype="float32")
    assert ready == Ready(id=ready.id, device="cpu", dtype="float32", context=_CONTEXT)
    conversation.bare = conversation.text("base", GREEDY)[0]  # type: ignore[attr-defined]
    for name in ("one", "two"):
        added = conversation.ask(AddVoice, name=name, path=str(assets.adapters[name]))
        assert added[-1] == Added(id=added[-1].id, name=name)
    yield conversation
    conversation.end()


def _reference(assets: Assets, voice: str, new_tokens: int) -> str:
    """What transformers and peft write when they are asked directly, without streaming."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(assets.model)
    model = AutoModelForCausalLM.from_pretrained(assets.model, dtype="float32")
    if voice != "base":
        model = PeftModel.from_pretrained(model, assets.adapters[voice])
    prompt = tokenizer.apply_chat_template(
        _QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    tokens = model.eval().generate(
        **prompt, do_sample=False, max_new_tokens=new_tokens, eos_token_id=[1, 2]
    )
    return str(tokenizer.decode(tokens[0, prompt.input_ids.shape[1] :], skip_special_tokens=True))


@pytest.mark.parametrize("voice", ["base", "one", "two"])
def test_streamed_text_is_what_the_libraries_write_at_once(
    talk: Talk, assets: Assets, voice: str
) -> None:
    text, figures = talk.text(voice, GREEDY)
    assert text == _reference(assets, voice, 60)
    assert figures.finish in ("length", "stop")
    assert figures.first_token_seconds is not None
    assert figures.first_token_seconds > 0
    assert figures.tokens_per_second


def test_base_voice_is_the_bare_model_and_adapters_are_not(talk: Talk) -> None:
    bare = talk.bare  # type: ignore[attr-defined]
    texts = {voice: talk.text(voice, GREEDY)[0] for voice in ("one", "base", "two", "base")}
    assert texts["base"] == bare
    assert len(set(texts.values())) == 3


def test_switching_voices_costs_no_memory(talk: Talk) -> None:
    talk.text("one", GREEDY)
    before = talk.memory()
    for voice in ("two", "base", "one") * 3:
        talk.text(voice, choose("deterministic", max_new_tokens=5))
    assert talk.memory() - before < 20 * 1024**2
    assert talk.process.poll() is None


def test_batch_answers_are_the_single_ones_in_order(talk: Talk) -> None:
    questions = ["a", "a much longer question than the others", "bc", "äöü"] * 10
    conversations = [[{"role": "user", "content": question}] for question in questions]
    *answers, figures = talk.ask(Batch, voice="one", conversations=conversations, choice=GREEDY)
    assert isinstance(figures, Finished)
    assert sorted(answer.index for answer in answers) == list(range(40))
    by_index = {answer.index: answer.text for answer in answers if isinstance(answer, Answer)}
    for index in range(4):
        single, _ = talk.text("one", GREEDY, conversations[index])
        assert by_index[index] == single
        assert by_index[index + 4] == single


def test_seed_repeats_a_draw_and_another_seed_does_not(talk: Talk) -> None:
    first, again, other = (
        talk.text("one", choose("creative", seed=seed, max_new_tokens=40))[0] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_hot_sampling_ends_at_an_end_token(talk: Talk) -> None:
    choice = choose("creative", temperature=5.0, top_p=1.0, seed=3, max_new_tokens=1900)
    text, figures = talk.text("base", choice)
    assert figures.finish == "stop"
    assert figures.completion_tokens < 1900
    assert "</s>" not in text
    assert "<|end|>" not in text


def test_stop_text_ends_the_answer_before_it(talk: Talk) -> None:
    whole, _ = talk.text("one", GREEDY)
    stop = whole[10:13]
    text, figures = talk.text("one", GREEDY.model_copy(update={"stop": [stop]}))
    assert text == whole[: whole.index(stop)]
    assert figures.finish == "stop"


def test_length_limits_are_kept(talk: Talk) -> None:
    _, figures = talk.text("base", choose("deterministic", max_new_tokens=3))
    assert (figures.finish, figures.completion_tokens) == ("length", 3)
    long = [{"role": "user", "content": "x" * (_CONTEXT - 20)}]
    _, figures = talk.text("base", choose("deterministic", max_new_tokens=500), long)
    assert figures.finish == "length"
    assert figures.prompt_tokens + figures.completion_tokens == _CONTEXT


def test_refusals_are_sentences_and_the_worker_lives_on(talk: Talk) -> None:
    long = [{"role": "user", "content": "x" * 5000}]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"voice": "one", "messages": long}, "The conversation has 5003 tokens, and the model"),
        ({"voice": "nobody", "messages": _QUESTION}, "There is no voice 'nobody' here"),
        # Breaks inside the library's generation, not in a check of ours.
        (
            {"voice": "one", "messages": _QUESTION, "choice": Choice(repetition_penalty=-1.0)},
            "ValueError: ",
        ),
    ]
    for fields, start in cases:
        (failed,) = talk.ask(Generate, **{"choice": GREEDY, **fields})
        assert isinstance(failed, Failed)
        assert failed.message.startswith(start)
        assert "\n" not in failed.message
    assert talk.text("base", GREEDY)[0] == talk.bare  # type: ignore[attr-defined]


def test_cancel_ends_a_generation_after_the_token_in_the_making(talk: Talk) -> None:
    number = talk.say(
        Generate,
        voice="one",
        messages=_QUESTION,
        choice=choose("deterministic", max_new_tokens=1900),
    )
    while not isinstance(talk.hear(), Token):
        pass
    asked = time.monotonic()
    talk.say(Cancel, id=number)
    figures = talk.hear_to_end(number)[-1]
    assert figures.finish == "cancelled"
    assert 0 < figures.completion_tokens < 1000
    assert time.monotonic() - asked < 1.0


def test_cancel_reaches_a_waiting_generation_and_a_batch(talk: Talk) -> None:
    slow = choose("deterministic", max_new_tokens=1900)
    first = talk.say(Generate, voice="one", messages=_QUESTION, choice=slow)
    second = talk.say(Generate, voice="two", messages=_QUESTION, choice=slow)
    third = talk.say(Batch, voice="two", conversations=[_QUESTION] * 9, choice=slow)
    for number in (second, third, first):
        talk.say(Cancel, id=number)
    finished = [talk.hear_to_end(number)[-1] for number in (first, second, third)]
    assert [figures.finish for figures in finished] == ["cancelled"] * 3
    assert finished[1].completion_tokens == 0


def test_adapters_of_other_kinds(assets: Assets, tmp_path: Path) -> None:
    for name in ("scaled", "prompted"):
        talk = Talk(tmp_path / f"{name}.log")
        try:
            talk.load(assets.model, dtype="float32")
            bare, _ = talk.text("base", GREEDY)
            talk.ask(AddVoice, name=name, path=str(assets.adapters[name]))
            text, _ = talk.text(name, GREEDY)
            assert text == _reference(assets, name, 60)
            assert text != bare
            assert talk.text("base", GREEDY)[0] == bare
        finally:
            talk.end()


def test_model_without_template_goes_on_with_plain_text(assets: Assets, tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        talk.load(assets.plain, dtype="float32")
        split = [
            {"role": "system", "content": "ab"},
            {"role": "user", "content": "cd"},
        ]
        joined = [{"role": "user", "content": "abcd"}]
        text, figures = talk.text("base", GREEDY, split)
        assert figures.prompt_tokens == 4
        assert text == talk.text("base", GREEDY, joined)[0]
        (failed,) = talk.ask(
            Generate, voice="base", messages=[{"role": "user", "content": ""}], choice=GREEDY
        )
        assert failed.message == "The prompt is empty; write something."
        # An adapter with a template lends it to the base, so that both are asked the same.
        talk.ask(AddVoice, name="one", path=str(assets.adapters["one"]))
        _, figures = talk.text("base", GREEDY, joined)
        assert figures.prompt_tokens == 7
    finally:
        talk.end()


def test_system_prompt_of_the_training_is_put_before_chats_without_one(
    assets: Assets, tmp_path: Path
) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        talk.load(assets.model, dtype="float32")
        path = str(assets.adapters["one"])
        talk.ask(AddVoice, name="plain", path=path)
        talk.ask(AddVoice, name="trained", path=path, system_prompt="Speak.")
        spoken = [{"role": "system", "content": "Speak."}, *_QUESTION]
        expected = talk.text("plain", GREEDY, spoken)
        assert talk.text("trained", GREEDY)[0] == expected[0] != talk.text("plain", GREEDY)[0]
        assert talk.text("trained", GREEDY, spoken)[0] == expected[0]
        other = [{"role": "system", "content": "Sing."}, *_QUESTION]
        assert talk.text("trained", GREEDY, other)[0] == talk.text("plain", GREEDY, other)[0]
        # The base model was not trained with it.
        without = [{"role": "user", "content": "a"}]
        assert talk.text("base", GREEDY, without)[1].prompt_tokens == 4
    finally:
        talk.end()


_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "tokens", "texts"),
    [
        (None, {1}, ()),
        (_TEMPLATE, {1, 2}, ()),
        # The markers are no tokens of this tokenizer, so they come as text.
        (_CHATML, {1}, ("<|im_end|>",)),
        ("{% for m in messages %}{{ m.content }} </s>{% endfor %}", {1}, ()),
        ("{% for m in messages %}{{ m.content }}\n{% endfor %}", {1}, ()),
        ("{{ raise_exception('No chats here') }}", {1}, ()),
    ],
)
def test_end_of_an_answer_is_what_the_template_writes_there(
    template: str | None, tokens: set[int], texts: tuple[str, ...]
) -> None:
    from luthier.trainers.chat.template import make_format

    form = make_format(_tokenizer(template), [1])
    assert (form.end_tokens, form.end_texts) == (tokens, texts)
    assert make_format(_tokenizer(template), [5]).end_tokens == {5, *tokens}


def test_template_that_refuses_a_chat_says_why() -> None:
    from luthier.trainers.chat.template import make_format

    form = make_format(_tokenizer("{{ raise_exception('No chats here') }}"), [])
    with pytest.raises(LuthierError, match=r"refuses this conversation: No chats here\."):
        form.prompt(_QUESTION)


def test_an_unfinished_answer_is_gone_on_with() -> None:
    from luthier.trainers.chat.template import make_format

    form = make_format(_tokenizer(_TEMPLATE), [])
    begun = [*_QUESTION, {"role": "assistant", "content": "spru"}]
    beginning = form.tokenizer("spru", add_special_tokens=False).input_ids
    assert form.prompt(begun) == form.prompt(_QUESTION) + beginning


def test_end_of_input_ends_the_worker_in_the_middle_of_work(assets: Assets, tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        talk.load(assets.model)
        talk.say(
            Generate,
            voice="base",
            messages=_QUESTION,
            choice=choose("deterministic", max_new_tokens=1900),
        )
        assert isinstance(talk.hear(), Token)
        assert talk.process.stdin
        talk.process.stdin.close()
        assert talk.process.wait(timeout=5) == 0
    finally:
        talk.end()


def test_load_failures_name_the_cause(assets: Assets, tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        (failed,) = talk.ask(Load, model=ModelSection(name_or_path=str(tmp_path / "nowhere")))
        assert isinstance(failed, Failed)
        assert "nowhere" in failed.message
        (failed,) = talk.ask(AddVoice, name="x", path=str(tmp_path))
        assert failed.message == "No model is loaded."
        talk.load(assets.model, dtype="float32")
        (failed,) = talk.ask(AddVoice, name="x", path=str(tmp_path))
        assert "adapter_model.safetensors" in failed.message
        assert "Traceback" in (tmp_path / "worker.log").read_text()
    finally:
        talk.end()


def test_an_adapter_that_does_not_fit_leaves_no_trace(assets: Assets, tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        talk.load(assets.model, dtype="float32")
        bare, _ = talk.text("base", GREEDY)
        # Once as the first adapter and once beside another.
        for name in ("one", "two"):
            (failed,) = talk.ask(AddVoice, name="misfit", path=str(assets.misfit))
            assert "does not fit" in failed.message
            assert talk.text("base", GREEDY)[0] == bare
            added = talk.ask(AddVoice, name=name, path=str(assets.adapters[name]))[-1]
            assert isinstance(added, Added)
            assert talk.text(name, GREEDY)[0] == _reference(assets, name, 60)
        assert talk.text("base", GREEDY)[0] == bare
        talk.ask(AddVoice, name="misfit", path=str(assets.adapters["one"]))
        assert talk.text("misfit", GREEDY)[0] == talk.text("one", GREEDY)[0]
    finally:
        talk.end()


def test_garbage_on_its_input_ends_the_worker(tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        assert talk.process.stdin
        talk.process.stdin.write(b"what?\n")
        talk.process.stdin.flush()
        assert talk.process.wait(timeout=30) == 1
        assert talk.process.returncode != -signal.SIGKILL
    finally:
        talk.end()
