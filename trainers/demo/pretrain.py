"""Pre-trains the demo's base model, a tiny Llama, on small skills.

    python -m luthier.trainers.demo.pretrain [--out DIR] [--steps N] [--seed N] [--threads N]

Loads torch and transformers. The rows are drawn as they are needed; the same seed draws the same
ones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .skills import draw_exchange
from .tokenizer import build_tokenizer

STEPS = 2400
SEED = 1
LONGEST = 1024

# Rows and tokens of a batch. Short rows teach answers to a first question, long ones chats; both
# are the same number of tokens.
_SHAPES = ((64, 64), (16, 256))
_PEAK_LEARNING_RATE = 2e-3
_IGNORED = -100
_INSTRUCTIONS = ("You are a helpful assistant.", "Be brief.", "Answer the question.")
_INSTRUCTION_SHARE = 0.1


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama of about 1.8 million parameters."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=6,
            num_key_value_heads=6,
            max_position_embeddings=LONGEST,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class ChatDrawer:
    """Draws batches of chats that fill their rows, so that nothing is spent on padding."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self._tokenizer = tokenizer
        self._random = Random(seed)
        roles = ["<|system|>", "<|user|>", "<|assistant|>"]
        self._system, self._user, self._assistant = tokenizer.convert_tokens_to_ids(roles)
        self._end = tokenizer.eos_token_id

    def batches(self, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Token ids and labels, both (rows, tokens); only the answers have labels."""
        for _ in range(count):
            rows, length = self._random.choice(_SHAPES)
            chats = [self._chat(length) for _ in range(rows)]
            yield (
                torch.tensor([tokens for tokens, _ in chats]),
                torch.tensor([labels for _, labels in chats]),
            )

    def _chat(self, length: int) -> tuple[list[int], list[int]]:
        tokens = self._instruction()
        labels = [_IGNORED] * len(tokens)
        while len(tokens) < length:
            exchange = draw_exchange(self._random)
            asked = [self._user, *self._encode(exchange.prompt), self._end, self._assistant]
            answer = [*self._encode(exchange.answer), self._end]
            tokens += asked + answer
            labels += [_IGNORED] * len(asked) + answer
        return tokens[:length], labels[:length]

    def _instruction(self) -> list[int]:
        """Sometimes a system message: it changes nothing, and the model learns that."""
        if self._random.random() > _INSTRUCTION_SHARE:
            return []
        return [self._system, *self._encode(self._random.choice(_INSTRUCTIONS)), self._end]

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))


def pretrain(steps: int, seed: int) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Train a fresh model on the skills.

    Args:
        steps: optimizer steps of 4096 tokens each.
        seed: decides the initial weights and the rows.
    """
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(LONGEST)
    model = build_model(tokenizer).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=_PEAK_LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _PEAK_LEARNING_RATE, total_steps=steps + 1, pct_start=0.05, cycle_momentum=False
    )
    started = time.monotonic()
    for step, (tokens, labels) in enumerate(ChatDrawer(tokenizer, seed).batches(steps), start=1):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=tokens, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 100 == 0 or step == steps:
            seconds = time.monotonic() - started
            print(f"step {step}/{steps}  loss {loss.item():.4f}  {seconds:.0f} s", flush=True)
    return model.eval(), tokenizer


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write weights (safetensors), config, tokenizer and chat template into the folder."""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    for path in out.iterdir():
        # Weights are written for the owner alone, and an installed package keeps such modes.
        path.chmod(0o644)


def skill_accuracy(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, questions: int, seed: int
) -> float:
    """Share of fresh questions of the skills that are answered exactly, 0 to 1."""
    random = Random(seed)
    exchanges = [draw_exchange(random) for _ in range(questions)]
    right = 0
    for exchange in exchanges:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": exchange.prompt}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        output = model.generate(**prompt, max_new_tokens=48, do_sample=False)
        answer = tokenizer.decode(
            output[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True
        )
        right += answer == exchange.answer
    return right / questions


def main() -> None:
    """Pre-train and save from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model, tokenizer = pretrain(arguments.steps, arguments.seed)
    save(model, tokenizer, arguments.out)
    accuracy = skill_accuracy(model, tokenizer, questions=200, seed=arguments.seed + 1)
    print(f"saved to {arguments.out}; {accuracy:.1%} of 200 fresh skill questions exact")


if __name__ == "__main__":
    main()
