"""The package as it is published."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import scrollback_client

ROOT = Path(__file__).parent.parent


def test_the_wheel_has_types_and_needs_only_httpx(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = Parser().parsestr(archive.read(next(n for n in names if n.endswith("/METADATA"))).decode())
    assert "scrollback_client/py.typed" in names and "scrollback_client/chainlit/__init__.py" in names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"scrollback_client"}
    assert metadata["Version"] == scrollback_client.__version__
    needed = [line for line in metadata.get_all("Requires-Dist") or [] if "extra ==" not in line]
    assert needed == ["httpx<1,>=0.28"]
    assert metadata.get_all("Provides-Extra") == ["chainlit", "langchain", "llama-index", "openai-agents"]


def test_the_client_imports_no_framework() -> None:
    code = (
        "import sys; sys.path.insert(0, 'src'); import scrollback_client; "
        "print([name for name in ('agents', 'langchain_core', 'llama_index', 'chainlit', 'pydantic') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
