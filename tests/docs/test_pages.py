"""What of a page is run, and which answers are the page's."""

from pathlib import Path

import pytest

from tests.docs.pages import Reader, agrees, blocks

PAGE = """
```console
$ make up
```

```console run wait
$ ls \\
    -l
total ...
  7 a
$ A=1
```

```json file=a.json
{}
```
"""


def test_marked_fences_are_taken_with_their_lines_commands_and_answers() -> None:
    waiting, saved = blocks(PAGE)

    assert (waiting.line, waiting.words, saved.line, saved.saved_as) == (6, ("run", "wait"), 14, "a.json")
    assert list(waiting.steps()) == [("ls \\\n    -l", "total ...\n  7 a\n"), ("A=1", "")]


ID, OTHER = "01a22805-850b-73af-999a-48f12b5f646e", "01a22806-97fd-771a-b014-a48ae39b82ef"


@pytest.mark.parametrize(
    ("shown", "answered", "agree"),
    [
        ('{"status":"paid"}', '{"status": "paid"}\n', True),
        ('{"status":"paid"}', '{"status":"verifying"}', False),
        ('{"status":"paid"}', '{"state":"paid"}', False),
        ('{"status":"paid",...}', '{"status":"paid","more":1}', True),
        ("", "curl: (7) Failed to connect", False),
        (f'{{"id":"{ID}"}}', f'{{"id":"{OTHER}"}}', True),
        (f'{{"id":"{ID}"}}', '{"id":null}', False),
        ("CV-2026-000001 CV-VGU3-3NNF-H32B-PXS8", "CV-2027-000012 CV-AAAA-BBBB-CCCC-DDDD", True),
        ("CV-2026-000001", "AC-2026-000001", False),
        ('{"at":"2026-11-29T15:56:20.1Z"}', '{"at":"2027-01-02T03:04:05Z"}', True),
        ('{"amount":1200000}', '{"amount":1200001}', False),
    ],
)
def test_an_answer_agrees_where_only_what_is_new_each_time_differs(shown: str, answered: str, *, agree: bool) -> None:
    assert agrees(shown, answered) is agree


def page(*fences: tuple[str, str]) -> str:
    return "".join(f"```{first}\n{text}\n```\n" for first, text in fences)


async def read(folder: Path, text: str) -> list[str]:
    async with Reader(folder, {}, {"127.0.0.1:8001": "127.0.0.1:23456"}) as reader:
        return await reader.follow("page.md", text)


async def test_commands_share_a_shell_and_what_was_saved_and_speak_to_the_running_stack(tmp_path: Path) -> None:
    saved = "json file=a.json", '{"url": "http://127.0.0.1:8001"}'
    ran = "console run", '$ A=$(cat a.json)\n$ echo $A\n{"url": "http://127.0.0.1:8001"}'

    assert await read(tmp_path, page(saved, ran)) == []
    assert (tmp_path / "a.json").read_text() == '{"url": "http://127.0.0.1:23456"}\n'


@pytest.mark.parametrize(
    "broken", ["$ echo b\na", "$ false", "$ false | cat", "$ no-such-program", "$ echo $UNSET", "$ echo a"]
)
async def test_a_command_that_does_not_do_what_the_page_shows_is_found(broken: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md, line 4"):
        await read(tmp_path, page(("console run", "$ true"), ("console run", broken)))


async def test_what_takes_a_moment_is_looked_at_again(tmp_path: Path) -> None:
    slowly = "$ echo x >> tries\n$ echo y >> tries; grep -c y tries\n3"

    assert await read(tmp_path, page(("console run wait", slowly))) == []


async def test_what_needs_an_absent_program_is_named_and_the_rest_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)

    left_out = await read(tmp_path, page(("console run kcat", "$ kcat -V"), ("console run", "$ touch run")))

    assert left_out == ["line 1 needs kcat"]
    assert (tmp_path / "run").exists()
