#!/usr/bin/env python3
"""The memory plan that `tapir train` prints before it starts, against the peak that the kernel measured."""
import array
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import tapir_run

TOLERANCE = 0.10
HIDDEN, INNER, LAYERS, HEADS = 256, 704, 6, 8


def write_weights(folder, config):
    """model.safetensors with every weight 0.01: what is learnt does not matter here."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {"model.embed_tokens.weight": [config["vocab_size"], hidden], "model.norm.weight": [hidden]}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        shapes |= {prefix + f"self_attn.{name}_proj.weight": [hidden, hidden] for name in "qkvo"}
        shapes |= {prefix + f"mlp.{name}_proj.weight": [inner, hidden] for name in ("gate", "up")}
        shapes |= {prefix + "mlp.down_proj.weight": [hidden, inner], prefix + "input_layernorm.weight": [hidden],
                   prefix + "post_attention_layernorm.weight": [hidden]}
    header, offset = {}, 0
    for name, shape in sorted(shapes.items()):
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text + array.array("f", [0.01]).tobytes() * (offset // 4))


def make_student(folder):
    shutil.copytree(tapir_run.BASE, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"vocab_size": 4096, "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
               "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "head_dim": HIDDEN // HEADS,
               "max_position_embeddings": 1024, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config))
    write_weights(folder, config)


def planned_and_measured(work, *options):
    """Bytes: what `train` says it will take, and the peak of its resident memory."""
    output = work / "out"
    shutil.rmtree(output, ignore_errors=True)
    command = tapir_run.command("train", "--model", work / "student", "--data", work / "rows.jsonl", "--output", output,
                                "--max-steps", 2, "--total-batch-size", 16, "--check-prompts", 0, *options)
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        messages = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, messages
    planned = float(re.search(r"memory: ([0-9.]+) GB", messages).group(1)) * 1e9
    return planned, usage.ru_maxrss * 1024


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        make_student(work / "student")
        texts = [" ".join(f"word {i} {j}" for j in range(20 + i)) for i in range(32)]
        tapir_run.write_jsonl(work / "rows.jsonl", [{"messages": [{"role": role, "content": words}
                                                                  for role in ("user", "assistant")]} for words in texts])
        for options in ([], ["--gradient-checkpointing"], ["--lanes", "1", "--optim-state-dtype", "bfloat16"],
                        ["--finetuning-type", "lora", "--lora-dropout", "0.1"]):
            planned, measured = planned_and_measured(work, *options)
            error = planned / measured - 1
            print(f"{' '.join(options) or 'as usual'}: planned {planned / 1e6:.0f} MB, measured {measured / 1e6:.0f} MB, "
                  f"{100 * error:+.1f} %", flush=True)
            assert abs(error) <= TOLERANCE, options


if __name__ == "__main__":
    main()
