"""Trains one student with TRL's SFTTrainer. Written by tapir; ./launch.sh starts it.

data.jsonl has every row as messages, and as the tokens and the mask that they come to. steps.json says which rows an
optimizer step learns from and at which learning rate; with any number of processes a step is the mean over all of its
supervised tokens. A killed job goes on from its newest checkpoint, a file named `stop` in this folder ends it after
the step in work, and the student is in output/ when result.json is there.
"""
import fcntl
import importlib.metadata
import json
import math
import os
import pathlib
import shutil

import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, set_seed
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig, SFTTrainer

HERE = pathlib.Path(__file__).resolve().parent
CHECKPOINTS, OUTPUT, PROGRESS, RESULT = (HERE / name for name in ("checkpoints", "output", "progress.jsonl", "result.json"))
JOB = json.loads((HERE / "job.json").read_text())
STEPS = json.loads((HERE / "steps.json").read_text())
COMPARED_ROWS = 64


def read_rows():
    with open(HERE / "data.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def check_tokens(rows, tokenizer):
    """The tokenizer here must read the messages as tapir did."""
    if tokenizer.chat_template is None:
        return
    for row in rows[:COMPARED_ROWS]:
        theirs, ours = tokenizer.apply_chat_template(row["messages"]), row["input_ids"]
        if theirs[: len(ours)] != ours:
            raise SystemExit(f"row {row['id']}: the chat template gives other tokens here than in data.jsonl")


def deal(step, lengths, processes):
    """A step's rows by process, longest first, each to the one with the fewest tokens so far."""
    shares, tokens = [[] for _ in range(processes)], [0] * processes
    for row in sorted(step, key=lambda row: -lengths[row]):
        least = tokens.index(min(tokens))
        shares[least].append(row)
        tokens[least] += lengths[row]
    return shares


def passes_of(share, lengths, limit):
    """Rows that go through the model together, longest first: at most `limit` tokens with their padding."""
    passes = []
    for row in share:
        if not passes or lengths[passes[-1][0]] * (len(passes[-1]) + 1) > limit:
            passes.append([])
        passes[-1].append(row)
    return passes


class Passes:
    """The passes of one process, the same number in every step: missing ones hold a row without a loss (`empty`)."""

    def __init__(self, lengths, processes, rank, empty):
        dealt = [[passes_of(share, lengths, JOB["micro_batch_tokens"]) for share in deal(step, lengths, processes)]
                 for step in STEPS["rows"]]
        self.per_step = max(len(passes) for step in dealt for passes in step)
        self.passes = [passes for step in dealt for passes in step[rank] + [[empty]] * (self.per_step - len(step[rank]))]

    def __iter__(self):
        return iter(self.passes)

    def __len__(self):
        return len(self.passes)


def moment_name(parameter):
    return parameter.replace(".default.", ".")  # PEFT names the adapter in the model, not in the file


class StepTrainer(SFTTrainer):
    """Takes exactly the steps of steps.json, and says what each of them came to."""

    def __init__(self, *args, passes, **more):
        super().__init__(*args, **more)
        self.passes, self.taken = passes, torch.zeros(4, dtype=torch.float64)

    def get_train_dataloader(self):
        return DataLoader(self.train_dataset, batch_sampler=self.passes, collate_fn=self.data_collator)

    def create_optimizer(self):
        fresh = self.optimizer is None
        optimizer = super().create_optimizer()
        if fresh and JOB["optimizer_from"]:
            self.load_moments(optimizer, pathlib.Path(JOB["optimizer_from"]))
        return optimizer

    def create_scheduler(self, num_training_steps, optimizer=None):
        rates, peak = STEPS["learning_rate"], self.args.learning_rate
        if self.lr_scheduler is None:
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: rates[min(step, len(rates) - 1)] / peak)
        return self.lr_scheduler

    def training_step(self, model, inputs, num_items_in_batch=None):
        learnt = inputs["labels"] != -100
        rows = learnt.any(dim=1)
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.taken += torch.tensor([loss.item() / self.accelerator.num_processes, inputs["attention_mask"][rows].sum(),
                                    learnt.sum(), rows.sum()], dtype=torch.float64)
        return loss

    def log(self, logs, *args, **more):
        if "loss" in logs:
            whole = self.accelerator.reduce(self.taken.to(self.args.device)).tolist()
            self.taken.zero_()
            if self.is_world_process_zero():
                self.note(logs, *whole)
            self.stop_when_asked()
        super().log(logs, *args, **more)

    def note(self, logs, loss, tokens, supervised_tokens, rows):
        if not math.isfinite(loss):
            raise SystemExit(f"step {self.state.global_step}: the loss is {loss}")
        step = {"step": self.state.global_step, "loss": loss, "learning_rate": STEPS["learning_rate"][self.state.global_step - 1],
                "grad_norm": float(logs.get("grad_norm", 0)), "tokens": int(tokens),
                "supervised_tokens": int(supervised_tokens), "rows": int(rows)}
        with open(PROGRESS, "a", encoding="utf-8") as file:
            file.write(json.dumps(step) + "\n")

    def stop_when_asked(self):
        asked = torch.tensor([float((HERE / "stop").exists())], device=self.args.device)
        if self.accelerator.reduce(asked).item() > 0:
            self.control.should_save = self.control.should_training_stop = True

    def load_moments(self, optimizer, folder):
        moments = load_file(folder / "optimizer.safetensors")
        steps = json.loads((folder / "trainer_state.json").read_text())["optimizer_steps"]
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                optimizer.state[parameter] = {"step": torch.tensor(float(steps))} | {
                    key: moments[f"{letter}.{moment_name(name)}"].to(parameter.device, parameter.dtype).clone()
                    for key, letter in (("exp_avg", "m"), ("exp_avg_sq", "v"))}

    def save_moments(self, folder):
        optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        save_file({f"{letter}.{moment_name(name)}": optimizer.state[parameter][key].contiguous()
                   for name, parameter in self.accelerator.unwrap_model(self.model).named_parameters()
                   if parameter.requires_grad for key, letter in (("exp_avg", "m"), ("exp_avg_sq", "v"))},
                  folder / "optimizer.safetensors")


def load_student():
    dtype = "auto" if JOB["is_adapter"] and JOB["bf16"] else torch.float32
    model = AutoModelForCausalLM.from_pretrained(JOB["base"], dtype=dtype)
    if JOB["is_adapter"]:
        from peft import PeftModel
        model = PeftModel.from_pretrained(model, JOB["start"], is_trainable=True)
    return model


def arguments(passes):
    return SFTConfig(
        output_dir=str(CHECKPOINTS), seed=JOB["seed"], max_steps=len(STEPS["rows"]), use_cpu=JOB["use_cpu"],
        per_device_train_batch_size=1, gradient_accumulation_steps=passes.per_step, average_tokens_across_devices=True,
        learning_rate=JOB["learning_rate"], weight_decay=JOB["weight_decay"], adam_beta1=JOB["adam_beta1"],
        adam_beta2=JOB["adam_beta2"], adam_epsilon=JOB["adam_epsilon"], max_grad_norm=JOB["max_grad_norm"],
        optim="adamw_torch", bf16=JOB["bf16"], gradient_checkpointing=JOB["gradient_checkpointing"],
        save_strategy="steps" if JOB["save_steps"] else "no", save_steps=JOB["save_steps"] or 500,
        save_total_limit=JOB["save_total_limit"] or None, logging_strategy="steps", logging_steps=1,
        logging_nan_inf_filter=False, report_to=[], disable_tqdm=True, max_length=None, packing=False,
        completion_only_loss=True, ddp_find_unused_parameters=False)


def cut_progress(step):
    """Leaves the steps that a checkpoint holds: those after it are taken again."""
    if not PROGRESS.exists():
        return
    kept = [line for line in PROGRESS.read_text().splitlines(keepends=True) if line.endswith("\n") and json.loads(line)["step"] <= step]
    PROGRESS.write_text("".join(kept))


def finish(trainer):
    """The student into output/, and what became of it into result.json."""
    aside = HERE / "output.writing"
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(aside))  # of all processes: each may hold a part
    if not trainer.is_world_process_zero():
        return
    if JOB["carry_optimizer"]:
        trainer.save_moments(aside)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    aside.rename(OUTPUT)
    steps = [json.loads(line) for line in PROGRESS.read_text().splitlines()]
    packages = ("trl", "transformers", "accelerate", "torch") + (("peft",) if JOB["is_adapter"] else ())
    RESULT.write_text(json.dumps({
        "digest": JOB["digest"], "steps": len(steps),
        **{key: sum(step[key] for step in steps) for key in ("tokens", "supervised_tokens", "rows")},
        "versions": {name: importlib.metadata.version(name) for name in packages}}))


def main():
    lock = open(HERE / "lock", "w")
    if int(os.environ.get("RANK", "0")) == 0:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"{HERE}: another process trains this job")
    set_seed(JOB["seed"])
    rows = read_rows()
    tokenizer = AutoTokenizer.from_pretrained(JOB["words"])
    check_tokens(rows, tokenizer)
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    passes = Passes([len(row["input_ids"]) for row in rows], world, rank, empty=len(rows))
    columns = [{key: row[key] for key in ("input_ids", "completion_mask")} for row in rows]
    columns.append({"input_ids": rows[0]["input_ids"][:2], "completion_mask": [0, 0]})
    trainer = StepTrainer(model=load_student(), args=arguments(passes), train_dataset=Dataset.from_list(columns),
                          processing_class=tokenizer, passes=passes)
    trainer.remove_callback(PrinterCallback)
    checkpoint = get_last_checkpoint(str(CHECKPOINTS)) if CHECKPOINTS.exists() else None
    if trainer.is_world_process_zero():
        cut_progress(int(checkpoint.rsplit("-", 1)[1]) if checkpoint else 0)
    trainer.accelerator.wait_for_everyone()
    trainer.train(resume_from_checkpoint=checkpoint)
    if trainer.state.global_step == len(STEPS["rows"]):
        finish(trainer)
    trainer.accelerator.wait_for_everyone()


if __name__ == "__main__":
    main()
