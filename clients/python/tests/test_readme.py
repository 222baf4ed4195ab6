"""The README is true: its blocks are run as they are, one after the other, in one program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from agents import Agent
from chainlit.config import config
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from server import Server, token
from test_openai_agents import ScriptedModel, said

README = Path(__file__).parent.parent / "README.md"

PRINTED = """\
USER Where is it warm?
ASSISTANT In Lisbon.
['In Lisbon.']
ada
Or in Athens. COMPLETE
Thank you!
It is warm. 2
You are Ada. 2
[ChatMessage(role=<MessageRole.USER: 'user'>, additional_kwargs={}, blocks=[TextBlock(block_type='text', text='Hello')])]
"""


@pytest.mark.filterwarnings("ignore::langchain_core._api.deprecation.LangChainDeprecationWarning")
def test_the_blocks_of_the_readme_run(
    server: Server, user: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCROLLBACK_TOKEN", token(user))
    monkeypatch.setenv("BACK_END_TOKEN", token("back end", scope="scrollback:act-as"))
    prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{question}")])
    # What the page says is the reader's own.
    given: dict[str, Any] = {
        "agent": Agent(name="guide", model=ScriptedModel(said("It is warm."))),
        "chain": prompt | GenericFakeChatModel(messages=iter([AIMessage("You are Ada.")])),
        "__name__": "readme",
    }
    text = README.read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == text.count("```python") >= 8
    for block in blocks:
        exec(compile(block.replace("http://127.0.0.1:8000", server.url), str(README), "exec"), given)
    assert capsys.readouterr().out == PRINTED
    layer = config.code.data_layer
    assert layer is not None and type(layer()).__name__ == "ScrollbackDataLayer"
    given["client"].close()
