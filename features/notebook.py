"""How banks show themselves in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features import html

if TYPE_CHECKING:
    from features.bank import Bank
    from features.banks import Banks


def bank_html(bank: Bank) -> str:
    """A bank's facts, those that take no reading."""
    return html.box(html.heading(f"bank {bank.name}"), html.facts(_facts(bank)))


def banks_html(banks: Banks) -> str:
    """Several banks, below each other."""
    each = [
        html.heading(f"bank {bank.name}") + html.facts(_facts(bank))
        for bank in banks.by_name.values()
    ]
    return html.box(*each)


def _facts(bank: Bank) -> dict[str, object]:
    setup, source = bank.setup, bank.source
    revision = f" at {source['revision']}" if source.get("revision") else ""
    return {
        "texts": f"{bank.n_texts:,}",
        "encoder": f"{source.get('encoder')}{revision}",
        "layers": f"{bank.n_layers} (0 = embeddings, 1 to {bank.n_layers - 1} = blocks) × "
        f"{bank.hidden_size}",
        "poolings": ", ".join([*bank.poolings, *["pooler"] * bank.has_pooler]),
        "set-up": f"{setup['precision']}, {setup.get('long')} at {setup.get('max_length')} tokens",
        "folder": bank.path,
        "fingerprint": f"{bank.fingerprint[:12]}…",
    }
