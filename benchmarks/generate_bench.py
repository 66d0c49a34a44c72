#!/usr/bin/env python3
"""Generation speed beside transformers' generate: the same weights, prompts and threads, alternating runs.

    python3 benchmarks/generate_bench.py [--build build] [--runs 5]

Two questions on one student of 0.39 M parameters: a batch of 16 prompts of 32 tokens with 128 new tokens each, on both
sides; and 2,000 such prompts with 32 new tokens (the gym's rows), on ours. Installs the peer into .venv-peers
(git-ignored) on first use, builds the program generate_speed in the build folder, checks that the two sides write the
same texts, and prints the median tokens per second and the median of the ratios as one JSON object.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from peers import our_program, peer_python, run_json

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKENIZER = ROOT / "tests" / "goldens" / "tokenizers" / "trained" / "tokenizer.json"
CONFIG = dict(vocab_size=600, hidden_size=96, intermediate_size=256, num_hidden_layers=3, num_attention_heads=6,
              num_key_value_heads=6, head_dim=16, max_position_embeddings=512, tie_word_embeddings=True,
              bos_token_id=None, eos_token_id=None, pad_token_id=None)
PROMPT_TOKENS = 32


def write_prompts(path, tokenizer, count):
    """Texts of exactly PROMPT_TOKENS tokens: a digit is a token of its own."""
    texts = []
    for i in range(count):
        text = "river stone " + str(i * 7919)
        while len(tokenizer.encode(text, add_special_tokens=False)) < PROMPT_TOKENS:
            text += str((i + len(text)) % 10)
        texts.append(text)
    path.write_text(json.dumps(texts))


def prepare(folder):
    import torch
    import transformers

    torch.manual_seed(1)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**CONFIG, initializer_range=0.1))
    shutil.copy(TOKENIZER, folder / "tokenizer.json")
    templates = json.loads((TOKENIZER.parent.parent.parent / "chats" / "templates.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": templates["compact"]}))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER))
    with torch.no_grad():  # a logit of 0 is never the largest: no row ends early
        for token in tokenizer.all_special_ids + [tokenizer.convert_tokens_to_ids("<|end|>")]:
            model.model.embed_tokens.weight[token] = 0
    model.save_pretrained(folder)
    write_prompts(folder / "batch.json", tokenizer, 16)
    write_prompts(folder / "many.json", tokenizer, 2000)


def time_peer(folder, arguments):
    import time
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    model = transformers.LlamaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER))
    texts = json.loads((folder / "batch.json").read_text())
    ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False) for text in texts])
    options = dict(attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0)
    with torch.inference_mode():
        model.generate(ids, max_new_tokens=8, **options)
        begin = time.perf_counter()
        out = model.generate(ids, max_new_tokens=arguments.new_tokens, **options)
        seconds = time.perf_counter() - begin
    new = out[:, ids.shape[1]:]
    print(json.dumps({"tok_s": new.numel() / seconds, "texts": tokenizer.batch_decode(new, skip_special_tokens=True)}))


def same_share(ours, theirs):
    """Share of the rows whose first 40 characters agree: near-ties may part later."""
    return sum(a[:40] == b[:40] for a, b in zip(ours, theirs, strict=True)) / len(ours)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(ROOT / "build"), help="a configured build folder")
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers"), help="environment of the peer")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", choices=["prepare", "generate"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer == "prepare":
        return prepare(arguments.folder)
    if arguments.peer == "generate":
        return time_peer(arguments.folder, arguments)

    python = peer_python(pathlib.Path(arguments.peers))
    program = our_program(arguments.build, "generate_speed")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        peer = [python, __file__, "--folder", folder, "--threads", arguments.threads,
                "--new-tokens", arguments.new_tokens, "--peer"]
        subprocess.run([str(part) for part in [*peer, "prepare"]], check=True)
        batch = [program, folder, folder / "batch.json", arguments.new_tokens, 16, arguments.threads]
        many = [program, folder, folder / "many.json", 32, 16, arguments.threads]
        ours, theirs, gym = [], [], []
        for run in range(arguments.runs):
            ours.append(run_json(batch))
            theirs.append(run_json([*peer, "generate"]))
            gym.append(run_json(many)["tok_s"])
            print(f"run {run + 1}: tapir {ours[-1]['tok_s']:.0f}, transformers {theirs[-1]['tok_s']:.0f} tok/s at batch "
                  f"16; tapir {gym[-1]:.0f} tok/s on many rows", file=sys.stderr)
    same = same_share(ours[0]["texts"], theirs[0]["texts"])
    if same < 0.9:
        sys.exit(f"the two sides do not compute the same: only {same:.0%} of the texts agree")
    print(json.dumps({
        "shape": {**CONFIG, "threads": arguments.threads},
        "tapir_tok_s": round(statistics.median(r["tok_s"] for r in ours)),
        "transformers_tok_s": round(statistics.median(r["tok_s"] for r in theirs)),
        "ratio": round(statistics.median(a["tok_s"] / b["tok_s"] for a, b in zip(ours, theirs)), 2),
        "many_rows_tok_s": round(statistics.median(gym)),
        "texts_agree": same,
    }))


if __name__ == "__main__":
    main()
