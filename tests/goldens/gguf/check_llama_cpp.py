#!/usr/bin/env python3
"""Does llama.cpp say what tapir says? Exports students with `tapir export gguf` and asks both.

    python3 -m venv .venv-peers
    .venv-peers/bin/pip install torch==2.11.0 transformers==5.23.0 llama-cpp-python==0.3.36
    .venv-peers/bin/python tests/goldens/gguf/check_llama_cpp.py [--tapir build/tapir] [--only qwen2]

For tiny random students of every architecture (with the published vocabularies of ../shared/data/tokenizers, where they are
there) and for stories260K: token ids of awkward texts, and greedy text of raw prompts, in f32. stories260K also in f16, bf16
and q8_0: those are shown, not compared, as rounding may move a near tie. Exit code 1 when something differs.
"""
import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared/data"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
TEXTS = ["Hello, world!", "  two blanks, a\ttab\nand a line", "It's 3,141.59 or 2^10 = 1024? don't I'M o'sullivan",
         "def f(x):\n    return x**2\n\n\n", "Gr\u00fc\u00dfe aus K\u00f6ln", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a?",
         "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002", "emoji \U0001f469\u200d\U0001f469 \U0001f1fa\U0001f1f3!", "aaaaaaaaaaaaaaaa", "\n\n \n  x", "a (b|c) d. . ,e"]
PROMPTS = ["Once upon a time", "1, 2, 3, 4,", "The sea is"]
CHATML = ["<|im_start|>", "<|im_end|>"]
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
SIZES = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=512, initializer_range=0.15)


def read_gz(path):
    return gzip.open(path, "rt", encoding="utf-8").read()


def byte_level(name, vocab_file, merges_file, pattern, specials, ignore_merges=False):
    """A tokenizer.json with a published vocabulary; None when the data is not there."""
    folder = DATA / "tokenizers" / name
    if not (folder / vocab_file).exists():
        return None
    vocab = json.loads(read_gz(folder / vocab_file))
    lines = [line for line in read_gz(folder / merges_file).split("\n") if line and not line.startswith("#version")]
    model = models.BPE(vocab=vocab, merges=[tuple(line.split(" ")) for line in lines], ignore_merges=ignore_merges)
    made = tokenizers.Tokenizer(model)
    split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated") if pattern else None
    parts = [split] if split else []
    made.pre_tokenizer = pre_tokenizers.Sequence(
        parts + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not pattern)])
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(specials + CHATML)
    return made


def own():
    """What tapir trains: llama.cpp knows its pattern only by a coarser one."""
    made = tokenizers.Tokenizer.from_file(str(ROOT / "assets/gym-base/tokenizer.json"))
    made.add_special_tokens(CHATML)
    return made


def qwen2():
    return byte_level("qwen2", "vocab.json.gz", "merges.txt.gz", QWEN2, ["<|endoftext|>"])


def llama3():
    return byte_level("llama3", "encoder.json.gz", "vocab.bpe.gz", LLAMA3, ["<|end_of_text|>"], True)


def gpt2():
    return byte_level("gpt2", "encoder.json.gz", "vocab.bpe.gz", None, ["<|endoftext|>"])


SCALED = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 128}
STUDENTS = [("llama", "Llama", gpt2, dict(head_dim=24)),
            ("llama3.1", "Llama", llama3, dict(rope_scaling=SCALED, rope_theta=500000.0, tie_word_embeddings=True)),
            ("mistral", "Mistral", gpt2, dict(sliding_window=None, head_dim=16)),
            ("qwen2", "Qwen2", qwen2, dict(tie_word_embeddings=True)),
            ("qwen3", "Qwen3", qwen2, dict(head_dim=32)),
            ("phi3", "Phi3", gpt2, dict(sliding_window=None)),
            ("own", "Llama", own, {})]


def save_student(folder, family, tokenizer, more):
    torch.manual_seed(3)
    eos = CHATML[1]
    ids = tokenizer.token_to_id(eos)
    size = -(-tokenizer.get_vocab_size() // 64) * 64
    config = getattr(transformers, family + "Config")(**SIZES, vocab_size=size, eos_token_id=ids, bos_token_id=None, pad_token_id=ids, **more)
    model = getattr(transformers, family + "ForCausalLM")(config).float()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms of 1 and biases of 0 would hide a forgotten tensor
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=eos, pad_token=eos, chat_template=TEMPLATE,
                                         clean_up_tokenization_spaces=False).save_pretrained(folder)


class Check:
    def __init__(self, tapir, work):
        self.tapir, self.work, self.failed = tapir, work, 0

    def run(self, *arguments):
        done = subprocess.run([self.tapir, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)

    def rows(self, verb, folder, prompts, *options):
        source, target = self.work / "in.jsonl", self.work / "out.jsonl"
        source.write_text("".join(json.dumps({"id": str(i), "prompt": p}) + "\n" for i, p in enumerate(prompts)))
        self.run(verb, "--model", folder, "--input", source, "--output", target, *options)
        return [json.loads(line) for line in target.read_text().splitlines()]

    def export(self, folder, outtype):
        file = self.work / "student.gguf"
        self.run("export", "gguf", "--model", folder, "--output", file, "--outtype", outtype, "--check-prompts", "0")
        full = llama_cpp.GGML_TYPE_F32  # its cache is f16 otherwise, which moves near ties
        return llama_cpp.Llama(str(file), n_ctx=512, n_threads=2, verbose=False, type_k=full, type_v=full)

    def compare(self, name, what, pairs):
        differing = [(ours, theirs) for ours, theirs in pairs if ours != theirs]
        self.failed += len(differing)
        print(f"{name:14} {what:12} {len(pairs) - len(differing)} of {len(pairs)} equal", flush=True)
        for ours, theirs in differing:
            print(f"  tapir     {ours!r}\n  llama.cpp {theirs!r}")

    def student(self, name, folder, count=60):
        theirs = self.export(folder, "f32")
        ids = [row["ids"] for row in self.rows("tokenize", folder, TEXTS)]
        self.compare(name, "ids", [(ours, theirs.tokenize(text.encode(), add_bos=True, special=True))
                                   for ours, text in zip(ids, TEXTS)])
        texts = [row["response"] for row in self.rows("generate", folder, PROMPTS, "--max-new-tokens", str(count))]
        self.compare(name, "greedy text", [(readable(ours), readable(greedy(theirs, prompt, count)))
                                           for ours, prompt in zip(texts, PROMPTS)])


def greedy(model, prompt, count):
    return model.create_completion(prompt, max_tokens=count, temperature=0, top_k=1, repeat_penalty=1.0)["choices"][0]["text"]


def readable(text):
    """llama-cpp-python leaves out bytes that are no UTF-8, tapir writes U+FFFD for them; and where a tokenizer puts a blank before
    every text (Llama 2), tapir and transformers take it off an answer too."""
    return text.replace("\ufffd", "").removeprefix(" ")


def check_stories(check, folder):
    check.student("stories260K", folder, 200)
    for outtype in ("f16", "bf16", "q8_0"):
        print(f"{'':14} {outtype:12} {greedy(check.export(folder, outtype), PROMPTS[0], 30)!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tapir", default=str(ROOT / "build/tapir"))
    parser.add_argument("--only", help="one of the students")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = pathlib.Path(place)
        check = Check(arguments.tapir, work)
        for name, family, make_tokenizer, more in STUDENTS:
            if arguments.only not in (None, name):
                continue
            tokenizer = make_tokenizer()
            if tokenizer is None:
                print(f"{name:14} skipped: its vocabulary is not in {DATA}")
                continue
            save_student(work / name, family, tokenizer, more)
            check.student(name, work / name)
        if arguments.only in (None, "stories260K") and (DATA / "weights").exists():
            subprocess.run([sys.executable, ROOT / "scripts/make_stories260k.py", work / "stories260K"], check=True)
            check_stories(check, work / "stories260K")
    print("all equal" if check.failed == 0 else f"{check.failed} differ")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
