#!/usr/bin/env python3
"""Greedy decoding beside llama.cpp and transformers: the same weights, prompts and threads, alternating runs.

    python3 benchmarks/decode_bench.py [--size 5.9M|42M] [--batch 1] [--dtype float32] [--compute float32] [--runs 3]

Batch 1 is the interactive mode, where llama.cpp is the peer; larger batches are compared with transformers' generate
alone. Every side reads the prompts and then takes the best token, again and again; the rate is that of new tokens, with
the prompts read in that time. --dtype bfloat16: weights are stored in bf16 on every side; transformers then computes in
bf16, llama.cpp widens, and so does tapir unless --compute says bfloat16. Prints the medians, the medians of the ratios, and how many of the tokens agree, as one
JSON object.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from peers import LLAMA_CPP, PEERS, ROOT, our_program, peer_python, run_json
from sizes import SIZES, config

PROMPT_TOKENS = 32


def write_gguf(model, path, bfloat16):
    """For llama.cpp, without a vocabulary. Its llama rotates neighbours instead of halves: q and k change their rows."""
    import gguf
    import torch

    c = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size)
    writer.add_block_count(c.num_hidden_layers)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count(c.num_attention_heads)
    writer.add_head_count_kv(c.num_key_value_heads)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    writer.add_rope_dimension_count(c.head_dim)
    writer.add_rope_freq_base(c.rope_theta)
    writer.add_vocab_size(c.vocab_size)
    writer.add_tokenizer_model("no_vocab")
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    names = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    for layer in range(c.num_hidden_layers):
        names.update({f"model.layers.{layer}.{ours}.weight": f"blk.{layer}.{theirs}.weight"
                      for ours, theirs in parts.items()})
    for name, values in model.state_dict().items():
        if name not in names:
            continue
        values = values.float()
        if "q_proj" in name or "k_proj" in name:
            heads = values.shape[0] // c.head_dim
            values = values.reshape(heads, 2, c.head_dim // 2, -1).transpose(1, 2).reshape(values.shape)
        if bfloat16 and values.ndim == 2:
            bits = values.to(torch.bfloat16).contiguous().view(torch.uint8).numpy()
            writer.add_tensor(names[name], bits, raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(names[name], values.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def prepare(folder, arguments):
    import numpy
    import torch
    import transformers

    torch.manual_seed(1)
    # A wide initialisation keeps the best token apart from the second.
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config(arguments.size), initializer_range=0.08))
    model.to(getattr(torch, arguments.dtype)).save_pretrained(folder)
    prompts = numpy.random.default_rng(1).integers(0, model.config.vocab_size, (arguments.batch, PROMPT_TOKENS))
    prompts.astype("int32").tofile(folder / "prompts.bin")
    if arguments.batch == 1:
        write_gguf(model, folder / "model.gguf", arguments.dtype == "bfloat16")


def read_prompts(folder, batch):
    import numpy

    return numpy.fromfile(folder / "prompts.bin", dtype="int32").reshape(batch, PROMPT_TOKENS)


def time_transformers(folder, arguments):
    import time
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    dtype = getattr(torch, arguments.dtype)
    model = transformers.LlamaForCausalLM.from_pretrained(folder, torch_dtype=dtype).eval()
    ids = torch.from_numpy(read_prompts(folder, arguments.batch).astype("int64"))
    options = dict(attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0)
    with torch.inference_mode():
        model.generate(ids, max_new_tokens=4, **options)
        begin = time.perf_counter()
        out = model.generate(ids, max_new_tokens=arguments.new_tokens, **options)
        seconds = time.perf_counter() - begin
    new = out[:, PROMPT_TOKENS:]
    print(json.dumps({"tok_s": new.numel() / seconds, "tokens": new.tolist()}))


def time_llama_cpp(folder, arguments):
    import time
    import llama_cpp
    import numpy

    llm = llama_cpp.Llama(str(folder / "model.gguf"), n_ctx=512, n_threads=arguments.threads,
                          n_threads_batch=arguments.threads, verbose=False)
    context, vocab = llm._ctx.ctx, llm.n_vocab()
    prompt = read_prompts(folder, 1)[0].tolist()

    def generate(count):
        llm.reset()
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        tokens = []
        llm.eval(prompt)
        while True:
            logits = llama_cpp.llama_get_logits_ith(context, -1)
            tokens.append(int(numpy.ctypeslib.as_array(logits, (vocab,)).argmax()))
            if len(tokens) == count:
                return tokens
            llm.eval(tokens[-1:])

    generate(4)
    begin = time.perf_counter()
    tokens = generate(arguments.new_tokens)
    seconds = time.perf_counter() - begin
    print(json.dumps({"tok_s": len(tokens) / seconds, "tokens": [tokens]}))


def agreeing(ours, theirs):
    """Share of the tokens before the first difference of each row: near-ties may part later."""
    same = total = 0
    for a, b in zip(ours, theirs, strict=True):
        total += len(a)
        same += next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), len(a))
    return round(same / total, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="5.9M")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--compute", choices=["float32", "bfloat16"], default="float32", help="of tapir's products")
    parser.add_argument("--build", default=str(ROOT / "build"), help="a configured build folder")
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers"), help="environment of the peers")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", choices=["prepare", "transformers", "llama.cpp"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        work = {"prepare": prepare, "transformers": time_transformers, "llama.cpp": time_llama_cpp}
        return work[arguments.peer](arguments.folder, arguments)

    sides = ["transformers"] + (["llama.cpp"] if arguments.batch == 1 else [])
    python = peer_python(arguments.peers, PEERS + (LLAMA_CPP if arguments.batch == 1 else []))
    program = our_program(arguments.build, "decode_speed")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        peer = [python, __file__, "--size", arguments.size, "--batch", arguments.batch, "--dtype", arguments.dtype,
                "--threads", arguments.threads, "--new-tokens", arguments.new_tokens, "--folder", folder, "--peer"]
        run_peer = {side: [*peer, side] for side in sides}
        ours_command = [program, folder, folder / "prompts.bin", arguments.batch, PROMPT_TOKENS, arguments.new_tokens,
                        arguments.threads, *(["bf16"] if arguments.compute == "bfloat16" else [])]
        prepared = [str(part) for part in [*peer, "prepare"]]
        subprocess.run(prepared, check=True, stdout=subprocess.DEVNULL)
        runs = []
        for number in range(arguments.runs):
            runs.append({"tapir": run_json(ours_command), **{side: run_json(run_peer[side]) for side in sides}})
            rates = ", ".join(f"{side} {result['tok_s']:.0f}" for side, result in runs[-1].items())
            print(f"run {number + 1}: {rates} tok/s", file=sys.stderr)
    report = {"size": arguments.size, "batch": arguments.batch, "dtype": arguments.dtype, "compute": arguments.compute, "threads": arguments.threads,
              "tapir_tok_s": round(statistics.median(run["tapir"]["tok_s"] for run in runs))}
    for side in sides:
        report[side] = {
            "tok_s": round(statistics.median(run[side]["tok_s"] for run in runs)),
            "ratio": round(statistics.median(run["tapir"]["tok_s"] / run[side]["tok_s"] for run in runs), 2),
            "tokens_agree": agreeing(runs[0]["tapir"]["tokens"], runs[0][side]["tokens"]),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
