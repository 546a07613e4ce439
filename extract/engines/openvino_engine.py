"""An engine for x86 CPUs: the encoder and all its poolings as one OpenVINO graph.

The graph is traced from the very PyTorch module that the other engine runs, with the poolings of
:mod:`extract.engines.pooling` behind it, and is compared with it on a padded batch before it is
used. It is kept between calls (:mod:`extract.engines.graph_cache`), so that the next call loads
no module.
"""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extract.checkpoint.checkpoint import Checkpoint
from extract.engines.device import n_cores, thread_limit
from extract.engines.encoder import (
    Batch,
    DeviceOutOfMemory,
    EngineOptions,
    NotConvertible,
    Pooled,
    is_out_of_memory,
    refuse_long,
)
from extract.engines.graph_cache import Graph, kept_graph

log = logging.getLogger(__name__)

HINTS = {"fp32": "f32", "bf16": "bf16"}

#: Batches that run at one time, each on its share of the cores: no core waits for the others
#: between two operations, and none while a batch is handed over.
STREAMS = 2

#: Beyond some 1,050 tokens, and again from 2,048 on, OpenVINO lays the weights out once more for
#: each stream: half a gigabyte for a RoBERTa-base, and no faster.
BATCH_TOKENS = 1_024

#: The traced graph must give the module's own numbers, in fp32, to this relative error.
TOLERANCE = 1e-5


def is_installed() -> bool:
    """Whether the extra ``openvino`` is there."""
    return find_spec("openvino") is not None


def runs(options: EngineOptions) -> bool:
    """Whether this engine has the device and the precision."""
    return options.device == "cpu" and options.precision in HINTS


def openvino() -> Any:
    """The library, without the usage reports that it would send home from here."""
    telemetry: Any = sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino as module

    if telemetry is not None:  # somebody imported it before; a process has one reporter
        reporter = telemetry.Telemetry("layerbank")
        reporter.consent, reporter.init = False, lambda *_, **__: None  # init would consent anew
    return module


class OpenVinoEncoder:
    """An encoder in OpenVINO; see :class:`extract.engines.encoder.Encoder` for its attributes.

    Parameters
    ----------
    graph
        What :func:`convert` made.
    options
        How it is to be run.
    """

    def __init__(self, graph: Graph, options: EngineOptions) -> None:
        facts = graph.facts
        self.n_layers = int(facts["n_layers"])
        self.hidden_size = int(facts["hidden_size"])
        self.has_pooler = bool(facts["has_pooler"])
        self.n_blocks = int(facts["n_blocks"])
        self.pads = bool(facts["pads"])
        self.batch_tokens = BATCH_TOKENS
        self.ahead = STREAMS
        self.n_writers = 1
        self._inputs: Sequence[str] = facts["inputs"]
        self._compiled = _compiled(graph.model, options.precision)
        self._idle: list[Any] = []
        self.provenance: dict[str, Any] = {
            "engine": "openvino",
            "device": f"cpu ({platform.processor() or platform.machine()})",
            "python": platform.python_version(),
            **{name: version(name) for name in ("openvino", "transformers", "tokenizers", "numpy")},
        }

    @classmethod
    def load(cls, checkpoint: Checkpoint, options: EngineOptions) -> OpenVinoEncoder:
        """Take the kept graph of a checkpoint, or trace it anew.

        Raises
        ------
        EncoderError
            When the checkpoint cannot serve as an encoder, or OpenVINO does not compute it right.
        """
        graph = kept_graph(openvino(), checkpoint, options, lambda: convert(checkpoint, options))
        name = graph.facts["name"]
        refuse_long(name, graph.facts["positions"], options.max_length)
        try:
            return cls(graph, options)
        except RuntimeError as error:
            reason = _last_line(error)
            raise NotConvertible(
                f"OpenVINO cannot run {name} in {options.precision} on this CPU ({reason})"
            ) from error

    def submit(self, batch: Batch) -> Running:
        """Start a batch; see :meth:`extract.engines.encoder.Encoder.submit`."""
        try:
            request = self._idle.pop() if self._idle else self._compiled.create_infer_request()
            feed = _feed(self._inputs, batch)
            request.start_async(feed, share_inputs=True)
        except (RuntimeError, MemoryError) as error:
            _refuse_large(error, batch.ids.shape)
            raise
        return Running(request, feed, self._idle)


@dataclass(frozen=True, slots=True)
class Running:
    """A batch under way."""

    request: Any
    feed: Mapping[str, NDArray[Any]]
    """The inputs, which OpenVINO reads where they stand."""
    idle: list[Any]
    """Takes the request back."""

    def result(self) -> Pooled:
        """Wait for the numbers; see :meth:`extract.engines.encoder.Pending.result`."""
        try:
            self.request.wait()
            values = self.request.get_output_tensor().data.copy()
        except (RuntimeError, MemoryError) as error:
            _refuse_large(error, self.feed["input_ids"].shape)
            raise
        self.idle.append(self.request)
        return Pooled(values, np.isfinite(values).all(axis=(1, 2)))


def _refuse_large(error: Exception, shape: Sequence[int]) -> None:
    """DeviceOutOfMemory when that is what an error on a batch of this shape says."""
    if is_out_of_memory(error):
        raise DeviceOutOfMemory(*shape) from error


def _feed(inputs: Sequence[str], batch: Batch) -> dict[str, NDArray[Any]]:
    ids = batch.ids
    mask = np.ones(ids.shape, bool) if batch.mask is None else batch.mask
    types = np.zeros_like(ids) if batch.type_ids is None else batch.type_ids
    content = mask if batch.content is None else batch.content
    feeds = {
        "input_ids": ids, "attention_mask": mask.astype(np.int64), "token_type_ids": types,
        "content_mask": content.astype(np.int64),
    }  # fmt: skip
    return {name: feeds[name] for name in inputs}


def _compiled(model: Any, precision: str) -> Any:
    limit = thread_limit()
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "NUM_STREAMS": min(STREAMS, limit or n_cores()),
        # Several processes on one machine would pin themselves to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    if limit is not None:
        settings["INFERENCE_NUM_THREADS"] = limit
    return openvino().Core().compile_model(model, "CPU", settings)


def convert(checkpoint: Checkpoint, options: EngineOptions) -> tuple[Any, Mapping[str, Any]]:
    """Trace a checkpoint's module with its poolings, and hold the graph against it.

    Returns
    -------
    The OpenVINO model, in fp32, and the facts that :class:`OpenVinoEncoder` needs of it.

    Raises
    ------
    EncoderError
        When the checkpoint cannot serve, or the graph gives other numbers than the module.
    """
    from extract.engines.traced import trace_encoder

    traced = trace_encoder(checkpoint, options)
    try:
        with traced.quiet():
            model = openvino().convert_model(traced.module, example_input=traced.example)
        model.reshape({tensor: [-1, -1] for tensor in model.inputs})
        request = _compiled(model, "fp32").create_infer_request()
        found = request.infer({k: v.numpy() for k, v in traced.probe.items()})[0]
    except Exception as error:  # OpenVINO's own, of many kinds
        raise NotConvertible(
            f"OpenVINO cannot run {traced.facts['name']} ({_last_line(error)})"
        ) from error
    error_ = np.linalg.norm(found - traced.expected, axis=-1)
    worst = float((error_ / np.linalg.norm(traced.expected, axis=-1).clip(1e-30)).max())
    if not worst <= TOLERANCE:
        raise NotConvertible(
            f"OpenVINO computes {traced.facts['name']} with a relative error of {worst:.1e}"
        )
    return model, traced.facts


def _last_line(error: Exception) -> str:
    """Where OpenVINO says what is wrong."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
