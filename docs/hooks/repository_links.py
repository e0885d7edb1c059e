"""Links of the pages to other files of the repository, such as results: real in a clone, plain text on the website."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import PluginError

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_OUTSIDE = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Name the file instead of linking to it, since the website holds the pages alone.

    Raises:
        PluginError: there is no such file, so that the strict build notices.
    """
    docs = Path(config.docs_dir)

    def named(link: re.Match[str]) -> str:
        text, target = link.groups()
        path = (docs / page.file.src_uri).parent / target
        if not path.exists():
            msg = f"{page.file.src_uri} links to {target}, which does not exist"
            raise PluginError(msg)
        place = f"`{path.resolve().relative_to(docs.parent.resolve())}`"
        return f"{place} in the repository" if f"`{text}`" in place or text in target else f"{text} ({place})"

    return _OUTSIDE.sub(named, markdown)
