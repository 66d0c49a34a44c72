#!/usr/bin/env python3
"""Makes the goldens of tests/student/generate_test.cpp: greedy tokens of transformers' generate on two tiny students.

    python3 -m venv /tmp/goldens && /tmp/goldens/bin/pip install torch==2.11.0 transformers==4.57.1
    /tmp/goldens/bin/python tests/goldens/generate/make_goldens.py

Writes, beside this script, <config>/{config.json,generation_config.json,model.safetensors} and <config>/greedy.json:
rows of {"prompt": [ids], "tokens": [ids], "margins": [largest minus second logit, per token]}.
"""
import json
import pathlib
import sys

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"torch": "2.11.0", "transformers": "4.57.1"}
CONFIGS = {
    "mha_tied": dict(num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=True),
    "gqa_untied": dict(num_attention_heads=6, num_key_value_heads=2, head_dim=10, tie_word_embeddings=False),
}
NEW_TOKENS = 80


def make_model(name, extra):
    torch.manual_seed(len(name))
    config = transformers.LlamaConfig(vocab_size=67, hidden_size=32, intermediate_size=52, num_hidden_layers=2,
                                      max_position_embeddings=160, rope_theta=10000.0, initializer_range=0.25,
                                      bos_token_id=None, eos_token_id=None, pad_token_id=None, **extra)
    return transformers.LlamaForCausalLM(config).eval()


def greedy(model, prompt):
    with torch.no_grad():
        out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                             do_sample=False, max_new_tokens=NEW_TOKENS, output_logits=True,
                             return_dict_in_generate=True)
    best = [torch.topk(logits[0], 2).values for logits in out.logits]
    return {"prompt": prompt, "tokens": out.sequences[0, len(prompt):].tolist(),
            "margins": [round(float(two[0] - two[1]), 6) for two in best]}


def main():
    found = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    if found != VERSIONS:
        sys.exit(f"goldens are made with {VERSIONS}, found {found}")
    torch.set_num_threads(1)
    for name, extra in CONFIGS.items():
        model = make_model(name, extra)
        model.save_pretrained(HERE / name)
        generator = torch.Generator().manual_seed(7)
        prompts = [torch.randint(0, 67, (length,), generator=generator).tolist()
                   for length in (1, 2, 3, 5, 8, 13, 21, 33, 47, 64, 70, 79)]
        rows = ",\n".join(json.dumps(greedy(model, prompt)) for prompt in prompts)
        (HERE / name / "greedy.json").write_text("[" + rows + "]\n")


if __name__ == "__main__":
    main()
