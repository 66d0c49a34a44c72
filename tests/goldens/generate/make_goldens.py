#!/usr/bin/env python3
"""Makes the goldens of tests/student/decode_test.cpp: greedy tokens of transformers' generate on two tiny students.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install torch==2.11.0 transformers==4.57.1
    .venv-peers/bin/python tests/goldens/generate/make_goldens.py

Writes, beside this script, <config>/{config.json,generation_config.json,model.safetensors} and <config>/greedy.json:
rows of {"prompt": [ids], "tokens": [ids], "margins": [largest minus second logit, per token]}.
"""
import pathlib
import sys

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import training  # noqa: E402

CONFIGS = {
    "mha_tied": dict(num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=True),
    "gqa_untied": dict(num_attention_heads=6, num_key_value_heads=2, head_dim=10, tie_word_embeddings=False),
}
PROMPTS = (1, 2, 3, 5, 8, 13, 21, 33, 47, 64, 70, 79)


def make_model(name, extra):
    torch.manual_seed(len(name))
    config = transformers.LlamaConfig(vocab_size=67, hidden_size=32, intermediate_size=52, num_hidden_layers=2,
                                      max_position_embeddings=160, rope_theta=10000.0, initializer_range=0.25,
                                      bos_token_id=None, eos_token_id=None, pad_token_id=None, **extra)
    return transformers.LlamaForCausalLM(config).eval()


def main():
    training.require("torch", "transformers")
    torch.set_num_threads(1)
    for name, extra in CONFIGS.items():
        model = make_model(name, extra)
        model.save_pretrained(HERE / name)
        training.write_greedy(HERE / name, model, training.random_prompts(67, PROMPTS, seed=7), new_tokens=80)


if __name__ == "__main__":
    main()
