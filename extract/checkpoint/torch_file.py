"""What ``torch.save`` wrote, read without running any code from it.

People save a state dict beside other things: predictions, an epoch, an optimiser. The weights are
then one mapping of several, and the others are left. Arrays of NumPy come in as empty stand-ins:
they are no weights, and NumPy itself never sees a byte of them.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import EncoderError

if TYPE_CHECKING:
    from torch import Tensor

#: Names and shapes of the encoder's own weights; asked for only where a file leaves a choice.
Shapes = Callable[[], Mapping[str, tuple[int, ...]]]

#: How NumPy 1 and NumPy 2 name what an array, a number or a type of theirs is made by.
NUMPY = (
    "numpy.ndarray", "numpy.dtype",
    *(f"numpy.{core}.{name}" for core in ("core", "_core")
      for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")),
)  # fmt: skip

#: What keeps the state of training, by the start of its name: as many tensors as the weights.
TRAINING = ("optim", "lr_sched", "sched", "scaler", "grad_scaler", "callbacks", "loops")

#: How far mappings are looked through, and how far lists.
DEEPEST, MOST = 6, 16


class Dropped:
    """Stands where an array of NumPy stood."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_torch(path: Path, dtypes: Mapping[str, str], shapes: Shapes | None) -> dict[str, Tensor]:
    """The tensors of a state dict, on the CPU; mapped from the file where its format allows.

    Parameters
    ----------
    path
        A zip file, or the format before it.
    dtypes
        The types of tensors that are weights, by torch's names.
    shapes
        For a file that may hold other things beside the state dict; None for one that may not.

    Raises
    ------
    EncoderError
        When the file is damaged, or holds what could run code, or not one mapping of weights.
    """
    import torch

    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_stand_ins(shapes)):
            warnings.simplefilter("ignore")
            content = torch.load(path, "cpu", weights_only=True, mmap=_can_be_mapped(path))
        state = content if shapes is None or _is_plain(content) else _chosen(path, content, shapes)
        _refuse_odd(state, dtypes)
    except (OSError, EncoderError):
        raise
    except Exception as error:  # a broken file can raise anything
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named:
            raise EncoderError(
                f"{path} was refused: its pickle names {named[1]}, which no weights need and "
                'which could run code; where it was made, save `torch.save(model.state_dict(), "'
                'model.bin")` without it, or use a safetensors version of the checkpoint'
            ) from None
        reason = str(error).partition("\n")[0].partition(". ")[0]
        if isinstance(error, pickle.UnpicklingError):  # torch's advice would be to run the code
            reason = "its pickle is not that of a state dict"
        raise EncoderError(
            f"{path} is no intact state dict ({reason}): save the checkpoint again, as safetensors"
        ) from None
    return {str(name): tensor for name, tensor in state.items()}


def _stand_ins(shapes: Shapes | None) -> list[Any]:
    return [] if shapes is None else [(Dropped, name) for name in NUMPY]


def _can_be_mapped(path: Path) -> bool:
    """Whether the file is a zip that holds its tensors plainly, as torch writes it.

    Mapping a zip that was compressed since, torch would take compressed bytes for numbers.
    """
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())


def _is_plain(content: Any) -> bool:
    """Whether this is a mapping of tensors and of nothing else."""
    import torch

    return isinstance(content, dict) and all(
        isinstance(value, torch.Tensor) for value in content.values()
    )


def _chosen(path: Path, content: Any, shapes: Shapes) -> dict[str, Tensor]:
    """The one mapping of weights in what was saved; EncoderError where several would do."""
    found: dict[str, dict[str, Tensor]] = dict(_candidates(content))
    if not found:
        raise ValueError("it holds no mapping of weights by their names")
    if len(found) > 1:
        own = shapes()
        counts = {place: _n_matched(state, own) for place, state in found.items()}
        most = max(counts.values())
        best = [place for place, count in counts.items() if count == most]
        if len(best) > 1 or not most:
            raise EncoderError(
                f"{path} holds several mappings of weights, {_listed(best)}, and "
                f"{'each' if most else 'none'} of them has the encoder's names and shapes: save "
                f"the one that is meant by itself, as a state dict"
            )
        return found[best[0]]
    return next(iter(found.values()))


def _candidates(content: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Each mapping of names to tensors with at least one matrix, and where it stands."""
    import torch

    if isinstance(content, list | tuple):
        content = {str(number): value for number, value in enumerate(content[:MOST])}
    if not isinstance(content, dict) or depth > DEEPEST:
        return
    if not all(isinstance(name, str) for name in content):
        return  # an optimiser keeps its state by number
    tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if any(tensor.dim() > 1 for tensor in tensors.values()):
        yield place, tensors
    for name, value in content.items():
        if not name.lower().startswith(TRAINING):
            yield from _candidates(value, f"{place}.{name}".removeprefix("."), depth + 1)


def _n_matched(state: Mapping[str, Tensor], own: Mapping[str, tuple[int, ...]]) -> int:
    """How many of the encoder's weights stand in a mapping, under the prefix that has most."""
    counts: Counter[str] = Counter()
    for name, tensor in state.items():
        parts = name.split(".")
        for i in range(len(parts)):
            if own.get(".".join(parts[i:])) == tuple(tensor.shape):
                counts[".".join(parts[:i])] += 1
    return max(counts.values(), default=0)


def _listed(places: list[str]) -> str:
    names = [repr(place) if place else "the outermost one" for place in places[:5]]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _refuse_odd(state: Any, dtypes: Mapping[str, str]) -> None:
    """ValueError unless this is a dictionary of dense tensors."""
    import torch

    if not isinstance(state, dict):
        raise ValueError("it holds no dictionary")
    for tensor in state.values():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError("it holds something that is no tensor")
        dense = tensor.layout is torch.strided and tensor.device.type == "cpu"
        if not dense or str(tensor.dtype).removeprefix("torch.") not in dtypes:
            raise ValueError("it holds a tensor that is not dense")
