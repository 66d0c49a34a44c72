#!/usr/bin/env python3
"""Makes the goldens of the families (tests/student/golden_test.cpp, tests/student/decode_test.cpp) with transformers.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install torch==2.11.0 transformers==4.57.1
    .venv-peers/bin/python tests/goldens/families/make_goldens.py

Per configuration a folder: config.json and model.safetensors as transformers saves them, golden.safetensors (tokens and
loss masks of three sequences, their logits, the gradient of every weight), golden.json (loss and gradient norm of twenty
AdamW steps) and greedy.json (prompts, greedy tokens, and the margin of the best logit over the second).
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"torch": "2.11.0", "transformers": "4.57.1"}
SHARED = dict(vocab_size=40, hidden_size=24, intermediate_size=28, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=160, initializer_range=0.2, bos_token_id=None,
              eos_token_id=None, pad_token_id=None, attn_implementation="eager")
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
# Windows are shorter than the sequences, and more than a tile of keys shorter than the longest.
CONFIGS = {
    "llama3": ("Llama", dict(head_dim=12, rope_theta=500.0, rope_scaling=LLAMA3, tie_word_embeddings=True)),
    "llama_biased": ("Llama", dict(attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5,
                                   rope_scaling=dict(rope_type="linear", factor=2.0))),
    "mistral": ("Mistral", dict(head_dim=8, sliding_window=9)),
    "qwen2": ("Qwen2", dict(num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
                            use_sliding_window=True, sliding_window=11, max_window_layers=1)),
    "qwen3": ("Qwen3", dict(head_dim=6, rope_theta=1000.0, num_key_value_heads=1)),
    "phi3": ("Phi3", dict(sliding_window=7, rms_norm_eps=1e-5)),
}
LENGTHS = [7, 61, 14]
STEPS = 20
OPTIONS = dict(learning_rate=0.01, weight_decay=0.1, betas=(0.9, 0.95), eps=1e-8, max_grad_norm=1.0)
PROMPTS = (1, 2, 5, 8, 13, 33, 47, 70)
NEW_TOKENS = 50


def make_model(family, config, seed):
    torch.manual_seed(seed)
    settings = getattr(transformers, family + "Config")(**{**SHARED, **config})
    model = getattr(transformers, family + "ForCausalLM")(settings).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms of 1 and biases of 0 would hide a forgotten one
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def make_sequences():
    generator = torch.Generator().manual_seed(7)
    tokens = [torch.randint(0, SHARED["vocab_size"], (n,), generator=generator) for n in LENGTHS]
    masks = [(torch.rand(n, generator=generator) < 0.5).to(torch.uint8) for n in LENGTHS]
    for mask in masks:
        mask[0] = 0
        mask[-1] = 1
    return tokens, masks


def mean_loss(model, tokens, masks):
    """Cross-entropy over the supervised tokens of all sequences, each sequence by itself."""
    total = 0.0
    for sequence, mask in zip(tokens, masks):
        logits = model(input_ids=sequence[None], use_cache=False).logits[0, :-1]
        losses = torch.nn.functional.cross_entropy(logits, sequence[1:], reduction="none")
        total = total + (losses * mask[1:]).sum()
    return total / sum(int(mask.sum()) for mask in masks)


def train(model, tokens, masks):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": OPTIONS["weight_decay"]},
                                   {"params": others, "weight_decay": 0.0}],
                                  lr=OPTIONS["learning_rate"], betas=OPTIONS["betas"], eps=OPTIONS["eps"])
    losses, grad_norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = mean_loss(model, tokens, masks)
        loss.backward()
        grad_norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), OPTIONS["max_grad_norm"])))
        optimizer.step()
        losses.append(loss.item())
    return {**OPTIONS, "losses": losses, "grad_norms": grad_norms}


def greedy(model, prompt):
    """Greedy tokens with the cache; the same without it, or the golden would be of no use."""
    with torch.no_grad():
        out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                             do_sample=False, max_new_tokens=NEW_TOKENS, output_logits=True,
                             return_dict_in_generate=True)
        whole = model(input_ids=out.sequences, use_cache=False).logits[0, len(prompt) - 1:-1]
    best = [torch.topk(logits[0], 2).values for logits in out.logits]
    tokens = out.sequences[0, len(prompt):].tolist()
    margins = [round(float(two[0] - two[1]), 6) for two in best]
    for token, again, margin in zip(tokens, whole.argmax(-1).tolist(), margins):
        assert token == again or margin < 1e-4, "the cache changes what transformers says"
    return {"prompt": prompt, "tokens": tokens, "margins": margins}


def make(name, family, config, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = make_model(family, config, seed)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    generator = torch.Generator().manual_seed(9)
    prompts = [torch.randint(0, SHARED["vocab_size"], (length,), generator=generator).tolist() for length in PROMPTS]
    rows = ",\n".join(json.dumps(greedy(model, prompt)) for prompt in prompts)
    (folder / "greedy.json").write_text("[" + rows + "]\n")
    tokens, masks = make_sequences()
    golden = {}
    for i, (sequence, mask) in enumerate(zip(tokens, masks)):
        golden[f"tokens.{i}"] = sequence.to(torch.int32)
        golden[f"mask.{i}"] = mask
        with torch.no_grad():
            golden[f"logits.{i}"] = model(input_ids=sequence[None], use_cache=False).logits[0].contiguous()
    mean_loss(model, tokens, masks).backward()
    for parameter_name, parameter in model.named_parameters():
        golden["grad." + parameter_name] = parameter.grad.clone()
    save_file(golden, folder / "golden.safetensors")
    (folder / "golden.json").write_text(json.dumps(train(model, tokens, masks)) + "\n")


def main():
    found = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    if found != VERSIONS:
        sys.exit(f"goldens are made with {VERSIONS}, found {found}")
    torch.set_num_threads(1)
    for seed, (name, (family, config)) in enumerate(CONFIGS.items()):
        make(name, family, config, seed)


if __name__ == "__main__":
    main()
