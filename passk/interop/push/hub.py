"""The Hugging Face hub: a private dataset repository, one commit per push.

`HF_ENDPOINT` names another hub. Files that did not change are not sent again.
"""

from __future__ import annotations

from huggingface_hub import HfApi, get_token

from passk.core.errors import PasskError
from passk.interop.push.core import Bundle


class Hub:
    """Pushes to a dataset repository."""

    def check(self) -> None:
        """Raise if there is no token."""
        if not get_token():
            raise PasskError(
                "no token for the Hugging Face hub", fix="set HF_TOKEN, or run `hf auth login`"
            )

    def push(self, bundle: Bundle) -> str:
        """Replace the content of the repository, which is made private where it is new."""
        api = HfApi()
        url = api.create_repo(bundle.project, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=url.repo_id,
            repo_type="dataset",
            folder_path=bundle.folder,
            commit_message=f"passk push {bundle.run}",
            delete_patterns=["tables/*", "figures/*", "data/*"],
        )
        return str(url)
