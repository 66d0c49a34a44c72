"""What the makers of goldens share: rows, the loss, the training of a few steps, greedy answers, and how it is written."""
import importlib
import json
import sys

import torch
from safetensors.torch import save_file

VERSIONS = {"torch": "2.11.0", "transformers": "4.57.1", "peft": "0.17.1"}
OPTIONS = dict(learning_rate=0.01, weight_decay=0.1, betas=(0.9, 0.95), eps=1e-8, max_grad_norm=1.0)


def require(*packages):
    """Ends the program unless the packages are there in the versions that goldens are made with."""
    wanted = {name: VERSIONS[name] for name in packages}
    found = {name: importlib.import_module(name).__version__.split("+")[0] for name in packages}
    if found != wanted:
        sys.exit(f"goldens are made with {wanted}, found {found}")


def disturb_vectors(model):
    """Norms of 1 and biases of 0 would hide a forgotten one."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))


def make_sequences(vocab_size, lengths):
    """Token ids, and for each 1 where it is learnt: never the first, always the last."""
    generator = torch.Generator().manual_seed(7)
    tokens = [torch.randint(0, vocab_size, (n,), generator=generator) for n in lengths]
    masks = [(torch.rand(n, generator=generator) < 0.5).to(torch.uint8) for n in lengths]
    for mask in masks:
        mask[0] = 0
        mask[-1] = 1
    return tokens, masks


def logits_of(model, sequence, **how):
    return model(input_ids=sequence[None], **how).logits[0]


def mean_loss(model, tokens, masks):
    """Cross-entropy over the supervised tokens of all sequences, each sequence by itself."""
    total = 0.0
    for sequence, mask in zip(tokens, masks):
        losses = torch.nn.functional.cross_entropy(logits_of(model, sequence)[:-1], sequence[1:], reduction="none")
        total = total + (losses * mask[1:]).sum()
    return total / sum(int(mask.sum()) for mask in masks)


def train(model, tokens, masks, steps):
    """AdamW on what is not frozen: the loss and the gradient norm of each step, beside the options."""
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW([{"params": [p for p in learnt if p.ndim > 1], "weight_decay": OPTIONS["weight_decay"]},
                                   {"params": [p for p in learnt if p.ndim == 1], "weight_decay": 0.0}],
                                  lr=OPTIONS["learning_rate"], betas=OPTIONS["betas"], eps=OPTIONS["eps"])
    losses, grad_norms = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = mean_loss(model, tokens, masks)
        loss.backward()
        grad_norms.append(float(torch.nn.utils.clip_grad_norm_(learnt, OPTIONS["max_grad_norm"])))
        optimizer.step()
        losses.append(loss.item())
    return {**OPTIONS, "losses": losses, "grad_norms": grad_norms}


def write_training(folder, model, tokens, masks, steps, golden=None):
    """golden.safetensors: `golden`, the logits of the sequences, the gradient of all that is learnt. golden.json: the
    options of AdamW and the losses and gradient norms of its steps, which change the model."""
    golden = dict(golden or {})
    with torch.no_grad():
        for i, sequence in enumerate(tokens):
            golden[f"logits.{i}"] = logits_of(model, sequence).contiguous()
    mean_loss(model, tokens, masks).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            golden["grad." + name.replace(".default", "")] = parameter.grad.clone()  # PEFT's name of the adapter
    save_file(golden, folder / "golden.safetensors")
    (folder / "golden.json").write_text(json.dumps(train(model, tokens, masks, steps)) + "\n")


def named_sequences(tokens, masks):
    """As golden.safetensors holds them."""
    return ({f"tokens.{i}": sequence.to(torch.int32) for i, sequence in enumerate(tokens)} |
            {f"mask.{i}": mask for i, mask in enumerate(masks)})


def random_prompts(vocab_size, lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, vocab_size, (length,), generator=generator).tolist() for length in lengths]


def greedy(model, prompt, new_tokens):
    """Greedy tokens, and the margin of each over the second best. With the cache; the same without it, or the golden
    would be of no use."""
    with torch.no_grad():
        out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                             do_sample=False, max_new_tokens=new_tokens, output_logits=True,
                             return_dict_in_generate=True)
        whole = logits_of(model, out.sequences[0], use_cache=False)[len(prompt) - 1:-1]
    best = [torch.topk(logits[0], 2).values for logits in out.logits]
    tokens = out.sequences[0, len(prompt):].tolist()
    margins = [round(float(two[0] - two[1]), 6) for two in best]
    for token, again, margin in zip(tokens, whole.argmax(-1).tolist(), margins):
        assert token == again or margin < 1e-4, "the cache changes what transformers says"
    return {"prompt": prompt, "tokens": tokens, "margins": margins}


def write_greedy(folder, model, prompts, new_tokens):
    rows = ",\n".join(json.dumps(greedy(model, prompt, new_tokens)) for prompt in prompts)
    (folder / "greedy.json").write_text("[" + rows + "]\n")
