"""The engine that runs everywhere: PyTorch on a CPU, a CUDA GPU or Apple's."""

from __future__ import annotations

import inspect
import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from extract.checkpoint.checkpoint import Checkpoint
from extract.engines.device import thread_limit
from extract.engines.encoder import (
    Batch,
    DeviceFailed,
    DeviceOutOfMemory,
    EngineOptions,
    Pooled,
    is_out_of_memory,
    refuse_long,
)
from extract.engines.hidden_states import Layers, find_layers
from extract.engines.load_model import load_model
from extract.engines.onednn import use_onednn
from extract.engines.pooling import poolings_of
from extract.engines.probes import is_causal, padding_leaks, position_rows, probe_inputs
from features.errors import EncoderError

log = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

#: Tokens of a batch. A CPU's caches like small ones; a GPU has to be kept busy.
BATCH_TOKENS = {"cpu": 1_024, "cuda": 65_536, "mps": 16_384}

#: Batches in the device's queue; where it has none, submitting is computing.
AHEAD = {"cpu": 0, "cuda": 2, "mps": 0}

#: A GPU may give more in a second than one thread converts, hashes and syncs; a CPU never does.
N_WRITERS = {"cpu": 1, "cuda": 4, "mps": 1}


class TorchEncoder:
    """An encoder in PyTorch; see :class:`extract.engines.encoder.Encoder` for its attributes.

    Parameters
    ----------
    model
        In evaluation mode, on its device, in its dtype.
    options
        How it is to be run.
    has_pooler
        Whether its pooler, if it has one, holds the checkpoint's weights.
    """

    def __init__(self, model: nn.Module, options: EngineOptions, *, has_pooler: bool) -> None:
        self._model = model
        self._device = torch.device(options.device)
        self._poolings = poolings_of(options.poolings, options.cls_place)
        self._exact = options.precision == "fp32"
        takes = inspect.signature(model.forward).parameters
        type_rows = getattr(model.config, "type_vocab_size", None)
        self.takes_types = "token_type_ids" in takes and (type_rows is None or type_rows > 1)
        name = type(model).__name__
        with torch.inference_mode():
            try:
                probe = probe_inputs(model, self._device)
                output = model(**probe, return_dict=True)
                if is_causal(model, probe):
                    raise EncoderError(
                        f"{name} is a decoder-only model, in which a token sees only those before "
                        "it, and cannot serve as an encoder: choose one such as roberta-base"
                    )
                self._layers: Layers = find_layers(model, probe)
                self.pads = not padding_leaks(model, probe)
            except (RuntimeError, ValueError, TypeError, AttributeError) as error:
                refuse_device(error, self._device)
                in_fp32 = "" if self._exact else "give --precision fp32, or "
                raise EncoderError(
                    f"{name} does not run on token ids alone in {options.precision} "
                    f"({first_line(error)}): {in_fp32}choose a text encoder"
                ) from error
        self.n_layers = self._layers.n_layers
        self.hidden_size = int(output.last_hidden_state.shape[-1])
        pooled = getattr(output, "pooler_output", None)
        self.has_pooler = (
            has_pooler and pooled is not None and tuple(pooled.shape) == (1, self.hidden_size)
        )
        self.n_blocks = len(self._poolings) * self.n_layers + self.has_pooler
        self.batch_tokens = BATCH_TOKENS[self._device.type]
        self.ahead = AHEAD[self._device.type]
        self.n_writers = N_WRITERS[self._device.type]
        self.provenance = provenance(self._device)

    @classmethod
    def load(cls, checkpoint: Checkpoint, options: EngineOptions) -> TorchEncoder:
        """Load a checkpoint's weights; see :func:`extract.engines.load.load_encoder`."""
        model, has_pooler = load_model(checkpoint, DTYPES[options.precision])
        if options.device == "cpu" and (limit := thread_limit()) is not None:
            torch.set_num_threads(min(limit, torch.get_num_threads()))
        try:
            model = model.to(options.device)
        except RuntimeError as error:
            refuse_device(error, torch.device(options.device))
            raise
        refuse_long(type(model).__name__, position_rows(model), options.max_length)
        if options.device == "cpu" and options.precision == "fp32":
            use_onednn(model)
        return cls(model, options, has_pooler=has_pooler)

    def submit(self, batch: Batch) -> TorchPending:
        """Start a batch; see :meth:`extract.engines.encoder.Encoder.submit`."""
        try:
            with torch.inference_mode(), exact_matmul(self._exact):
                return self._submit(batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                refuse_device(error, self._device)
                raise
        # Outside the handler, so that the failed pass's tensors are no longer held by it.
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        raise DeviceOutOfMemory(*batch.ids.shape)

    def _submit(self, batch: Batch) -> TorchPending:
        inputs = {"input_ids": self._to_device(batch.ids)}
        mask = None
        if batch.mask is not None:
            mask = self._to_device(batch.mask)
            inputs["attention_mask"] = mask.long()
        if batch.type_ids is not None and self.takes_types:
            inputs["token_type_ids"] = self._to_device(batch.type_ids)
        content = None if batch.content is None else self._to_device(batch.content)
        shape = (len(batch.ids), self.n_blocks, self.hidden_size)
        values = torch.empty(shape, dtype=torch.float32, device=self._device)

        def pool(layer: int, hidden: Tensor) -> None:
            for i, pooling in enumerate(self._poolings):
                values[:, i * self.n_layers + layer] = pooling(
                    hidden, mask if pooling.special else content
                )

        output = self._layers.run(inputs, pool)
        if self.has_pooler:
            values[:, -1] = output.pooler_output.float()
        return TorchPending.start(values, values.isfinite().flatten(1).all(1))

    def _to_device(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class TorchPending:
    """A batch whose numbers are on their way to the host."""

    values: Tensor
    finite: Tensor
    done: torch.cuda.Event | None

    @classmethod
    def start(cls, values: Tensor, finite: Tensor) -> TorchPending:
        """Start copying a batch's numbers to the host."""
        if values.device.type != "cuda":
            return cls(values.cpu(), finite.cpu(), None)
        # From pinned memory the copy runs beside the next batch's kernels; the caching host
        # allocator hands the same pages out again, so that they are not pinned anew.
        host = [
            torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(
                tensor, non_blocking=True
            )
            for tensor in (values, finite)
        ]
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(values.device))
        return cls(host[0], host[1], done)

    def result(self) -> Pooled:
        """Wait for the copy; see :meth:`extract.engines.encoder.Pending.result`."""
        if self.done is not None:
            try:
                self.done.synchronize()
            except RuntimeError as error:  # of any kernel since the batch was submitted
                refuse_device(error, torch.device("cuda"))
                raise
        return Pooled(self.values.numpy(), self.finite.numpy())


@contextmanager
def exact_matmul(exact: bool) -> Iterator[None]:
    """Full float32 in matrix products and convolutions, whatever the process has set."""
    if not exact:
        yield
        return
    backends: Any = torch.backends
    # Operation by operation: the older switches for all of them refuse to be read in a process
    # that has used these.
    operations = (
        backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv,
    )  # fmt: skip
    before = [operation.fp32_precision for operation in operations]
    for operation in operations:
        operation.fp32_precision = "ieee"
    try:
        yield
    finally:
        for operation, precision in zip(operations, before, strict=True):
            operation.fp32_precision = precision


def refuse_device(error: Exception, device: torch.device) -> None:
    """DeviceFailed when an error is of the device and not of the encoder."""
    if is_out_of_memory(error):
        raise DeviceFailed(
            f"the encoder does not fit into the memory of {device}: make room there, or give "
            "another --device or a smaller encoder"
        ) from error
    if device.type != "cpu" and isinstance(error, RuntimeError) and "error:" in str(error):
        raise DeviceFailed(
            f"{device} failed ({first_line(error)}): the same call goes on from what is "
            "committed, with --device cpu if need be"
        ) from error


def first_line(error: Exception) -> str:
    """What an error says, without the advice to programmers below it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def provenance(device: torch.device) -> dict[str, Any]:
    """What ran the encoder: recorded with the rows, never compared."""
    name = platform.processor() or platform.machine()
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    libraries = ("torch", "transformers", "tokenizers", "numpy")
    return {
        "engine": "torch",
        "device": f"{device} ({name})",
        "python": platform.python_version(),
        **{library: version(library) for library in libraries},
    }
