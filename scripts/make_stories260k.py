#!/usr/bin/env python3
"""Makes a Hugging Face folder of stories260K, a really trained Llama of 260 thousand parameters.

    python3 scripts/make_stories260k.py OUTPUT [--data ../shared/data/weights]

Reads stories260K.bin and tok512.bin in llama2.c's format and writes config.json, generation_config.json,
model.safetensors, tokenizer.json, tokenizer_config.json and special_tokens_map.json. Needs nothing but Python.
"""
import argparse
import json
import pathlib
import struct
import sys
from array import array

BLANK = "\u2581"
SPECIAL = ["<unk>", "<s>", "</s>"]


class Reader:
    """The arrays of a file of floats, one after another."""

    def __init__(self, data):
        self.floats = array("f", data)
        self.at = 0

    def take(self, rows, width):
        self.at += rows * width
        return self.floats[self.at - rows * width:self.at]


def rows_by_halves(matrix, width, head_dim):
    """llama2.c rotates neighbouring rows of a head, transformers row j and row j + head_dim / 2."""
    out = array("f")
    for head in range(0, len(matrix) // width, head_dim):
        for half in (0, 1):
            for pair in range(head_dim // 2):
                row = head + 2 * pair + half
                out += matrix[row * width:(row + 1) * width]
    return out


def read_weights(data):
    dim, hidden, layers, heads, kv_heads, vocab, context = struct.unpack("7i", data[:28])
    if vocab < 0:
        sys.exit("expected a model whose output layer is its embedding")
    head_dim = dim // heads
    kv_dim = kv_heads * head_dim
    reader = Reader(data[28:])
    tensors = {"model.embed_tokens.weight": ([vocab, dim], reader.take(vocab, dim))}
    groups = [("input_layernorm", [dim]), ("self_attn.q_proj", [dim, dim]), ("self_attn.k_proj", [kv_dim, dim]),
              ("self_attn.v_proj", [kv_dim, dim]), ("self_attn.o_proj", [dim, dim]), ("post_attention_layernorm", [dim]),
              ("mlp.gate_proj", [hidden, dim]), ("mlp.down_proj", [dim, hidden]), ("mlp.up_proj", [hidden, dim])]
    for group, shape in groups:
        for layer in range(layers):
            values = reader.take(1, dim) if len(shape) == 1 else reader.take(*shape)
            if group in ("self_attn.q_proj", "self_attn.k_proj"):
                values = rows_by_halves(values, dim, head_dim)
            tensors[f"model.layers.{layer}.{group}.weight"] = (shape, values)
    tensors["model.norm.weight"] = ([dim], reader.take(1, dim))
    config = {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 1,
              "eos_token_id": 2, "head_dim": head_dim, "hidden_act": "silu", "hidden_size": dim,
              "initializer_range": 0.02, "intermediate_size": hidden, "max_position_embeddings": context,
              "mlp_bias": False, "model_type": "llama", "num_attention_heads": heads, "num_hidden_layers": layers,
              "num_key_value_heads": kv_heads, "rms_norm_eps": 1e-5, "rope_scaling": None, "rope_theta": 10000.0,
              "tie_word_embeddings": True, "torch_dtype": "float32", "use_cache": True, "vocab_size": vocab}
    return config, tensors


def write_safetensors(path, tensors):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name in sorted(tensors):
        shape, values = tensors[name]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * len(values)]}
        at += 4 * len(values)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(tensors[name][1].tobytes() for name in sorted(tensors))
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def read_pieces(data, count):
    """The pieces by id. Their scores fall with the id: the order of the merges."""
    pieces, at = [], 4
    for _ in range(count):
        _, length = struct.unpack("fi", data[at:at + 8])
        pieces.append(data[at + 8:at + 8 + length].decode().replace(" ", BLANK))
        at += 8 + length
    pieces[:len(SPECIAL)] = SPECIAL
    return pieces


def make_tokenizer(pieces):
    ids = {piece: i for i, piece in enumerate(pieces)}
    merges = []
    for piece in pieces[len(SPECIAL) + 256:]:
        splits = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        known = [split for split in splits if split[0] in ids and split[1] in ids]
        merges += sorted(known, key=lambda split: (ids[split[0]], ids[split[1]]))
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for i, token in enumerate(SPECIAL)]
    begin = [{"SpecialToken": {"id": "<s>", "type_id": 0}}]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": BLANK},
            {"type": "Replace", "pattern": {"String": " "}, "content": BLANK}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing", "single": begin + [{"Sequence": {"id": "A", "type_id": 0}}],
            "pair": begin + [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 1}},
                             {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": BLANK}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": ids, "merges": [" ".join(merge) for merge in merges]},
    }


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=here.parent / "shared/data/weights")
    arguments = parser.parse_args()
    config, tensors = read_weights((arguments.data / "stories260K.bin").read_bytes())
    pieces = read_pieces((arguments.data / "tok512.bin").read_bytes(), config["vocab_size"])
    # A story ends where the next begins: the model says <s>, never </s>.
    generation = {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": [2, 1]}
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer_config = {"add_bos_token": True, "add_eos_token": False, **names, "clean_up_tokenization_spaces": False,
                        "model_max_length": config["max_position_embeddings"],
                        "tokenizer_class": "PreTrainedTokenizerFast"}
    arguments.output.mkdir(parents=True, exist_ok=True)
    files = {"config.json": config, "generation_config.json": generation, "tokenizer.json": make_tokenizer(pieces),
             "tokenizer_config.json": tokenizer_config, "special_tokens_map.json": names}
    for name, content in files.items():
        (arguments.output / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    write_safetensors(arguments.output / "model.safetensors", tensors)


if __name__ == "__main__":
    main()
