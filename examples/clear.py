# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a CSV file to a report
#
# A frozen encoder reads every text once, and every layer is kept. Then any combination of layers
# and poolings is a matrix, and a regressor on it takes seconds. This notebook goes the whole way on
# 180 bundled passages, graded by reading level from 1 to 12. Open it with `jupytext --to ipynb
# examples/clear.py`, or in an editor that knows `# %%` cells.
#
# It takes layerbank with its encoder: `pip install 'layerbank[demo]'`.

# %%
# ruff: noqa: B018, E402
import tempfile
from importlib import resources
from pathlib import Path

import pandas as pd

from layerbank import evaluate, extract, load_run
from layerbank.demo import demo_encoder

folder = Path(tempfile.mkdtemp(prefix="layerbank-"))
with resources.as_file(resources.files("features.sample") / "passages.csv") as sample:
    passages = pd.read_csv(sample, dtype={"id": str})
passages.head(3)

# %% [markdown]
# ## 1. Extract: the expensive part, once
#
# The encoder is all-MiniLM-L6-v2, from the package that the extra `demo` installs. `encoder=` also
# takes a name on the Hugging Face hub (`"roberta-base"`) or the folder of any encoder.

# %%
texts = passages["text"].tolist()
report = extract(texts, folder / "minilm.bank", encoder=demo_encoder(), progress=True)
report

# %% [markdown]
# The bank holds CLS, mean and max of every layer. Called again, `extract` has nothing to do; with
# more texts, only the new ones are read.

# %%
assert extract(texts, folder / "minilm.bank").n_new == 0

from layerbank import Bank

bank = Bank.open(folder / "minilm.bank")
bank

# %% [markdown]
# A selection such as `mean[-4:]` says which blocks make the matrix: it is Python's own indexing,
# over layers.

# %%
X = bank.matrix(texts, "mean[-4:]")
assert X.shape == (180, 4 * bank.hidden_size)
X.shape, bank.column_names("mean[-4:]")[:2]

# %% [markdown]
# ## 2. Regress: which layer knows the reading level?
#
# Every score is nested: each fold is predicted by a model whose settings were chosen, and which was
# fitted, without it. Most neighbours tie, and the table says so.

# %%
experiment = evaluate(
    bank,
    texts,
    passages["level"],
    select=[*(f"mean[{layer}]" for layer in range(bank.n_layers)), "cls[-1]", "mean[:]"],
    models=["ridge", "svr"],
    ids=passages["id"],
    target_names=["level"],
    progress=True,
)
experiment

# %% [markdown]
# The same numbers, and more, as a data frame:

# %%
experiment.table.head(3)

# %% [markdown]
# ## 3. Sweep: try everything, and score having tried everything
#
# The lowest of many scores is low by luck too. `auto` is the score of the whole procedure:
# selection and setting are chosen, search included, without the fold that they are scored on.

# %%
from layerbank import sweep

swept = sweep(
    bank, texts, passages["level"], models=["ridge"], ids=passages["id"],
    target_names=["level"], progress=True,
)  # fmt: skip
swept

# %% [markdown]
# ## 4. A run: models, predictions and a report in a folder
#
# `report.html` is one page that needs nothing but a browser: heat maps, leaderboard, residuals, the
# worst errors with their texts. The models beside it are plain data, and need no bank to live.

# %%
run = load_run(experiment.save(folder / "run", figures=True))
run

# %% [markdown]
# `figures=True` keeps the page's pictures as files, too. This one compares the candidates:

# %%
from IPython.display import Image

Image(run.path / "figures" / "leaderboard.png", width=720)

# %%
assert (run.path / "report.html").stat().st_size > 100_000
run.predict(texts[:3])

# %% [markdown]
# ## 5. Why this prediction?
#
# The base is what an average text is predicted, and each block adds its part; they sum to the
# prediction. The neighbours are what the model itself takes for similar.

# %%
new = ["The cat sat on the mat. It was a big cat. The cat saw a bird and ran to it."]
extract(new, folder / "minilm.bank")
explained = run.explain(new, n_neighbours=3, training=texts)
assert abs(explained[0].base + sum(explained[0].blocks.values()) - explained[0].prediction) < 1e-6
explained

# %% [markdown]
# ## 6. The next task costs nothing
#
# Another target on the same texts needs no encoder: here, how long the words are.

# %%
passages["word_length"] = (
    passages["text"].str.split().map(lambda words: sum(map(len, words)) / len(words))
)
both = evaluate(bank, texts, passages["word_length"], select=["mean[1]", "mean[-1]"])
both

# %% [markdown]
# With your own files, the same from a shell:
#
# ```sh
# layerbank fit train.csv --text excerpt --target score --bank my.bank --out swept
# layerbank predict swept test.csv
# ```
