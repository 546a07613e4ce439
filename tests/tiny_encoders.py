"""Small random encoders of many families, saved as a user's would be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

#: What the tokenizers are trained on: enough for a few hundred pieces, nothing to download.
CORPUS = """
The river froze in January, and the ferry stood in the ice until spring came to the valley.
Take two eggs, a cup of flour and a little salt; stir until smooth, then let it rest for an hour.
Light bends when it passes from air into water, because it travels more slowly there than before.
Dear aunt, we arrived on Tuesday after eleven hours on the road, tired but in good spirits!
Who decides how a town spends its money? A council, elected every four years, votes on a budget.
She counted 12 swans, 307 geese & 4 herons: a record, said the warden (who had counted since 1968).
""".strip().splitlines()

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]

#: Shape arguments by family: the names differ where the families' configurations do.
FAMILIES = (
    "bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "electra", "deberta-v2",
    "deberta-v2-conv", "modernbert", "albert", "longformer", "t5", "bart", "fnet", "convbert",
    "bigbird", "camembert", "mbart", "xlnet",
)  # fmt: skip


def save_tokenizer(folder: Path, kind: str = "bpe", *, max_length: int = 512) -> Path:
    """Train a tokenizer (``bpe``, ``unigram``, ``wordpiece``) and save it as a fast one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    trainer: Any
    if kind == "bpe":
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=500, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
        )
    elif kind == "unigram":
        backend = Tokenizer(models.Unigram())
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=300, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
        )
    else:
        backend = Tokenizer(models.WordPiece(unk_token="<unk>"))
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(
            vocab_size=400, special_tokens=SPECIAL, show_progress=False
        )
    backend.train_from_iterator(CORPUS, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s>:1 $B:1 </s>:1",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    tokenizer.save_pretrained(folder)
    return folder


def save_encoder(folder: Path, family: str, *, layers: int = 3, hidden: int = 32) -> Path:
    """Save a random model of a family, its pooler's weights included where it has one."""
    import torch
    from transformers import AutoModel

    torch.manual_seed(0)
    model = AutoModel.from_config(config_of(family, layers, hidden))
    for parameter in model.parameters():
        # The usual 0.02 leaves layers nearly equal; then mistaking one for another would pass.
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    model.save_pretrained(folder)
    return folder


def config_of(family: str, layers: int, hidden: int) -> Any:
    """A configuration of a family; 500 ids, padding 1, room for 512 tokens."""
    import transformers as t

    ids: dict[str, Any] = {
        "vocab_size": 500, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
        "type_vocab_size": 2,
    }  # fmt: skip
    usual: dict[str, Any] = {
        **ids, "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": 4,
        "intermediate_size": 2 * hidden, "max_position_embeddings": 512,
    }  # fmt: skip
    behind_padding = {**usual, "max_position_embeddings": 514}
    relative = {"relative_attention": True, "position_buckets": 16, "pos_att_type": ["p2c", "c2p"]}
    if family == "bert":
        return t.BertConfig(**usual)
    if family == "roberta":
        return t.RobertaConfig(**behind_padding)
    if family == "xlm-roberta":
        return t.XLMRobertaConfig(**behind_padding)
    if family == "distilbert":
        return t.DistilBertConfig(
            **ids, dim=hidden, n_layers=layers, n_heads=4, hidden_dim=2 * hidden
        )
    if family == "mpnet":
        return t.MPNetConfig(**behind_padding)
    if family == "electra":
        return t.ElectraConfig(**usual, embedding_size=16)
    if family == "deberta-v2":
        return t.DebertaV2Config(**usual, **relative, position_biased_input=False)
    if family == "deberta-v2-conv":
        return t.DebertaV2Config(**usual, **relative, conv_kernel_size=3, conv_act="gelu")
    if family == "modernbert":
        return t.ModernBertConfig(
            **usual, global_attn_every_n_layers=2, local_attention=16, cls_token_id=0,
            sep_token_id=2,
        )  # fmt: skip
    if family == "albert":
        return t.AlbertConfig(**usual, embedding_size=16)
    if family == "longformer":
        return t.LongformerConfig(**behind_padding, attention_window=[16] * layers)
    if family == "t5":
        return t.T5Config(
            **ids, d_model=hidden, num_layers=layers, num_heads=4, d_ff=64, d_kv=8, n_positions=512
        )
    if family == "bart":
        return t.BartConfig(
            **ids, d_model=hidden, encoder_layers=layers, decoder_layers=2,
            encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64,
            decoder_ffn_dim=64, max_position_embeddings=512,
        )  # fmt: skip
    if family == "fnet":
        return t.FNetConfig(**usual)
    if family == "convbert":
        return t.ConvBertConfig(**usual, embedding_size=hidden)
    if family == "bigbird":
        return t.BigBirdConfig(**usual, block_size=16)
    if family == "xlnet":
        return t.XLNetConfig(
            **ids, d_model=hidden, n_layer=layers, n_head=4, d_inner=2 * hidden, mem_len=None
        )
    if family == "camembert":
        return t.CamembertConfig(**behind_padding)
    if family == "mbart":
        return t.MBartConfig(
            **ids, d_model=hidden, encoder_layers=layers, decoder_layers=2,
            encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64,
            decoder_ffn_dim=64, max_position_embeddings=512,
        )  # fmt: skip
    if family == "gpt2":
        return t.GPT2Config(**ids, n_embd=hidden, n_layer=layers, n_head=4)
    raise ValueError(family)


def hub_cache(folder: Path, name: str, encoder: Path, commit: str) -> Path:
    """A hub cache that holds an encoder under a name, as a download would leave it."""
    model = folder / f"models--{name.replace('/', '--')}"
    shutil.copytree(encoder, model / "snapshots" / commit)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    return folder
