"""sentence-transformers over texts, in whichever environment runs this file: used by extraction.py.

Knows nothing of layerbank. Reads a JSON object from standard input: ``folder``, ``dtype``,
``backend``, ``device``, ``warm`` (a few texts) and ``texts``; prints seconds of start-up and for
the texts as JSON. The vectors are the means of the last layer.
"""

import json
import sys
import tempfile
import time


def main() -> None:
    task = json.load(sys.stdin)
    import torch
    from sentence_transformers import SentenceTransformer, models

    began = time.perf_counter()
    if task["backend"] == "openvino":
        # A folder with a pooling of its own, which the backend converts as it loads.
        with tempfile.TemporaryDirectory() as folder:
            transformer = models.Transformer(task["folder"])
            pooling = models.Pooling(transformer.get_word_embedding_dimension())
            SentenceTransformer(modules=[transformer, pooling]).save(folder)
            model = SentenceTransformer(
                folder, backend="openvino", device="cpu", model_kwargs={"export": True}
            )
    else:
        arguments = {"dtype": getattr(torch, task["dtype"])}
        transformer = models.Transformer(task["folder"], model_args=arguments)
        pooling = models.Pooling(transformer.get_word_embedding_dimension())
        model = SentenceTransformer(modules=[transformer, pooling], device=task["device"])
    model.max_seq_length = 256

    def encode(texts: list) -> None:
        # It sorts the texts by length itself.
        model.encode(texts, batch_size=task["batch"], show_progress_bar=False)

    encode(task["warm"])
    started = time.perf_counter() - began
    began = time.perf_counter()
    encode(task["texts"])
    print(json.dumps({"startup": started, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
