"""The libraries that only encoding needs: the extra ``extract`` installs them."""

from __future__ import annotations

from importlib.util import find_spec

from features.errors import EncoderError

#: What the extra ``extract`` installs, by the names that Python imports.
LIBRARIES = ("torch", "transformers", "tokenizers", "huggingface_hub", "safetensors")


def require_libraries() -> None:
    """See that what encodes texts is installed, without importing it.

    Whatever begins to encode passes here first, so that nothing later meets a missing import.

    Raises
    ------
    EncoderError
        When one of the libraries is not installed; names the missing ones and the line that
        installs them.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise EncoderError(
            f"encoding texts needs libraries that are not installed ({', '.join(missing)}): "
            "pip install 'layerbank[extract]'"
        )
