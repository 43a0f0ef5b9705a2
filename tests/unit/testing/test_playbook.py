"""The playbook tells true stories from false ones."""

import pytest

from proa.testing.playbook import ANY, Playbook, StoryError


def test_a_true_story() -> None:
    story: Playbook[int] = Playbook()
    story >> [1, 2, 3] << 1 << ANY << (lambda action: action == 3)
    story >> []
    story.ends()


def test_what_is_not_told_fails_at_the_next_event() -> None:
    story: Playbook[int] = Playbook(view=str)
    story >> [1, 2] << "1"
    with pytest.raises(StoryError, match="not told: \\['2'\\]"):
        story >> []


def test_another_action_and_a_missing_one_fail() -> None:
    story: Playbook[int] = Playbook()
    with pytest.raises(StoryError, match="expected 2"):
        story >> [1] << 2
    with pytest.raises(StoryError, match="did nothing more"):
        story >> [] << 1
