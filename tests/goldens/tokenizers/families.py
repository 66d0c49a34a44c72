"""Tokenizers of each family's form, for goldens and for the differential test.

`published(folder, name, data)` writes one with a published vocabulary of ../shared/data; `small(name, texts)` gives one of the
same form with a small vocabulary of its own. The form is what the family's own tokenizer.json has: normalizer,
pre_tokenizer, model, decoder, added tokens.
"""
import gzip
import json
import pathlib

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

# name: control tokens (never from text), other added tokens
ADDED = {
    "gpt2": (["<|endoftext|>"], []),
    "qwen2": (["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<tool_call>", "</tool_call>"]),
    "llama3": (["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], []),
    "nemo": (["<unk>", "<s>", "</s>", "[INST]", "[/INST]"], []),
    "llama2": (["<unk>", "<s>", "</s>"], []),
    "mistral": (["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]"], []),
    "phi3": (["<unk>", "<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"], []),
    "gemma": (["<unk>", "<s>", "</s>", "<start_of_turn>", "<end_of_turn>"], ["\n\n", "\n\n\n", "<table>"]),
    "mixed": (["<unk>", "<s>", "</s>"], []),
}
BYTE_LEVEL = {"gpt2": None, "qwen2": QWEN2, "llama3": LLAMA3, "nemo": TEKKEN}
JSON_FAMILIES = list(ADDED)
SENTENCEPIECE_FAMILIES = ["spm_bpe", "spm_unigram", "spm_unigram_nfkc"]


def add_form(tokenizer, name):
    """Everything around the model."""
    if name in BYTE_LEVEL:
        pattern = BYTE_LEVEL[name]
        if name == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        if pattern is None:
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        tokenizer.decoder = decoders.ByteLevel()
        return
    strip = [decoders.Strip(" ", 1, 0)]
    if name in ("llama2", "phi3"):
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    elif name == "mistral":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    elif name == "gemma":
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        strip = []
    else:  # components that the others have not
        tokenizer.normalizer = normalizers.Sequence([
            normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\t+| {2,}"), " "),
            normalizers.Strip()])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation("contiguous"),
            pre_tokenizers.Metaspace("▁", prepend_scheme="always", split=True)])
        tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace("▁", "always")])
        return
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])


def add_tokens(tokenizer, name):
    special, other = ADDED[name]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True, rstrip=name == "phi3" and "|" in t)
                                  for t in special])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in other])
    begin = special[1] if name not in BYTE_LEVEL else special[0]
    if name not in ("gpt2", "qwen2"):
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))])
    return tokenizer


def read_merges(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    return [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]


def merges_of(pieces):
    """The merges that a sentencepiece BPE amounts to: every way to make a piece of two, best piece first."""
    ids = {piece: i for i, (piece, _) in enumerate(pieces)}
    merges = []
    for piece, score in pieces:
        ways = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in ids and piece[i:] in ids]
        merges += [(-score, ids[left], ids[right], (left, right)) for left, right in ways]
    merges.sort(key=lambda merge: merge[0])  # stable: ties stay in the order of pieces
    return [merge[3] for merge in merges]


def published_model(name, data):
    if name in BYTE_LEVEL:
        source = data / "tokenizers" / (name if name != "nemo" else "llama3")
        with gzip.open(source / ("vocab.json.gz" if name == "qwen2" else "encoder.json.gz")) as file:
            vocabulary = json.load(file)
        merges = read_merges(source / ("merges.txt.gz" if name == "qwen2" else "vocab.bpe.gz"))
        return models.BPE(vocab=vocabulary, merges=merges, ignore_merges=name in ("llama3", "nemo"))
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((data / "tokenizers" / "llama2" / "tokenizer.model").read_bytes())
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    mergeable = [(piece.piece, piece.score) for piece in proto.pieces if piece.type == 1]
    return models.BPE(vocab={piece: i for i, (piece, _) in enumerate(pieces)}, merges=merges_of(mergeable),
                      byte_fallback=name != "mixed", fuse_unk=True, unk_token="<unk>")


def published(folder, name, data):
    """Writes tokenizer.json (or tokenizer.model) of the family with a published vocabulary; gives the peer's object."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "spm_bpe":
        model = (data / "tokenizers" / "llama2" / "tokenizer.model").read_bytes()
        (folder / "tokenizer.model").write_bytes(model)
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    if name in SENTENCEPIECE_FAMILIES:
        with gzip.open(data / "text" / "tinyshakespeare.txt.gz", "rt", encoding="utf-8") as file:
            return train_unigram(folder, file.read().split("\n")[:20000], 2000, nfkc=name.endswith("nfkc"))
    tokenizer = Tokenizer(published_model(name, data))
    add_form(tokenizer, name)
    add_tokens(tokenizer, name)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return tokenizer


def train_unigram(folder, lines, vocab_size, nfkc):
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(lines), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "tokenizer"), vocab_size=vocab_size, model_type="unigram",
        character_coverage=0.999, byte_fallback=not nfkc, user_defined_symbols=["<user>", "=="],
        normalization_rule_name="nmt_nfkc" if nfkc else "identity", remove_extra_whitespaces=nfkc, num_threads=1,
        minloglevel=2)
    corpus.unlink()
    (folder / "tokenizer.vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def small(name, texts, vocab_size=700):
    """A tokenizer of the family's form with a vocabulary trained on the texts."""
    if name in BYTE_LEVEL:
        tokenizer = Tokenizer(models.BPE(ignore_merges=name in ("llama3", "nemo")))
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        first = ADDED[name][0]
    else:
        tokenizer = Tokenizer(models.BPE(byte_fallback=name != "mixed", fuse_unk=True, unk_token="<unk>"))
        alphabet = []
        first = ADDED[name][0][:3] + ([] if name == "mixed" else [f"<0x{byte:02X}>" for byte in range(256)])
    add_form(tokenizer, name)
    limit = {} if alphabet else {"limit_alphabet": 60}
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=first, show_progress=False, initial_alphabet=alphabet, **limit))
    # Byte tokens are tokens of the model, not added ones: the trainer knows only special tokens to put first.
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps(state))
    return add_tokens(tokenizer, name)
