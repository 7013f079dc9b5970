"""The questions of the README: each command prints the answer that stands below it."""

import re
import shlex
from pathlib import Path

import pytest

import bench as package

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def plain(words):
    return " ".join(words.split())


def test_there_are_five_questions():
    """Or nothing would be tested below."""
    assert len(BLOCKS) == 5


@pytest.mark.untraced
@pytest.mark.parametrize(
    "block",
    [pytest.param(block, marks=[pytest.mark.slow] * (place not in (0, 2))) for place, block in enumerate(BLOCKS)],
    ids=lambda block: plain(block)[2:60],
)
def test_a_question_has_the_answer_that_is_printed(bench, block):
    """Word for word; ``A`` and ``B`` are the last two sweeps, and what is left out stands as a line of its own."""
    sweeps = []
    for step in block.split("$ python -m bench ")[1:]:
        command, _, answer = step.partition("\n")
        words = [dict(zip("AB", sweeps[-2:], strict=False)).get(word, word) for word in shlex.split(command)]
        ran = bench(*words, *(["--no-report", "--no-budget-check"] if words[0] == "sweep" else []))
        assert ran.status == 0, ran.err
        sweeps.append(package.load().id)
        said = plain(ran.out + ran.err)
        for part in answer.split("…\n"):
            assert plain(part) in said


def test_pictures_are_there():
    """Each with words for who cannot see it."""
    pictures = re.findall(r"!\[(.+?)\]\((.+?)\)", README)
    assert len(pictures) >= 3
    assert all((Path(__file__).parent.parent / file).is_file() for _, file in pictures)
