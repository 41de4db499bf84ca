"""The tokenizer: CLIP's byte-pair encoding over the words of the captions."""

import json
import re
from collections import Counter
from pathlib import Path

from transformers import CLIPTokenizer

COMMON = (
    "a an the and or of in on with without at by to from is dancing standing running jumping walking sitting waving "
    "character subject puppet person photo picture drawing cartoon girl boy woman man child happy sad front side back"
)


def byte_symbols() -> list[str]:
    """One printable character for each byte, in the order of CLIP's vocabulary (GPT-2's `bytes_to_unicode`)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(hidden))]


def merges_of(words: list[str]) -> list[tuple[str, str]]:
    """Merges, most frequent pair first, until every word is one token."""
    pieces = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    merges = []
    while True:
        pairs = Counter(pair for parts in pieces.values() for pair in zip(parts, parts[1:]))
        if not pairs:
            return merges
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        pieces = {word: merged(parts, best) for word, parts in pieces.items()}


def merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """`parts` with every occurrence of `pair` joined."""
    result, index = [], 0
    while index < len(parts):
        found = tuple(parts[index : index + 2]) == pair
        result.append("".join(pair) if found else parts[index])
        index += 2 if found else 1
    return result


def build(captions: list[str], tokens: int, folder: Path) -> CLIPTokenizer:
    """The tokenizer in `folder`, made from the words of `captions` where it is missing, so that it never changes later."""
    if not (folder / "tokenizer.json").exists():
        words = sorted({word for text in [*captions, COMMON] for word in re.findall(r"[a-z]+|[0-9]|,", text.lower())})
        merges = merges_of([word for word in words if len(word) > 1])
        base = byte_symbols()
        vocabulary = [*base, *(symbol + "</w>" for symbol in base), *("".join(pair) for pair in merges)]
        vocabulary = [*dict.fromkeys(vocabulary), "<|startoftext|>", "<|endoftext|>"]
        folder.mkdir(parents=True, exist_ok=True)
        ids = {token: index for index, token in enumerate(vocabulary)}
        (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False))
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
        (folder / "merges.txt").write_text("\n".join(lines) + "\n")
        files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
        CLIPTokenizer(*files, model_max_length=tokens).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def encode(tokenizer: CLIPTokenizer, captions: list[str]):
    """Token ids, (n, tokens), padded as the pipeline pads."""
    return tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
