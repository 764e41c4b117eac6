"""What of a page is run, and which answers are the page's."""

import pytest

from tests.docs.pages import agrees, blocks

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
