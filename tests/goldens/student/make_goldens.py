#!/usr/bin/env python3
"""Makes the goldens of tests/student/golden_test.cpp with transformers.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install torch==2.11.0 transformers==4.57.1
    .venv-peers/bin/python tests/goldens/student/make_goldens.py

For each of two tiny configurations, a folder: config.json and model.safetensors as transformers saves them,
golden.safetensors (the tokens and loss masks of three sequences, their logits, the gradient of every weight) and
golden.json (the loss and gradient norm of ten AdamW steps).
"""
import pathlib
import sys

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import training  # noqa: E402

SHARED = dict(vocab_size=48, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
              max_position_embeddings=64, initializer_range=0.2)
CONFIGS = {
    "mha_tied": dict(SHARED, num_key_value_heads=4, head_dim=6, tie_word_embeddings=True),
    "gqa_untied": dict(SHARED, num_key_value_heads=2, head_dim=10, tie_word_embeddings=False, rope_theta=500.0,
                       rms_norm_eps=1e-5),
}
LENGTHS = [7, 33, 14]


def make_model(config, seed):
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config)).float()
    training.disturb_vectors(model)
    return model


def main():
    training.require("torch", "transformers")
    tokens, masks = training.make_sequences(SHARED["vocab_size"], LENGTHS)
    for seed, (name, config) in enumerate(CONFIGS.items()):
        model = make_model(config, seed)
        model.save_pretrained(HERE / name)
        (HERE / name / "generation_config.json").unlink()
        training.write_training(HERE / name, model, tokens, masks, 10, training.named_sequences(tokens, masks))


if __name__ == "__main__":
    main()
