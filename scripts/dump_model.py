#!/usr/bin/env python3
"""Writes down what transformers makes of a model folder, for `tapir doctor --model DIR --against DUMP` to compare with.

    python3 scripts/dump_model.py MODEL_DIR dump.json [--dtype float32]

Needs torch and transformers only; the model runs on the CPU. The dump holds token ids, conversations through the chat
template, log-probabilities (natural logarithm) and greedy continuations. Run it where the model is; copy the dump.
"""
import argparse
import json

import torch
import transformers

TEXTS = ["Hello, world!", "  two blanks, a\ttab\nand a line", "It's 3,141.59 or 2^10 = 1024?", "def f(x):\n    return x**2\n\n",
         "Grüße aus Köln, señor café", "Привет, как дела?", "今天天气很好。日本語もあります。", "مرحبا بالعالم नमस्ते",
         "emoji 👩‍👩‍👧‍👦 🇺🇳 é and e\u0301", "ALLCAPS camelCase snake_case kebab-case", "a" * 40, "\n\n\n \n", "don't we'll I'M 'sure",
         "<s> [INST] </s> <|im_end|> <|eot_id|> look alike"]
CHATS = [[("user", "What is 2 + 3?")],
         [("system", "You are brief."), ("user", "Name a colour.")],
         [("user", "Hi"), ("assistant", "Hello! How can I help?"), ("user", " Tell me a joke. ")]]
PAIRS = [("Once upon a time", ", there was a little girl who lived in a small house near the sea."),
         ("The capital of France is", " Paris, and the capital of Italy is Rome."),
         ("def add(a, b):\n", "    return a + b\n")]
GREEDY = ["Once upon a time", "1, 2, 3, 4,"]


def chat_row(tokenizer, messages):
    rows = [{"role": role, "content": content} for role, content in messages]
    try:
        text = tokenizer.apply_chat_template(rows, add_generation_prompt=True, tokenize=False)
    except Exception as reason:  # a template refuses what it does not know, such as a system message
        return {"messages": rows, "refused": str(reason)}
    return {"messages": rows, "text": text, "ids": tokenizer(text, add_special_tokens=False).input_ids}


def logprob_row(model, tokenizer, prompt, completion):
    before = tokenizer(prompt).input_ids
    ids = before + tokenizer(completion, add_special_tokens=False).input_ids
    logprobs = model(torch.tensor([ids])).logits[0, :-1].float().log_softmax(-1)
    tokens = ids[len(before):]
    return {"prompt": prompt, "completion": completion, "tokens": tokens,
            "logprobs": [logprobs[len(before) - 1 + i, token].item() for i, token in enumerate(tokens)]}


def greedy_row(model, tokenizer, prompt, count):
    """margins: at each step the distance of the chosen logit to the next. A tie may be decided either way."""
    ids, margins, start = tokenizer(prompt).input_ids, [], len(tokenizer(prompt).input_ids)
    ends = model.generation_config.eos_token_id
    ends = set(ends if isinstance(ends, list) else [ends])
    for _ in range(count):
        best = model(torch.tensor([ids])).logits[0, -1].float().topk(2)
        margins.append((best.values[0] - best.values[1]).item())
        if best.indices[0].item() in ends:
            break
        ids.append(best.indices[0].item())
    return {"prompt": prompt, "text": tokenizer.decode(ids[start:], skip_special_tokens=True), "margins": margins,
            "tokens": ids[start:], "max_new_tokens": count}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("output")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    arguments = parser.parse_args()
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model).to(getattr(torch, arguments.dtype)).eval()
    with torch.no_grad():
        dump = {"format": 2, "transformers": transformers.__version__, "torch": torch.__version__, "dtype": arguments.dtype,
                "architecture": type(model).__name__, "vocab_size": model.config.vocab_size,
                "parameters": sum(p.numel() for p in model.parameters()),
                "texts": [{"text": text, "ids": tokenizer(text).input_ids} for text in TEXTS],
                "chats": [chat_row(tokenizer, chat) for chat in CHATS] if tokenizer.chat_template else [],
                "logprobs": [logprob_row(model, tokenizer, *pair) for pair in PAIRS],
                "greedy": [greedy_row(model, tokenizer, prompt, 24) for prompt in GREEDY]}
    with open(arguments.output, "w", encoding="utf-8") as file:
        json.dump(dump, file, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main()
