"""The students that the benchmarks run on, by name; all are tied llamas with random weights."""

SIZES = {
    "0.39M": dict(vocab_size=512, hidden_size=96, intermediate_size=256, num_hidden_layers=3, num_attention_heads=6,
                  num_key_value_heads=6, head_dim=16, max_position_embeddings=512),
    "5.9M": dict(vocab_size=4096, hidden_size=256, intermediate_size=704, num_hidden_layers=6, num_attention_heads=8,
                 num_key_value_heads=8, head_dim=32, max_position_embeddings=2048),
    "42M": dict(vocab_size=32000, hidden_size=512, intermediate_size=1408, num_hidden_layers=8, num_attention_heads=8,
                num_key_value_heads=8, head_dim=64, max_position_embeddings=2048),
}


def config(name):
    return dict(SIZES[name], tie_word_embeddings=True, bos_token_id=None, eos_token_id=None, pad_token_id=None)
