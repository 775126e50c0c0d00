"""The traffic with the Hugging Face hub, by its own client."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from i2ibench.errors import UserError
from i2ibench.inference.hub.model_folder import CONFIG, WEIGHTS, read_folder
from i2ibench.io.folder_locks import lock_target

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def is_hub_name(text: str) -> bool:
    """Return whether a text can only be a name on the hub, such as "lab/streets".

    It has two parts, its first part is no folder here, and it has no ending of a checkpoint.
    """
    if not _NAME.fullmatch(text) or text.endswith(".pth"):
        return False
    return not Path(text.partition("/")[0]).exists()


def download_system(name: str) -> Path:
    """Download a system from the hub unless it is in the cache, and return its checkpoint's file.

    Args:
        name: the name on the hub, such as "lab/streets".

    Raises:
        UserError: huggingface_hub is not installed, the hub cannot be reached or has no such model,
            or the model is no system of i2ibench.
    """
    _require_client()
    from huggingface_hub import snapshot_download

    with _naming_failures(name):
        folder = Path(snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS]))
    # The folder's name is the commit; its files never change.
    target = _cache() / name.replace("/", "--") / f"{folder.name}.pth"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with lock_target(target, "unpacking a system", wait=True):
            read_folder(folder, target)
    return target


def upload_system(folder: Path, name: str, private: bool) -> str:
    """Upload a folder as a model of the hub, which is created if it does not exist.

    Args:
        folder: the folder.
        name: the name on the hub.
        private: create a model that only its owner can see.

    Returns:
        The address of the model.

    Raises:
        UserError: huggingface_hub is not installed, or the hub refuses or cannot be reached.
    """
    _require_client()
    from huggingface_hub import HfApi

    if not _NAME.fullmatch(name):
        raise UserError(f"A name on the hub is USER/NAME, not {name!r}.")
    with _naming_failures(name):
        api = HfApi()
        address = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="A system of i2ibench")
    return str(address)


def _require_client() -> None:
    if find_spec("huggingface_hub") is None:
        raise UserError(
            "The hub needs huggingface_hub; install it with: pip install 'i2ibench[hub]'"
        )


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache"
    return Path(root) / "i2ibench" / "hub"


@contextmanager
def _naming_failures(name: str) -> Iterator[None]:
    """Turn the client's errors into messages that say what to do."""
    from huggingface_hub import errors

    try:
        yield
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"The hub has no model {name!r} that you may see. If it is private: hf auth login."
        ) from None
    except errors.LocalTokenNotFoundError:
        raise UserError("The hub does not know you: hf auth login.") from None
    except errors.LocalEntryNotFoundError as error:
        raise UserError(
            f"There is no file or folder {name} here, and the Hugging Face hub, which may have a "
            f"system of this name, cannot be reached: {_first_line(error)}"
        ) from None
    except errors.HfHubHTTPError as error:
        raise UserError(f"The hub refuses {name!r}: {_first_line(error)}") from None
    except (OSError, errors.HFValidationError) as error:
        raise UserError(f"{name!r} on the hub: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
