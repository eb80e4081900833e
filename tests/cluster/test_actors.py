"""Ray's head restarted, and the site with it: hosts read on, tell what was meanwhile, and keep their cameras."""

from typing import TYPE_CHECKING

import pytest

from tests.cluster.test_fleet import gapless, sequences

if TYPE_CHECKING:
    from tests.cluster.town import Town

pytestmark = pytest.mark.timeout(240)
WINDOWS = 3


def test_the_head_is_restarted_and_hosts_go_on(town: "Town") -> None:
    from tests.cluster.town import wait_for

    town.settle()
    owners, told = town.owners(), len(sequences(town))
    town.restart_head(WINDOWS)  # they score without site and head
    wait_for(town.settled, "all hosts are back at the new site")
    stayed = [pair for pair in owners.items() if pair in town.owners().items()]
    assert len(stayed) >= 10  # one or two may move for fairness
    wait_for(lambda: len(sequences(town)) > told, "alerts come again")
    assert gapless(town)
