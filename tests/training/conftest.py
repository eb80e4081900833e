"""One thread for torch: the sums of these tests are tiny, and waiting for each other costs more than it gives."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
    torch.set_num_threads(1)
