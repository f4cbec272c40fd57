"""Tiny models, and a worker process to talk to."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from luthier.trainers.chat.protocol import (
    Added,
    Failed,
    Finished,
    Generate,
    Load,
    Ready,
    Token,
    parse_reply,
)
from luthier.trainers.chat.sampling import Choice, choose
from luthier.trainers.serving.messages import encode
from luthier.trainers.spec import ModelSection

DEADLINE = 120.0
CONTEXT = 2048
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
QUESTION = [{"role": "user", "content": "Which wood is a violin's top made of? Größe: 10 €"}]


@dataclass(frozen=True)
class Assets:
    """Tiny models with and without a chat template, adapters of them, and one that is not."""

    model: Path
    plain: Path
    misfit: Path
    adapters: dict[str, Path]


def make_tokenizer(template: str | None) -> Any:
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


def make_llama(vocabulary: int, width: int = 32) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
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


def make_assets(folder: Path) -> Assets:
    """Write them all below that folder."""
    import torch
    from peft import IA3Config, LoraConfig, PromptTuningConfig, get_peft_model

    tokenizer = make_tokenizer(TEMPLATE)
    model = make_llama(len(tokenizer))
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    model.save_pretrained(folder / "plain")
    make_tokenizer(None).save_pretrained(folder / "plain")
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
        adapted = get_peft_model(make_llama(len(tokenizer)), config)
        for key, weights in adapted.named_parameters():
            if "lora_B" in key or "ia3" in key:
                torch.nn.init.normal_(weights, std=0.5)
        adapted.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        adapters[name] = folder / name
    config = LoraConfig(
        r=4, target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    get_peft_model(make_llama(len(tokenizer), width=64), config).save_pretrained(folder / "misfit")
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
        # What the model wrote before it had any adapter.
        self.bare = ""
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
        return self._replies.get(timeout=DEADLINE)

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
            Generate, voice=voice, messages=messages or QUESTION, choice=choice
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


def reference(assets: Assets, voice: str, new_tokens: int) -> str:
    """What transformers and peft write when they are asked directly, without streaming."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(assets.model)
    model = AutoModelForCausalLM.from_pretrained(assets.model, dtype="float32")
    if voice != "base":
        model = PeftModel.from_pretrained(model, assets.adapters[voice])
    prompt = tokenizer.apply_chat_template(
        QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    tokens = model.eval().generate(
        **prompt, do_sample=False, max_new_tokens=new_tokens, eos_token_id=[1, 2]
    )
    return str(tokenizer.decode(tokens[0, prompt.input_ids.shape[1] :], skip_special_tokens=True))


GREEDY = choose("deterministic", max_new_tokens=60)
