#!/usr/bin/env python3
"""Makes the goldens of tests/student/adapter_golden_test.cpp with PEFT, beside the bases of tests/goldens/student.

    python3 -m venv /tmp/goldens
    /tmp/goldens/bin/pip install torch==2.11.0 transformers==4.57.1 peft==0.17.1 numpy==2.4.6
    /tmp/goldens/bin/python tests/goldens/lora/make_goldens.py

For each adapter, a folder: adapter_config.json and adapter_model.safetensors as PEFT saves them, golden.safetensors
(logits of the base's three sequences, the gradient of every A and B) and golden.json (the loss and gradient norm of 20
AdamW steps on A and B).
"""
import json
import pathlib

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

assert transformers.__version__ == "4.57.1" and peft.__version__ == "0.17.1"
HERE = pathlib.Path(__file__).resolve().parent
BASES = HERE.parent / "student"
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "all_tied": ("mha_tied", dict(r=4, lora_alpha=8, target_modules=ALL)),
    "rslora_gqa": ("gqa_untied", dict(r=3, lora_alpha=5, use_rslora=True,
                                      target_modules=["q_proj", "v_proj", "down_proj"])),
}
OPTIONS = dict(learning_rate=0.01, weight_decay=0.1, betas=(0.9, 0.95), eps=1e-8, max_grad_norm=1.0)


def make_model(base, config, seed):
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(BASES / base, dtype=torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:  # zeros would hide everything
                parameter.copy_(0.3 * torch.randn_like(parameter))
    return model


def mean_loss(model, golden):
    """Cross-entropy over the supervised tokens of all sequences, each sequence by itself."""
    total, count = 0.0, 0
    for i in range(3):
        tokens, mask = golden[f"tokens.{i}"].long(), golden[f"mask.{i}"]
        logits = model(input_ids=tokens[None]).logits[0, :-1]
        losses = torch.nn.functional.cross_entropy(logits, tokens[1:], reduction="none")
        total, count = total + (losses * mask[1:]).sum(), count + int(mask.sum())
    return total / count


def train(model, golden):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=OPTIONS["learning_rate"], betas=OPTIONS["betas"], eps=OPTIONS["eps"],
                                  weight_decay=OPTIONS["weight_decay"])
    losses, grad_norms = [], []
    for _ in range(20):
        optimizer.zero_grad()
        loss = mean_loss(model, golden)
        loss.backward()
        grad_norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, OPTIONS["max_grad_norm"])))
        optimizer.step()
        losses.append(loss.item())
    return losses, grad_norms


def main():
    for seed, (name, (base, config)) in enumerate(ADAPTERS.items()):
        folder = HERE / name
        model = make_model(base, config, seed)
        model.peft_config["default"].base_model_name_or_path = f"../../student/{base}"
        model.save_pretrained(folder)
        (folder / "README.md").unlink()
        sequences = load_file(BASES / base / "golden.safetensors")
        golden = {}
        for i in range(3):
            with torch.no_grad():
                golden[f"logits.{i}"] = model(input_ids=sequences[f"tokens.{i}"].long()[None]).logits[0].contiguous()
        mean_loss(model, sequences).backward()
        for parameter_name, parameter in model.named_parameters():
            if parameter.requires_grad:
                golden["grad." + parameter_name.replace(".default", "")] = parameter.grad.clone()
        save_file(golden, folder / "golden.safetensors")
        losses, grad_norms = train(model, sequences)
        (folder / "golden.json").write_text(json.dumps({**OPTIONS, "losses": losses, "grad_norms": grad_norms}) + "\n")


if __name__ == "__main__":
    main()
