#!/usr/bin/env python3
"""Makes the goldens of tests/student/adapter_test.cpp with PEFT, beside the bases of tests/goldens/student.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install torch==2.11.0 transformers==4.57.1 peft==0.17.1
    .venv-peers/bin/python tests/goldens/lora/make_goldens.py

For each adapter, a folder: adapter_config.json and adapter_model.safetensors as PEFT saves them, golden.safetensors
(logits of the base's three sequences, the gradient of every A and B) and golden.json (the loss and gradient norm of 20
AdamW steps on A and B).
"""
import pathlib
import sys

import peft
import torch
import transformers
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import training  # noqa: E402

BASES = HERE.parent / "student"
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "all_tied": ("mha_tied", dict(r=4, lora_alpha=8, target_modules=ALL)),
    "rslora_gqa": ("gqa_untied", dict(r=3, lora_alpha=5, use_rslora=True,
                                      target_modules=["q_proj", "v_proj", "down_proj"])),
}


def make_model(base, config, seed):
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(BASES / base, dtype=torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:  # zeros would hide everything
                parameter.copy_(0.3 * torch.randn_like(parameter))
    return model


def main():
    training.require("torch", "transformers", "peft")
    for seed, (name, (base, config)) in enumerate(ADAPTERS.items()):
        folder = HERE / name
        model = make_model(base, config, seed)
        model.peft_config["default"].base_model_name_or_path = f"../../student/{base}"
        model.save_pretrained(folder)
        (folder / "README.md").unlink()
        sequences = load_file(BASES / base / "golden.safetensors")
        tokens = [sequences[f"tokens.{i}"].long() for i in range(3)]
        masks = [sequences[f"mask.{i}"] for i in range(3)]
        training.write_training(folder, model, tokens, masks, 20)


if __name__ == "__main__":
    main()
