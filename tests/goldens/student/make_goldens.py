#!/usr/bin/env python3
"""Makes the goldens of tests/student/golden_test.cpp with transformers.

    python3 -m venv /tmp/goldens && /tmp/goldens/bin/pip install torch==2.11.0 transformers==4.57.1 numpy==2.4.6
    /tmp/goldens/bin/python tests/goldens/student/make_goldens.py

For each of two tiny configurations, a folder: config.json and model.safetensors as transformers saves them,
golden.safetensors (the tokens and loss masks of three sequences, their logits, the gradient of every weight) and
golden.json (the loss and gradient norm of ten AdamW steps).
"""
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

assert torch.__version__.startswith("2.11.0") and transformers.__version__ == "4.57.1"
HERE = pathlib.Path(__file__).resolve().parent
SHARED = dict(vocab_size=48, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
              max_position_embeddings=64, initializer_range=0.2)
CONFIGS = {
    "mha_tied": dict(SHARED, num_key_value_heads=4, head_dim=6, tie_word_embeddings=True),
    "gqa_untied": dict(SHARED, num_key_value_heads=2, head_dim=10, tie_word_embeddings=False, rope_theta=500.0,
                       rms_norm_eps=1e-5),
}
LENGTHS = [7, 33, 14]
OPTIONS = dict(learning_rate=0.01, weight_decay=0.1, betas=(0.9, 0.95), eps=1e-8, max_grad_norm=1.0)


def make_model(config, seed):
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:  # norms of 1 would hide a forgotten factor
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.float()


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
        logits = model(input_ids=sequence[None]).logits[0, :-1]
        losses = torch.nn.functional.cross_entropy(logits, sequence[1:], reduction="none")
        total = total + (losses * mask[1:]).sum()
    return total / sum(int(mask.sum()) for mask in masks)


def train(model, tokens, masks):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    norms = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": OPTIONS["weight_decay"]},
                                   {"params": norms, "weight_decay": 0.0}],
                                  lr=OPTIONS["learning_rate"], betas=OPTIONS["betas"], eps=OPTIONS["eps"])
    losses, grad_norms = [], []
    for _ in range(10):
        optimizer.zero_grad()
        loss = mean_loss(model, tokens, masks)
        loss.backward()
        grad_norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), OPTIONS["max_grad_norm"])))
        optimizer.step()
        losses.append(loss.item())
    return losses, grad_norms


def main():
    tokens, masks = make_sequences()
    for index, (name, config) in enumerate(CONFIGS.items()):
        folder = HERE / name
        model = make_model(config, seed=index)
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink()
        golden = {}
        for i, (sequence, mask) in enumerate(zip(tokens, masks)):
            golden[f"tokens.{i}"] = sequence.to(torch.int32)
            golden[f"mask.{i}"] = mask
            with torch.no_grad():
                golden[f"logits.{i}"] = model(input_ids=sequence[None]).logits[0].contiguous()
        mean_loss(model, tokens, masks).backward()
        for parameter_name, parameter in model.named_parameters():
            golden["grad." + parameter_name] = parameter.grad.clone()
        save_file(golden, folder / "golden.safetensors")
        losses, grad_norms = train(model, tokens, masks)
        (folder / "golden.json").write_text(json.dumps({**OPTIONS, "losses": losses, "grad_norms": grad_norms}) + "\n")


if __name__ == "__main__":
    main()
