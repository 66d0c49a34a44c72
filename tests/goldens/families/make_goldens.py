#!/usr/bin/env python3
"""Makes the goldens of the families (tests/student/golden_test.cpp, tests/student/decode_test.cpp) with transformers.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install torch==2.11.0 transformers==4.57.1
    .venv-peers/bin/python tests/goldens/families/make_goldens.py

Per configuration a folder: config.json and model.safetensors as transformers saves them, golden.safetensors (tokens and
loss masks of three sequences, their logits, the gradient of every weight), golden.json (loss and gradient norm of twenty
AdamW steps) and greedy.json (prompts, greedy tokens, and the margin of the best logit over the second).
"""
import pathlib
import shutil
import sys

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import training  # noqa: E402

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
PROMPTS = (1, 2, 5, 8, 13, 33, 47, 70)


def make_model(family, config, seed):
    torch.manual_seed(seed)
    settings = getattr(transformers, family + "Config")(**{**SHARED, **config})
    model = getattr(transformers, family + "ForCausalLM")(settings).float().eval()
    training.disturb_vectors(model)
    return model


def make(name, family, config, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = make_model(family, config, seed)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    training.write_greedy(folder, model, training.random_prompts(SHARED["vocab_size"], PROMPTS, seed=9), new_tokens=50)
    model.config.use_cache = False  # after saving: a training needs no cache
    tokens, masks = training.make_sequences(SHARED["vocab_size"], LENGTHS)
    training.write_training(folder, model, tokens, masks, 20, training.named_sequences(tokens, masks))


def main():
    training.require("torch", "transformers")
    torch.set_num_threads(1)
    for seed, (name, (family, config)) in enumerate(CONFIGS.items()):
        make(name, family, config, seed)


if __name__ == "__main__":
    main()
