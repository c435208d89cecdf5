"""A causal language model of transformers as a model of text: `from_transformers`."""

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.contract import Sampling, TextModel, Written
from ...core.contract.text_model import (
    Logits,
    Memory,
    Stop,
    Texts,
    check_counts,
    check_logits,
    check_texts,
    picked_rows,
)
from ...core.errors import (
    BatchMismatchError,
    ContextOverflowError,
    ForeignPolicyError,
    NonFiniteError,
    PolicyFileError,
    TokenizerError,
    WrongKindError,
)
from ...core.failures import in_words
from ...core.keys import one_key
from ..policies.torch_modules import imported
from .compiled import Compiled
from .decoding import DirectReader, direct
from .folders import is_model, open_folder, open_tokenizer
from .reading import ForwardReader, Reader, same_logits
from .writing import uniforms, write

_LIMITS = ("n_positions", "max_position_embeddings", "max_seq_len", "n_ctx", "seq_length")
_UNLIMITED = 1 << 30
_WORTH = 2.0
"""Seconds of writing in PyTorch after which programs are compiled: about what compiling takes."""
_A_LAYER, _A_SECOND = 1e-4, 5e10
"""Seconds that PyTorch takes for a layer of a pass whatever its size, and operations a second."""


def from_transformers(
    folder: Any,
    tokenizer: Any = None,
    *,
    trust: bool = False,
    threads: int | None = None,
    compiled: bool | None = None,
) -> "TransformersModel":
    """A model of text from a local folder that `save_pretrained` wrote, or from the model itself.

    Any causal language model (Wolf et al. 2020), in float32 on the CPU, in evaluation mode and
    without gradients; what is handed over is copied. Its logits are raw, so settings of
    `generate` (its warpers, its forced tokens) do not touch them. Nothing is downloaded, and no
    global generator of random numbers is used.

    - `tokenizer`: one of transformers, or the folder of one, in place of the one in the folder;
      there may be none, and then texts are tokens.
    - `trust` lets pickled weights be read, and code in the folder run. Without it neither is done.
    - `threads` that PyTorch uses for this model's passes; None leaves that as it is.
    - `compiled`: whether `write` goes by programs that JAX compiles, on JAX's own threads. None
      does so for a model that has written for about as long as compiling takes; False never does.

    GPT-2 and Llama are read by faster passes over the same weights, and write by compiled ones, if
    these agree with the model's own logits; others, and those of more than 134 million weights, are
    written with in PyTorch. What is drawn is the same in both ways, up to rounding. A weight of
    `module` that is written into later is noticed, unless it is done through its `.data`.

    Raises `BackendError` without transformers, `PolicyFileError` for a folder that is missing,
    damaged or incomplete, `UntrustedFileError`, `TokenizerError` for a tokenizer with more tokens
    than the model, `WrongKindError` for what is no causal language model, and
    `ForeignPolicyError` for one that reads a text otherwise with others beside it.
    """
    if isinstance(folder, str | Path):
        module, found = open_folder(Path(folder).expanduser(), trust)
        name = f"{type(module).__name__} of {folder}"
    elif is_model(folder):
        module, found = copy.deepcopy(folder), None
        name = type(module).__name__
    else:
        raise WrongKindError(
            f"{folder!r} is no folder and no model of transformers: hand over the folder that "
            "`model.save_pretrained` wrote, or the model."
        )
    if isinstance(tokenizer, str | Path):
        where, tokenizer = tokenizer, open_tokenizer(Path(tokenizer).expanduser(), trust)
        if tokenizer is None:
            raise PolicyFileError(
                f"{where} holds no tokenizer: name the folder that `save_pretrained` wrote one to."
            )
    tokenizer = found if tokenizer is None else tokenizer
    return TransformersModel(module, tokenizer, name, threads, compiled)


class TransformersModel(TextModel):
    """A stranger's language model, made by `from_transformers`.

    `flops_per_token` is two operations for each of its weights but those that embed tokens and
    places, which are looked up; attention over the text comes on top (under a tenth where texts
    are shorter than the network is wide). `end` is the token that its tokenizer ends texts with.
    """

    def __init__(
        self,
        module: Any,
        tokenizer: Any,
        name: str,
        threads: int | None,
        compiled: bool | None = None,
    ):
        torch = imported()
        if not (threads is None or (isinstance(threads, int) and threads >= 1)):
            raise ValueError(f"threads is a whole number from 1, or None; got {threads!r}.")
        if not (tokenizer is None or callable(getattr(tokenizer, "encode", None))):
            raise WrongKindError(f"{tokenizer!r} is no tokenizer of transformers.")
        head = module.get_output_embeddings()
        if head is None or module.config.is_encoder_decoder:
            raise WrongKindError(
                f"{name} does not tell the next token of a text: give a causal language model "
                "(AutoModelForCausalLM)."
            )
        self.module = module.to("cpu", torch.float32).eval().requires_grad_(False)
        self.tokenizer, self.name, self.threads = tokenizer, name, threads
        self.vocabulary = int(head.weight.shape[0])
        limits = [getattr(module.config, word, None) for word in _LIMITS]
        self.longest = next((int(x) for x in limits if x), _UNLIMITED)
        self.flops_per_token = 2.0 * _weights(module)
        self.end = None if tokenizer is None else tokenizer.eos_token_id
        self.reader: Reader = ForwardReader(self.module)
        self.compiled = compiled
        self._spent = 0.0
        with self.at_work():
            self._check_tokenizer()
            self._check_padding()
            self._choose_reader()
        self._programs = Compiled(self.module, self.reader)

    def __repr__(self) -> str:
        return f"TransformersModel({self.name}, {self.vocabulary} tokens)"

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Without gradients, with the threads asked for; errors of the model are said to be its."""
        torch = imported()
        before = torch.get_num_threads()
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                yield
        finally:
            if self.threads is not None:
                torch.set_num_threads(before)

    def start(self, texts: Texts) -> tuple[Logits, Memory]:
        """Read texts anew. Raises also `TokenizerError` for an empty text or a token it lacks."""
        texts = self.checked(texts)
        with self.at_work():
            logits, memory = self.reader.read(texts)
        return self._finite(logits.numpy()), memory

    def extend(self, memory: Memory, tokens: Int[np.ndarray, " batch"]) -> tuple[Logits, Memory]:
        """One more token for each text but those whose token is -1; their logits are zeros."""
        tokens = np.asarray(tokens)
        check_texts(tokens[:, None])
        if len(tokens) != len(memory.lengths):
            raise BatchMismatchError(f"{len(tokens)} tokens for {len(memory.lengths)} texts.")
        self._check_tokens(tokens)
        if not len(tokens):
            return np.zeros((0, self.vocabulary), np.float32), memory
        full = np.flatnonzero((memory.lengths >= self.longest) & (tokens >= 0))
        if len(full):
            raise ContextOverflowError(
                f"{self!r} reads {self.longest} tokens, and text {full[0]} has them already. "
                "Write fewer, or shorten the text."
            )
        with self.at_work():
            logits, memory = self.reader.more(memory, tokens)
        return self._finite(np.where((tokens >= 0)[:, None], logits.numpy(), 0.0)), memory

    def pick(self, memory: Memory, rows: Int[np.ndarray, " n"]) -> Memory:
        """The memory of these rows."""
        with self.at_work():
            return self.reader.pick(memory, picked_rows(len(memory.lengths), rows))

    def write(
        self, texts: Texts, *, key: Key[Array, ""], tokens: int,
        sampling: Sampling = Sampling(),  # noqa: B008 - immutable
        stop: Stop = "end", samples: int = 1,
    ) -> Written:  # fmt: skip
        """As any model of text does, with every step in PyTorch or all of them compiled.

        A row's draws depend on the key, on its number and on how many tokens are asked for, and
        on no other row.
        """
        stop = self.stop_token(stop)
        sampling.check()
        check_counts(tokens=tokens, samples=samples)
        texts = self.checked(texts)
        self.check_room(texts, tokens)
        seed = np.asarray(jax.random.key_data(one_key(key))).astype(np.uint32)
        uniform = uniforms(seed, len(texts) * samples, tokens)
        how: dict[str, Any] = {
            "tokens": tokens, "how": sampling, "stop": stop, "samples": samples,
        }  # fmt: skip
        with self.at_work():
            found = None
            if self._pays(len(uniform), tokens):
                found = self._programs.write(texts, uniform, **how)
            out, total, broken = found or write(self.reader, texts, uniform, **how)
        if broken:
            raise NonFiniteError(
                f"{self!r} gave NaN or infinity as logits: its weights or its input are broken, "
                "and nothing is drawn from it."
            )
        return Written(out, total, self.cost(texts, out, samples))

    @property
    def writes_compiled(self) -> bool:
        """Whether `write` went by compiled programs whose logits are the model's own."""
        return self._programs.proved

    def _pays(self, rows: int, tokens: int) -> bool:
        """Whether to write by compiled programs: what was written so far would have paid for them.

        Such a rule never costs more than twice what the best choice would have, known beforehand.
        """
        if self.compiled is False or tokens < 2 or not rows or self._programs.failed:
            return False
        if not isinstance(self.reader, DirectReader):
            return False
        sums = rows * (self.flops_per_token or 0.0)
        self._spent += tokens * (self.reader.shape.layers * _A_LAYER + sums / _A_SECOND)
        return bool(self.compiled) or self._spent >= _WORTH

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, with those that the tokenizer puts in front.

        Raises `TokenizerError` where there is no tokenizer.
        """
        tokenizer = self.known_tokenizer()
        try:
            return [int(token) for token in tokenizer.encode(text)]
        except Exception as error:
            raise TokenizerError(
                f"The tokenizer of {self!r} cannot read {text!r}: {in_words(error)}"
            ) from error

    def decode(self, tokens: Any) -> str:
        """The text of tokens; -1 is nothing. Raises `TokenizerError` without a tokenizer."""
        kept = [int(token) for token in tokens if token >= 0]
        return str(self.known_tokenizer().decode(kept))

    def checked(self, texts: Texts) -> Int[np.ndarray, "batch places"]:
        """Texts as whole numbers, each with something to read and no gap.

        Raises `TokenizerError` and `ContextOverflowError`.
        """
        texts = np.asarray(texts)
        check_texts(texts)
        texts = texts.astype(np.int64)
        lengths = (texts >= 0).sum(1)
        if not len(texts) or not lengths.all():
            raise TokenizerError(
                f"Text {int(np.argmin(lengths)) if len(texts) else 0} is empty, and a model needs "
                "one token at least to tell the next: begin with the token that its texts begin "
                "with."
            )
        self._check_tokens(texts)
        self.check_room(texts, 1)
        return texts

    def _check_tokens(self, tokens: np.ndarray) -> None:
        if tokens.max(initial=-1) >= self.vocabulary:
            raise TokenizerError(
                f"Token {tokens.max()} is none of the {self.vocabulary} of {self!r}: was the text "
                "made by another tokenizer?"
            )

    def _finite(self, logits: np.ndarray) -> Float[np.ndarray, "batch vocabulary"]:
        check_logits(self, logits)
        return logits

    def known_tokenizer(self) -> Any:
        """Its tokenizer. Raises `TokenizerError` where it came without one."""
        if self.tokenizer is not None:
            return self.tokenizer
        raise TokenizerError(
            f"{self!r} came without a tokenizer: hand one over by "
            "from_transformers(folder, tokenizer)."
        )

    def _check_tokenizer(self) -> None:
        if self.tokenizer is None:
            return
        known = self.tokenizer.get_vocab().items()
        if beyond := sorted(word for word, token in known if token >= self.vocabulary):
            raise TokenizerError(
                f"The tokenizer has {len(known)} tokens and {self.name} has {self.vocabulary}: it "
                f"lacks {', '.join(map(repr, beyond[:5]))}. Give the tokenizer that it was trained "
                "with."
            )

    def _tried(self) -> Int[np.ndarray, "2 places"]:
        """A short text and a longer one, to read in several ways."""
        size = min(6, max(self.longest - 1, 1))
        texts = np.arange(1, 2 * size + 1).reshape(2, size) % self.vocabulary
        texts[0, (size + 1) // 2 :] = -1
        return texts.astype(np.int64)

    def _check_padding(self) -> None:
        """Refuse a model to which a text beside a longer one is another."""
        texts = self._tried()
        try:
            both, _ = self.reader.read(texts)
            alone, _ = self.reader.read(texts[:1, : (texts[0] >= 0).sum()])
        except Exception as error:
            raise ForeignPolicyError(
                f"{self.name} raised {in_words(error)}, asked to read tokens "
                f"{texts.tolist()}. It must take `input_ids` and `attention_mask` and give logits."
            ) from error
        if not same_logits(both[:1], alone):
            raise ForeignPolicyError(
                f"{self.name} reads a text otherwise where a longer one is read with it: it minds "
                "the padding, so that batches would not be answered right."
            )

    def _choose_reader(self) -> None:
        """The faster passes, where they give the model's own logits to whole texts and to more."""
        faster, texts = direct(self.module, self.longest), self._tried()
        if faster is None:
            return
        try:
            said, memory = self.reader.read(texts)
            told, held = faster.read(texts)
            same = same_logits(told, said)
            if self.longest > texts.shape[1]:
                more = np.ones(2, np.int64) % self.vocabulary
                same &= same_logits(faster.more(held, more)[0], self.reader.more(memory, more)[0])
        except (RuntimeError, AttributeError, TypeError, ValueError):
            return  # one of the name that is built otherwise
        if same:
            self.reader = faster


def _weights(module: Any) -> int:
    """How many weights are multiplied by for one token: all but tables that are looked up.

    The output layer counts, also where it shares its weights with the table of tokens.
    """
    torch = imported()
    looked_up = {
        id(part.weight) for part in module.modules() if isinstance(part, torch.nn.Embedding)
    }
    body = sum(x.numel() for x in module.parameters() if id(x) not in looked_up)
    head = module.get_output_embeddings().weight
    return body + (head.numel() if id(head) in looked_up else 0)
