"""What is told of a node of the cluster that `make ha` runs."""

from pathlib import Path

import pytest

from tests.high_availability.node import Node
from tests.high_availability.owner import ClusterError, start


def test_nobody_waits_for_a_node_whose_patroni_has_ended(tmp_path: Path) -> None:
    node = Node("node0", tmp_path, "127.0.0.2", 1, 2)
    node.check()
    node.process = start(["sh", "-c", "echo first; echo no store is configured"], node.log)
    node.process.wait()
    with pytest.raises(ClusterError, match="Patroni of node0 has ended: no store is configured"):
        node.check()
